"""Reading and asking while a memory is learned: the numbers and gradients of `ArmtModel.run`."""

import math

import pytest
import torch
from torch import Tensor

from armt_core import ArmtModel, MemoryState
from armt_core.associative import EPS, Projections
from armt_core.associative import write as plain_write
from armt_core.config import System
from armt_core.lowrank import LowRank
from tests.fakes import random_ids, tiny_model
from training.dual import Writes
from training.objectives.addresses import address_loss, parts
from training.objectives.rivals import rival_loss
from training.rows import Answers
from training.traced import (
    Text,
    Trace,
    ask_traced,
    read_documents_traced,
    read_on,
    read_traced,
    texts,
)
from training.worlds import Asked

B, S, T = 2, 4, 9
#: The last is the exact one, whose memory tokens read in order.
SYSTEMS = ["armt", "armt-exact", "in order"]


def a_model(system: str = "armt") -> ArmtModel:
    in_order = system == "in order"
    model = tiny_model(
        reads_in_order=in_order,
        memory_tokens="apart",
        deltas={"memory": 2, "answer": 3},
        system="armt-exact" if in_order else system,
        sentence_ends=list(range(20)),
    )
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LowRank):
                module.outward.normal_(std=0.3)
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith("backbone."))
    return model


def segments() -> tuple[Tensor, Tensor]:
    """ids and mask (S, B, T); the second document has one segment less, and shorter ones."""
    ids, mask = random_ids(S * B, T).view(S, B, T), torch.ones(S, B, T, dtype=torch.bool)
    mask[:, 1, 6:] = False
    mask[S - 1, 1] = False
    return ids, mask


def found(model: ArmtModel) -> list[Text]:
    ids, mask = segments()
    rows = texts(model, ids.flatten(0, 1), mask.flatten(0, 1))
    return [Text.together(rows[s * B : (s + 1) * B]) for s in range(S)]


def slowly(model: ArmtModel) -> MemoryState:
    memory = model.empty_memory(B)
    for ids, mask in zip(*segments(), strict=True):
        _, memory = model.run(ids, mask, memory, write=True)
    return memory


def same(one: MemoryState, other: MemoryState) -> None:
    scale = float(one.associations.detach().abs().max())
    torch.testing.assert_close(one.associations, other.associations, rtol=1e-3, atol=1e-5 * scale)
    torch.testing.assert_close(one.normalizer, other.normalizer, rtol=1e-4, atol=1e-5)
    assert one.segments_read.tolist() == other.segments_read.tolist() == [S, S - 1]


def answers() -> Answers:
    ids = random_ids(2 * B, 6, seed=3)
    at = torch.arange(2 * B)
    return Answers(ids, torch.ones_like(ids), torch.full((2 * B,), 5), at, at + 1, at, ids[:, 0])


@pytest.mark.parametrize("system", SYSTEMS)
def test_reading_is_that_of_the_model_in_one_go_in_two_and_without_gradients(system: str):
    model = a_model(system)
    expected, parts = slowly(model), found(model)
    whole, trace = read_traced(model, parts)
    same(whole, expected)
    first, _ = read_traced(model, parts[:2])
    same(read_traced(model, parts[2:], first)[0], expected)
    ids, mask = (t.transpose(0, 1) for t in segments())
    same(read_documents_traced(model, ids, mask), expected)
    with torch.no_grad():
        same(read_on(model, parts), expected)
    assert trace.keys.shape[:3] == (model.config.num_hidden_layers, B, S)
    with pytest.raises(ValueError, match="no segment"):
        read_on(model, [])


def test_asking_is_that_of_the_model():
    model = a_model()
    memory = slowly(model)
    asked = answers()
    expected, _ = model.run(asked.ids, None, memory, prefix=asked.prefix, role="answer")
    hidden, queries, _ = ask_traced(model, asked, memory)
    torch.testing.assert_close(hidden, expected)
    assert queries.shape == (model.config.num_hidden_layers, 2 * B, 6, model.config.key_features)


