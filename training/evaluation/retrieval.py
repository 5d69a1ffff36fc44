"""Which passage a question leads to, on articles that were kept apart from training.

The articles are put into a library and searched as the app does.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from app.results import Memory
from app.searching import WORDS_SHARE, Searcher
from armt_core.document_model import DocumentModel
from ingest.pipeline import ingest_paths
from storage.library import Library
from training.data.articles import Article
from training.evaluation.metrics import with_interval
from training.evaluation.ranking import Asked, Score, best_share, fused, recall_at


@dataclass(frozen=True)
class RetrievalRow:
    """One way of ranking. scope: "inside", among the passages of the question's article;
    "across", among those of all articles. memory: "final" or "empty"; the latter only where the
    vectors of text depend on it. method: how it is ranked. articles: "all", or "others" than those
    on which a share was chosen. n: questions. first, five: the share of them with a passage of
    their paragraph at the top, and among the best five (recall@1, recall@5)."""

    scope: str
    memory: str
    method: str
    articles: str
    n: int
    first: float
    five: float

    columns: ClassVar = ("scope", "memory", "ranked by", "articles", "n", "recall@1", "recall@5")

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        found = with_interval(self.first, self.n), with_interval(self.five, self.n)
        return self.scope, self.memory, self.method, self.articles, str(self.n), *found


def retrieval(model: DocumentModel, articles: Sequence[Article]) -> list[RetrievalRow]:
    """Every answerable question of the articles, ranked in every way.

    The share of words in the fusion is that of the app; the best one is chosen on every second
    article besides, and reported on the others.
    """
    memories: tuple[Memory, ...] = ("final", "empty") if model.vectors_read_memory else ("final",)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library")) as library:
        paragraphs = {article.title: article.contexts for article in articles}
        ids = ingest_paragraphs(paragraphs, Path(folder), library, model)
        for scope in ("inside", "across"):
            for memory in memories:
                whole, blended = (
                    _ask(articles, ids, Searcher(library, model, sentences), memory, scope)
                    for sentences in (False, True)
                )
                rows += _rows(scope, memory, whole, blended)
    return rows


def ingest_paragraphs(
    paragraphs: Mapping[str, Sequence[str]], folder: Path, library: Library, model: DocumentModel
) -> dict[str, str]:
    """Reads articles (paragraphs by title) into the library as documents whose pages are their
    paragraphs; their document ids by title. Their files are written into `folder`."""
    texts = folder / "texts"
    texts.mkdir()
    names = {title: title.replace("/", "_") for title in paragraphs}
    for title, pages in paragraphs.items():
        (texts / f"{names[title]}.txt").write_text("\f".join(pages), encoding="utf-8")
    for report in ingest_paths([texts], library, model, keep_originals=False):
        assert report.outcome == "added", report
    found = {document.title: document.id for document in library.documents()}
    return {title: found[name] for title, name in names.items()}


def _ask(
    articles: Sequence[Article],
    ids: Mapping[str, str],
    searcher: Searcher,
    memory: Memory,
    scope: str,
) -> list[Asked]:
    asked = []
    for article in articles:
        document = ids[article.title]
        on_page: dict[int, set[int]] = {}
        for passage in searcher.library.passages(document):
            on_page.setdefault(passage.page, set()).add(passage.id)
        for page, questions in enumerate(article.questions):
            for text in (q.question for q in questions if q.answers):
                only = [document] if scope == "inside" else None
                scopes = searcher.scopes(text, only, None, memory)
                words, cosines = searcher.scores(text, scopes)
                asked.append(Asked(article.title, frozenset(on_page[page]), words, cosines))
    return asked


def _rows(scope: str, memory: str, whole: list[Asked], blended: list[Asked]) -> list[RetrievalRow]:
    """whole: the questions with the vectors of passages alone; blended: with their sentences'."""

    def row(method: str, articles: str, part: list[Asked], score: Score) -> RetrievalRow:
        first, five = (recall_at(k, part, score) for k in (1, 5))
        return RetrievalRow(scope, memory, method, articles, len(part), first, five)

    rows = [
        row("words (BM25)", "all", whole, lambda one: one.words),
        row("vectors of whole passages", "all", whole, lambda one: one.cosines),
        row("vectors of passages and best sentences", "all", blended, lambda one: one.cosines),
        row(f"hybrid, words {WORDS_SHARE:.2f}", "all", blended, fused(WORDS_SHARE)),
    ]
    chosen_on = set(sorted({one.article for one in blended})[::2])
    others = [one for one in blended if one.article not in chosen_on]
    if others:  # one article alone leaves none to report on
        best = best_share([one for one in blended if one.article in chosen_on])
        for share in sorted({WORDS_SHARE, best}):
            rows.append(row(f"hybrid, words {share:.2f}", "others", others, fused(share)))
    return rows
