"""Associative retrieval: what is drawn, what counts as right, and learning it with every system."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch.nn import functional

from armt_core.config import System
from armt_core.model import ArmtModel
from armt_core.reading import read_sequential
from training import __main__ as command_line
from training import associative, small
from training.checkpoints import CheckpointError
from training.listed import ask_listed, read_listed
from training.objectives.associative import (
    ASKED,
    IS,
    KEY,
    PAIR,
    VOCABULARY,
    Drawn,
    answer,
    draw_documents,
    matches,
    matches_without_keys,
)
from training.recipe import Recipe
from training.small import _ends, learn, small_model, train_small

SYSTEMS = get_args(System)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(associative, "BATCH", 8)


def told(drawn: Drawn, document: int) -> list[tuple[tuple[int, ...], int]]:
    """Keys and values of a document, in order."""
    rows = drawn.pairs[document].tolist()
    assert all(row[KEY] == IS for row in rows)
    return [(tuple(row[:KEY]), row[KEY + 1]) for row in rows]


def test_to_remember_are_pairs_of_different_keys_and_different_ones_are_asked_for():
    drawn = draw_documents(random.Random(1), "remember", 20, 30, 4)
    for document in range(30):
        pairs = dict(told(drawn, document))
        questions = drawn.questions[document].tolist()
        assert len(pairs) == 20 and len({tuple(q[:KEY]) for q in questions}) == 4
        for question, value in zip(questions, drawn.values[document].tolist(), strict=True):
            assert question[KEY] == ASKED
            assert [pairs[tuple(question[:KEY])]] == question[KEY + 1 :] == value
    assert int(drawn.pairs.max()) < VOCABULARY
    assert draw_documents(random.Random(1), "rewrite", 5, 2, 8).questions.shape == (2, 5, PAIR)


def test_rewritten_keys_come_again_and_the_last_value_counts():
    drawn = draw_documents(random.Random(1), "rewrite", 20, 50)
    rewritten, different = 0, set()
    for document in range(50):
        pairs = told(drawn, document)
        different.add(len({key for key, _ in pairs}))
        assert len(pairs) == 20
        (question,) = drawn.questions[document].tolist()
        values = [value for key, value in pairs if key == tuple(question[:KEY])]
        assert values[-1] == question[KEY + 1]
        rewritten += values[0] != values[-1]
    assert rewritten > 10 and different == set(range(2, 11))


def test_two_pairs_to_rewrite_are_of_two_keys_for_one_alone_would_be_learned_as_none():
    drawn = draw_documents(random.Random(1), "rewrite", 2, 20, 2)
    assert all(len({key for key, _ in told(drawn, document)}) == 2 for document in range(20))
    third = draw_documents(random.Random(1), "rewrite", 3, 20)
    assert all(len({key for key, _ in told(third, document)}) == 2 for document in range(20))


def test_so_few_keys_share_the_pairs_to_rewrite_as_are_asked_for():
    drawn = draw_documents(random.Random(1), "rewrite", 20, 10, 4, keys=3)
    for document in range(10):
        pairs = told(drawn, document)
        assert len(pairs) == 20 and len({key for key, _ in pairs}) == 3
        for question in drawn.questions[document].tolist():
            values = [value for key, value in pairs if key == tuple(question[:KEY])]
            assert values[-1] == question[KEY + 1]


def test_a_document_is_drawn_from_its_seed_alone():
    one, other = (draw_documents(random.Random("3/7"), "rewrite", 5, 4, 2) for _ in range(2))
    assert torch.equal(one.pairs, other.pairs) and torch.equal(one.questions, other.questions)


def test_a_question_is_about_the_last_pair_with_its_key():
    drawn = draw_documents(random.Random(1), "rewrite", 20, 10, 4)
    for document in range(10):
        keys = [key for key, _ in told(drawn, document)]
        for question, at in zip(
            drawn.questions[document].tolist(), drawn.told_at[document].tolist(), strict=True
        ):
            assert keys[at] == tuple(question[:KEY]) and keys[at] not in keys[at + 1 :]


def test_a_match_is_a_value_of_which_every_symbol_is_the_most_likely_one():
    drawn = draw_documents(random.Random(1), "remember", 2, 3)
    logits = functional.one_hot(drawn.values, VOCABULARY).float()
    logits[1] = logits[1].roll(1, dims=-1)
    assert matches(logits, drawn).tolist() == [[True], [False], [True]]


def test_without_keys_the_value_is_said_that_was_told_most_often_or_last():
    def rows(mark: int, *pairs: tuple[int, int]) -> list[list[int]]:
        return [[key, 3, 3, mark, value] for key, value in pairs]

    pairs = rows(IS, (5, 9), (5, 9), (4, 9), (5, 8), (6, 8))
    questions = rows(ASKED, (4, 9), (5, 8), (6, 8))
    drawn = Drawn(torch.tensor([pairs]), torch.tensor([questions]))
    most, last = [[True, False, False]], [[False, True, True]]
    assert matches_without_keys(drawn).tolist() == [most, last]
    # One of many keys asked for: of those told last few are; of two keys that come often, a half.
    draw = random.Random(0)
    remembered = associative.exact_match_without_keys("remember", 20, 2000, draw)
    rewritten = associative.exact_match_without_keys("rewrite", 20, 2000, draw, keys=2)
    assert 0.15 < remembered < 0.22 and 0.47 < rewritten < 0.58


def test_exact_match_is_the_share_of_all_questions(monkeypatch):
    batches = []

    def worse_at_first(model: object, drawn: Drawn) -> torch.Tensor:
        logits = functional.one_hot(drawn.values, VOCABULARY).float()
        wrong = 8 if not batches else 3
        logits[:wrong] *= -1
        batches.append(len(drawn.pairs))
        return logits

    monkeypatch.setattr(associative, "answer", worse_at_first)
    # Two batches of 8 documents and 2 questions each: none and 5 of 8 documents are right.
    model = small_model("armt", VOCABULARY, PAIR)
    right, _ = associative.answered(model, "remember", 2, 19, random.Random(0))
    assert float(right.mean()) == 10 / 32 and batches == [8, 8]


def test_what_is_right_is_counted_by_the_fifth_in_which_it_was_told(monkeypatch):
    def knows_late_pairs(model: object, drawn: Drawn) -> torch.Tensor:
        logits = functional.one_hot(drawn.values, VOCABULARY).float()
        return logits * (drawn.told_at >= 8)[..., None, None]  # what has no sign says padding

    monkeypatch.setattr(associative, "answer", knows_late_pairs)
    task = associative.associative("remember", 10, measured=(3,), questions=200)
    found = task.measure(small_model("armt", VOCABULARY, PAIR), random.Random(0))
    by_fifth = found["exact_match_by_fifth"]
    assert by_fifth["10"] == [0, 0, 0, 0, 1] and 0.1 < found["exact_match"]["10"] < 0.3
    assert by_fifth["3"] == [0, 0, None, 0, None]  # of three pairs none is told there


@torch.no_grad()
@pytest.mark.parametrize("system", SYSTEMS)
def test_several_questions_are_answered_as_each_alone(system: System):
    torch.manual_seed(2)
    model = small_model(system, VOCABULARY, PAIR).eval()
    drawn = draw_documents(random.Random(3), "remember", 3, 2, 3)
    together = answer(model, drawn)
    for q in range(3):
        alone = answer(model, Drawn(drawn.pairs, drawn.questions[:, q : q + 1]))
        torch.testing.assert_close(together[:, q : q + 1], alone)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_short_training_of_each_system_lowers_the_loss(system: System, tmp_path: Path):
    torch.manual_seed(0)
    before = small_model(system, VOCABULARY, PAIR).eval()
    after = train_small(associative.associative("remember", 1), system, 0, 30, tmp_path)
    drawn = draw_documents(random.Random("apart"), "remember", 1, 64)
    losses = [
        functional.cross_entropy(answer(model, drawn)[:, 0, 0], drawn.values[:, 0, 0]).item()
        for model in (before, after)
    ]
    assert losses[1] < losses[0] - 0.02


def test_another_task_does_not_go_on_with_a_checkpoint(tmp_path: Path):
    train_small(associative.associative("remember", 1), "armt", 0, 2, tmp_path, stop_after=1)
    with pytest.raises(CheckpointError, match="of another training"):
        train_small(associative.associative("rewrite", 1), "armt", 0, 2, tmp_path)


def test_the_curriculum_ends_with_the_pairs_that_were_asked_for():
    stages = associative.associative("remember", 20).stages
    assert [stage["pairs"] for stage in stages] == [1, 2, 3, 5, 10, 20]
    assert associative.associative("remember", 7).stages[-1]["pairs"] == 7


def test_stages_have_their_share_of_the_steps_and_one_at_least():
    assert _ends(10, [1, 1, 1]) == [0, 3, 6, 10]
    assert _ends(90, [1, 2, 6]) == [0, 10, 30, 90]
    assert _ends(4, [1, 1, 100]) == [0, 1, 2, 4] and _ends(3, [100, 1, 1]) == [0, 1, 2, 3]
    shares = associative.associative("remember", 50).shares
    assert shares[0] == 1 and shares[-1] == pytest.approx(50**0.5)


def test_of_long_documents_fewer_are_read_in_a_step_and_more_is_asked_about_each(monkeypatch):
    monkeypatch.setattr(associative, "BATCH", 32)
    stages = associative.associative("remember", 50).stages
    assert [s["documents"] for s in stages] == [32, 32, 32, 32, 32, 32, 16]
    assert [s["questions"] for s in stages] == [8, 8, 8, 8, 8, 8, 16]


def test_results_are_written_with_the_setting_they_are_of(tmp_path: Path):
    task = associative.associative("remember", 2, measured=(3,), questions=10)
    found = learn(task, "prmt", 0, 2, tmp_path)
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {k: written[k] for k in found} == found and {"machine", "commit"} <= set(written)
    assert 0 < found["processor_minutes"] < 10
    setting = (found["task"], found["told"], found["system"], found["pairs"], found["steps"])
    assert setting == ("associative", "remember", "prmt", 2, 2)
    assert found["questions"] == {"2": 40, "3": 10}
    assert list(found["exact_match"]) == ["2", "3"]
    assert all(0 <= share <= 1 for share in found["exact_match"].values())
    assert "exact_match_of_few_keys" not in found
    task = associative.associative("rewrite", 2, (), 10, few_keys=((4, 2),))
    few = learn(task, "prmt", 0, 2, tmp_path / "few")["exact_match_of_few_keys"]
    assert list(few) == ["4 of 2"] and 0 <= few["4 of 2"] <= 1


def test_the_rate_of_a_training_is_that_of_its_task_or_the_one_asked_for(
    tmp_path: Path, monkeypatch
):
    task = replace(associative.associative("remember", 1), decay=0.5)
    recipes: list[Recipe] = []

    def noted(model, recipe, *rest, **more):
        recipes.append(recipe)
        return model

    monkeypatch.setattr(small, "train", noted)
    for rate in (task.rate, 3e-4):
        train_small(replace(task, rate=rate), "rmt", 0, 100, tmp_path)
    assert [r.learning_rate for r in recipes] == [task.rate, 3e-4]
    assert [r.rate_at(step) for r in recipes[:1] for step in (0, 10, 50, 75)] == [0.1, 1, 1, 0.5]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--pairs 0 --steps 5", "from 1 to 4096"),
        ("--pairs 5 --steps 3", "at least 4, one for each"),
        ("--pairs 1 --steps 3 --rate 0", "above 0, as 3e-4, not 0"),
    ],
)
def test_numbers_that_make_no_training_are_wrong_usage(wrong: str, said: str, tmp_path, capsys):
    assert command_line.main(f"associative {wrong} --output {tmp_path}".split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("system", ArmtModel.systems)
def test_lists_of_writes_give_the_memory_the_answers_and_the_gradients_of_the_matrix(
    system: System,
):
    torch.manual_seed(1)
    model = small_model(system, VOCABULARY, PAIR).eval().double()
    with torch.no_grad():
        model.associative.value.normal_(std=0.1)
    drawn = draw_documents(random.Random(2), "rewrite", 5, 4, 2)
    learned = dict(model.named_parameters())

    def gradients(logits: torch.Tensor) -> dict[str, torch.Tensor]:
        along = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)
        found = torch.autograd.grad((logits * along).sum(), learned.values(), allow_unused=True)
        return {name: g for name, g in zip(learned, found, strict=True) if g is not None}

    listed = read_listed(model, drawn.pairs)
    state = read_sequential(model, drawn.pairs).memory
    for layer, A, z in zip(listed, state.associations, state.normalizer, strict=True):
        torch.testing.assert_close(layer.sum(), A)
        torch.testing.assert_close(layer.normalizer, z)
    hidden = ask_listed(model, drawn.questions.flatten(0, 1), listed)
    fast = model.adapter.logits(hidden[:, KEY : KEY + 1]).unflatten(0, (4, 2))
    slow = answer(model, drawn)
    torch.testing.assert_close(answer(model, drawn, learning=True), slow)
    torch.testing.assert_close(fast, slow)
    one, other = gradients(fast), gradients(slow)
    assert one.keys() == other.keys() and len(one) > 40
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-5, atol=1e-9)


def test_mamba_learns_from_one_row_what_it_would_from_segments():
    torch.manual_seed(1)
    model = small_model("mamba", VOCABULARY, PAIR).eval()
    drawn = draw_documents(random.Random(2), "rewrite", 5, 4, 2)
    found = []
    for learning in (False, True):
        logits = answer(model, drawn, learning)
        loss = functional.cross_entropy(logits.flatten(0, 2), drawn.values.flatten())
        found.append((logits, torch.autograd.grad(loss, list(model.parameters()))))
    (slow, of_slow), (fast, of_fast) = found
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)
    for one, other in zip(of_fast, of_slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
