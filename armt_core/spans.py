"""Answers as spans: where in a passage the answer to a question begins and ends, if it does.

Source: Devlin et al., arXiv 1810.04805, section 4.3 (SQuAD 2.0).

Axes: B rows of [CLS] question [SEP] passage [SEP], T tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from armt_core.padding import pad_rows

#: Most tokens of a question; what a passage leaves of the backbone's positions.
QUESTION_TOKENS = 64

#: Most tokens of an answer.
LONGEST = 30


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
        # The head stays in float32 where the backbone is in 16 bits.
        scores = super().forward(hidden.to(self.weight.dtype)).float()
        scores = scores.masked_fill(~allowed[..., None], -torch.inf)
        return scores[..., 0], scores[..., 1]


def beside(
    questions: Sequence[Sequence[int]],
    passages: Sequence[Sequence[int]],
    cls: int,
    sep: int,
    pad: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """B rows of [CLS] question [SEP] passage [SEP]: ids, mask, and where the passage is.

    All (B, T), the last one bool; passage tokens of row b begin at len(questions[b]) + 2.
    """
    pairs = list(zip(questions, passages, strict=True))
    ids, mask = pad_rows([[cls, *q, sep, *p, sep] for q, p in pairs], pad)
    places = torch.arange(ids.shape[1])
    begins = torch.tensor([len(q) + 2 for q, _ in pairs])[:, None]
    ends = torch.tensor([len(q) + 2 + len(p) for q, p in pairs])[:, None]
    return ids, mask, (places >= begins) & (places < ends)


@dataclass(frozen=True)
class ReadPassage:
    """One passage read beside a question: first, last (T,) of its tokens, none: the score of
    "no answer", and where each token begins and ends in the text, [start, end)."""

    first: Tensor
    last: Tensor
    none: float
    offsets: tuple[tuple[int, int], ...]

    def best(self, start: int, end: int) -> tuple[int, int, float] | None:
        """The best answer inside text[start:end]: its stretch of the text, and its margin.

        Above a margin of 0 the answer is likelier than none. None where no token begins there.
        """
        inside = [i for i, (a, b) in enumerate(self.offsets) if start <= a < b <= end]
        if not inside:
            return None
        part = slice(inside[0], inside[-1] + 1)
        a, z, score = _best_pair(self.first[part], self.last[part], LONGEST)
        return self.offsets[inside[a]][0], self.offsets[inside[z]][1], score - self.none


def _best_pair(first: Tensor, last: Tensor, longest: int) -> tuple[int, int, float]:
    """Where first[a] + last[z] is highest, with a <= z < a + longest: a, z and the sum."""
    T = first.shape[0]
    pairs = first[:, None] + last[None, :]  # (T, T)
    ones = torch.ones(T, T, dtype=torch.bool, device=first.device)
    pairs = pairs.masked_fill(~(ones.triu() & ones.tril(longest - 1)), -torch.inf)
    best = int(pairs.argmax())
    return best // T, best % T, float(pairs.flatten()[best])


def best_span(first: Tensor, last: Tensor, longest: int = LONGEST) -> tuple[int, int, float]:
    """The best span of one row, its two token positions, both included, and its margin.

    first, last: (T,), from SpanHead. longest: most tokens of an answer. The margin is the
    span's score less that of "no answer"; above 0 the span is the likelier. A passage of
    no tokens gives (0, 0, -inf).
    """
    none = float(first[0] + last[0])
    if first.shape[0] == 1:
        return 0, 0, -torch.inf
    a, z, score = _best_pair(first[1:], last[1:], longest)
    return (a + 1, z + 1, score - none) if score > -torch.inf else (0, 0, -torch.inf)
