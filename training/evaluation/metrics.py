"""Measures of answers: exact match and F1 as in SQuAD, intervals, ranking, and calibration.

Sources: Rajpurkar et al., arXiv 1606.05250 (EM, F1); Wilson 1927 (the interval); Guo et al.
2017, arXiv 1706.04599 (the calibration error).
"""

import math
import re
import string
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """Lower case, without punctuation, English articles and doubled spaces."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(said: str, answers: Sequence[str]) -> float:
    """1 if `said` is one of the answers, normalized; an empty list of answers wants nothing."""
    wanted = {normalized(answer) for answer in answers} or {""}
    return float(normalized(said) in wanted)


def f1(said: str, answers: Sequence[str]) -> float:
    """The best overlap of words with an answer: harmonic mean of precision and recall."""
    if not answers:
        return float(not normalized(said))
    return max(_overlap(normalized(said).split(), normalized(a).split()) for a in answers)


def _overlap(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share seen in n independent trials; (0, 1) for none."""
    if n == 0:
        return 0.0, 1.0
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def with_interval(share: float, n: int) -> str:
    """For people: a share of n in percent, with its 95 % interval."""
    low, high = wilson(share, n)
    return f"{share:.1%} ({low:.0%} to {high:.0%})"


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties counted half."""
    if not positive or not negative:
        return math.nan
    ordered = sorted([(s, 1) for s in positive] + [(s, 0) for s in negative])
    ranks, at = 0.0, 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        middle = (at + end + 1) / 2  # of the ranks at+1 .. end
        ranks += middle * sum(kind for _, kind in ordered[at:end])
        at = end
    n = len(positive)
    return (ranks - n * (n + 1) / 2) / (n * len(negative))


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """How far confidence is from being right, on average over answers; NaN for none.

    The expected calibration error of Guo et al.: answers go into `bins` equal stretches
    (a, b] of 0 to 1 by their confidence (0 itself into the first), and each stretch counts,
    by its share of the answers, the distance between its mean confidence and its share right.
    Raises ValueError for a confidence outside 0 to 1.
    """
    if not all(0 <= confidence <= 1 for confidence in confidences):
        raise ValueError("A confidence must lie between 0 and 1.")
    if not confidences:
        return math.nan
    ends = [(i + 1) / bins for i in range(bins)]
    gaps = [0.0] * bins  # confidence minus right, summed: of n answers, n times the distance
    for confidence, hit in zip(confidences, right, strict=True):
        gaps[bisect_left(ends, confidence)] += confidence - hit
    return sum(map(abs, gaps)) / len(confidences)
