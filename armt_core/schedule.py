"""Which way a document is read, in sequence or along the diagonal: the faster one, as measured.

Which of the two is faster depends on the device, on the number of layers and on the lengths: small
calls leave a GPU idle, which the diagonal fills; on one thread of a CPU there is nothing to fill.
So both are timed once for each shape that is met, and what was found is kept with the model.

Axes: L layers, B documents, S segments, T tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from armt_core.diagonal import read_diagonal
from armt_core.errors import ModelError
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.reading import Reading, check_segments, read_sequential
from armt_core.timing import interleaved

#: Readings of each kind that are timed, after one that is not.
_RUNS = 3
#: The diagonal must be faster by so much: less is within what times differ by anyway.
_MARGIN = 0.03


@dataclass(frozen=True)
class Shape:
    """What the times depend on. with_gradients: the reading is differentiated after it."""

    device: torch.device
    dtype: torch.dtype
    documents: int
    segments: int
    tokens: int
    with_gradients: bool


@dataclass(frozen=True)
class Seconds:
    """What a reading of all S segments takes in each way; infinite where it is not possible."""

    sequential: float
    diagonal: float

    @property
    def diagonal_is_faster(self) -> bool:
        return self.diagonal < (1 - _MARGIN) * self.sequential


_measured: WeakKeyDictionary[ArmtModel, dict[Shape, Seconds]] = WeakKeyDictionary()


def read_faster(
    model: ArmtModel,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    memory: MemoryState | None = None,
) -> Reading[MemoryState]:
    """What `read_sequential` gives, to rounding, in the faster way; arguments as there.

    The first reading of a shape is preceded by `seconds`, which takes as long as some eight of it,
    or of as many segments as four times the layers if it has more.
    """
    check_segments(input_ids, attention_mask)
    read = read_diagonal if seconds(model, *input_ids.shape).diagonal_is_faster else read_sequential
    return read(model, input_ids, attention_mask, memory)


def seconds(model: ArmtModel, documents: int, segments: int, tokens: int) -> Seconds:
    """What a reading takes in each way: measured for this model where it is now, once for a shape.

    With a way back where gradients are on and a weight wants them. More segments than four times
    the layers are not read: each further one costs what it costs between twice and four times.
    """
    learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in model.parameters())
    shape = Shape(model.device, model.dtype, documents, segments, tokens, learns)
    known = _measured.setdefault(model, {})
    if shape not in known:
        known[shape] = _measure(model, shape)
    return known[shape]


def _measure(model: ArmtModel, shape: Shape) -> Seconds:
    L, S = model.config.num_hidden_layers, shape.segments
    if not _has_diagonal(model):
        return Seconds(0.0, float("inf"))
    if S <= 4 * L:
        return Seconds(*_timed(model, shape, S))
    short, long = _timed(model, shape, 2 * L), _timed(model, shape, 4 * L)
    rest = (S - 4 * L) / (2 * L)
    return Seconds(*(b + rest * (b - a) for a, b in zip(short, long, strict=True)))


def _has_diagonal(model: ArmtModel) -> bool:
    """Whether the layers can be called as one; what refuses is `read_diagonal` itself."""
    try:
        with torch.no_grad():
            read_diagonal(model, torch.zeros(1, 1, 2, dtype=torch.int64, device=model.device))
    except ModelError:
        return False
    return True


def _timed(model: ArmtModel, shape: Shape, segments: int) -> tuple[float, float]:
    """The median seconds of so many segments in sequence and along the diagonal, in turn."""
    size = (shape.documents, segments, shape.tokens)
    # A generator of its own: what is drawn elsewhere must not depend on whether this was timed.
    draw = torch.Generator(shape.device).manual_seed(0)
    ids = torch.randint(model.config.backbone.vocab_size, size, generator=draw, device=shape.device)
    gradients = shape.with_gradients
    sequential, diagonal = interleaved(
        [
            lambda: _once(model, read_sequential, ids, gradients),
            lambda: _once(model, read_diagonal, ids, gradients),
        ],
        _RUNS,
    )
    return sequential, diagonal


def _once(
    model: ArmtModel,
    read: Callable[..., Reading[MemoryState]],
    ids: Tensor,
    with_gradients: bool,
) -> None:
    """A reading, and its gradients, which are thrown away."""
    with torch.set_grad_enabled(with_gradients):
        hidden = read(model, ids).hidden
        if with_gradients:
            weights = [weight for weight in model.parameters() if weight.requires_grad]
            torch.autograd.grad(hidden.float().square().mean(), weights, allow_unused=True)
