"""Rows of unequal length as one tensor and its mask.

Axes: B documents, S segments, T tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from armt_core.errors import ModelError


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


def pad_rows(rows: Sequence[Sequence[int]], pad_token_id: int = 0) -> tuple[Tensor, Tensor]:
    """B rows of unequal length as ids and mask, both (B, T) int64."""
    ids, mask = pad_segments([[row] for row in rows], pad_token_id)
    return ids[:, 0], mask[:, 0]
