"""Reading documents into memory, one segment after the other: the definition.

Axes: B documents, S segments, T tokens, D width.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from armt_core.errors import ModelError

#: What a system hands from segment to segment: MemoryState, TokenMemory, SeenTokens, LayerStates.
Memory = TypeVar("Memory")


class Reads(Protocol[Memory]):
    """A system: one segment and a memory in, hidden states and a memory out."""

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Memory | None = None,
        write: bool = False,
    ) -> tuple[Tensor, Memory]:
        """As `ArmtModel.run`."""


@dataclass(frozen=True)
class Reading(Generic[Memory]):
    """hidden: (B, S, T, D), the text's hidden states; memory: after the last segment."""

    hidden: Tensor
    memory: Memory


def read_sequential(
    model: Reads[Memory],
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    memory: Memory | None = None,
) -> Reading[Memory]:
    """Reads segment after segment and writes each into memory.

    input_ids: (B, S, T). attention_mask: (B, S, T), 0 at padding; a document with
    fewer segments than others has masks of only 0 at its end, and its memory stays
    as it is from there on. memory: where to go on from (None: nothing read yet).
    Differentiable throughout; cut the graph with `memory.detach()` between calls.
    """
    check_segments(input_ids, attention_mask)
    hidden = []
    for segment in range(input_ids.shape[1]):
        mask = None if attention_mask is None else attention_mask[:, segment]
        out, memory = model.run(input_ids[:, segment], mask, memory, write=True)
        hidden.append(out)
    assert memory is not None
    return Reading(torch.stack(hidden, dim=1), memory)


def check_segments(input_ids: Tensor, attention_mask: Tensor | None) -> None:
    """Raises ModelError for anything but (B, S, T) and a mask of the same shape."""
    if input_ids.ndim != 3 or input_ids.shape[1] < 1:
        raise ModelError(
            f"input_ids must be (documents, segments, tokens) with at least one segment, "
            f"got {tuple(input_ids.shape)}."
        )
    if attention_mask is not None and attention_mask.shape != input_ids.shape:
        raise ModelError(
            f"attention_mask must have the shape of input_ids, {tuple(input_ids.shape)}, "
            f"got {tuple(attention_mask.shape)}."
        )
