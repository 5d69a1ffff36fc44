"""Copy, reverse and parity: what is drawn, what counts as right, and that every system learns."""

import json
import random
import signal
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from armt_core.config import System
from armt_core.errors import UsageError
from training import __main__ as command_line
from training import algorithmic, checkpoints, small
from training.checkpoints import CheckpointError
from training.interruption import interruption
from training.objectives.algorithmic import (
    ANSWER,
    FIRST,
    SEGMENT,
    TOLD,
    VOCABULARY,
    Algorithmic,
    Drawn,
    answer,
    draw_problems,
)
from training.objectives.next_token import next_logits


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(algorithmic, "BATCH", 8)


def symbols(drawn: Drawn, document: int) -> tuple[list[int], list[int]]:
    """What was told and what is right, as one row each, without the marks."""
    assert set(drawn.told[document, :, 0].tolist()) == {TOLD}
    assert set(drawn.answers[document, :, 0].tolist()) == {ANSWER}
    return drawn.told[document, :, 1:].flatten().tolist(), drawn.right[document].flatten().tolist()


def test_what_is_right_is_the_same_the_reverse_or_the_parity_of_what_was_told():
    for problem in ("copy", "reverse", "parity"):
        drawn = draw_problems(random.Random(1), problem, 3, 20)
        for document in range(20):
            told, right = symbols(drawn, document)
            assert len(told) == 3 * SEGMENT and max(told) < VOCABULARY
            if problem == "parity":
                assert set(told) == {FIRST, FIRST + 1}
                assert right == [FIRST + told.count(FIRST + 1) % 2]
            else:
                assert right == (told if problem == "copy" else told[::-1])
        again = draw_problems(random.Random(1), problem, 3, 20)
        assert torch.equal(drawn.told, again.told)


