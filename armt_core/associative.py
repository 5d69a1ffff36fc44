"""The associative memory of one layer: feature map, read, write.

Pure functions over tensors; the module only holds the four projections.
Source: arXiv 2407.04841, section 3; DPFP from arXiv 2102.11174.

Axes: B documents, T tokens, M memory tokens, K = 6 * d_mem key features, D width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5


def dpfp(x: Tensor) -> Tensor:
    """DPFP-3 of (..., d): non-negative features (..., 6 d).

    phi(x) = [u * roll(u, 1), u * roll(u, 2), u * roll(u, 3)], u = [relu(x), relu(-x)].
    """
    u = torch.cat([functional.relu(x), functional.relu(-x)], dim=-1)
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
    value = query @ associations.to(x.dtype)  # (B, T, D)
    weight = query @ normalizer.to(x.dtype).unsqueeze(-1)  # (B, T, 1)
    return x + value / (weight + EPS)


def write(
    memory_tokens: Tensor,
    associations: Tensor,
    normalizer: Tensor,
    first: Tensor,
    w_key: Tensor,
    w_value: Tensor,
    w_beta: Tensor,
    b_beta: Tensor,
) -> tuple[Tensor, Tensor]:
    """The delta rule with gamma: (A, z) after the M memory tokens of one segment.

    memory_tokens: (B, M, D) as they leave the layer. associations: (B, K, D);
    normalizer: (B, K). first: (B,) bool, true where nothing was written yet.
    All M tokens see the state from before the segment. Computed in the state's
    type (float32 or wider), whatever the type of the model.
    """
    dtype = associations.dtype
    m = memory_tokens.to(dtype)
    keys = dpfp(functional.linear(m, w_key.to(dtype)))  # (B, M, K)
    values = functional.linear(m, w_value.to(dtype))  # (B, M, D)
    beta = torch.sigmoid(functional.linear(m, w_beta.to(dtype), b_beta.to(dtype)))  # (B, M, 1)

    weight = keys @ normalizer.unsqueeze(-1) + EPS  # (B, M, 1), d_i
    first = first.view(-1, 1, 1)
    stored = torch.where(first, 0.0, (keys @ associations) / weight)  # (B, M, D), vbar_i
    squared = (keys * keys).sum(-1, keepdim=True)  # (B, M, 1)
    gamma = (1 - weight / (squared + EPS)).clamp(0, 1).detach()
    gamma = torch.where(first, 1.0, gamma)  # (B, M, 1)

    associations = associations + keys.transpose(1, 2) @ (beta * (values - stored))
    normalizer = normalizer + (gamma * keys).sum(dim=1)
    return associations, normalizer


class AssociativeMemory(nn.Module):
    """The projections of one layer's memory: W_q, W_k, W_v, and W_beta with b.

    They hold no document: state goes in and comes out of `read` and `write`.
    """

    def __init__(self, width: int, memory_dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, memory_dim, bias=False)
        self.key = nn.Linear(width, memory_dim, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.beta = nn.Linear(width, 1)

    def read(self, x: Tensor, associations: Tensor, normalizer: Tensor) -> Tensor:
        """`read` with this layer's W_q; shapes as there."""
        return read(x, associations, normalizer, self.query.weight)

    def write(
        self, memory_tokens: Tensor, associations: Tensor, normalizer: Tensor, first: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`write` with this layer's projections; shapes as there."""
        # Autocast would do these products in 16 bits, which stop counting at 256.
        with torch.autocast(memory_tokens.device.type, enabled=False):
            return write(
                memory_tokens,
                associations,
                normalizer,
                first,
                self.key.weight,
                self.value.weight,
                self.beta.weight,
                self.beta.bias,
            )
