"""Stories for small models of every system: what is told and asked, learning, what is measured."""

import json
import random
import re
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from armt_core.config import System
from training import __main__ as command_line
from training import babilong, small
from training.data import files
from training.objectives.stories import (
    SEGMENT,
    UNKNOWN,
    Stories,
    Tale,
    Told,
    answer,
    draw_moves,
    draw_stories,
)

BOOK = "The tide stood high above the sill. Nobody had seen the harbour so full! Was it the moon? "


@pytest.fixture(scope="module")
def tale() -> Tale:
    return Tale([BOOK * 20])


def words(tale: Tale, row: torch.Tensor) -> str:
    names = {number: word for word, number in tale.numbers.items()}
    return " ".join(names.get(number, "_") for number in row.tolist())


def test_every_word_of_a_story_has_a_number_and_a_rare_word_of_a_book_has_none(tale: Tale):
    [fact] = tale.encode(["Mary went back to the bathroom."])
    assert UNKNOWN not in fact and len(set(fact)) == 7
    assert tale.encode(["xylophone"]) == [[UNKNOWN]]
    assert Tale([BOOK * 20]).numbers == tale.numbers
    other = tale.among(["A ship came in. " * 9])
    assert other.numbers == tale.numbers
    assert other.encode(["ship"]) == [[UNKNOWN]]


def test_a_told_story_stands_in_its_order_in_full_segments_of_sentences(tale: Tale):
    facts = ["Mary went to the garden.", "John moved to the office.", "Mary got the milk there."]
    rows = tale.tell(facts, 4, random.Random(3))
    assert [len(row) for row in rows] == [SEGMENT] * 4
    text = words(tale, torch.tensor(rows).flatten())
    at = [text.find(fact.lower().replace(".", " .")) for fact in facts]
    assert at == sorted(at) and at[0] >= 0
    assert "nobody had seen the harbour so full !" in text


def test_questions_are_answered_as_the_story_tells_it(tale: Tale):
    told = draw_stories(random.Random(5), tale, [1], 2, 20, 3)
    assert told.told.shape == (20, 2, SEGMENT) and len(told.questions) == len(told.answers) == 60
    moved = re.compile(r"(mary|john|daniel|sandra) (?:went back|\w+) to the (\w+) \.")
    for b in range(20):
        last = dict(moved.findall(words(tale, told.told[b].flatten())))
        assert len(last) >= 1
        for q in range(3 * b, 3 * b + 3):
            who = words(tale, told.questions[q][told.mask[q].bool()])
            asked = re.fullmatch(r"where is (\w+) \?", who)
            assert asked and last[asked[1]] == words(tale, told.answers[q : q + 1])
    again = draw_stories(random.Random(5), tale, [1], 2, 20, 3)
    assert torch.equal(told.told, again.told) and torch.equal(told.answers, again.answers)


def test_the_easiest_stories_tell_one_move_a_segment_each_of_somebody_else(tale: Tale):
    told = draw_moves(random.Random(5), tale, 4, 8, 10, 5)
    assert told.told.shape == (10, 4, 8) and len(told.questions) == len(told.answers) == 50
    moved = re.compile(r"(mary|john|daniel|sandra) (?:went back|\w+) to the (\w+) \.")
    for b in range(10):
        facts = [moved.findall(words(tale, row)) for row in told.told[b]]
        assert [len(found) for found in facts] == [1] * 4
        where = {who: place for [(who, place)] in facts}
        assert len(where) == 4
        asked = [words(tale, told.questions[q]).split()[2] for q in range(5 * b, 5 * b + 5)]
        assert len(set(asked)) == 4 and asked[4] == asked[0]
        for who, answer_ in zip(asked, told.answers[5 * b : 5 * b + 5], strict=True):
            assert words(tale, answer_[None]) == where[who]
    with pytest.raises(ValueError, match="there are 4"):
        draw_moves(random.Random(5), tale, 5, 8, 10, 5)


