"""Reading documents into memory along the diagonal: as many segments at once as there are layers.

Layer l needs of segment s only what layer l - 1 makes of it, and the memory that layer l itself
wrote after segment s - 1. So at step t layer l can read segment t - l, all layers at once: their
weights are stacked, and one batched call does what the layers would do one after the other. S
segments take S + L - 1 steps in the place of S * L. Source: arXiv 2506.05229.

Axes: L layers, N layers that have a segment at a step, B documents, S segments, T tokens, M memory
tokens, K key features, D width.
"""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from armt_core import apart, together
from armt_core.associative import Projections, read
from armt_core.errors import ModelError
from armt_core.in_order import read_in_order
from armt_core.lowrank import LayerDelta, Role
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.packing import PackedLinear
from armt_core.reading import Reading, check_segments
from armt_core.reads import TokensRead

Segment = together.Together | apart.Apart


def read_diagonal(
    model: ArmtModel,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    memory: MemoryState | None = None,
) -> Reading[MemoryState]:
    """What `read_sequential` gives, to rounding, with its gradients; arguments as there.

    While it reads, the weights of the layers are held once more, side by side. Dropout draws
    other numbers than in sequence. Raises ModelError if the layers cannot be called as one:
    they differ in more than their weights, or their weights are packed (`armt_core.packing`);
    and for a system that is no ARMT.
    """
    if not isinstance(model, ArmtModel):
        raise ModelError(
            f"Only an ARMT is read along the diagonal, not a {type(model).__name__}. Read with "
            "read_sequential."
        )
    check_segments(input_ids, attention_mask)
    B, S, T = input_ids.shape
    memory = model.start_from(B, T, model.config.num_memory_tokens, 0, memory)
    whole = attention_mask is None  # all segments have all their tokens
    alike = whole and not model.config.sentence_ends  # and who sees whom is the same in each
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    alive = mask.bool().any(-1).T  # (S, B)
    read_before = memory.segments_read + alive.cumsum(0) - alive.long()  # (S, B), by each segment
    A, z = memory.associations, memory.normalizer
    layers, L = _StackedLayers(model), model.config.num_hidden_layers
    going: list[Segment] = []  # the segments on their way, that of the lowest layer first
    hidden = []
    for step in range(S + L - 1):
        if step < S:
            going.insert(0, _enter(model, input_ids[:, step], mask[:, step].bool()))
        here = slice(max(0, step - S + 1), min(step + 1, L))  # the layers that have a segment
        at = [step - layer for layer in range(here.start, here.stop)]  # and which one
        going = layers(here, going, A[here], z[here], alike)
        tokens = torch.stack([segment.tokens for segment in going])  # (N, B, M, D)
        new_A, new_z, _ = model.associative.write(
            tokens, A[here], z[here], read_before[at] == 0, None if whole else alive[at], here
        )
        A, z = _put(A, new_A, here), _put(z, new_z, here)
        if here.stop == L:
            hidden.append(going.pop().finish(model.adapter))
    return Reading(
        torch.stack(hidden, dim=1), MemoryState(A, z, memory.segments_read + alive.sum(0))
    )


def _enter(model: ArmtModel, input_ids: Tensor, mask: Tensor) -> Segment:
    if model.config.memory_tokens == "apart":
        return apart.enter(model, input_ids, mask)
    return together.enter(model, input_ids, mask, write=True, prefix=None, cache=None)


def _put(whole: Tensor, part: Tensor, here: slice) -> Tensor:
    """whole (L, ...) with `part` (N, ...) at the layers `here`."""
    if len(part) == len(whole):
        return part
    return torch.cat([whole[: here.start], part, whole[here.stop :]])


