"""The vector of a passage or a question: the mean of its tokens, at length one.

Axes: B passages, T tokens, R parts of a passage, D width.
"""

from torch import Tensor
from torch.nn import functional


def mean_pool(hidden: Tensor, mask: Tensor | None = None) -> Tensor:
    """(B, T, D) to (B, D) float32 of length 1: the mean over unpadded text tokens.

    Special tokens count, padding and memory tokens do not, as in the original
    all-MiniLM-L6-v2. mask: (B, T), 0 at padding; None: no padding.
    """
    hidden = hidden.float()
    if mask is None:
        return functional.normalize(hidden.mean(dim=1), dim=-1)
    weights = mask.to(hidden.dtype).unsqueeze(-1)  # (B, T, 1)
    total = weights.sum(dim=1).clamp_min(1)
    return functional.normalize((hidden * weights).sum(dim=1) / total, dim=-1)


def pool_parts(hidden: Tensor, parts: Tensor) -> Tensor:
    """The means of hidden states (T, D) over each of R parts (R, T) bool: (R, D) float32 of length
    1, as `mean_pool` gives them; zeros for a part of no tokens."""
    # A mean of length 1 is a sum of length 1.
    return functional.normalize(parts.float() @ hidden.float(), dim=-1)
