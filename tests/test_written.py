"""How strongly and under which keys segments are written: the four losses by hand."""

import math

import pytest
import torch

from training.hiding import Place
from training.objectives.written import in_force, written_loss
from training.traced import Trace

MOVED, AGAIN = "Mary went to the office.", "Mary moved to the garden."
OTHER, TOOK, LEFT = "John went to the office.", "Mary got the milk.", "Mary left the milk."


def at(*segments: int) -> list[Place]:
    return [Place(segment, 1, 5) for segment in segments]


def traced(logits: torch.Tensor) -> Trace:
    """Writes with these logits of beta (L, B, S, M), whose keys overlap with nothing."""
    keys = torch.ones(*logits.shape, 2)
    return Trace(keys, logits, torch.zeros(*logits.shape[:3], 2), torch.zeros(()))


def test_what_a_later_fact_of_the_segment_says_anew_is_not_in_force():
    assert in_force([MOVED, OTHER, AGAIN], at(0, 0, 0)) == [False, True, True]
    # In another segment it is overwritten, as a memory should be.
    assert in_force([MOVED, OTHER, AGAIN], at(0, 1, 1)) == [True, True, True]
    # Who has the milk is out of date once it lies somewhere; where Mary is stays.
    assert in_force([MOVED, TOOK, LEFT], at(0, 0, 0)) == [True, False, True]
    # Of a gift that is given on, the giver of the first one is still asked for.
    gifts = ["Fred gave the milk to Bill.", "Bill gave the milk to Jeff."]
    assert in_force(gifts, at(0, 0)) == [True, True]


def test_filler_is_to_be_silent_what_is_out_of_date_low_and_facts_loud():
    # Two documents of two segments with three memory tokens, in three layers.
    logits = torch.zeros(3, 2, 2, 3)
    logits[:, 0, 0] = torch.tensor([-6.0, -1.0, -12.0])  # out of date, in force, of nothing
    logits[:, 0, 1] = torch.tensor([-12.0, -18.0, -6.0])  # filler: 0, 0 and a half too much
    logits[:, 1] = -9.0  # the other document is filler alone
    see = torch.zeros(2, 2, 3, dtype=torch.bool)
    see[0, 0, 0], see[1, 0, 1] = True, True
    seen = [[see[0], see[1]], []]
    found = written_loss(traced(logits), [[MOVED, AGAIN], []], [at(0, 0), []], seen)
    assert float(found["loud"]) == pytest.approx((0.5 + 6 * 0.25) / 9)
    assert float(found["stale"]) == 0  # -6 is little
    assert float(found["faint"]) == pytest.approx(4 / 12)
    logits[:, 0, 0] = torch.tensor([-1.0, 4.0, 0.0])
    found = written_loss(traced(logits), [[MOVED, AGAIN], []], [at(0, 0), []], seen)
    assert float(found["stale"]) == pytest.approx(3 / 12) and float(found["faint"]) == 0


def test_facts_count_where_they_are_looked_up_and_filler_in_all_layers():
    logits = torch.full((3, 1, 2, 2), -3.0, requires_grad=True)
    see = torch.tensor([[True, False], [False, False]])
    found = written_loss(traced(logits), [[MOVED]], [at(0)], [[see]])
    (grad,) = torch.autograd.grad(found["faint"], logits, retain_graph=True)
    assert [bool(layer.any()) for layer in grad] == [False, True, True]
    (grad,) = torch.autograd.grad(found["loud"], logits)
    assert bool((grad[:, 0, 1] > 0).all()) and not grad[:, 0, 0].any()


def test_segments_that_are_not_in_the_graph_do_not_count():
    logits = torch.zeros(3, 1, 1, 2)  # of the second of two segments
    see = torch.ones(1, 2, dtype=torch.bool)
    found = written_loss(traced(logits), [[OTHER, MOVED]], [at(0, 1)], [[None, see]], outside=1)
    assert float(found["loud"]) == 0 and float(found["faint"]) == pytest.approx(3 / 12)
    found = written_loss(traced(logits), [[OTHER]], [at(0)], [[None]], outside=1)
    assert float(found["loud"]) == 1


def test_facts_whose_keys_much_else_overlaps_with_are_crowded():
    trace = traced(torch.zeros(3, 1, 2, 2))
    see = torch.tensor([[False, False], [True, False]])
    trace.normalizers[:, 0, 1] = torch.tensor([1.0, 7.0])  # z . k = 8, |k|^2 = 2
    found = written_loss(trace, [[MOVED]], [at(1)], [[see]])
    assert float(found["crowded"]) == pytest.approx(math.log(4), rel=1e-4)
    trace.normalizers[:, 0, 1] = torch.tensor([1.0, 1.0])
    assert float(written_loss(trace, [[MOVED]], [at(1)], [[see]])["crowded"]) < 1e-4
    # Four times as long, a key has 16 times the square and is itself most of what overlaps.
    trace.normalizers[:, 0, 1] = torch.tensor([1.0, 7.0])
    trace.keys.mul_(4)
    assert float(written_loss(trace, [[MOVED]], [at(1)], [[see]])["crowded"]) < 1e-4
