"""The backbone alone, in segments: as over one row, with all of it seen or a band."""

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from armt_core import ArmtConfig, read_sequential
from armt_core.adapters import Context, adapter_class
from armt_core.attention import AttentionModel
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.seen_tokens import SeenTokens
from armt_core.systems import new_system
from tests.fakes import FAMILIES, backbone_config, random_ids

CAUSAL = [family for family in FAMILIES if family != "bert"]


def an_attention(family: str, window: int | None) -> AttentionModel:
    """Two layers in float64 with weights large enough to matter; a window, or full attention."""
    torch.manual_seed(0)
    system = "full-attention" if window is None else "sliding-window"
    config = ArmtConfig(
        backbone=backbone_config(family), segment_tokens=24, system=system, window=window
    )
    model = new_system(config).double().eval()
    assert isinstance(model, AttentionModel)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    return model


def banded(model: AttentionModel, ids: Tensor, window: int) -> Tensor:
    """The backbone over ids (1, N) in one row, by hand: each sees itself and `window` before it."""
    adapter = adapter_class(model.config.backbone.model_type)(model.backbone)
    N = ids.shape[1]
    places = torch.arange(N)[None]
    back = places.mT - places  # (N, N)
    bias = torch.where((back >= 0) & (back <= window), 0.0, -1e30).double()[None, None]
    hidden = adapter.place(adapter.tokens(ids), places)
    context = Context(bias, places, adapter.rotary(hidden, places))
    for index in range(model.config.num_hidden_layers):
        hidden = adapter.layer(index, hidden, context)
    return adapter.finish(hidden)


@pytest.mark.parametrize("family", CAUSAL)
def test_full_attention_in_segments_is_the_backbone_over_the_whole_row(family: str):
    model, ids = an_attention(family, None), random_ids(2, 5, 7)
    hidden = read_sequential(model, ids).hidden
    logits = model.adapter.logits(hidden.flatten(1, 2))
    expected = model.backbone(input_ids=ids.flatten(1, 2)).logits
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("window", [1, 4, 7, 16])
def test_a_sliding_window_in_segments_is_the_backbone_with_a_band(family: str, window: int):
    model, ids = an_attention(family, window), random_ids(1, 5, 7)
    hidden = read_sequential(model, ids).hidden.flatten(1, 2)
    expected = banded(model, ids.flatten(1, 2), window)
    torch.testing.assert_close(hidden, expected, rtol=1e-10, atol=1e-10)


def test_a_token_sees_as_many_windows_back_as_there_are_layers_and_no_further():
    model, ids = an_attention("llama", 3), random_ids(1, 5, 4)
    plain = read_sequential(model, ids).hidden.flatten(1, 2)
    other = ids.clone()
    other[0, 0, 2] += 1
    changed = read_sequential(model, other).hidden.flatten(1, 2)
    differs = (plain != changed).any(-1)[0].nonzero().flatten()
    assert differs.tolist() == list(range(2, 2 + 2 * 3 + 1))


def test_what_a_window_keeps_are_its_last_tokens_and_nothing_before_there_are_any():
    model, ids = an_attention("llama", 6), random_ids(1, 3, 4)
    memory = model.empty_memory()
    sizes = [memory.keys.shape]
    for segment in ids.unbind(1):
        memory = model.run(segment, None, memory, write=True)[1]
        sizes.append(memory.keys.shape)
    assert set(sizes) == {(2, 1, 2, 6, 8)}
    cache = DynamicCache()
    model.backbone(input_ids=ids.flatten(1, 2)[:, :4], past_key_values=cache, use_cache=True)
    first = model.run(ids[:, 0], None, None, write=True)[1]
    torch.testing.assert_close(first.keys[0, :, :, 2:], cache.layers[0].keys)
    assert not bool(first.keys[:, :, :, :2].any())
    assert first.places().tolist() == [[-2, -1, 0, 1, 2, 3]]
    assert memory.places().tolist() == [list(range(6, 12))]


def test_gradients_reach_through_the_kept_keys_and_values_as_in_one_row():
    model, ids = an_attention("llama", None), random_ids(1, 4, 5)
    grads = []
    for hidden in (
        read_sequential(model, ids).hidden[0, -1],
        model.backbone.model(input_ids=ids.flatten(1, 2)).last_hidden_state[0, -5:],
    ):
        model.zero_grad()
        hidden.square().sum().backward()
        grads.append([weight.grad.clone() for weight in model.backbone.model.parameters()])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_what_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(ModelError, match="bert backbone sees what comes later"):
        an_attention("bert", None)
    with pytest.raises(ModelError, match="Token 65 of a document is beyond the 64 positions"):
        read_sequential(an_attention("gpt2", None), random_ids(1, 5, 13))
    for settings in ({"system": "sliding-window"}, {"window": 5}, {"window": 0}):
        with pytest.raises(ValueError, match='"sliding-window" has a window of at least 1'):
            ArmtConfig(backbone=backbone_config("gpt2"), **settings)
    model = an_attention("llama", 4)
    with pytest.raises(MemoryMismatch, match=r"and 5 tokens, the model .* a window of 4"):
        model.run(random_ids(1, 3), memory=an_attention("llama", 5).empty_memory())
    with pytest.raises(MemoryMismatch, match="holds 2 documents, the tokens are of 1 rows"):
        model.run(random_ids(1, 3), memory=model.empty_memory(2))
    empty = model.empty_memory()
    with pytest.raises(MemoryMismatch, match="keys and values must both be"):
        SeenTokens(empty.keys, empty.values[..., :1], empty.tokens_read, empty.segments_read)
    with pytest.raises(MemoryMismatch, match="one a document"):
        SeenTokens(empty.keys, empty.values, torch.zeros(2), empty.segments_read)