def test_a_training_begins_with_short_segments_of_a_fact_each(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(babilong.files, "books", lambda data, split: [BOOK * 20])
    task = babilong.babilong(tmp_path, [2, 1, 2], 8)
    assert [(s["segments"], s.get("words")) for s in task.stages] == [
        (4, 8),
        (4, 16),
        (4, 32),
        (4, None),
        (8, None),
    ]
    assert task.shares == [2, 1, 1, 8, 8]
    assert task.described["tasks"] == [1, 2]  # said twice it is no other training
    objective = task.objective(**task.stages[0])
    model = small.small_model("armt", task.vocabulary, SEGMENT)
    learned = objective.learn(model, random.Random(0), empty=False)
    assert learned.figures["segments"] == 4 and float(learned.loss.detach()) > 1


@torch.no_grad()
@pytest.mark.parametrize("system", ["full-attention", "mamba"])
def test_an_answer_is_that_of_the_row_and_emptied_that_of_the_question_alone(
    tale: Tale, system: System
):
    model = small.small_model(system, tale.vocabulary, SEGMENT).eval()
    questions = [("Where is Mary?", "office"), ("Where was the milk before the office?", "garden")]
    rows = [tale.tell(["Mary went to the office."], 2, random.Random(b)) for b in range(2)]
    told = Told.of(tale, rows, [questions, questions])
    said, alone = answer(model, told), answer(model, told, empty=True)
    for i, (b, question) in enumerate((b, q) for b in range(2) for q, _ in questions):
        [asked] = tale.encode([question])
        for row, expected in (([*rows[b][0], *rows[b][1], *asked], said), (asked, alone)):
            by_row = model.backbone(input_ids=torch.tensor([row])).logits[0, -1]
            assert torch.allclose(expected[i], by_row, atol=1e-4)


@pytest.mark.parametrize("system", ["armt", "rmt", "prmt", "mamba"])
def test_a_short_training_lowers_the_loss(system: System, tale: Tale, tmp_path: Path):
    task = small.SmallTask(
        name="stories",
        vocabulary=tale.vocabulary,
        segment_tokens=SEGMENT,
        stages=[{"tasks": [1, 5], "segments": 2, "documents": 2, "questions": 4}],
        objective=partial(Stories, tale),
        measure=lambda model, draw: {},
        described={},
    )
    torch.manual_seed(0)
    before = small.small_model(system, tale.vocabulary, SEGMENT).eval()
    after = small.train_small(task, system, 0, 8, tmp_path)
    told = draw_stories(random.Random(1), tale, [1, 5], 2, 8, 4)
    losses = []
    with torch.no_grad():
        for model in (before, after):
            losses.append(float(functional.cross_entropy(answer(model, told), told.answers)))
    assert losses[1] < losses[0] - 0.5


def test_the_command_trains_on_simulated_stories_and_is_measured_on_real_ones(
    tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr(babilong, "BATCH", 2)
    monkeypatch.setattr(babilong, "BEYOND", (1, 2))
    monkeypatch.setattr(babilong.files, "books", lambda data, split: [BOOK * 20])
    story = files.BabiQuestion(("Mary went to the garden.",), "Where is Mary?", "garden")
    long = files.BabiQuestion(("Mary went to the garden.",) * 9, "Where is Mary?", "garden")
    monkeypatch.setattr(babilong.files, "babi", lambda data, task, split: [story] * 3 + [long] * 2)
    line = f"babilong --data {tmp_path} --tasks 1 --segments 1 --steps 4 --output {tmp_path}"
    assert command_line.main(line.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tasks"], found["segments"], found["segment_words"]) == ([1], 1, SEGMENT)
    assert [found["qa1"][n]["n"] for n in ("1", "2")] == [3, 3]  # the long fits into no one segment
    for shares in found["qa1"].values():
        assert shares["best_constant"] == shares["told_last"] == 1.0
        assert {"right", "right_emptied"} <= set(shares)
    for wrong, said in (("--segments 0", "at least 1"), ("--segments 1 --tasks 6", "from 1 to 5")):
        assert command_line.main([*line.split(), *wrong.split()]) == 2
        assert said in capsys.readouterr().err
