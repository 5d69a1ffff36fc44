"""Reading along the diagonal gives what reading in sequence gives: values and gradients."""

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, SmolLM3Config

from armt_core import ArmtConfig, ArmtModel, read_diagonal, read_sequential
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.lowrank import LowRank
from armt_core.packing import PackedLinear
from armt_core.reading import Reading
from armt_core.systems import new_system
from tests.fakes import FAMILIES, backbone_config, random_ids, tiny_model

KINDS = [(f, kind) for f in FAMILIES for kind in ("own", "inline")]
#: "in order" is "apart" whose memory tokens read what those before them in their segment write.
KINDS += [("bert", "apart"), ("bert", "in order")]
LAYERS = 4


def a_model(family: str, kind: str, dtype: torch.dtype = torch.float64) -> ArmtModel:
    """Four layers, and apart with a delta of the memory tokens that is not zero, which are written
    one after the other."""
    backbone = backbone_config(family)
    backbone.num_hidden_layers = LAYERS
    if family in ("mistral", "qwen2"):
        backbone.layer_types = ["full_attention"] * LAYERS
    apart = kind in ("apart", "in order")
    deltas = {"memory": 2} if apart else None
    torch.manual_seed(0)
    config = ArmtConfig(
        backbone=backbone,
        num_memory_tokens=3,
        memory_dim=4,
        segment_tokens=24,
        memory_tokens="apart" if apart else kind,
        sentence_ends=list(range(20)) if apart else (),
        reads_in_order=kind == "in order",
        deltas=deltas,
        system="armt-exact" if apart else "armt",
    )
    model = ArmtModel(config).to(dtype).eval()
    with torch.no_grad():
        model.memory_tokens.normal_(std=0.5)
        model.associative.value.normal_(std=0.3)
        for weight in (model.associative.query, model.associative.key):
            weight.normal_(std=0.5)
        for part in model.modules():
            if isinstance(part, LowRank):
                part.outward.normal_(std=0.3)
    return model


def unequal(segments: int) -> tuple[Tensor, Tensor]:
    """Three documents: all segments, one segment, and all but one; texts of unequal length."""
    ids, mask = random_ids(3, segments, 7, seed=segments), torch.ones(3, segments, 7).long()
    mask[0, -1, 5:] = 0
    mask[1, 1:] = 0
    mask[2, 0, 4:] = 0
    if segments > 1:
        mask[2, -1:] = 0
    return ids, mask


def gradients(model: ArmtModel, reading: Reading, mask: Tensor) -> dict[str, Tensor]:
    """Of something that depends on every value that counts: not on the padding. A weight that was
    left out has the gradient zero."""
    model.zero_grad()
    weights = torch.randn(reading.hidden.shape, generator=torch.Generator().manual_seed(3))
    counted = reading.hidden * weights.to(reading.hidden.dtype) * mask[..., None]
    (counted.sum() + reading.memory.associations.square().sum()).backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad
        for name, weight in model.named_parameters()
    }


