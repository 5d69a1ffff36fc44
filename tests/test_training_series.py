"""Mackey-Glass: the integration, the tokens, the errors, and that every system learns."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from armt_core.config import System
from armt_core.errors import UsageError
from training import __main__ as command_line
from training import series, small
from training.mackey_glass import mackey_glass
from training.objectives.next_token import next_losses
from training.objectives.series import (
    HIGHEST,
    LEVELS,
    LOWEST,
    SEGMENT,
    _integrated,
    as_tokens,
    as_values,
    draw_series,
)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(series, "BATCH", 8)


def test_one_is_a_fixed_point_and_half_the_step_changes_nothing_that_counts():
    assert mackey_glass(np.array([1.0]), 4, 3.0).tolist() == [[1.0] * 4]
    two = [mackey_glass(np.array([1.2, 0.6]), 5, 20.0, settles=20.0, step=s) for s in (0.1, 0.05)]
    assert two[0].shape == (2, 5) and np.abs(two[0] - two[1]).max() < 1e-6
    with pytest.raises(ValueError, match=r"17\.0 is not a whole number of steps of 0\.4"):
        mackey_glass(np.array([1.2]), 5, 20.0, step=0.4)


def test_the_series_solves_its_equation():
    """The slope by differences of a finely told series, against the right-hand side."""
    x = mackey_glass(np.array([1.2]), 4000, 0.1)[0]
    slope = (x[2:] - x[:-2]) / 0.2
    delayed = x[: -2 - 169]  # of the time 170 steps before the middle
    right = 0.2 * delayed / (1 + delayed**10) - 0.1 * x[170:-1]
    assert np.abs(slope[169:] - right).max() < 1e-3
    # Within the first tau the delayed value is the history: x' = c - x / 10, solved by hand.
    first = mackey_glass(np.array([1.2]), 4, 5.0, settles=0.0)[0]
    c = 0.2 * 1.2 / (1 + 1.2**10)
    solved = 10 * c + (1.2 - 10 * c) * np.exp(-np.arange(4) * 5.0 / 10)
    assert np.abs(first - solved).max() < 1e-8


def test_values_become_tokens_and_back_to_half_a_level():
    values = draw_series(random.Random(1), "train", 4, 50)
    assert values.shape == (50, 4 * SEGMENT + 1)
    assert float(values.min()) > LOWEST and float(values.max()) < HIGHEST
    half = (HIGHEST - LOWEST) / LEVELS / 2
    assert float((as_values(as_tokens(values)) - values).abs().max()) <= half * 1.0001
    again = draw_series(random.Random(1), "train", 4, 50)
    assert torch.equal(values, again)
    assert not bool(torch.isin(_integrated("measured"), _integrated("train")).any())


def test_an_error_is_relative_to_the_spread_and_by_segment(monkeypatch):
    values = draw_series(random.Random(1), "measured", 3, 20)
    right = as_tokens(values[:, 1:]).unflatten(1, (3, SEGMENT))

    def knows_all_but_the_last(model, segments, forget):
        """Sure of the right token, but in the last segment of one that is ten levels higher."""
        given = segments[0].shape[0]
        start = knows_all_but_the_last.done
        knows_all_but_the_last.done += given
        part = right[start : start + given].clone()
        part[:, 2] += 10
        return (1e4 * torch.nn.functional.one_hot(part, LEVELS).float()).unbind(1)

    knows_all_but_the_last.done = 0
    monkeypatch.setattr(series, "next_logits", knows_all_but_the_last)
    found = series.errors(small.small_model("armt", LEVELS, SEGMENT), values, empty=False)
    spread = float(values[:, 1:].std())
    assert max(found[:2]) < 0.01
    assert found[2] == pytest.approx(10 * (HIGHEST - LOWEST) / LEVELS / spread, rel=0.05)


@pytest.mark.parametrize("system", ["armt", "rmt", "sliding-window", "mamba"])
def test_a_short_training_lowers_the_loss(system: System, tmp_path: Path):
    torch.manual_seed(0)
    before = small.small_model(system, LEVELS, SEGMENT).eval()
    after = small.train_small(series.series(2), system, 0, 16, tmp_path)
    tokens = as_tokens(draw_series(random.Random("apart"), "measured", 2, 32))
    losses = [float(next_losses(m, tokens, SEGMENT).detach().mean()) for m in (before, after)]
    assert losses[1] < losses[0] - 0.04


def test_the_command_trains_and_writes_results_with_the_setting_they_are_of(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(series.series, "__defaults__", (10,))
    line = f"series --system prmt --segments 2 --seed 3 --steps 2 --output {tmp_path}"
    assert command_line.main(line.split()) == 0
    found = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {k: written[k] for k in found} == found and {"machine", "commit"} <= set(written)
    setting = {"task": "series", "segments": 2, "system": "prmt", "seed": 3, "steps": 2}
    assert {k: found[k] for k in setting} == setting and found["documents"] == 10
    assert len(found["error_by_segment"]) == len(found["error_by_segment_emptied"]) == 16
    assert found["error_of_rounding"] < 0.01 < 0.3 < found["error_of_the_value_before"] < 0.6


def test_more_segments_than_there_are_values_for_are_wrong_usage():
    with pytest.raises(UsageError, match="--segments must be from 1 to 15, not 16"):
        series.series(16)
