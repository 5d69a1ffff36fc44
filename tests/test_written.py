"""How strongly segments are written: the two losses by hand."""

import math

import pytest
import torch

from training.objectives.written import written_loss
from training.traced import Trace


def traced(logits: torch.Tensor) -> Trace:
    """Writes with these logits of beta (L, B, S, M)."""
    one = torch.ones_like(logits)
    keys = torch.ones(*logits.shape, 2)
    return Trace(keys, logits, one, one, torch.zeros(()), True, keys)


def test_what_sees_no_fact_is_to_be_silent_and_what_sees_one_loud():
    # Two documents of two segments with three memory tokens, in three layers.
    logits = torch.zeros(3, 2, 2, 3)
    logits[:, 0, 0] = torch.tensor([-1.0, 4.0, -12.0])  # 4 beyond, enough, silent
    logits[:, 0, 1] = torch.tensor([-12.0, -18.0, -6.0])  # filler: 0, 0 and a half too much
    logits[:, 1] = -9.0  # the other document is filler alone: a quarter too much
    see = torch.zeros(2, 2, 3, dtype=torch.bool)
    see[0, 0, 0], see[1, 0, 1] = True, True
    found = written_loss(traced(logits), [[see[0], see[1]], []])
    taken = math.log1p(math.exp(-6)) + 6 * math.log1p(math.exp(-9))
    assert float(found["loud"]) == pytest.approx((0.5 + 6 * 0.25 + taken) / 10, rel=1e-4)
    assert float(found["faint"]) == pytest.approx((4 / 12 + 0) / 2)
    # A part of a fact is not a fact.
    logits[:, 0, 0, 2] = 0.0
    found = written_loss(traced(logits), [[see[0], see[1]], []])
    much = math.log(2) + taken
    assert float(found["loud"]) == pytest.approx((1 + 0.5 + 6 * 0.25 + much) / 10, rel=1e-4)


def test_facts_count_where_they_are_looked_up_and_filler_in_all_layers():
    logits = torch.full((3, 1, 2, 2), -3.0, requires_grad=True)
    see = torch.tensor([[True, False], [False, False]])
    found = written_loss(traced(logits), [[see]])
    (grad,) = torch.autograd.grad(found["faint"], logits, retain_graph=True)
    assert [bool(layer.any()) for layer in grad] == [False, True, True]
    (grad,) = torch.autograd.grad(found["loud"], logits)
    assert bool((grad[:, 0, ~see] > 0).all()) and not grad[:, 0, see].any()


def test_facts_of_segments_that_are_not_in_the_graph_do_not_count():
    logits = torch.zeros(3, 1, 1, 2)  # of the second of two segments
    see = torch.ones(1, 2, dtype=torch.bool)
    found = written_loss(traced(logits), [[None, see]])
    assert float(found["loud"]) == 0 and float(found["faint"]) == pytest.approx(3 / 12)
    found = written_loss(traced(logits), [[None]])
    assert float(found["loud"]) == pytest.approx(1 + math.log(2)) and float(found["faint"]) == 0