class _StackedLayers:
    """All layers of a model as one call over a further first axis."""

    def __init__(self, model: ArmtModel) -> None:
        role: Role | None = "memory" if model.config.memory_tokens == "apart" else None
        layers = [
            _Layer(model, layer, delta)
            for layer, delta in zip(model.adapter.layers, model.delta(role), strict=True)
        ]
        _check_alike(layers)
        self._memory, self._system = model.associative, model.associative.system
        self._in_order = model.config.reads_in_order
        # Not torch.func.stack_module_state: it cuts the graph to the weights of the model.
        states = [dict([*layer.named_parameters(), *layer.named_buffers()]) for layer in layers]
        self._weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        # A call puts weights into the module for its time: into a copy without any, so that
        # nobody else who reads with this model can meet them.
        own = {id(tensor): tensor.to("meta") for tensor in states[0].values()}
        own = {key: nn.Parameter(tensor, requires_grad=False) for key, tensor in own.items()}
        self._layer = copy.deepcopy(layers[0], {**own, id(model.backbone): model.backbone})
        # Fused attention has no batched form on a CPU: it would be done a layer at a time. The
        # choice of kernel holds for the whole process while a call runs; it changes only speed.
        on_cpu = model.device.type == "cpu"
        self._kernel = (lambda: sdpa_kernel(SDPBackend.MATH)) if on_cpu else nullcontext

    def __call__(
        self, here: slice, going: Sequence[Segment], A: Tensor, z: Tensor, alike: bool
    ) -> list[Segment]:
        """N segments, each after its own of the layers `here`.

        A: (N, B, K, D); z: (N, B, K). alike: `fixed` is the same for all of them.
        """
        dtype = going[0].tokens.dtype

        def one(
            weights: dict[str, Tensor],
            A: Tensor,
            z: Tensor,
            of: Projections,
            moving: tuple[Tensor, ...],
            fixed: tuple[Tensor, ...],
        ) -> tuple[Tensor, ...]:
            segment = going[0].holding(moving, fixed)
            once = partial(
                read,
                associations=A.to(dtype),
                normalizer=z.to(dtype),
                w_query=of.query,
                system=self._system,
            )
            again = partial(read_in_order, associations=A, normalizer=z, of=of, system=self._system)
            of_layer = TokensRead(once, again if self._in_order else None)
            return functional_call(self._layer, weights, (segment, of_layer))

        moving = tuple(torch.stack(parts) for parts in zip(*(s.moving for s in going), strict=True))
        fixed = going[0].fixed
        if not alike:
            fixed = tuple(torch.stack(p) for p in zip(*(s.fixed for s in going), strict=True))
        call = vmap(one, (0, 0, 0, 0, 0, None if alike else 0), randomness="different")
        weights = {name: stacked[here] for name, stacked in self._weights.items()}
        of = Projections(*(weight[here] for weight in self._memory.stacked()))
        with self._kernel():
            moved = call(weights, A, z, of, moving, fixed)
        each = zip(*(stacked.unbind() for stacked in moved), strict=True)
        return [s.holding(after, s.fixed) for s, after in zip(going, each, strict=True)]


class _Layer(nn.Module):
    """One layer of the backbone with its delta, called as its adapter calls it."""

    def __init__(self, model: ArmtModel, layer: nn.Module, delta: LayerDelta | None) -> None:
        super().__init__()
        self.adapter = model.adapter
        self.adapter.layers = nn.ModuleList([layer])
        self.layer, self.delta = layer, delta

    def forward(self, segment: Segment, read: TokensRead) -> tuple[Tensor, ...]:
        return segment.layer(self.adapter, 0, read, self.delta).moving


def _check_alike(layers: Sequence[nn.Module]) -> None:
    """Raises ModelError where layers differ in more than weights: no one call is all of them."""
    for layer in layers:
        if any(isinstance(module, PackedLinear) for module in layer.modules()):
            raise ModelError(
                "The linear layers of this model are packed for one call at a time. Read with "
                "read_sequential, or open the model without packing."
            )
    first = _settings(layers[0])
    for index, layer in enumerate(layers[1:], start=1):
        other = _settings(layer)
        differing = sorted(
            name for name in first.keys() | other.keys() if first.get(name) != other.get(name)
        )
        if differing:
            raise ModelError(
                f"Layer {index} of this backbone differs from layer 0 in {', '.join(differing)}, "
                "so they cannot be called as one. Read with read_sequential."
            )


def _settings(layer: nn.Module) -> dict[str, object]:
    """What a layer is besides its weights: the kinds of its parts, their plain attributes (but for
    the layer's own number, by which only a cache knows it), and the shapes of its weights."""
    found: dict[str, object] = {}
    for name, module in layer.named_modules():
        found[f"{name} (kind)"] = type(module)
        for key, value in vars(module).items():
            if key != "layer_idx" and isinstance(value, bool | int | float | str | None):
                found[f"{name}.{key}"] = value
    found |= {name: weight.shape for name, weight in layer.named_parameters()}
    return found
