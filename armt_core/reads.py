"""What the layers read of a memory in one segment, made ready once.

Axes: L layers, B documents, R rows of each, T positions, M memory tokens, K key features, D width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from armt_core.associative import AssociativeMemory, Projections, projections, read
from armt_core.in_order import read_in_order, writes_any
from armt_core.memory import MemoryState

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


#: Hidden states (B, T, D) with what the memory of one layer adds.
Read = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TokensRead:
    """How memory tokens read the memory of one layer. once: what it held before their segment.
    again: of memory tokens (B, M, D) and what the layer makes of them at first (B, M, D), the
    tokens with what the memory adds once each has read what those before it write, or None where
    nothing is written; None in a model that does not read in order."""

    once: Read
    again: Callable[[Tensor, Tensor], Tensor | None] | None = None

    def __call__(self, hidden: Tensor) -> Tensor:
        return self.once(hidden)


class LayerReads:
    """`read` of `armt_core.associative` for every layer, in the type of the hidden states."""

    def __init__(
        self, memory: MemoryState | None, associative: AssociativeMemory, dtype: torch.dtype
    ) -> None:
        """memory: None where nothing was read: reads, which would add zeros, are left out. (To ask
        an empty one whether it is would make the program wait for the GPU.) associative: whose
        queries are read with."""
        self.system = associative.system
        self.memory, self.associative = memory, associative
        self.batch = None if memory is None else memory.batch
        if memory is not None:
            # `unbind`, because the gradient of each `A[index]` would be as large as all of A.
            self._A = memory.associations.to(dtype).unbind()  # L of (B, K, D)
            self._z = memory.normalizer.to(dtype).unbind()  # L of (B, K)
            self._query = associative.query.to(dtype).unbind()  # L of (d_mem, D)

    @classmethod
    def of(cls, model: "ArmtModel", memory: MemoryState | None) -> Self:
        """What the layers of this model read of `memory`."""
        return cls(memory, model.associative, model.backbone.dtype)

    def __call__(self, index: int, hidden: Tensor) -> Tensor:
        """hidden (B * R, T, D) with what its layer's memory adds."""
        if self.batch is None:
            return hidden
        # The rows of one document are read as one long row: its memory is not copied.
        beside = hidden.reshape(self.batch, -1, hidden.shape[-1])
        of_layer = self._A[index], self._z[index], self._query[index]
        return read(beside, *of_layer, self.system).view_as(hidden)

    def again(self, index: int, tokens: Tensor, made: Tensor) -> Tensor | None:
        """`read_in_order` of a layer's memory tokens; None where none of them writes, which is
        found out on a CPU alone: a GPU would have to be waited for."""
        of = self._projections[index]
        if made.device.type == "cpu" and not writes_any(made, of):
            return None
        if self.memory is None:
            B, _, D = tokens.shape
            A = of.key.new_zeros(B, 6 * len(of.key), D)
            z = A[..., 0]
        else:
            A, z = self.memory.associations[index], self.memory.normalizer[index]
        return read_in_order(tokens, made, A, z, of, self.system)

    @cached_property
    def _projections(self) -> list[Projections]:
        return projections(self.associative)
