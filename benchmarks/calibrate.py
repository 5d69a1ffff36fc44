"""Fits the confidence of an answer and sets the threshold of "not found".

    python -m benchmarks.calibrate --data FOLDER

The weights are fitted on articles with questions that have an answer and questions that
have none (FOLDER/qa/squad-articles.jsonl.gz): a sentence counts as right if it holds the
answer and stands in its paragraph. The threshold is then set on
examples/corpus/questions.json, where it answers most questions rightly. Writes
models/default/answering.json; without --data only the threshold is set anew, and the
weights stay.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch

from app.answering import Answerer
from app.support import FEATURES, Calibration, load_calibration
from benchmarks.articles import ingest_articles, load_articles
from benchmarks.results import ROOT, print_table, write_result
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library

CORPUS = ROOT / "examples" / "corpus"


@dataclass(frozen=True)
class Judged:
    """A question's most confident sentence: is the page right, and was there an answer at all?"""

    confidence: float
    right: bool
    answerable: bool


def main(arguments: list[str] | None = None) -> int:
    """0 when answering.json is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--questions", type=int, default=800, help="of the articles")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    start = Calibration((1.0,) * len(FEATURES), 0.0, 0.5)
    if options.data is None:
        start = load_calibration(DEFAULT_MODEL)
    model = open_reader()
    with tempfile.TemporaryDirectory() as folder:
        fitted = start
        if options.data is not None:
            with Library(Path(folder, "articles")) as library:
                answerer = Answerer(library, model, start)
                fitted = _fit(answerer, options.data, Path(folder), options.questions, options.seed)
        with Library(Path(folder, "corpus")) as library:
            for report in ingest_paths([CORPUS], library, model):
                assert report.outcome != "failed", report
            judged = _judge(Answerer(library, model, fitted))
    threshold = _best_threshold(judged)
    result = replace(fitted, threshold=threshold)
    values = {
        "weights": {n: round(w, 4) for n, w in zip(FEATURES, result.weights, strict=True)},
        "bias": round(result.bias, 4),
        "threshold": round(threshold, 4),
    }
    (DEFAULT_MODEL / "answering.json").write_text(json.dumps(values, indent=2) + "\n")
    _report(judged, threshold, values)
    return 0


def _fit(answerer: Answerer, data: Path, folder: Path, most: int, seed: int) -> Calibration:
    """Logistic regression over every sentence that would have been chosen from."""
    articles, questions = load_articles(data / "qa" / "squad-articles.jsonl.gz")
    ids = ingest_articles(articles, folder, answerer.library, answerer.model)
    random.Random(seed).shuffle(questions)
    rows, labels = [], []
    for asked in questions[:most]:
        for item in answerer.evidence(asked.question):
            place = (item.passage.document_id, item.passage.page)
            right = place == (ids[asked.article], asked.paragraph)
            rows.append(item.features)
            labels.append(right and any(answer in item.text for answer in asked.answers))
    x, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)
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
    print(f"fitted on {len(rows):,} sentences of {min(most, len(questions))} questions")
    *fitted, bias = weights.detach().tolist()
    return Calibration(tuple(fitted), bias, 0.5)


def _judge(answerer: Answerer) -> list[Judged]:
    questions = json.loads((CORPUS / "questions.json").read_text(encoding="utf-8"))["questions"]
    judged = []
    for item in questions:
        answer = answerer.ask(item["question"])
        best = (answer.citations or answer.nearest)[0]
        place = (best.title, best.page)
        right = bool(item["answers"]) and place == (item["title"], item["page"])
        judged.append(Judged(best.score, right, bool(item["answers"])))
    return judged


def _outcomes(judged: Sequence[Judged], threshold: float) -> tuple[float, float]:
    """Shares of answerable questions answered from the right page, of others refused."""
    answerable = [j for j in judged if j.answerable]
    others = [j for j in judged if not j.answerable]
    right = sum(j.right and j.confidence >= threshold for j in answerable)
    refused = sum(j.confidence < threshold for j in others)
    return right / len(answerable), refused / len(others)


def _best_threshold(judged: Sequence[Judged]) -> float:
    """Where both shares are best together; the middle of the best stretch."""
    values = sorted({j.confidence for j in judged})
    middles = [(a + b) / 2 for a, b in pairwise(values)]
    best = max(sum(_outcomes(judged, t)) for t in middles)
    good = [t for t in middles if sum(_outcomes(judged, t)) > best - 1e-9]
    return good[len(good) // 2]


def _report(judged: Sequence[Judged], threshold: float, values: dict[str, object]) -> None:
    answered, refused = _outcomes(judged, threshold)
    answerable = sum(j.answerable for j in judged)
    first = sum(j.right for j in judged) / answerable
    rows = [
        ["right page first, threshold aside", f"{first:.1%}", str(answerable)],
        ["answered, and from the right page", f"{answered:.1%}", str(answerable)],
        ["unanswerable refused", f"{refused:.1%}", str(len(judged) - answerable)],
    ]
    print_table(["examples/corpus (the threshold is set on it)", "share", "n"], rows)
    print(f"threshold {threshold:.3f}")
    write_result(
        "calibrate",
        {
            **values,
            "right_page_first": round(first, 4),
            "answered_from_right_page": round(answered, 4),
            "unanswerable_refused": round(refused, 4),
            "answerable": answerable,
            "unanswerable": len(judged) - answerable,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
