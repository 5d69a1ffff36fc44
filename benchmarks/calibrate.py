"""Fits the choice of an answer, its confidence, and the threshold of "not found".

    python -m benchmarks.calibrate

On examples/corpus/questions.json. A sentence that could have been chosen is right if it
stands on the question's page and shares its quote. The ranking is fitted so that right
sentences win against all others of their question; the confidence is a logistic regression
of "the best one is on the right page"; the threshold is where right answers outnumber wrong
ones by most. The table is cross-validated over five parts: each question is judged by what
was fitted on the other four. Writes models/default/answering.json from all of them.

Axes: n sentences of a question or best sentences, F features.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from app.answering import Answerer, Evidence
from app.support import FEATURES, Calibration
from benchmarks.results import ROOT, print_table, write_result
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library

CORPUS = ROOT / "examples" / "corpus"
PARTS = 5
UNFITTED = Calibration((0.0,) * len(FEATURES), (0.0,) * (len(FEATURES) + 1), 0.0, 0.5)


@dataclass(frozen=True)
class Asked:
    """A question's sentences: their features, and whether each is right. n sentences."""

    answerable: bool
    features: tuple[tuple[float, ...], ...]
    right: tuple[bool, ...]
    right_page: tuple[bool, ...]

    def best(self, calibration: Calibration) -> tuple[float, bool]:
        """The best sentence's confidence, and whether it is on the right page."""
        shares = calibration.shares(self.features)
        index = max(range(len(shares)), key=lambda i: shares[i])
        confidence = calibration.confidence(self.features[index], shares[index])
        return confidence, self.right_page[index]


def main() -> int:
    """0 when answering.json is written."""
    asked = _ask()
    held_out: list[tuple[bool, bool, bool]] = []
    for part in range(PARTS):
        rest = [a for i, a in enumerate(asked) if i % PARTS != part]
        calibration = _calibrate(rest)
        for item in asked[part::PARTS]:
            confidence, right = item.best(calibration)
            held_out.append((item.answerable, right, confidence >= calibration.threshold))
    final = _calibrate(asked)
    values = {
        "ranking": {n: round(w, 4) for n, w in zip(FEATURES, final.ranking, strict=True)},
        "found": {n: round(w, 4) for n, w in zip((*FEATURES, "share"), final.found, strict=True)},
        "bias": round(final.bias, 4),
        "threshold": round(final.threshold, 4),
    }
    path = DEFAULT_MODEL / "answering.json"
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    _report(held_out, values)
    return 0


def _ask() -> list[Asked]:
    questions = json.loads((CORPUS / "questions.json").read_text(encoding="utf-8"))["questions"]
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        model = open_reader()
        for report in ingest_paths([CORPUS], library, model):
            assert report.outcome != "failed", report
        answerer = Answerer(library, model, UNFITTED)
        return [_judged(item, answerer.evidence(item["question"])) for item in questions]


def _judged(item: dict[str, Any], evidence: Sequence[Evidence]) -> Asked:
    pages = [
        bool(item["answers"]) and (e.passage.title, e.passage.page) == (item["title"], item["page"])
        for e in evidence
    ]
    quotes = [bool(item["answers"]) and _shares(e.text, item["quote"]) for e in evidence]
    return Asked(
        bool(item["answers"]),
        tuple(e.features for e in evidence),
        tuple(page and quote for page, quote in zip(pages, quotes, strict=True)),
        tuple(pages),
    )


def _shares(sentence: str, quote: str) -> bool:
    """Whether one holds the other, white space aside."""
    a, b = "".join(sentence.split()), "".join(quote.split())
    return a in b or b in a


def _calibrate(asked: Sequence[Asked]) -> Calibration:
    ranking = _ranking(asked)
    ranked = replace(UNFITTED, ranking=tuple(ranking))
    features, right = [], []
    for item in asked:
        shares = ranked.shares(item.features)
        index = max(range(len(shares)), key=lambda i: shares[i])
        features.append((*item.features[index], shares[index]))
        right.append(float(item.answerable and item.right_page[index]))
    found, bias = _logistic(_matrix(features), torch.tensor(right, dtype=torch.float64))
    fitted = replace(ranked, found=tuple(found), bias=bias)
    judged = [(item.answerable, *item.best(fitted)) for item in asked]
    return replace(fitted, threshold=_threshold([(a, right, c) for a, c, right in judged]))


def _ranking(asked: Sequence[Asked]) -> list[float]:
    """Weights (F,) under which right sentences have most of the softmax of their question."""
    questions = [
        (_matrix(item.features), torch.tensor(item.right)) for item in asked if any(item.right)
    ]

    def loss(weights: Tensor) -> Tensor:
        total = weights.square().sum() * 1e-4
        for x, right in questions:  # (n, F), (n,)
            strengths = x @ weights
            missed = strengths.logsumexp(0) - strengths[right].logsumexp(0)
            total = total + missed / len(questions)
        return total

    fitted: list[float] = _minimum(loss, questions[0][0].shape[1]).tolist()
    return fitted


def _logistic(x: Tensor, y: Tensor) -> tuple[list[float], float]:
    """Weights and bias of a logistic regression of y (n,), 0 or 1, on x (n, F).

    The penalty is on standardised features, so that none is spared for its unit.
    """
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread

    def loss(weights: Tensor) -> Tensor:
        logits = z @ weights[:-1] + weights[-1]
        penalty = 0.02 * weights[:-1].square().sum()
        return functional.binary_cross_entropy_with_logits(logits, y) + penalty

    fitted = _minimum(loss, x.shape[1] + 1)
    weights = fitted[:-1] / spread
    return weights.tolist(), float(fitted[-1] - weights @ mean)


def _minimum(loss: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """Where `loss` of (size,) float64 is least, from zero."""
    at = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([at], max_iter=200, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(at)
        value.backward()
        return value

    optimizer.step(step)
    return at.detach()


def _matrix(rows: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def _threshold(judged: Sequence[tuple[bool, bool, float]]) -> float:
    """Where right answers outnumber wrong ones by most; the middle of the best stretch.

    judged: (answerable, right page, confidence). An answer is wrong from another page than
    the right one, or to a question that has none; a refusal counts nothing either way.
    """

    def gain(threshold: float) -> int:
        return sum(1 if a and r else -1 for a, r, c in judged if c >= threshold)

    middles = [(a + b) / 2 for a, b in pairwise(sorted({c for _, _, c in judged}))]
    best = max(map(gain, middles))
    good = [t for t in middles if gain(t) == best]
    return good[len(good) // 2]


def _report(held_out: Sequence[tuple[bool, bool, bool]], values: dict[str, object]) -> None:
    """held_out: (answerable, right page first, answered) a question."""
    answerable = [h for h in held_out if h[0]]
    others = [h for h in held_out if not h[0]]
    shares = {
        "right_page_first": sum(right for _, right, _ in answerable) / len(answerable),
        "answered_from_right_page": sum(r and f for _, r, f in answerable) / len(answerable),
        "answered_from_wrong_page": sum(f and not r for _, r, f in answerable) / len(answerable),
        "unanswerable_refused": sum(not found for _, _, found in others) / len(others),
    }
    sizes = {name: len(others if name.startswith("un") else answerable) for name in shares}
    rows = [[n.replace("_", " "), f"{s:.1%}", str(sizes[n])] for n, s in shares.items()]
    print_table(["examples/corpus, cross-validated", "share", "n"], rows)
    write_result("calibrate", {**values, **{n: round(s, 4) for n, s in shares.items()}, "n": sizes})


if __name__ == "__main__":
    sys.exit(main())
