"""Fits the choice of an answer, its confidence, and the threshold of "not found".

    python -m benchmarks.calibrate [--data FOLDER] [--questions N] [--model FOLDER]

On examples/corpus/questions.json (what changes in a document is asked as of the page that its
question names) and, with --data, on questions about articles that were kept apart from training:
without a reader and, if the model has one, with it. A sentence that could have been chosen is
right if it stands on the question's page and holds the answer. The ranking is fitted so that
right sentences win against all others of their question; the confidence is a logistic regression
of "the best one is on the right page"; the threshold is a half, from which on an answer is more
probably right than not. The tables are cross-validated over five parts: each question is judged
by what was fitted on the other four. Writes answering.json from all of them, with the calibration
of answers from memory for a model that gives them (benchmarks/memory_answers.py).

Axes: n sentences of a question or best sentences, F features.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.answering import Answerer
from app.evidence import Evidence
from app.results import Part
from app.support import FEATURES, Calibration, Calibrations
from armt_core.document_model import DocumentModel
from benchmarks.articles import kept_apart
from benchmarks.fitting import logistic, matrix, minimum
from benchmarks.memory_answers import memory_calibration
from benchmarks.results import ROOT, print_table, run, write_result
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library
from training.evaluation.metrics import auroc, calibration_error
from training.evaluation.retrieval import ingest_paragraphs

CORPUS = ROOT / "examples" / "corpus"
PARTS = 5
#: The confidence is fitted to be a chance: from here on an answer is more probably from the right
#: page than not. Where right answers outnumber wrong ones by most is too flat to be fitted.
THRESHOLD = 0.5
#: Eight features on some hundred questions: with less the confidences of questions that were not
#: fitted are worse.
PENALTY = 0.02
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


def main(arguments: list[str] | None = None) -> int:
    """0 when answering.json is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--questions", type=int, default=400, help="about articles of --data")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FOLDER")
    options = parser.parse_args(arguments)
    path = options.model / "answering.json"
    values: dict[str, Any] = {}
    result: dict[str, object] = {}
    model = open_reader(options.model)
    if model.config.answers_from_memory:
        if not options.data:
            parser.error("this model answers from memory: its calibration needs --data")
        values["memory"], result["memory"] = memory_calibration(model, options.data)
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        sets = [_corpus(library, model)]
        if options.data:
            sets.append(_articles(library, model, options.data, options.questions, Path(folder)))
        for name in ("sentences", "reader") if model.reads_spans else ("sentences",):
            answerer = Answerer(library, model, Calibrations(UNFITTED, UNFITTED), _WITHOUT[name])
            asked = [[judge(answerer) for judge in items] for items in sets]
            values[name], result[name] = _fit(name, asked)
    write_result("calibrate", result)  # first: the stamp is of the tree that was measured
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return 0


_WITHOUT: dict[str, tuple[Part, ...]] = {"sentences": ("reader",), "reader": ()}
Judge = Callable[[Answerer], "Asked"]


