"""Questions about whole articles, answered by the app: what each of its parts adds.

    python -m benchmarks.answers --data FOLDER [--questions N] [--model FOLDER]

FOLDER holds qa/squad-articles.jsonl.gz. The articles that were kept apart from training become
documents whose pages are their paragraphs; each question is asked about its whole article, so
the system has to find the paragraph. No question that calibration saw is asked. An answer
counts as in SQuAD (EM, F1), a refusal as an empty answer. Right paragraph first: that of the
first citation, or of the nearest place where nothing was found. Every row leaves one part out,
or empties the memory.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.answering import Answerer
from app.results import Memory, Part
from app.support import load_calibration
from benchmarks.articles import ArticleQuestion, kept_apart
from benchmarks.results import print_table, run, write_result
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library
from training.evaluation.metrics import auroc, calibration_error, exact_match, f1, with_interval
from training.evaluation.retrieval import ingest_paragraphs

WAYS: dict[str, tuple[tuple[Part, ...], Memory]] = {
    "as it ships": ((), "final"),
    "memory emptied": ((), "empty"),
    "without vectors of sentences": (("sentence-vectors",), "final"),
    "vectors without memory": (("memory-vectors",), "final"),
    "without the reader: whole sentences": (("reader",), "final"),
    "without the threshold": (("threshold",), "final"),
}


@dataclass(frozen=True)
class Row:
    """answerable, unanswerable: n of each. f1, exact: of the answerable. first: right paragraph
    first. refused: of the unanswerable. roc: area under the curve of confidence, answerable
    against not. error: calibration error of "answered from the right paragraph"."""

    way: str
    answerable: int
    unanswerable: int
    f1: float
    exact: float
    first: float
    refused: float
    roc: float
    error: float


def main(arguments: list[str] | None = None) -> int:
    """0 when the table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--questions", type=int, default=300, help="answerable ones; a third more")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    options = parser.parse_args(arguments)
    path = options.data / "qa" / "squad-articles.jsonl.gz"
    articles, questions = kept_apart(path, calibrates=False)
    chosen = [q for q in questions if q.answers][: options.questions]
    chosen += [q for q in questions if not q.answers][: options.questions // 3]
    model, calibrations = open_reader(options.model), load_calibration(options.model)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library")) as library:
        ids = ingest_paragraphs(articles, Path(folder), library, model)
        for way in options.only:
            without, memory = WAYS[way]
            if "memory-vectors" in without and not model.vectors_read_memory:
                continue  # there are no vectors read with memory to leave out
            answerer = Answerer(library, model, calibrations, without)
            rows.append(measure(way, answerer, memory, chosen, ids))
    print_table(
        ["", "answer F1", "EM", "right paragraph first", "refused", "AUROC", "calibration error"],
        [
            [row.way, f"{row.f1:.1%}", with_interval(row.exact, row.answerable),
             with_interval(row.first, row.answerable), with_interval(row.refused, row.unanswerable),
             f"{row.roc:.3f}", f"{row.error:.3f}"]
            for row in rows
        ],
    )  # fmt: skip
    write_result("answers", {"articles": len(articles), "rows": [vars(row) for row in rows]})
    return 0


def measure(
    way: str,
    answerer: Answerer,
    memory: Memory,
    questions: Sequence[ArticleQuestion],
    ids: dict[str, str],
) -> Row:
    """Asks every question about its article. ids: document ids by title."""
    scores, exact, first, refused = [], [], [], []
    confidences: list[tuple[float, bool, bool]] = []  # confidence, answerable, right
    for q in questions:
        answer = answerer.ask(q.question, documents=[ids[q.article]], memory=memory)
        places = answer.citations or answer.nearest
        right = bool(places) and places[0].page == q.paragraph and bool(q.answers)
        confidences.append((places[0].score if places else 0.0, bool(q.answers), right))
        if q.answers:
            scores.append(f1(answer.answer or "", q.answers))
            exact.append(exact_match(answer.answer or "", q.answers))
            first.append(right)
        else:
            refused.append(not answer.found)
    return Row(
        way,
        len(scores),
        len(refused),
        sum(scores) / max(len(scores), 1),
        sum(exact) / max(len(exact), 1),
        sum(first) / max(len(first), 1),
        sum(refused) / max(len(refused), 1),
        auroc([c for c, a, _ in confidences if a], [c for c, a, _ in confidences if not a]),
        calibration_error([c for c, _, _ in confidences], [r for _, _, r in confidences]),
    )


if __name__ == "__main__":
    run(main)
