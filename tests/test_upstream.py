"""State dicts of the reference implementation: the same weights, the same memory and logits.

The reference is played by the transformers model itself, with hooks that read before and
write after each layer through the plain loops of tests/plain_armt.py.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from armt_core import read_sequential
from armt_core.adapters import adapter_class
from armt_core.config import System
from armt_core.errors import ModelError
from armt_core.upstream import load_upstream
from tests.fakes import backbone_config, random_ids
from tests.plain_armt import PlainMemory

M, D_MEM = 3, 4
FAMILIES = ("gpt2", "gpt_neox", "llama", "qwen2", "bert")


class Reference:
    """A wrapped backbone for one document, as the reference implementation builds it."""

    def __init__(self, family: str, scale: float, wrapped: bool = False) -> None:
        torch.manual_seed(0)
        self.config = backbone_config(family)
        kind = adapter_class(family)
        self.backbone = kind.build(self.config).double().eval()
        self.path = kind.layers_path
        width = self.config.hidden_size
        self.memory = torch.randn(M, width, dtype=torch.float64) * scale
        self.own_positions = torch.randn(M, width, dtype=torch.float64) * scale if wrapped else None
        for name, parameter in self.backbone.named_parameters():
            if any(word in name for word in ("wte", "wpe", "embed", "c_proj", "dense_4h", "down")):
                parameter.data.mul_(scale)
        self.weights = [
            {
                "W_mq.weight": torch.randn(D_MEM, width).double() / 3,
                "W_mk.weight": torch.randn(D_MEM, width).double() / 3,
                "W_mv.weight": torch.randn(width, width).double() / 3,
                "W_mb.weight": torch.randn(1, width).double() / 3,
                "W_mb.bias": torch.randn(1).double(),
            }
            for _ in range(self.config.num_hidden_layers)
        ]
        self.memories = [PlainMemory(*w.values()) for w in self.weights]

    def state_dict(self, prefix: str = "memory_cell.") -> dict[str, Tensor]:
        """Under the reference implementation's names."""
        state = {f"{prefix}memory": self.memory}
        for name, tensor in self.backbone.state_dict().items():
            if name.startswith(self.path + "."):
                index, rest = name[len(self.path) + 1 :].split(".", 1)
                name = f"{self.path}.{index}.layer.{rest}"
            if name == "transformer.wpe.weight" and self.own_positions is not None:
                tensor = torch.cat([tensor, self.own_positions])
            state[f"{prefix}model.{name}"] = tensor
        for index, weights in enumerate(self.weights):
            for name, tensor in weights.items():
                state[f"{prefix}model.{self.path}.{index}.{name}"] = tensor
        return state

    def read(self, segment: Tensor) -> Tensor:
        """One segment (T,): its logits (T, V); the memory goes on."""
        layers = self.backbone.get_submodule(self.path)
        assert isinstance(layers, nn.ModuleList)
        handles = []
        for layer, memory in zip(layers, self.memories, strict=True):
            handles.append(layer.register_forward_pre_hook(_reader(memory), with_kwargs=True))
            handles.append(layer.register_forward_hook(_writer(memory)))
        embeddings = torch.cat([self.backbone.get_input_embeddings()(segment), self.memory])
        extra: dict[str, Any] = {}
        if self.own_positions is not None:  # wpe as the reference extends it
            wpe = self.backbone.transformer.wpe
            kept, rows = wpe.weight, wpe.weight.shape[0]
            wpe.weight = nn.Parameter(torch.cat([kept, self.own_positions]))
            places = torch.cat([torch.arange(len(segment)), torch.arange(rows, rows + M)])
            extra["position_ids"] = places[None]
        with torch.no_grad():
            logits = self.backbone(inputs_embeds=embeddings[None], **extra).logits
        if self.own_positions is not None:
            wpe.weight = kept
        for handle in handles:
            handle.remove()
        return logits[0, : len(segment)]


def _reader(memory: PlainMemory) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        read = torch.stack([memory.read(x) for x in args[0][0]])[None]
        return (read, *args[1:]), kwargs

    return hook


