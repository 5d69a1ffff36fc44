"""What memory tokens have to look up themselves: who left something, and the loss by hand."""

import math

import pytest
import torch
from torch import Tensor

from training.objectives.carried import carried_loss
from training.traced import Trace
from training.worlds import left_where

WENT, AGAIN = "John went to the garden.", "John moved to the office."
OTHER, TOOK, LEFT = (
    "Mary went to the office.",
    "John took the milk.",
    "John dropped the milk there.",
)


def test_who_leaves_something_is_where_they_went_last():
    story = [WENT, OTHER, AGAIN, TOOK, LEFT, WENT]
    assert left_where(story) == [(4, 2, "Where is John?")]
    assert left_where([OTHER, TOOK, LEFT]) == []  # nobody said where John is


def test_who_goes_elsewhere_was_where_they_went_before():
    story = [WENT, OTHER, AGAIN, AGAIN, LEFT, WENT]
    found = [(2, 0), (4, 3), (5, 3)]  # nobody went anywhere with the fourth
    assert left_where(story, moves=True) == [(*at, "Where is John?") for at in found]


def traced(query: Tensor, segments: int = 3) -> Trace:
    """Three layers, one document, a memory token a segment, each with a key of its own; all read
    with this query."""
    keys = torch.eye(3)[:segments].expand(3, 1, segments, 3).unsqueeze(3).clone()
    rest = torch.zeros(3, 1, segments, 1)
    queries = query.expand(3, 1, segments, 1, 3)
    return Trace(keys, rest, rest, rest, torch.zeros(()), True, queries)


def test_the_loss_by_hand_in_the_layers_that_look_up():
    which = torch.eye(3).bool().unsqueeze(-1)  # fact i is seen in segment i
    facts, seen = [[OTHER, WENT, LEFT]], [list(which)]
    right, wrong = torch.tensor([0.0, 2.0, 0.0]), torch.tensor([3.0, 0.0, 0.0])
    found = [float(carried_loss(traced(query), seen, facts)) for query in (right, wrong)]
    # Cosines 1 and 0, over a temperature of 0.1; rivals are Mary's place and the token itself.
    assert found[0] == pytest.approx(math.log(1 + 2 * math.exp(-10)), abs=1e-6)
    assert found[1] == pytest.approx(math.log(1 + math.exp(10) + 1), rel=1e-4)
    query = right.clone().requires_grad_()
    trace = traced(query + 0.1)
    trace.queries.retain_grad()
    carried_loss(trace, seen, facts).backward()
    assert [bool(layer.any()) for layer in trace.queries.grad[:, 0, 2]] == [False, True, True]
    assert not trace.queries.grad[:, 0, :2].any()


def test_another_way_to_the_same_place_is_no_rival():
    which = torch.eye(3).bool().unsqueeze(-1)
    # John is found at his last way; the key of the one before answers the same question.
    found = carried_loss(
        traced(torch.tensor([5.0, 1.0, 0.0])), [list(which)], [[WENT, AGAIN, LEFT]]
    )
    assert float(found) == pytest.approx(math.log(1 + math.exp(-10 / math.sqrt(26))), rel=1e-3)


def test_what_is_told_in_the_same_segment_or_outside_the_graph_does_not_count():
    query = torch.tensor([1.0, 0.0, 0.0])
    both = torch.zeros(3, 1).bool()
    both[0] = True
    assert float(carried_loss(traced(query), [[both, both]], [[WENT, LEFT]])) == 0
    assert float(carried_loss(traced(query), [[None, both]], [[WENT, LEFT]])) == 0


def test_what_a_token_before_tells_in_the_same_segment_counts_where_tokens_read_in_order():
    # One segment, three memory tokens: Mary's way, John's, and what he leaves, in this order.
    keys = torch.eye(3).expand(3, 1, 1, 3, 3)
    rest = torch.zeros(3, 1, 1, 3)
    query = torch.tensor([0.0, 2.0, 0.0]).expand(3, 1, 1, 3, 3)
    trace = Trace(keys, rest, rest, rest, torch.zeros(()), True, query)
    tokens = list(torch.eye(3).bool().unsqueeze(1))  # token i sees fact i
    told, facts = [tokens], [[OTHER, WENT, LEFT]]
    assert float(carried_loss(trace, told, facts)) == 0
    found = float(carried_loss(trace, told, facts, reads_in_order=True))
    assert found == pytest.approx(math.log(1 + 2 * math.exp(-10)), abs=1e-6)
    # A token after the one that looks up is not read by it.
    turned = [[tokens[0], tokens[2], tokens[1]]]
    assert float(carried_loss(trace, turned, facts, reads_in_order=True)) == 0
