"""The associative memory of the layers: feature map, read, write.

Pure functions over tensors; the module only holds the projections.
Source: arXiv 2407.04841, section 3; DPFP from arXiv 2102.11174.

Axes: L layers, B documents, T tokens, M memory tokens, K = 6 * d_mem key features, D width.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from armt_core.config import System

EPS = 1e-5
#: With the exact write, how often every key counts as written with nothing from the beginning: what
#: was written far more weakly than that is not read.
PRIOR = 0.1


def dpfp(x: Tensor) -> Tensor:
    """DPFP-3 of (..., d): non-negative features (..., 6 d).

    phi(x) = [u * roll(u, 1), u * roll(u, 2), u * roll(u, 3)], u = [relu(x), relu(-x)].
    """
    u = functional.relu(torch.cat([x, -x], dim=-1))
    # Two copies side by side: each roll is then a window onto the same tensor.
    twice, width = torch.cat([u, u], dim=-1), u.shape[-1]
    rolled = [twice[..., width - shift : 2 * width - shift] for shift in (1, 2, 3)]
    return torch.cat([u * r for r in rolled], dim=-1)


def features(x: Tensor, system: System = "armt") -> Tensor:
    """The key or query of a projected token: phi(x) of (..., d), (..., K).

    system: "armt-unit-keys" scales it to length 1; next to nothing stays so (zeros are zeros).
    """
    found = dpfp(x)
    if system != "armt-unit-keys":
        return found
    # 1e-12 is the reference's; in float16 that is 0, and zeros would be divided by it.
    least = max(1e-12, torch.finfo(found.dtype).tiny)
    return functional.normalize(found, dim=-1, eps=least)


def read(
    x: Tensor,
    associations: Tensor,
    normalizer: Tensor,
    w_query: Tensor,
    system: System = "armt",
) -> Tensor:
    """x + (A^T q) / (z . q + eps), q = phi(W_q x), at every position.

    x: (B, T, D), in any floating type; A and z are read in that type.
    associations: (B, K, D); normalizer: (B, K); w_query: (d_mem, D).
    An empty memory (zeros) adds exactly nothing.
    system: "armt-exact" divides by z . q + PRIOR |q|^2 + eps.
    """
    query = features(functional.linear(x, w_query.to(x.dtype)), system)  # (B, T, K)
    return recall(x, query, associations, normalizer, system)


def recall(
    x: Tensor,
    query: Tensor,
    associations: Tensor,
    normalizer: Tensor,
    system: System = "armt",
    more: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """`read` with queries q that are there already: (B, T, K).

    more: what is added to A^T q, (B, T, D), and to z . q, (B, T, 1) (`armt_core.in_order`).
    """
    value = query @ associations.to(x.dtype)  # (B, T, D)
    weight = (query * normalizer.to(x.dtype).unsqueeze(-2)).sum(-1, keepdim=True)  # (B, T, 1)
    if more is not None:
        value, weight = value + more[0].to(x.dtype), weight + more[1].to(x.dtype)
    return torch.addcdiv(x, value, weight + floor(query, system))


def floor(query: Tensor, system: System) -> Tensor | float:
    """What is added to z . q of queries (..., K) before a read divides by it: (..., 1)."""
    if system != "armt-exact":
        return EPS
    return PRIOR * query.square().sum(-1, keepdim=True) + EPS


@dataclass(frozen=True)
class Write:
    """What M memory tokens put into memory. keys: (L, B, M, K). change: what A gets under each of
    them, (L, B, M, D): beta_i (v_i - vbar_i), or as `Met` says. beta, gamma: (L, B, M), 0 to 1: how
    strongly a token is written, and how new its key is. counted: (L, B, M), how much of each key z
    takes."""

    keys: Tensor
    change: Tensor
    beta: Tensor
    gamma: Tensor
    counted: Tensor

    def onto(self, associations: Tensor, normalizer: Tensor) -> tuple[Tensor, Tensor]:
        """(A, z) after it: A += sum_i k_i outer change_i, z += sum_i counted_i k_i."""
        put = torch.baddbmm(
            associations.flatten(0, 1),
            self.keys.flatten(0, 1).transpose(1, 2),
            self.change.flatten(0, 1),
        ).view_as(associations)
        return put, normalizer + (self.counted.unsqueeze(-1) * self.keys).sum(dim=-2)

    def size(self) -> Tensor:
        """The Frobenius norm of what it adds to A: (L, B)."""
        alike = (self.keys @ self.keys.mT) * (self.change @ self.change.mT)  # (L, B, M, M)
        return alike.sum((-2, -1)).clamp_min(0).sqrt()


def write(
    memory_tokens: Tensor,
    associations: Tensor,
    normalizer: Tensor,
    first: Tensor,
    w_key: Tensor,
    w_value: Tensor,
    w_beta: Tensor,
    b_beta: Tensor,
    system: System = "armt",
) -> Write:
    """The delta rule with gamma: what every layer writes after one segment.

    memory_tokens: (L, B, M, D) as they leave each layer. associations: (L, B, K, D);
    normalizer: (L, B, K). first: (B,) or (L, B) bool, true where nothing was written yet.
    w_key: (L, d_mem, D); w_value: (L, D, D); w_beta: (L, D); b_beta: (L,).
    All M tokens see the state from before the segment, but for "armt-exact". Computed in the
    state's type (float32 or wider), whatever the type of the model.
    system: "armt-without-gamma" takes gamma = 1; "armt-without-delta" vbar = 0 as well, which
    leaves the write of linear attention: A += sum_i k_i outer beta_i v_i, z += sum_i k_i.
    "armt-exact": one token after the other, `_meet_in_order`. "armt-unit-keys": keys of length 1.
    """
    dtype = associations.dtype
    m = memory_tokens.to(dtype)
    keys = features(torch.einsum("lbmd,lkd->lbmk", m, w_key.to(dtype)), system)  # (L, B, M, K)
    values = torch.einsum("lbmd,lvd->lbmv", m, w_value.to(dtype))  # (L, B, M, D)
    beta = torch.einsum("lbmd,ld->lbm", m, w_beta.to(dtype)) + b_beta.to(dtype).view(-1, 1, 1)
    beta = torch.sigmoid(beta)  # (L, B, M)
    met = meet(keys, beta, normalizer, first, system)
    change = met.change(values, beta, keys @ associations)
    return Write(keys, change, beta, met.gamma, met.counted)


@dataclass(frozen=True)
class Met:
    """How a memory meets the M keys of a segment, in any leading axes; the change of token i is

        c_i = beta_i (share_i v_i - (A^T k_i + sum_j overlap_ij c_j) / divisor_i)

    gamma, counted: (..., M), as of `Write`. share, divisor: (..., M). overlap: (..., M, M),
    k_i . k_j of the tokens j that write before i does; None where all write at once.
    """

    gamma: Tensor
    counted: Tensor
    share: Tensor
    divisor: Tensor
    overlap: Tensor | None = None

    def change(self, values: Tensor, beta: Tensor, held: Tensor) -> Tensor:
        """c of values (..., M, D). beta: (..., M). held: A^T k before the segment, (..., M, D)."""
        beta, divisor = beta.unsqueeze(-1), self.divisor.unsqueeze(-1)
        aimed = beta * (self.share.unsqueeze(-1) * values - held / divisor)
        if self.overlap is None:
            return aimed
        # A triangular system, whose diagonal of ones `solve_triangular` does not look at.
        taken = beta / divisor * self.overlap
        return torch.linalg.solve_triangular(taken, aimed, upper=False, unitriangular=True)


def meet(
    keys: Tensor, beta: Tensor, normalizer: Tensor, first: Tensor, system: System = "armt"
) -> Met:
    """keys: (..., M, K). beta: (..., M). normalizer: z before the segment, (..., K). first: as for
    `write`."""
    if system == "armt-exact":
        return _meet_in_order(keys, beta, normalizer)
    weight = (keys @ normalizer.unsqueeze(-1)).squeeze(-1) + EPS  # d_i
    one = torch.ones_like(weight)
    if system in ("armt", "armt-unit-keys"):
        # Keys of length 1 need no eps; gamma of a key of zeros is then 0, and nothing hangs on it.
        eps = EPS if system == "armt" else 0.0
        new = (1 - weight / (keys.square().sum(-1) + eps)).clamp(0, 1).detach()
        gamma = torch.where(first.unsqueeze(-1), one, new)
        return Met(gamma, gamma, one, weight)
    # Of an empty A, what is held is exactly 0; divided by infinity it always is.
    stored = weight if system == "armt-without-gamma" else torch.full_like(weight, torch.inf)
    return Met(one, one, one, stored)


def _meet_in_order(keys: Tensor, beta: Tensor, normalizer: Tensor) -> Met:
    """The write of "armt-exact": one token after the other, so that with beta = 1 a read of k gives
    v, whatever else is there, and with beta = 0 nothing is changed, z included (docs/memory.md):

        n = z . k / (|k|^2 + eps)       gamma = clip(1 - n, 0, 1), without gradient
        A += k outer beta ((max(n, 1) + PRIOR) v - A^T k / (|k|^2 + eps))     z += beta gamma k
    """
    squared = keys.square().sum(-1) + EPS  # (..., M)
    overlap = (keys @ keys.mT).tril(-1)
    held = (keys @ normalizer.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        gamma, counted = torch.zeros_like(beta), torch.zeros_like(beta)
        for i in range(keys.shape[-2]):  # each n takes the counts of those before it
            n = (held[..., i] + (overlap[..., i, :] * counted).sum(-1)) / squared[..., i]
            gamma[..., i] = (1 - n).clamp(0, 1)
            counted[..., i] = beta[..., i] * gamma[..., i]
    counted = beta * gamma  # again, with a gradient into beta
    n = (held + (overlap @ counted.unsqueeze(-1)).squeeze(-1)) / squared
    return Met(gamma, counted, n.clamp_min(1) + PRIOR, squared, overlap)


class Projections(NamedTuple):
    """Of one layer: W_q, W_k (d_mem, D), W_v (D, D), W_beta (D,), b (); of several: stacked."""

    query: Tensor
    key: Tensor
    value: Tensor
    beta_weight: Tensor
    beta_bias: Tensor


class AssociativeMemory(nn.Module):
    """The projections of all layers' memories, stacked: W_q, W_k, W_v, and W_beta with b.

    They hold no document: state goes in and comes out of `read` and `write`. Stacked,
    because no write is read before the next segment: all layers write at once.
    """

    def __init__(self, layers: int, width: int, memory_dim: int, system: System = "armt") -> None:
        super().__init__()
        self.system = system
        self.query = nn.Parameter(torch.empty(layers, memory_dim, width))
        self.key = nn.Parameter(torch.empty(layers, memory_dim, width))
        self.value = nn.Parameter(torch.empty(layers, width, width))
        self.beta_weight = nn.Parameter(torch.empty(layers, width))
        self.beta_bias = nn.Parameter(torch.empty(layers))

    def write(
        self,
        memory_tokens: Tensor,
        associations: Tensor,
        normalizer: Tensor,
        first: Tensor,
        alive: Tensor | None = None,
        layers: slice = slice(None),
    ) -> tuple[Tensor, Tensor, Write]:
        """`write` with the projections of these layers (all of them by default), shapes as there:
        A and z after it, and what was written.

        alive: (B,) or (L, B) bool, false for a document that is over: it keeps what it has.
        """
        # Autocast would do these products in 16 bits, which stop counting at 256.
        with torch.autocast(memory_tokens.device.type, enabled=False):
            written = write(
                memory_tokens,
                associations,
                normalizer,
                first,
                self.key[layers],
                self.value[layers],
                self.beta_weight[layers],
                self.beta_bias[layers],
                self.system,
            )
            A, z = written.onto(associations, normalizer)
        if alive is not None and not bool(alive.all()):
            A = torch.where(alive[..., None, None], A, associations)
            z = torch.where(alive[..., None], z, normalizer)
        return A, z, written

    def stacked(self) -> Projections:
        """The projections of all L layers, each with L as its first axis."""
        return Projections(self.query, self.key, self.value, self.beta_weight, self.beta_bias)


def projections(memory: AssociativeMemory) -> list[Projections]:
    """Those of each layer."""
    # `unbind`, because the gradient of each `weight[index]` would be as large as all of it.
    return [Projections(*of) for of in zip(*(w.unbind() for w in memory.stacked()), strict=True)]