def _writer(memory: PlainMemory) -> Any:
    def hook(module: nn.Module, args: Any, out: Tensor) -> None:
        memory.write(out[0, -M:])

    return hook


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prefix", ["memory_cell.", ""])
def test_memory_and_logits_equal_the_reference(family: str, scale: float, prefix: str):
    _compare(Reference(family, scale), prefix)


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_gpt2_with_wrapped_positions_equals_the_reference(scale: float):
    _compare(Reference("gpt2", scale, wrapped=True), "memory_cell.")


def test_a_reference_without_gamma_is_loaded_as_the_system_that_it_is():
    reference = Reference("llama", 1.0)
    for memory in reference.memories:
        memory.corrects = False
    _compare(reference, "memory_cell.", "armt-without-gamma")
    with pytest.raises(AssertionError):
        _compare(reference, "memory_cell.", "armt")


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_a_later_reference_with_keys_of_length_one_is_loaded_as_that(family: str, scale: float):
    reference = Reference(family, scale)
    for memory in reference.memories:
        memory.unit_keys = True
    _compare(reference, "memory_cell.", "armt-unit-keys")
    with pytest.raises(AssertionError):
        _compare(reference, "memory_cell.", "armt")


def _compare(reference: Reference, prefix: str, system: System = "armt") -> None:
    model = load_upstream(
        reference.state_dict(prefix), reference.config, segment_tokens=20, system=system
    )
    segments = [random_ids(n, seed=n) for n in (9, 6, 9)]
    memory = model.empty_memory()
    for segment in segments:
        ours = model(segment[None], memory=memory, write=True)
        theirs = reference.read(segment)
        torch.testing.assert_close(ours.logits[0], theirs, rtol=1e-9, atol=1e-9)
        memory = ours.memory
    for index, plain in enumerate(reference.memories):
        assert plain.A is not None and plain.z is not None
        peak = float(plain.A.abs().max())
        torch.testing.assert_close(
            memory.associations[index, 0], plain.A, rtol=1e-8, atol=1e-9 * peak
        )
        torch.testing.assert_close(memory.normalizer[index, 0], plain.z, rtol=1e-8, atol=1e-12)
    assert int(memory.segments_read[0]) == 3
    assert memory.associations.abs().max() > 0


def test_reading_many_segments_goes_through_the_same_door():
    reference = Reference("gpt2", 1.0)
    model = load_upstream(reference.state_dict(), reference.config, segment_tokens=20)
    ids = random_ids(1, 3, 8)
    memory = read_sequential(model, ids).memory
    for segment in ids[0]:
        reference.read(segment)
    plain = reference.memories[-1]
    assert plain.A is not None
    torch.testing.assert_close(memory.associations[-1, 0], plain.A, rtol=1e-8, atol=1e-9)


def test_constants_of_old_checkpoints_are_passed_over():
    reference = Reference("gpt2", 1.0)
    state = reference.state_dict()
    state["memory_cell.model.transformer.h.0.layer.attn.bias"] = torch.ones(1, 1, 64, 64)
    state["memory_cell.model.transformer.h.0.layer.attn.masked_bias"] = torch.tensor(-1e4)
    load_upstream(state, reference.config, segment_tokens=20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("memory_cell.memory"), "memory_cell.memory"),
        (lambda s: s.pop("memory_cell.model.transformer.h.1.W_mv.weight"), r"h\.1\.W_mv\.weight"),
        (
            lambda s: s.pop("memory_cell.model.transformer.h.0.layer.ln_1.bias"),
            "transformer.h.0.ln_1.bias",
        ),
        (lambda s: s.update({"memory_cell.model.extra": torch.ones(1)}), "backbone.extra"),
        (
            lambda s: s.update({"memory_cell.model.transformer.h.0.W_mq.weight": torch.ones(4, 5)}),
            r"h\.0\.W_mq\.weight",
        ),
        (
            lambda s: s.update({"memory_cell.model.transformer.wpe.weight": torch.ones(65, 32)}),
            "wpe",
        ),
    ],
)
def test_a_missing_unknown_or_ill_shaped_key_is_named(change: Any, message: str):
    reference = Reference("gpt2", 1.0)
    state = reference.state_dict()
    change(state)
    with pytest.raises(ModelError, match=message):
        load_upstream(state, reference.config, segment_tokens=20)
