"""A layer's memory while it is learned: the list of what was written instead of its sum.

A = A_0 + sum_j k_j outer c_j with c_j = beta_j (v_j - vbar_j), so A^T q = A_0^T q + sum_j (k_j . q)
c_j. Some dozens of writes are far less to keep for the way back than a matrix a segment: training
on a CPU is more than twice as fast. The numbers are those of `armt_core.associative`, to rounding.

Axes: B documents, T positions, M memory tokens, n writes so far, K key features, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.associative import Met, Projections, Write, features, floor, meet
from armt_core.config import System
from armt_core.in_order import found, writes_any


@dataclass(frozen=True)
class Written:
    """keys: (B, M, K). logits of beta: (B, M). met: how the memory met the keys."""

    keys: Tensor
    logits: Tensor
    met: Met


@dataclass(frozen=True)
class Writes:
    """associations (B, K, D) and normalizer (B, K): as they were before, and all of z now.
    keys (B, n, K), changes (B, n, D): what was written since. empty: nothing was there before."""

    associations: Tensor
    normalizer: Tensor
    keys: Tensor
    changes: Tensor
    empty: bool

    @staticmethod
    def after(associations: Tensor, normalizer: Tensor) -> "Writes":
        """Nothing written yet after this memory."""
        (B, K, D), new = associations.shape, associations.new_zeros
        empty = not bool(associations.any())
        return Writes(associations, normalizer, new(B, 0, K), new(B, 0, D), empty)

    def values(self, rows: Tensor) -> Tensor:
        """A^T q of each row q: (B, T, K) to (B, T, D)."""
        found = rows @ self.keys.transpose(1, 2) @ self.changes
        # What was there before is most often nothing, and is then not worth a product.
        return found if self.empty else found + rows @ self.associations

    def read(self, x: Tensor, w_query: Tensor, system: System = "armt") -> Tensor:
        """`armt_core.associative.read` of x (B, T, D)."""
        return self.recall(x, features(functional.linear(x, w_query.to(x.dtype)), system), system)

    def recall(
        self,
        x: Tensor,
        query: Tensor,
        system: System = "armt",
        more: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """`read` with queries (B, T, K) that are there already. more: `found`."""
        query = query.to(self.normalizer.dtype)
        with torch.autocast(x.device.type, enabled=False):
            value, weight = self.values(query), query @ self.normalizer.unsqueeze(-1)  # (B, T, 1)
            if more is not None:
                value, weight = value + more[0], weight + more[1]
            return (x + value / (weight + floor(query, system))).to(x.dtype)

    def found(
        self, query: Tensor, made: Tensor, of: Projections, system: System
    ) -> tuple[Tensor, Tensor] | None:
        """`armt_core.in_order.found` of queries (B, M, K) where these memory tokens (B, M, D) are
        what would be written; None where none of them writes. No gradient goes into that."""
        if not writes_any(made, of):
            return None
        with torch.no_grad(), torch.autocast(made.device.type, enabled=False):
            keys, values, logits = self._projected(made, of, system)
            beta = torch.sigmoid(logits)
            first = torch.zeros(len(made), dtype=torch.bool, device=made.device)
            met = meet(keys, beta, self.normalizer, first, system)
            change = met.change(values, beta, self.values(keys))
        return found(query, Write(keys, change, beta, met.gamma, met.counted))

    def _projected(
        self, tokens: Tensor, of: Projections, system: System
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Keys (B, M, K), values (B, M, D) and logits of beta (B, M) of memory tokens."""
        m = tokens.to(self.normalizer.dtype)
        keys = features(functional.linear(m, of.key), system)
        return keys, functional.linear(m, of.value), m @ of.beta_weight + of.beta_bias

    def write(
        self,
        tokens: Tensor,
        first: Tensor,
        alive: Tensor,
        of: Projections,
        system: System = "armt",
        fixed: bool = False,
    ) -> tuple["Writes", "Written"]:
        """`armt_core.associative.write` of tokens (B, M, D).

        first, alive: (B,) bool, where nothing was written before, and where a segment is. fixed:
        what is written has no gradient into its keys; `Written` has.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            made, values, logits = self._projected(tokens, of, system)
            beta = torch.sigmoid(logits)
            met = meet(made, beta, self.normalizer, first, system)
            written = Written(made, logits, met)
            if fixed:  # once more, for `written` keeps the gradient into the keys
                keys = made.detach()
                met = meet(keys, beta, self.normalizer, first, system)
            else:
                keys = made
            there = alive.unsqueeze(-1).to(values.dtype)
            changes = there.unsqueeze(-1) * met.change(values, beta, self.values(keys))
            counted = (there * met.counted).unsqueeze(-1)
            normalizer = self.normalizer + (counted * keys).sum(-2)
        after = Writes(
            self.associations,
            normalizer,
            torch.cat([self.keys, keys], dim=1),
            torch.cat([self.changes, changes], dim=1),
            self.empty,
        )
        return after, written

    def sum(self) -> Tensor:
        """A (B, K, D), of all that was written."""
        with torch.autocast(self.keys.device.type, enabled=False):
            return torch.baddbmm(self.associations, self.keys.transpose(1, 2), self.changes)
