"""Fits the confidence of an answer and sets the threshold of "not found".

    python -m benchmarks.calibrate

Both on examples/corpus/questions.json: every sentence that could have been chosen for a
question counts as right if it stands on the question's page and shares its quote. Weights
by logistic regression; the threshold is where right answers outnumber wrong ones by most.
The table is cross-validated over five parts: each question is judged by weights and
threshold from the other four. Writes models/default/answering.json from all of them.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from app.answering import Answerer, Evidence
from app.support import FEATURES, Calibration
from benchmarks.results import ROOT, print_table, write_result
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library

CORPUS = ROOT / "examples" / "corpus"
PARTS = 5


@dataclass(frozen=True)
class Asked:
    """A question's sentences: their features, and whether each is right. n sentences."""

    answerable: bool
    features: tuple[tuple[float, ...], ...]
    right: tuple[bool, ...]
    right_page: tuple[bool, ...]

    def best(self, calibration: Calibration) -> tuple[float, bool]:
        """The highest confidence, and whether that sentence is on the right page."""
        scores = [calibration.confidence(values) for values in self.features]
        index = max(range(len(scores)), key=lambda i: scores[i])
        return scores[index], self.right_page[index]


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
        "weights": {n: round(w, 4) for n, w in zip(FEATURES, final.weights, strict=True)},
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
        answerer = Answerer(library, model, Calibration((1.0,) * len(FEATURES), 0.0, 0.5))
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
    x = torch.tensor([f for a in asked for f in a.features], dtype=torch.float64)
    y = torch.tensor([r for a in asked for r in a.right], dtype=torch.float64)
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weights[:-1] + weights[-1]
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        value = value + 1e-4 * weights[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    *fitted, bias = weights.detach().tolist()
    calibration = Calibration(tuple(fitted), bias, 0.5)
    best = [(a.answerable, *a.best(calibration)) for a in asked]
    judged = [(answerable, right, confidence) for answerable, confidence, right in best]
    return Calibration(tuple(fitted), bias, _threshold(judged))


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
