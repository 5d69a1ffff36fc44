"""A segment, or what is asked, through all layers of an ARMT, and how strongly it asks the memory.

Axes: L layers, B rows, T tokens, M memory tokens, D width.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Cache

from armt_core.apart import run_apart
from armt_core.associative import EPS, AssociativeMemory, dpfp
from armt_core.lowrank import Role
from armt_core.memory import MemoryState
from armt_core.reads import LayerReads
from armt_core.together import run_together

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


def run_layers(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    reads: LayerReads,
    write: bool,
    prefix: Tensor | None,
    cache: Cache | None,
    role: Role | None,
) -> tuple[Tensor, Tensor | None]:
    """Hidden states of the text (B, T, D) and, if `write`, the memory tokens as they leave each
    layer, (L, B, M, D); the other arguments as in `ArmtModel.run`."""
    if model.config.memory_tokens == "apart":
        return run_apart(model, input_ids, mask, reads, write, prefix, role)
    return run_together(model, input_ids, mask, reads, write, prefix, cache, role)


class _Watched(LayerReads):
    """Reads that keep how long the query of the last position of each row is in every layer."""

    def __init__(
        self, memory: MemoryState | None, associative: AssociativeMemory, dtype: torch.dtype
    ) -> None:
        super().__init__(memory, associative, dtype)
        self._w_query = associative.query
        self.lengths: list[Tensor] = []  # L of (B,)

    def __call__(self, index: int, hidden: Tensor) -> Tensor:
        last = hidden[:, -1].to(self._w_query.dtype)
        # Not `features`: keys of length 1 would say nothing.
        self.lengths.append(dpfp(functional.linear(last, self._w_query[index])).norm(dim=-1))
        return super().__call__(index, hidden)


@torch.no_grad()
def urgency(
    model: "ArmtModel", input_ids: Tensor, memory: MemoryState, prefix: Tensor | None = None
) -> Tensor:
    """How strongly the last position of each row (B, T) asks the memory: ln |q|, the mean over the
    layers, (B,).

    A read divides by z . q, so that it does not depend on the length of a query; but what was
    learned as a question has longer ones than what was not (docs/decisions.md). memory, prefix: as
    in `ArmtModel.run` with role "answer".
    """
    B, T = input_ids.shape
    memory = model.start_from(B, T, 0, 0, memory)
    reads = _Watched.of(model, memory)
    mask = torch.ones_like(input_ids).bool()
    run_layers(model, input_ids, mask, reads, False, prefix, None, "answer")
    return torch.stack(reads.lengths).clamp_min(EPS).log().mean(0)