def _fit(name: str, sets: Sequence[Sequence["Asked"]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What answering.json says, and what was reached on each set, cross-validated."""
    asked = [item for items in sets for item in items]
    held_out: dict[int, tuple[bool, bool, float, bool]] = {}
    for part in range(PARTS):
        calibration = _calibrate([a for i, a in enumerate(asked) if i % PARTS != part])
        for i in range(part, len(asked), PARTS):
            confidence, right = asked[i].best(calibration)
            found = confidence >= calibration.threshold
            held_out[i] = (asked[i].answerable, right, confidence, found)
    final, reached, at = _calibrate(asked), {}, 0
    for which, items in zip(("examples/corpus", "articles"), sets, strict=False):
        part_of = [held_out[i] for i in range(at, at + len(items))]
        reached[which] = _report(f"{name}, {which}", part_of)
        at += len(items)
    values = {
        "ranking": {n: round(w, 4) for n, w in zip(FEATURES, final.ranking, strict=True)},
        "found": {n: round(w, 4) for n, w in zip((*FEATURES, "share"), final.found, strict=True)},
        "bias": round(final.bias, 4),
        "threshold": round(final.threshold, 4),
    }
    return values, {**values, **reached}


def _corpus(library: Library, model: DocumentModel) -> list[Judge]:
    questions = json.loads((CORPUS / "questions.json").read_text(encoding="utf-8"))["questions"]
    for report in ingest_paths([CORPUS], library, model):
        assert report.outcome != "failed", report
    return [
        lambda a, item=item: _judged(  # type: ignore[misc]
            bool(item["answers"]),
            a.evidence(item["question"], as_of_page=item.get("as_of_page")),
            lambda e: (e.passage.title, e.passage.page) == (item["title"], item["page"]),
            lambda e: _shares(_sentence(e), item["quote"]),
        )
        for item in questions
    ]


def _articles(
    library: Library, model: DocumentModel, data: Path, most: int, folder: Path
) -> list[Judge]:
    """Questions about articles that were kept apart from training, one in four unanswerable."""
    articles, asked = kept_apart(data / "qa" / "squad-articles.jsonl.gz", calibrates=True)
    ids = ingest_paragraphs(articles, folder, library, model)
    chosen = [q for q in asked if q.answers][: most * 3 // 4]
    chosen += [q for q in asked if not q.answers][: most // 4]
    random.Random(1).shuffle(chosen)
    return [
        lambda a, q=q: _judged(  # type: ignore[misc]
            bool(q.answers),
            a.evidence(q.question),
            lambda e: (e.passage.document_id, e.passage.page) == (ids[q.article], q.paragraph),
            lambda e: any(answer in _sentence(e) for answer in q.answers),
        )
        for q in chosen
    ]


def _judged(
    answerable: bool,
    evidence: Sequence[Evidence],
    on_page: Callable[[Evidence], bool],
    holds: Callable[[Evidence], bool],
) -> Asked:
    pages = tuple(answerable and on_page(e) for e in evidence)
    right = tuple(page and holds(e) for page, e in zip(pages, evidence, strict=True))
    return Asked(answerable, tuple(e.features for e in evidence), right, pages)


def _sentence(evidence: Evidence) -> str:
    return evidence.passage.text[slice(*evidence.span)]


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
    found, bias = logistic(matrix(features), torch.tensor(right, dtype=torch.float64), PENALTY)
    fitted = replace(ranked, found=tuple(found), bias=bias)
    return replace(fitted, threshold=THRESHOLD)


def _ranking(asked: Sequence[Asked]) -> list[float]:
    """Weights (F,) under which right sentences have most of the softmax of their question."""
    questions = [
        (matrix(item.features), torch.tensor(item.right)) for item in asked if any(item.right)
    ]

    def loss(weights: Tensor) -> Tensor:
        total = weights.square().sum() * 1e-4
        for x, right in questions:  # (n, F), (n,)
            strengths = x @ weights
            missed = strengths.logsumexp(0) - strengths[right].logsumexp(0)
            total = total + missed / len(questions)
        return total

    fitted: list[float] = minimum(loss, questions[0][0].shape[1]).tolist()
    return fitted


def _report(
    name: str, held_out: Sequence[tuple[bool, bool, float, bool]]
) -> dict[str, float | int]:
    """held_out: (answerable, right page first, confidence, answered) a question."""
    answerable = [h for h in held_out if h[0]]
    others = [h for h in held_out if not h[0]]
    n, m = len(answerable), len(others)
    shares: dict[str, float | int] = {
        "answerable": n,
        "unanswerable": m,
        "right_page_first": sum(h[1] for h in answerable) / n,
        "answered_from_right_page": sum(h[1] and h[3] for h in answerable) / n,
        "answered_from_wrong_page": sum(h[3] and not h[1] for h in answerable) / n,
        "unanswerable_refused": sum(not h[3] for h in others) / m,
        "auroc_not_found": auroc([h[2] for h in answerable], [h[2] for h in others]),
        "calibration_error": calibration_error(
            [h[2] for h in held_out], [h[0] and h[1] for h in held_out]
        ),
    }
    rows = [[k.replace("_", " "), f"{v:.3f}" if isinstance(v, float) else str(v)]
            for k, v in shares.items()]  # fmt: skip
    print_table([f"{name}, cross-validated", ""], rows)
    return {k: round(v, 4) for k, v in shares.items()}


if __name__ == "__main__":
    run(main)