@pytest.mark.parametrize("system", SYSTEMS)
def test_gradients_are_those_of_the_model(system: str):
    model, asked = a_model(system), answers()
    along = torch.randn(2 * B, 6, model.config.hidden_size)
    trained = {n: w for n, w in model.named_parameters() if w.requires_grad and "reader" not in n}

    def gradients(memory: MemoryState) -> dict[str, Tensor]:
        model.zero_grad()
        hidden, _, _ = ask_traced(model, asked, memory)
        (hidden * along).sum().backward()
        return {n: w.grad.clone() for n, w in trained.items() if w.grad is not None}

    slow, fast = gradients(slowly(model)), gradients(read_traced(model, found(model))[0])
    assert set(slow) == set(fast) and len(slow) > 20
    for name, gradient in slow.items():
        scale = float(gradient.abs().max()) + 1e-6
        torch.testing.assert_close(fast[name], gradient, rtol=1e-2, atol=1e-3 * scale, msg=name)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_said_teaches_no_key_and_no_query_where_they_are_fixed(system: str):
    model, asked, parts = a_model(system), answers(), found(a_model(system))
    memory, trace = read_traced(model, parts, fixed=True)
    hidden, queries, _ = ask_traced(model, asked, memory, fixed=True)
    torch.testing.assert_close(hidden, ask_traced(model, asked, read_traced(model, parts)[0])[0])
    learned = (model.associative.query, model.associative.key, model.associative.value)
    of_hidden = torch.autograd.grad(hidden.sum(), learned, retain_graph=True, allow_unused=True)
    assert of_hidden[0] is None or not bool(of_hidden[0].any())
    assert of_hidden[1] is None or not bool(of_hidden[1].any())
    assert bool(of_hidden[2].any())
    of_keys = torch.autograd.grad(queries.sum() + trace.keys.sum(), learned[:2], retain_graph=True)
    assert bool(of_keys[0].any()) and bool(of_keys[1].any())
    (of_divisors,) = torch.autograd.grad(trace.divisors.sum(), learned[1])
    assert bool(of_divisors.any())


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("scale", [1.0, 0.1, 0.02])
def test_a_list_of_writes_is_the_matrix_that_they_sum_to(scale: float, system: System):
    torch.manual_seed(1)
    D, d, M = 8, 4, 3
    of = Projections(*(torch.randn(shape) for shape in ((d, D), (d, D), (D, D), (D,), ())))
    A, z, first = torch.zeros(B, 6 * d, D), torch.zeros(B, 6 * d), torch.ones(B).bool()
    writes = Writes.after(A, z)
    for _ in range(4):
        tokens = scale * torch.randn(B, M, D)
        writes, _ = writes.write(tokens, first, torch.ones(B).bool(), of, system)
        stacked = (w[None] for w in (of.key, of.value, of.beta_weight, of.beta_bias))
        written = plain_write(tokens[None], A[None], z[None], first, *stacked, system)
        (A,), (z,) = written.onto(A[None], z[None])
        first = torch.zeros(B).bool()
    size = float(A.abs().max())
    torch.testing.assert_close(writes.sum(), A, rtol=1e-3, atol=1e-4 * size)
    torch.testing.assert_close(writes.normalizer, z)
    rows = torch.rand(B, 2, 6 * d)
    torch.testing.assert_close(writes.values(rows), rows @ A, rtol=1e-3, atol=1e-4 * size)


def test_keys_that_overlap_with_nothing_are_strays():
    model = a_model()
    _, trace = read_traced(model, found(model))
    asked = answers()
    *_, without = ask_traced(model, asked, model.empty_memory(B))
    assert float(without.detach()) == pytest.approx(
        1.0
    )  # nothing is written: no query overlaps with it
    assert 0 <= float(trace.strays.detach()) < 1


def test_the_loss_of_addresses_by_hand():
    # Three layers, one document, one question whose first prediction is at position 1.
    queries, keys = torch.zeros(3, 1, 3, 2), torch.zeros(3, 1, 2, 2, 2)
    queries[:, 0, 1] = torch.tensor([1.0, 0.0])
    keys[:, 0, 0, 0] = torch.tensor([1.0, 0.0])  # segment 0, memory token 0: weight 1
    keys[:, 0, 1, 1] = torch.tensor([3.0, 0.0])  # segment 1, memory token 1: weight 3
    logits = torch.full((3, 1, 2, 2), -100.0)
    logits[:, 0, 0, 0] = logits[:, 0, 1, 1] = 0.0  # betas of a half
    weights = torch.full((3, 1, 2, 2), EPS)
    weights[:, 0, 1, 1] += 3.0  # z is (1, 0) before the second segment
    trace = Trace(keys, logits, torch.ones_like(weights), weights, torch.zeros(()), False, keys)
    row = torch.zeros(2, dtype=torch.int64)
    asked = Answers(row, row, row, row, torch.tensor([1, 2]), row, row)
    one, other = torch.zeros(2, 2).bool(), torch.zeros(2, 2).bool()
    one[0, 0], other[1, 1] = True, True
    story = [[Asked(2, "Where?", "here", ((0,), (1,)))]]
    # The first write changes A by half of its v; the second by half of its v less what is stored
    # there, which is half of the first v: parts 1/2 - 3 (1/2)(1/2) = -1/4 and 3/2, of 7/4 in all.
    loss, share = address_loss(queries, trace, asked, story, [[one, other]])
    # The first layer does not count, the second looks for the first fact, the third for the last.
    assert share == pytest.approx(6 / 14, rel=1e-3)
    assert float(loss) == pytest.approx(-(math.log(1e-4) + math.log(6 / 7 + 1e-4)) / 2, rel=1e-3)
    loss, share = address_loss(queries, trace, asked, story, [[None, other]])
    assert float(loss) == 0 and share == 0
    # What the last fact has to overwrite does not count as found.
    again = [[Asked(1, "Where?", "here", ((0, 1),))]]
    _, share = address_loss(queries, trace, asked, again, [[one, other]])
    assert share == pytest.approx(6 / 7, rel=1e-3)
    # With a beta of one and the same key it is overwritten, and nothing of it is left.
    keys[:, 0, 1, 1] = torch.tensor([1.0, 0.0])
    weights[:, 0, 1, 1] = 1.0
    logits[:, 0, 1, 1] = 100.0
    _, share = address_loss(queries, trace, asked, again, [[None, other]])
    assert share == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("in_order", [False, True])
