"""Reading documents into memory, one segment after the other: the definition.

Axes: B documents, S segments, T tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armt_core.errors import ModelError
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel


@dataclass(frozen=True)
class Reading:
    """hidden: (B, S, T, D), the text's hidden states; memory: after the last segment."""

    hidden: Tensor
    memory: MemoryState


def read_sequential(
    model: ArmtModel,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    memory: MemoryState | None = None,
) -> Reading:
    """Reads segment after segment and writes each into memory.

    input_ids: (B, S, T). attention_mask: (B, S, T), 0 at padding; a document with
    fewer segments than others has masks of only 0 at its end, and its memory stays
    as it is from there on. memory: where to go on from (None: nothing read yet).
    Differentiable throughout; cut the graph with `memory.detach()` between calls.
    """
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
    hidden = []
    for segment in range(input_ids.shape[1]):
        mask = None if attention_mask is None else attention_mask[:, segment]
        out, memory = model.run(input_ids[:, segment], mask, memory, write=True)
        hidden.append(out)
    assert memory is not None
    return Reading(torch.stack(hidden, dim=1), memory)


def pad_segments(
    documents: Sequence[Sequence[Sequence[int]]], pad_token_id: int = 0
) -> tuple[Tensor, Tensor]:
    """Documents of unequal length as input_ids and attention_mask, both (B, S, T) int64.

    documents: token ids, B x segments x tokens; S and T are the largest met.
    """
    segments = max((len(d) for d in documents), default=0)
    tokens = max((len(s) for d in documents for s in d), default=0)
    if not segments or not tokens:
        raise ModelError("There is nothing to read: no document has a segment with tokens.")
    ids = torch.full((len(documents), segments, tokens), pad_token_id, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for b, document in enumerate(documents):
        for s, segment in enumerate(document):
            ids[b, s, : len(segment)] = torch.tensor(segment, dtype=torch.int64)
            mask[b, s, : len(segment)] = 1
    return ids, mask