@torch.no_grad()
def test_an_answer_is_said_after_the_right_symbols_before_it_and_an_emptied_memory_knows_nothing():
    model = small.small_model("full-attention", VOCABULARY, 1 + SEGMENT).eval()
    drawn = draw_problems(random.Random(1), "copy", 2, 3)
    row = torch.cat([drawn.told.flatten(1), drawn.answers.flatten(1)], dim=1)
    logits = model.backbone(input_ids=row).logits.unflatten(1, (4, 1 + SEGMENT))
    torch.testing.assert_close(answer(model, drawn), logits[:, 2:, :-1], rtol=1e-4, atol=1e-4)
    alone = model.backbone(input_ids=drawn.answers[:, 1]).logits
    emptied = answer(model, drawn, empty=True)
    torch.testing.assert_close(emptied[:, 1], alone[:, :-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("system", command_line.SYSTEMS)
@torch.no_grad()
def test_a_document_that_forgets_goes_on_as_if_it_had_just_begun(system: System):
    model = small.small_model(system, VOCABULARY, 8).eval()
    ids = torch.randint(3, VOCABULARY, (2, 3, 8), generator=torch.Generator().manual_seed(1))
    for name, weight in model.named_parameters():
        if name == "associative.value":
            weight.normal_(std=0.3)
    forget = torch.tensor([[False, True, False], [False, False, False]])
    said = next_logits(model, ids.unbind(1), forget)
    anew, whole = next_logits(model, ids[:, 1:].unbind(1)), next_logits(model, ids.unbind(1))
    for at in (1, 2):
        torch.testing.assert_close(said[at][0], anew[at - 1][0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(said[at][1], whole[at][1], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(said[1][0], whole[1][0], atol=1e-3)


def test_shares_are_of_all_documents(monkeypatch):
    def half(model: object, drawn: Drawn, empty: bool) -> torch.Tensor:
        logits = functional.one_hot(drawn.right, VOCABULARY).float()
        logits[::2, :, 0] *= -1
        return logits

    monkeypatch.setattr(algorithmic, "answer", half)
    model = small.small_model("armt", VOCABULARY, 9)
    # Batches of 8, 8 and 3: in 4, 4 and 2 documents one symbol of eight is wrong.
    found = algorithmic.shares_right(model, "copy", 1, 19, random.Random(0), False)
    assert found["exact"] == 9 / 19
    assert found["symbols"] == pytest.approx((9 + 10 * 7 / 8) / 19)


def test_a_training_goes_through_shorter_documents_first():
    task = algorithmic.algorithmic("reverse", 5)
    assert [stage["segments"] for stage in task.stages] == [1, 2, 3, 4, 5]
    assert [s["segments"] for s in algorithmic.algorithmic("copy", 1).stages] == [1]
    with pytest.raises(UsageError, match="--segments must be at least 1, not 0"):
        algorithmic.algorithmic("copy", 0)


@pytest.mark.parametrize("system", command_line.SYSTEMS)
def test_a_short_training_of_each_system_lowers_the_loss(system: System, tmp_path: Path):
    torch.manual_seed(0)
    before = small.small_model(system, VOCABULARY, 1 + SEGMENT).eval()
    task = algorithmic.algorithmic("copy", 1)
    after = small.train_small(task, system, 0, 12, tmp_path)
    drawn = draw_problems(random.Random("apart"), "copy", 1, 32)
    losses = [
        functional.cross_entropy(answer(model, drawn).flatten(0, 2), drawn.right.flatten()).item()
        for model in (before, after)
    ]
    assert losses[1] < losses[0] - 0.05


def test_a_training_in_pieces_ends_where_one_in_one_go_does(tmp_path: Path):
    task = algorithmic.algorithmic("parity", 2)
    whole = small.train_small(task, "rmt", 5, 4, tmp_path / "whole")
    small.train_small(task, "rmt", 5, 4, tmp_path / "pieces", stop_after=3)
    pieces = small.train_small(task, "rmt", 5, 4, tmp_path / "pieces")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, pieces.state_dict()[name]), name
    for other, system in (("copy", "rmt"), ("parity", "prmt")):
        with pytest.raises(CheckpointError, match="of another training"):
            small.train_small(algorithmic.algorithmic(other, 2), system, 5, 4, tmp_path / "pieces")


def test_models_of_all_systems_have_about_as_many_weights():
    sizes = {
        system: sum(
            weight.numel() for weight in small.small_model(system, VOCABULARY, 9).parameters()
        )
        for system in command_line.SYSTEMS
    }
    assert max(sizes.values()) < 1.25 * min(sizes.values())
    assert abs(sizes["mamba"] / sizes["armt"] - 1) < 0.05


def test_the_command_trains_and_writes_results_with_the_setting_they_are_of(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(algorithmic, "BEYOND", (1, 2))
    monkeypatch.setattr(algorithmic.algorithmic, "__defaults__", (10,))
    line = "algorithmic --system mamba --problem reverse --segments 1 --seed 3 --steps 2 --output"
    assert command_line.main([*line.split(), str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {k: written[k] for k in found} == found and {"machine", "commit"} <= set(written)
    setting = {"task": "algorithmic", "problem": "reverse", "segments": 1, "documents": 10}
    setting |= {"system": "mamba", "seed": 3, "steps": 2}
    assert {k: found[k] for k in setting} == setting
    assert list(found["right"]) == list(found["right_emptied"]) == ["1", "2"]
    assert all(0 <= share <= 1 for at in found["right"].values() for share in at.values())


def test_too_few_steps_are_wrong_usage(tmp_path, capsys):
    line = f"algorithmic --problem copy --segments 4 --steps 3 --output {tmp_path}"
    assert command_line.main(line.split()) == 2
    assert "--steps must be at least 4, one for each stage" in capsys.readouterr().err


def test_ctrl_c_ends_after_a_step_with_its_checkpoint_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr(algorithmic, "BATCH", 2)
    learn, steps = Algorithmic.learn, []

    def pressed(self, model, draw, empty):
        steps.append(1)
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        return learn(self, model, draw, empty)

    monkeypatch.setattr(Algorithmic, "learn", pressed)
    before = signal.getsignal(signal.SIGINT)
    line = f"algorithmic --problem copy --segments 1 --steps 4 --system rmt --output {tmp_path}"
    monkeypatch.setattr(algorithmic, "shares_right", lambda *given: {"symbols": 1.0, "exact": 1.0})
    assert command_line.main(line.split()) == 130
    assert "the same command goes on" in capsys.readouterr().err and len(steps) == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert checkpoints.load(tmp_path)["step"] == 2
    assert command_line.main(line.split()) == 0
    assert len(steps) == 4 and (tmp_path / "results.json").is_file()


def test_ctrl_c_pressed_twice_ends_at_once():
    with interruption() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
