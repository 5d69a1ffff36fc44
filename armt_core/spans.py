"""Answers as spans: where in a passage the answer to a question begins and ends, if it does.

Source: Devlin et al., arXiv 1810.04805, section 4.3 (SQuAD 2.0).

Axes: B rows of [CLS] question [SEP] passage [SEP], T tokens, D width.
"""

import torch
from torch import Tensor, nn


class SpanHead(nn.Linear):
    """Scores of every token as the first and as the last of the answer."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 2)

    def forward(  # type: ignore[override]
        self, hidden: Tensor, passage: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First and last, (B, T) float32 each: minus infinity outside the passage and [CLS].

        hidden: (B, T, D). passage: (B, T) bool, true at the tokens of the passage.
        Position 0, the [CLS], stands for "no answer".
        """
        allowed = passage.clone()
        allowed[:, 0] = True
        scores = super().forward(hidden).float().masked_fill(~allowed[..., None], -torch.inf)
        return scores[..., 0], scores[..., 1]


def best_span(first: Tensor, last: Tensor, longest: int = 30) -> tuple[int, int, float]:
    """The best span of one row, its two token positions, both included, and its margin.

    first, last: (T,), from SpanHead. longest: most tokens of an answer. The margin is the
    span's score less that of "no answer"; above 0 the span is the likelier. A passage of
    no tokens gives (0, 0, -inf).
    """
    T = first.shape[0]
    pairs = first[:, None] + last[None, :]  # (T, T)
    ones = torch.ones(T, T, dtype=torch.bool, device=first.device)
    pairs = pairs.masked_fill(~(ones.triu() & ones.tril(longest - 1)), -torch.inf)
    none = float(pairs[0, 0])
    pairs[0] = -torch.inf
    best = int(pairs.argmax())
    score = float(pairs.flatten()[best])
    if score == -torch.inf:
        return 0, 0, -torch.inf
    return best // T, best % T, score - none
