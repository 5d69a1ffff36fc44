"""The associative memory of the layers: feature map, read, write.

Pure functions over tensors; the module only holds the projections.
Source: arXiv 2407.04841, section 3; DPFP from arXiv 2102.11174.

Axes: L layers, B documents, T tokens, M memory tokens, K = 6 * d_mem key features, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from armt_core.config import System

EPS = 1e-5


def dpfp(x: Tensor) -> Tensor:
    """DPFP-3 of (..., d): non-negative features (..., 6 d).

    phi(x) = [u * roll(u, 1), u * roll(u, 2), u * roll(u, 3)], u = [relu(x), relu(-x)].
    """
    u = functional.relu(torch.cat([x, -x], dim=-1))
    # Two copies side by side: each roll is then a window onto the same tensor.
    twice, width = torch.cat([u, u], dim=-1), u.shape[-1]
    rolled = [twice[..., width - shift : 2 * width - shift] for shift in (1, 2, 3)]
    return torch.cat([u * r for r in rolled], dim=-1)


def read(x: Tensor, associations: Tensor, normalizer: Tensor, w_query: Tensor) -> Tensor:
    """x + (A^T q) / (z . q + eps), q = phi(W_q x), at every position.

    x: (B, T, D), in any floating type; A and z are read in that type.
    associations: (B, K, D); normalizer: (B, K); w_query: (d_mem, D).
    An empty memory (zeros) adds exactly nothing.
    """
    query = dpfp(functional.linear(x, w_query.to(x.dtype)))  # (B, T, K)
    return recall(x, query, associations, normalizer)


def recall(x: Tensor, query: Tensor, associations: Tensor, normalizer: Tensor) -> Tensor:
    """`read` with queries q that are there already: (B, T, K)."""
    value = query @ associations.to(x.dtype)  # (B, T, D)
    weight = (query * normalizer.to(x.dtype).unsqueeze(-2)).sum(-1, keepdim=True)  # (B, T, 1)
    return torch.addcdiv(x, value, weight + EPS)


@dataclass(frozen=True)
class Write:
    """What M memory tokens put into memory. keys: (L, B, M, K). change: beta_i (v_i - vbar_i),
    (L, B, M, D). beta, gamma: (L, B, M), 0 to 1: how strongly a token is written, and how new its
    key is."""

    keys: Tensor
    change: Tensor
    beta: Tensor
    gamma: Tensor

    def onto(self, associations: Tensor, normalizer: Tensor) -> tuple[Tensor, Tensor]:
        """(A, z) after it: A += sum_i k_i outer beta_i (v_i - vbar_i), z += sum_i gamma_i k_i."""
        put = torch.baddbmm(
            associations.flatten(0, 1),
            self.keys.flatten(0, 1).transpose(1, 2),
            self.change.flatten(0, 1),
        ).view_as(associations)
        return put, normalizer + (self.gamma.unsqueeze(-1) * self.keys).sum(dim=-2)

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
    All M tokens see the state from before the segment. Computed in the state's
    type (float32 or wider), whatever the type of the model.
    system: "armt-without-gamma" takes gamma = 1; "armt-without-delta" vbar = 0 as well, which
    leaves the write of linear attention: A += sum_i k_i outer beta_i v_i, z += sum_i k_i.
    """
    dtype = associations.dtype
    m = memory_tokens.to(dtype)
    keys = dpfp(torch.einsum("lbmd,lkd->lbmk", m, w_key.to(dtype)))  # (L, B, M, K)
    values = torch.einsum("lbmd,lvd->lbmv", m, w_value.to(dtype))  # (L, B, M, D)
    beta = torch.einsum("lbmd,ld->lbm", m, w_beta.to(dtype)) + b_beta.to(dtype).view(-1, 1, 1)
    beta = torch.sigmoid(beta)  # (L, B, M)

    weight = keys @ normalizer.unsqueeze(-1) + EPS  # (L, B, M, 1), d_i
    stored = (keys @ associations) / weight  # (L, B, M, D), vbar_i; of an empty A exactly 0
    if system == "armt-without-delta":
        stored = torch.zeros_like(stored)
    gamma = gamma_of(keys, weight, first, system).squeeze(-1)  # (L, B, M)
    return Write(keys, beta.unsqueeze(-1) * (values - stored), beta, gamma)


def gamma_of(keys: Tensor, weight: Tensor, first: Tensor, system: System) -> Tensor:
    """How much of each key z does not hold yet, 0 to 1: (L, B, M, 1). weight: z . k + eps, so."""
    if system != "armt":
        return torch.ones_like(weight)
    squared = (keys * keys).sum(-1, keepdim=True)  # (L, B, M, 1)
    gamma = (1 - weight / (squared + EPS)).clamp(0, 1).detach()
    return torch.where(first[..., None, None], 1.0, gamma)


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
