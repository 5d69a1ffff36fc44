"""Mamba-2 in segments is Mamba-2 over the whole row."""

import pytest
import torch

from armt_core import ArmtConfig, ArmtModel, read_sequential
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.layer_states import LayerStates
from armt_core.state_space import StateSpaceModel
from armt_core.systems import new_system
from tests.fakes import backbone_config, random_ids

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def a_mamba() -> StateSpaceModel:
    torch.manual_seed(0)
    config = ArmtConfig(backbone=backbone_config("mamba2"), segment_tokens=24, system="mamba")
    model = new_system(config).eval()
    assert isinstance(model, StateSpaceModel)
    return model


@pytest.mark.parametrize("tokens", [2, 3, 7, 12])
def test_in_segments_it_gives_what_the_model_of_transformers_gives_of_the_row(tokens: int):
    model, ids = a_mamba(), random_ids(2, 5, tokens)
    hidden = read_sequential(model, ids).hidden.flatten(1, 2)
    expected = model.backbone(input_ids=ids.flatten(1, 2)).logits
    torch.testing.assert_close(model.adapter.logits(hidden), expected, **CLOSE)
    # And the segments count: a row read as if nothing came before it is another.
    alone = model.backbone(input_ids=ids[:, -1]).logits
    assert not torch.allclose(alone, expected[:, -tokens:], atol=0.01)


@torch.no_grad()
def test_one_token_at_a_time_too_and_no_memory_is_written_to():
    model, ids = a_mamba(), random_ids(1, 6, 1)
    memory, kept, hidden = model.empty_memory(), [], []
    for segment in ids.unbind(1):
        out, memory = model.run(segment, None, memory, write=True)
        hidden.append(out)
        kept.append((memory, memory.conv.clone(), memory.recurrent.clone()))
    expected = model.backbone.backbone(input_ids=ids.flatten(1, 2)).last_hidden_state
    torch.testing.assert_close(torch.cat(hidden, dim=1), expected, **CLOSE)
    for memory, conv, recurrent in kept:
        assert torch.equal(memory.conv, conv) and torch.equal(memory.recurrent, recurrent)


def test_gradients_go_through_the_states_as_in_one_row():
    model, ids = a_mamba(), random_ids(1, 4, 5)
    grads = []
    for hidden in (
        read_sequential(model, ids).hidden[0, -1],
        model.backbone.backbone(input_ids=ids.flatten(1, 2)).last_hidden_state[0, -5:],
    ):
        model.zero_grad()
        hidden.square().sum().backward()
        grads.append([weight.grad.clone() for weight in model.backbone.backbone.parameters()])
    for one, other in zip(*grads, strict=True):
        scale = float(other.abs().max()) + 1
        torch.testing.assert_close(one / scale, other / scale, **CLOSE)


def test_what_does_not_fit_is_refused_with_the_reason():
    gpt2 = ArmtConfig(backbone=backbone_config("gpt2"), segment_tokens=24, system="mamba")
    with pytest.raises(ModelError, match="has a backbone of type \"mamba2\", not 'gpt2'"):
        new_system(gpt2)
    with pytest.raises(ModelError, match="no adapter for backbones of type 'mamba2'"):
        ArmtModel(ArmtConfig(backbone=backbone_config("mamba2"), segment_tokens=24))
    model = a_mamba()
    with pytest.raises(ModelError, match="at least two tokens, not of one"):
        model.run(random_ids(1, 1))
    with pytest.raises(ModelError, match="must be on the right"):
        model.run(random_ids(1, 3), torch.tensor([[0, 1, 1]]))
    with pytest.raises(MemoryMismatch, match="holds 2 documents"):
        model.run(random_ids(1, 3), memory=model.empty_memory(2))
    empty = model.empty_memory()
    with pytest.raises(MemoryMismatch, match=r"convolution, state\) = \(1, .* the model has \(2"):
        model.run(
            random_ids(1, 3),
            memory=LayerStates(empty.conv[:1], empty.recurrent[:1], empty.segments_read),
        )
    with pytest.raises(MemoryMismatch, match="conv must be"):
        LayerStates(empty.conv[0], empty.recurrent, empty.segments_read)
    with pytest.raises(MemoryMismatch, match="are of 1, 1 and 2 documents"):
        LayerStates(empty.conv, empty.recurrent, torch.zeros(2))