@pytest.mark.parametrize(("family", "kind"), KINDS)
@pytest.mark.parametrize("segments", [1, 3, LAYERS, 7])
def test_diagonal_is_sequential_in_memory_hidden_states_and_gradients(
    family: str, kind: str, segments: int
):
    model, (ids, mask) = a_model(family, kind), unequal(segments)
    expected = read_sequential(model, ids, mask)
    got = read_diagonal(model, ids, mask)
    close = {"rtol": 1e-10, "atol": 1e-10}
    seen = mask.bool()
    torch.testing.assert_close(got.hidden[seen], expected.hidden[seen], **close)
    torch.testing.assert_close(got.memory.associations, expected.memory.associations, **close)
    torch.testing.assert_close(got.memory.normalizer, expected.memory.normalizer, **close)
    assert torch.equal(got.memory.segments_read, expected.memory.segments_read)
    there, here = gradients(model, expected, mask), gradients(model, got, mask)
    assert sum(bool(gradient.any()) for gradient in there.values()) > 20
    most = max(float(gradient.abs().max()) for gradient in there.values())
    for name, gradient in there.items():
        # One that is zero but for rounding (a key's bias) has the rounding of the largest.
        scale = float(gradient.abs().max()) + 1 + 1e-6 * most
        torch.testing.assert_close(here[name] / scale, gradient / scale, **close, msg=name)


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_diagonal_is_sequential_in_float32_and_goes_on_from_a_memory(family: str, kind: str):
    model, ids = a_model(family, kind, torch.float32), random_ids(2, 6, 7)
    with torch.no_grad():
        before = read_sequential(model, ids[:, :2]).memory
        expected = read_sequential(model, ids[:, 2:], memory=before)
        got = read_diagonal(model, ids[:, 2:], memory=before)
    for one, other in (
        (got.hidden, expected.hidden),
        (got.memory.associations, expected.memory.associations),
        (got.memory.normalizer, expected.memory.normalizer),
    ):
        # Of the largest value: a memory of random weights divides by what is near zero.
        assert float((one - other).abs().max()) < 1e-4 * float(other.abs().max())
    assert got.memory.segments_read.tolist() == [6, 6]


def test_layers_that_differ_in_more_than_weights_are_refused_by_name():
    backbone = GPT2Config(
        **{**backbone_config("gpt2").to_dict(), "scale_attn_by_inverse_layer_idx": True}
    )
    model = ArmtModel(ArmtConfig(backbone=backbone, segment_tokens=24)).eval()
    with pytest.raises(ModelError, match=r"Layer 1 .* differs from layer 0 in layer.attn.scaling"):
        read_diagonal(model, random_ids(1, 2, 5))
    rotated = SmolLM3Config(
        **{**backbone_config("llama").to_dict(), "no_rope_layers": [1, 0], "layer_types": None}
    )
    model = ArmtModel(ArmtConfig(backbone=rotated, segment_tokens=24)).eval()
    with pytest.raises(ModelError, match=r"layer\.self_attn\.use_rope"):
        read_diagonal(model, random_ids(1, 2, 5))


def test_systems_without_associations_are_refused():
    backbone = backbone_config("gpt2")
    model = new_system(ArmtConfig(backbone=backbone, segment_tokens=24, system="prmt"))
    with pytest.raises(ModelError, match=r"not a RecurrentModel\. Read with read_sequential"):
        read_diagonal(model, random_ids(1, 2, 5))  # type: ignore[arg-type]


def test_packed_layers_are_refused(monkeypatch):
    model = tiny_model()
    monkeypatch.setattr(PackedLinear, "__init__", lambda self: torch.nn.Module.__init__(self))
    model.adapter.layers[1].intermediate.dense = PackedLinear()
    with pytest.raises(ModelError, match="packed for one call at a time"):
        read_diagonal(model, random_ids(1, 2, 5))


def test_wrong_shapes_and_memories_are_refused_as_in_sequence():
    model = tiny_model()
    with pytest.raises(ModelError, match="at least one segment"):
        read_diagonal(model, random_ids(2, 4))
    with pytest.raises(ModelError, match="longer than the 64 positions"):
        read_diagonal(model, random_ids(1, 2, 65))
    with pytest.raises(MemoryMismatch, match="holds 2 documents"):
        read_diagonal(model, random_ids(1, 2, 5), memory=model.empty_memory(2))


def test_reading_leaves_the_model_as_it_was_and_calls_its_layers_once_a_step(monkeypatch):
    model, ids = a_model("llama", "own"), random_ids(1, 5, 7)
    before = {name: (id(weight), weight.clone()) for name, weight in model.named_parameters()}
    calls: list[int] = []
    layer = type(model.adapter).layer
    monkeypatch.setattr(
        type(model.adapter), "layer", lambda *a, **k: (calls.append(1), layer(*a, **k))[1]
    )
    read_diagonal(model, ids)
    assert len(calls) == 5 + LAYERS - 1
    for name, weight in model.named_parameters():
        assert id(weight) == before[name][0] and torch.equal(weight, before[name][1])
