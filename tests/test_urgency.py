"""How strongly what is asked asks the memory."""

import pytest
import torch
from torch.nn import functional

from armt_core.adapters import Context
from armt_core.associative import dpfp, read
from armt_core.layers import urgency
from armt_core.masks import attention_bias, positions
from armt_core.memory import MemoryState
from tests.fakes import random_ids, tiny_model


def one_memory(model, seed: int) -> MemoryState:
    return model.run(random_ids(1, 9, seed=seed), memory=model.empty_memory(1), write=True)[1]


@torch.no_grad()
def test_urgency_is_the_mean_over_layers_of_ln_of_the_length_of_the_last_query():
    """By hand, with the layers one after the other and the reads of `armt_core.associative`."""
    model = tiny_model(memory_tokens="apart", deltas={"answer": 3})
    model.associative.value.normal_(std=0.3)
    memory, ids = one_memory(model, 5), random_ids(1, 6)
    adapter, delta, mask = model.adapter, model.delta("answer"), torch.ones(1, 6).bool()
    places, prefix = positions(mask, 6), torch.tensor([5])
    text = adapter.place(adapter.tokens(ids), places)
    context = Context(attention_bias(mask, 6, 0, prefix, False, False, text.dtype), places)
    lengths = []
    for index in range(model.config.num_hidden_layers):
        w_query = model.associative.query[index]
        lengths.append(dpfp(functional.linear(text[0, -1], w_query)).norm())
        text = read(text, memory.associations[index], memory.normalizer[index], w_query)
        text = adapter.layer(index, text, context, delta[index])
    by_hand = float(torch.stack(lengths).log().mean())
    assert urgency(model, ids, memory, prefix).tolist() == pytest.approx([by_hand], rel=1e-5)


@pytest.mark.parametrize("tokens", ["own", "inline", "apart"])
@torch.no_grad()
def test_documents_side_by_side_are_asked_as_each_alone(tokens):
    model = tiny_model(memory_tokens=tokens)
    model.associative.value.normal_(std=0.3)
    memories, ids = [one_memory(model, 5), one_memory(model, 6)], random_ids(2, 6)
    alone = [urgency(model, ids[b : b + 1], memories[b])[0] for b in range(2)]
    both = urgency(model, ids, MemoryState.stack(memories))
    torch.testing.assert_close(both, torch.stack(alone), rtol=1e-4, atol=1e-4)
    assert abs(float(both[0] - both[1])) > 1e-3


@pytest.mark.parametrize("system", ["armt", "armt-unit-keys"])
@torch.no_grad()
def test_queries_twice_as_long_are_asked_by_ln_2_more_strongly_and_find_the_same(system):
    model = tiny_model(system=system)
    model.associative.value.normal_(std=0.3)
    memory, ids = one_memory(model, 5), random_ids(1, 6)
    before, (hidden, _) = urgency(model, ids, memory), model.run(ids, memory=memory)
    model.associative.query *= 2**0.5  # q is a product of two of its features
    after, (again, _) = urgency(model, ids, memory), model.run(ids, memory=memory)
    assert float(after - before) == pytest.approx(0.6931, abs=1e-3)
    torch.testing.assert_close(again, hidden, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_an_emptied_memory_is_asked_as_one_in_which_nothing_stands():
    model, ids = tiny_model(), random_ids(1, 6)
    model.associative.value.zero_()
    written = one_memory(model, 5)  # keys are counted, and no value is there
    assert bool(written.normalizer.any()) and not bool(written.associations.any())
    emptied = urgency(model, ids, model.empty_memory(1))
    torch.testing.assert_close(emptied, urgency(model, ids, written))
    assert emptied.item() != 0.0
