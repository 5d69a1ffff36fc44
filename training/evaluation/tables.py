"""The tables of `python -m training evaluate`, as numbers and as Markdown."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from armt_core.model import ArmtModel
from training.data import files
from training.data.articles import articles_of
from training.evaluation.babilong import BabilongRow, babilong
from training.evaluation.metrics import wilson
from training.evaluation.spans import SpanRow, spans
from training.rows import Words
from training.text import Texts


def evaluate(
    model: ArmtModel,
    words: Words,
    data: Path,
    tasks: Sequence[int] = (1, 2, 3, 4, 5),
    segments: Sequence[int] = (1, 4, 16),
    n: int = 100,
    questions: int = 500,
) -> dict[str, Any]:
    """Every table, on what was kept apart from training. n: stories of a task at a length;
    questions: of each kind for the spans. Rows are plain dictionaries."""
    model.eval()
    texts = Texts(files.books(data, "dev"), words)
    rows = [
        babilong(model, words, files.babi(data, task, "dev"), texts, task, count, n)
        for task in tasks
        for count in segments
    ]
    articles = articles_of(files.questions(data, "squad-articles", "dev"))
    read = [spans(model, words, articles, questions, memory) for memory in (True, False)]
    return {
        "babilong": [dataclasses.asdict(row) for row in rows],
        "spans": [dataclasses.asdict(row) for row in read],
    }


def markdown(tables: dict[str, Any]) -> str:
    """The tables for people; shares in percent, with 95 % intervals."""
    lines = [
        "| task | segments | n | memory | emptied | best constant |",
        "|---|---|---|---|---|---|",
    ]
    for values in tables["babilong"]:
        row = BabilongRow(**values)
        lines.append(
            f"| qa{row.task} | {row.segments} | {row.n} | {_share(row.final, row.n)} | "
            f"{_share(row.empty, row.n)} | {row.constant:.0%} |"
        )
    lines += [
        "",
        "| spans, memory | n | EM | F1 | F1 with unanswerable 1:1 | AUROC of not found |",
        "|---|---|---|---|---|---|",
    ]
    for values in tables["spans"]:
        span = SpanRow(**values)
        lines.append(
            f"| {span.memory} | {span.answerable} + {span.unanswerable} | "
            f"{_share(span.exact, span.answerable)} | {span.overlap:.1%} | {span.mixed:.1%} | "
            f"{span.roc:.3f} |"
        )
    return "\n".join(lines)


def _share(share: float, n: int) -> str:
    low, high = wilson(share, n)
    return f"{share:.1%} ({low:.0%} to {high:.0%})"
