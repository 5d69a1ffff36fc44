"""Ranked passages: how often the right one comes first, for words, vectors and both together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.searching import fuse

#: Shares of the words that are tried in a fusion.
SHARES = [i / 20 for i in range(21)]


@dataclass(frozen=True)
class Asked:
    """One question. article: the name of its document. right: the passages of its paragraph.
    words: BM25 of the passages that have its words. cosines: of all passages."""

    article: str
    right: frozenset[int]
    words: dict[int, float]
    cosines: dict[int, float]


#: What passages are ranked by, higher first; a passage without a score is not found.
Score = Callable[[Asked], dict[int, float]]


def fused(share: float) -> Score:
    """Words and vectors as the app fuses them, with this share of the words."""
    return lambda asked: fuse(asked.words, asked.cosines, share)


def recall_at(k: int, asked: Sequence[Asked], score: Score) -> float:
    """The share of questions with a right passage among the best k; of equal passages the
    earlier counts as better. 0 for no questions."""
    hits = 0
    for one in asked:
        scores = score(one)
        best = sorted(scores, key=lambda passage: (-scores[passage], passage))[:k]
        hits += not one.right.isdisjoint(best)
    return hits / len(asked) if asked else 0.0


def best_share(asked: Sequence[Asked]) -> float:
    """The share of the words with the highest recall@1; the lowest one of equals."""
    return max(SHARES, key=lambda share: recall_at(1, asked, fused(share)))
