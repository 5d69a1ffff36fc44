"""What the page about gamma is made of: closed forms for one key, and a model's own memory."""

import pytest
import torch

from armt_core import read_sequential
from benchmarks import gamma
from benchmarks.gamma import WRITES, Followed, Written, in_a_model, random_keys
from benchmarks.plots import Panel, draw
from tests.fakes import random_ids, tiny_model


def values_of_one_key(rounds: int) -> list[torch.Tensor]:
    """What `random_keys` with seed 0 draws for one key."""
    drawn = torch.Generator().manual_seed(0)
    torch.randn(1, gamma.MEMORY_DIM, generator=drawn)
    values = []
    for _ in range(rounds):
        values.append(torch.randn(1, gamma.VALUE, generator=drawn)[0])
        torch.randperm(1, generator=drawn)
    return values


@pytest.mark.parametrize(("beta_bias", "beta"), [(100.0, 1.0), (0.0, 0.5)])
def test_one_key_is_counted_and_read_as_the_formulas_of_the_page_say(beta_bias, beta):
    values = values_of_one_key(6)
    formulas = {
        "armt": lambda n, r, v: r + beta * (v - r),
        "armt-without-gamma": lambda n, r, v: ((n - 1 - beta) * r + beta * v) / n,
        "armt-without-delta": lambda n, r, v: ((n - 1) * r + beta * v) / n,
    }
    for system, formula in formulas.items():
        read, errors = beta * values[0], []
        for n, value in enumerate(values, start=1):
            read = formula(n, read, value) if n > 1 else read
            errors.append(float((read - value).norm() / value.norm()))
        found = random_keys(system, 1, seed=0, rounds=6, beta_bias=beta_bias)
        counted = [1] * 6 if system == "armt" else [1, 2, 3, 4, 5, 6]
        assert found.counted.flatten().tolist() == pytest.approx(counted, abs=1e-3)
        assert found.error.flatten().tolist() == pytest.approx(errors, abs=1e-4)


def test_several_keys_are_counted_more_often_and_read_worse_without_gamma():
    found = {system: random_keys(system, 8, seed=0, rounds=5) for system in WRITES}
    last = {system: (float(f.counted[-1]), float(f.error[-1])) for system, f in found.items()}
    assert last["armt"][0] < 1.5 < 4 < last["armt-without-gamma"][0]
    assert last["armt"][1] < 0.7 * last["armt-without-gamma"][1]


@torch.inference_mode()
def test_a_model_is_followed_with_the_memory_that_it_writes_itself():
    model, ids = tiny_model(), random_ids(1, 5, 9)
    tokens, memory = [], model.empty_memory()
    for segment in ids.unbind(1):
        _, made, memory = model.through(segment, None, memory)
        tokens.append(made)
        memory, written = model.write(made, memory, torch.tensor([True]))
    by_hand = Written(model.associative)
    for made in tokens:
        by_hand.write(made)
    whole = read_sequential(model, ids).memory
    torch.testing.assert_close(by_hand.A, whole.associations)
    torch.testing.assert_close(by_hand.z, whole.normalizer)
    found = in_a_model("armt", model.associative, tokens)
    assert found.counted.shape == found.error.shape == (5, 2)
    k = written.keys
    counted = torch.einsum("lbmk,lbk->lbm", k, whole.normalizer) / k.square().sum(-1)
    torch.testing.assert_close(found.counted[-1], counted.mean((1, 2)))


def test_figures_are_the_same_bytes_each_time_and_say_what_they_show(tmp_path):
    followed = {s: Followed(torch.rand(4, 2) + 0.1, torch.rand(4, 2)) for s in WRITES}
    panels = gamma._panels("32 keys", followed, marks=[2])
    assert [list(panel.marks) for panel in panels] == [[2.5], [2.5]]
    texts = [draw("f", panels, tmp_path / name).read_text() for name in ("a", "b")]
    assert texts[0] == texts[1] and texts[0].startswith("<?xml")
    for said in ("armt-without-gamma", "32 keys: how often z counts a key", "writes of each key"):
        assert said in texts[0]


def test_a_panel_names_what_its_lines_share_once_and_ticks_where_it_was_measured(tmp_path):
    lines = {
        "armt, seed 0, 2,400 steps": ([5, 20], [99, 3]),
        "rmt, seed 0, 2,400 steps": ([5], [9]),
    }
    panel = Panel("pairs", "x", "y", lines, log_x=True, shares=True)
    text = draw("g", [panel], tmp_path).read_text()
    assert ">pairs; seed 0, 2,400 steps<" in text and ">armt<" in text and ">rmt<" in text
    assert ">5<" in text and ">100<" in text  # all of 0 to 100, though nothing is above 99
    long = Panel("t", "x", "y", {"a": ([512, 1024, 2048, 3000], [1, 2, 3, 4])}, log_x=True)
    text = draw("h", [long], tmp_path).read_text()
    assert ">512<" in text and ">2 k<" in text and ">3000<" not in text
