"""The next token of a long document that is read in segments, whoever drew it.

Axes: B documents, S segments, T tokens of a segment, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.batched import BatchedMemory
from armt_core.state_space import StateSpaceModel
from armt_core.systems import SystemModel


def next_logits(
    model: SystemModel, segments: Sequence[Tensor], forget: Tensor | None = None
) -> list[Tensor]:
    """What the model says after each token of each of the S segments: logits (B, T, V).

    segments: (B, T) each, of any T. forget: (B, S) bool, which documents begin which segment with
    an emptied memory; None: none.
    """
    if forget is None and isinstance(model, StateSpaceModel):
        # Its state goes from token to token and knows no segments: in one row it says the same,
        # several times as fast.
        hidden, _ = model.run(torch.cat(list(segments), dim=1).to(model.device), write=False)
        return list(model.adapter.logits(hidden).split([s.shape[1] for s in segments], dim=1))
    memory, said = model.empty_memory(len(segments[0])), []
    for at, segment in enumerate(segments):
        if forget is not None and bool(forget[:, at].any()):
            memory = emptied(model, memory, forget[:, at])
        last = at + 1 == len(segments)
        hidden, memory = model.run(segment.to(model.device), None, memory, write=not last)
        said.append(model.adapter.logits(hidden))
    return said


def emptied(model: SystemModel, memory: BatchedMemory, which: Tensor) -> BatchedMemory:
    """The memories, with those of some documents emptied. which: (B,) bool."""
    with_empty = type(memory).stack([memory, model.empty_memory(1)])
    return with_empty.take(torch.arange(memory.batch).masked_fill(which.cpu(), memory.batch))


def next_losses(
    model: SystemModel, documents: Tensor, tokens: int, forget: Tensor | None = None
) -> Tensor:
    """Cross-entropy of each next token, in nats: (B, S, T). documents: (B, S * T + 1)."""
    segments = documents[:, :-1].unflatten(1, (-1, tokens))  # (B, S, T)
    logits = torch.stack(next_logits(model, segments.unbind(1), forget), dim=1)  # (B, S, T, V)
    labels = documents[:, 1:].to(logits.device)
    losses = functional.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
    return losses.view(segments.shape)
