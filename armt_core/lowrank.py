"""What a role changes of a backbone that stays as it is: low-rank deltas of its linear layers.

A linear layer x -> W x + b becomes x -> W x + b + U V x for one role; W serves all roles.
Source: LoRA, arXiv 2106.09685. U starts at zero, so a fresh delta changes nothing.

Axes: I input features, O output features, R rank.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

#: What may have deltas of its own: the memory tokens while a segment is read, answers from memory
#: alone, and the reader of a question beside a passage. Text that is read has none.
Role = Literal["memory", "answer", "reader"]


class LowRank(nn.Module):
    """U V x: inward V is (R, I), outward U is (O, R)."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.inward = nn.Parameter(torch.empty(rank, inputs))
        self.outward = nn.Parameter(torch.empty(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O), in the type of x whatever that of the delta."""
        inner = functional.linear(x.to(self.inward.dtype), self.inward)
        return functional.linear(inner, self.outward).to(x.dtype)

    @torch.no_grad()
    def begin_near(self, other: "LowRank") -> None:
        """Makes this the same as another of the same sizes, or the nearest of its rank (singular
        values) if that is lower. What it has beyond the other's rank begins fresh."""
        rank, its = len(self.inward), len(other.inward)
        if rank >= its:
            self.inward[:its].copy_(other.inward)
            self.outward.zero_()
            self.outward[:, :its].copy_(other.outward)
            return
        U, S, V = torch.linalg.svd(other.outward @ other.inward, full_matrices=False)
        root = S[:rank].sqrt()
        self.outward.copy_(U[:, :rank] * root)
        self.inward.copy_(root[:, None] * V[:rank])


class LayerDelta(nn.Module):
    """The deltas of the six linear layers of a transformer layer of width D and inner width F."""

    def __init__(self, width: int, inner: int, rank: int) -> None:
        super().__init__()
        self.query = LowRank(width, width, rank)
        self.key = LowRank(width, width, rank)
        self.value = LowRank(width, width, rank)
        self.attended = LowRank(width, width, rank)
        self.widen = LowRank(width, inner, rank)
        self.narrow = LowRank(inner, width, rank)


def project(
    linear: nn.Module, x: Tensor, delta: LayerDelta | None, name: str, since: int = 0
) -> Tensor:
    """What `linear`, which has this name in LayerDelta, makes of x (B, T, I) for a role; without a
    delta, what it makes of it for all. since: rows before this one do not have the role."""
    out = linear(x)
    if delta is not None:
        out[:, since:].add_(delta.get_submodule(name)(x[:, since:]))
    return out
