"""The tables of `python -m training evaluate`, as numbers and as Markdown."""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from armt_core.document_model import DocumentModel
from armt_core.model import ArmtModel
from armt_core.opening import faster_dtype
from training.data import files
from training.data.articles import Article, articles_of
from training.evaluation.babilong import BabilongRow, babilong
from training.evaluation.recall import RecallRow, recall
from training.evaluation.retrieval import RetrievalRow, retrieval
from training.evaluation.silence import SilenceRow, silence
from training.evaluation.spans import SpanRow, spans
from training.hiding import Filler
from training.rows import Words
from training.text import Texts

log = logging.getLogger(__name__)

#: Most segments read for a row of bAbI stories: of very long ones 10 stories must do.
_SEGMENTS = 32_000

#: Segments of books that are read for each document asked for, to see what is written of them.
_SILENCE = 10

Row = BabilongRow | SilenceRow | SpanRow | RecallRow | RetrievalRow
#: What a row of each table is, in the order in which they are made.
ROWS: dict[str, type[Row]] = {
    "babilong": BabilongRow,
    "silence": SilenceRow,
    "spans": SpanRow,
    "recall": RecallRow,
    "retrieval": RetrievalRow,
}


def evaluate(
    model: ArmtModel,
    words: Words,
    data: Path,
    tasks: Sequence[int] = (1, 2, 3, 4, 5),
    segments: Sequence[int] = (1, 4, 16),
    n: int = 100,
    questions: int = 500,
    only: Sequence[str] = tuple(ROWS),
    control: ArmtModel | None = None,
) -> dict[str, Any]:
    """The tables named in `only`, on what was kept apart from training. n: stories of a task at
    a length, and documents for recall; questions: of each kind for the spans. Rows are plain
    dictionaries. control: a model that was trained without a memory, beside what asks one."""
    dtype = faster_dtype(model.device)  # as the app opens it
    for some in (model, control):
        if some is not None:
            some.eval()
            some.backbone.to(dtype)
            some.deltas.to(dtype)

    def articles() -> list[Article]:
        return articles_of(files.questions(data, "squad-articles", "dev"))

    def of_babilong() -> list[BabilongRow]:
        texts, most = Texts(files.books(data, "dev"), words), model.config.segment_tokens
        bare = Filler(model, words, texts, most)
        rows = []
        for task in tasks:
            stories = files.babi(data, task, "dev")
            for count in segments:
                few = min(n, max(10, _SEGMENTS // count))
                row = babilong(
                    model, words, stories, texts, bare, task, count, few, control=control
                )
                rows.append(row)
                log.info("%s", " | ".join(rows[-1].cells()))
        return rows

    def of_silence() -> list[SilenceRow]:
        return silence(model, words, Texts(files.books(data, "dev"), words), _SILENCE * n)

    def of_spans() -> list[SpanRow]:
        read = articles()
        # Beside memory tokens that are "apart" the reader is told nothing by the memory.
        ways = (False,) if model.config.memory_tokens == "apart" else (True, False)
        return [spans(model, words, read, questions, memory) for memory in ways]

    def of_recall() -> list[RecallRow]:
        texts = Texts(files.books(data, "dev") + files.documents(data, "dev"), words)
        return recall(model, words, texts, n, control=control)

    makers: dict[str, Callable[[], Sequence[Row]]] = {
        "babilong": of_babilong,
        "silence": of_silence,
        "spans": of_spans,
        "recall": of_recall,
        "retrieval": lambda: retrieval(
            DocumentModel(model, words.tokenizer, "evaluated"), articles()
        ),
    }
    tables = {}
    for name in ROWS:
        if name in only:
            start = time.perf_counter()
            tables[name] = [dataclasses.asdict(row) for row in makers[name]()]
            log.info("%s took %.0f s", name, time.perf_counter() - start)
    return tables


def markdown(tables: dict[str, Any]) -> str:
    """The tables for people; shares in percent, with 95 % intervals."""
    parts = []
    for name, rows in tables.items():
        kind = ROWS[name]
        lines = [kind.columns, ["---"] * len(kind.columns), *(kind(**row).cells() for row in rows)]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    return "\n\n".join(parts)