def test_parts_are_what_a_memory_gives_back_of_each_value(in_order: bool):
    L, M, K, D = 1, 3, 8, 5
    keys, values = torch.rand(L, B, S, M, K), torch.randn(B, S, M, D)
    logits, shares = torch.randn(L, B, S, M), 1 + torch.rand(L, B, S, M)
    divisors = 1 + torch.rand(L, B, S, M)
    A = torch.zeros(B, K, D)
    for s in range(S):
        before = A
        for i in range(M):
            key = keys[0, :, s, i]
            seen = A if in_order else before
            stored = torch.einsum("bk,bkd->bd", key, seen) / divisors[0, :, s, i, None]
            aimed = shares[0, :, s, i, None] * values[:, s, i] - stored
            change = logits[0, :, s, i, None].sigmoid() * aimed
            A = A + torch.einsum("bk,bd->bkd", key, change)
    queries, documents = torch.rand(3, K), torch.tensor([1, 0, 1])
    trace = Trace(keys, logits, shares, divisors, torch.zeros(()), in_order, keys)
    factors = parts(trace, 0, queries, documents)
    given = (factors.unsqueeze(1) @ values.flatten(1, 2)[documents]).squeeze(1)
    expected = (queries.unsqueeze(1) @ A[documents]).squeeze(1)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


def test_the_loss_of_rivals_by_hand():
    # Two documents of one fact each; the first asks for its own, the second too, of its own.
    facts = [["The office is north of the kitchen."], ["The garden is north of the kitchen."]]
    story = [
        [Asked(4, "What is north of the kitchen?", "office", ((0,),))],
        [Asked(4, "What is the garden north of?", "kitchen", ((0,),))],
    ]
    queries, keys = torch.zeros(3, 2, 2, 2), torch.zeros(3, 2, 1, 1, 2)
    queries[:, 0, 1] = torch.tensor([2.0, 0.0])
    queries[:, 1, 1] = torch.tensor([2.4, 1.8])
    keys[:, 0, 0, 0] = torch.tensor([1.0, 0.0])
    keys[:, 1, 0, 0] = torch.tensor([0.6, 0.8])
    at = torch.arange(2)
    asked = Answers(at, at, at, at, torch.ones(2, dtype=torch.int64), at, at)
    seen = [[torch.ones(1, 1).bool()], [torch.ones(1, 1).bool()]]
    # The second fact answers the first question too, and is no rival; the first one is a rival of
    # the second question: cosines 0.96 and 0.8, divided by 0.1. No two questions mean the same.
    expected = (0 + math.log(1 + math.exp(-1.6))) / 2
    assert float(rival_loss(queries, keys, asked, story, seen, facts)) == pytest.approx(
        expected, rel=1e-4
    )
    # Nothing is learned of a fact that is not in the graph.
    assert float(rival_loss(queries, keys, asked, story, [[None], [None]], facts)) == 0


def test_what_takes_two_facts_is_looked_up_as_the_first_and_then_as_the_last():
    facts = [["Mary moved to the office.", "John went to the garden.", "John took the milk."]]
    story = [
        [
            Asked(2, "Where is the milk?", "garden", ((2,), (1,))),
            Asked(1, "Where is Mary?", "office", ((0,),)),
        ]
    ]
    at = torch.arange(2)
    asked = Answers(at[:1], at[:1], at[:1], torch.zeros_like(at), at, at, at)
    which = torch.eye(3).bool()
    seen = [[which[i : i + 1] for i in range(3)]]  # each fact by a memory token of its own
    keys = torch.eye(3).expand(3, 1, 1, 3, 3)
    right, wrong = torch.zeros(2, 3, 1, 2, 3)
    right[1, 0, 0, 2] = right[2, 0, 0, 1] = 1  # the milk, then John
    wrong[1, 0, 0, 1] = wrong[2, 0, 0, 2] = 1
    right[1:, 0, 1, 0] = wrong[1:, 0, 1, 0] = 1  # Mary, at once
    found, other = (float(rival_loss(q, keys, asked, story, seen, facts)) for q in (right, wrong))
    assert found == pytest.approx(math.log(1 + 2 * math.exp(-10)), abs=1e-6)
    # One of two questions misses in each layer: its own fact has cosine 0, another one 1.
    missed = math.log(1 + math.exp(10) + 1)
    assert other == pytest.approx((missed + found) / 2, rel=1e-3)
