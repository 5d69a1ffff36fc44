"""Which passage a question leads to, on articles that were kept apart from training.

Axes: Q questions, P passages of all articles in turn, D width.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import torch
from torch import Tensor

from app.searching import WORDS_SHARE
from armt_core.model import ArmtModel
from storage.library import Library
from training.data.articles import Article, Passage, passages_of
from training.evaluation.metrics import with_interval
from training.evaluation.ranking import Asked, Score, best_share, fused, recall_at
from training.evaluation.vectors import ask_vectors, read_passages
from training.evaluation.wordsearch import WordSearch
from training.rows import Words


@dataclass(frozen=True)
class RetrievalRow:
    """One way of ranking. scope: "inside", among the passages of the question's article;
    "across", among those of all articles. method: "words" (BM25), "vectors" (cosine) or "hybrid"
    (both, as the app fuses them). vectors: "original", those of the model that ours started as;
    "empty", ours with an emptied memory: question and passage each alone; "final", ours with the
    memory: a passage read after all before it, the question with its article's final memory;
    "" where there are none. share: of the words in the score. articles: "all", or "others" than
    those on which a share was chosen. n: questions. first, five: the share of them with a passage
    of their paragraph at the top, and among the best five (recall@1, recall@5)."""

    scope: str
    method: str
    vectors: str
    share: float
    articles: str
    n: int
    first: float
    five: float

    columns: ClassVar = ("scope", "ranked by", "vectors", "articles", "n", "recall@1", "recall@5")

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        how = f"hybrid, words {self.share:.2f}" if self.method == "hybrid" else self.method
        found = with_interval(self.first, self.n), with_interval(self.five, self.n)
        return self.scope, how, _VECTORS[self.vectors], self.articles, str(self.n), *found


_VECTORS = {
    "": "",
    "original": "of the original model",
    "empty": "with emptied memory",
    "final": "with memory",
}


@dataclass(frozen=True)
class Collection:
    """Articles as passages, and what is asked of them: of each of Q questions its text, the
    number of its article, and the numbers of the passages of its paragraph among all P."""

    titles: list[str]
    documents: list[list[Passage]]
    questions: list[str]
    article: list[int]
    right: list[frozenset[int]]

    @staticmethod
    def of(articles: Sequence[Article], words: Words, most: int) -> "Collection":
        """Passages of at most `most` tokens; questions that their paragraph answers."""
        found = Collection([article.title for article in articles], [], [], [], [])
        passages = 0
        for number, article in enumerate(articles):
            found.documents.append([])
            split = passages_of(article.contexts, words.tokenizer, most)
            for paragraph, questions in zip(split, article.questions, strict=True):
                right = frozenset(range(passages, passages + len(paragraph)))
                passages += len(paragraph)
                found.documents[-1].extend(paragraph)
                for question in questions:
                    if question.answers:
                        found.questions.append(question.question)
                        found.article.append(number)
                        found.right.append(right)
        return found

    def places(self) -> list[range]:
        """The numbers of the passages of each article."""
        ends = accumulate(map(len, self.documents), initial=0)
        return [range(start, end) for start, end in pairwise(ends)]


def retrieval(
    model: ArmtModel,
    words: Words,
    articles: Sequence[Article],
    original: tuple[ArmtModel, Words] | None = None,
    share: float = WORDS_SHARE,
) -> list[RetrievalRow]:
    """Every answerable question of the articles, ranked in every way. original: the model that
    ours started as and its vocabulary, to compare with. share: of the words, as shipped; the
    best one is chosen on every second article besides, and reported on the others."""
    found = Collection.of(articles, words, model.config.segment_tokens - 2)
    kinds = {} if original is None else {"original": cosines_alone(*original, found)}
    kinds["empty"] = cosines_alone(model, words, found)
    kinds["final"] = cosines_with_memory(model, words, found)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        texts = [[passage.text for passage in document] for document in found.documents]
        search = WordSearch(texts, library)
        for scope in ("inside", "across"):
            bm25 = [
                search.scores(question, article if scope == "inside" else None)
                for question, article in zip(found.questions, found.article, strict=True)
            ]
            asked = {kind: _asked(found, bm25, c, scope) for kind, c in kinds.items()}
            rows += _rows(scope, asked, share)
    return rows


def cosines_alone(model: ArmtModel, words: Words, found: Collection) -> Tensor:
    """(Q, P) with an emptied memory: each passage is a document of its own, as the app reads it."""
    texts = [passage.text for document in found.documents for passage in document]
    vectors = torch.empty(len(texts), model.config.hidden_size)
    alone = [[row] for row in _segments(model, words, texts)]
    for number, read, _ in read_passages(model, words, alone):
        vectors[number] = read[0].cpu()
    asked = ask_vectors(model, words, _segments(model, words, found.questions))
    return asked.cpu() @ vectors.T


def cosines_with_memory(model: ArmtModel, words: Words, found: Collection) -> Tensor:
    """(Q, P): every question is read with the final memory of each article, against the passages
    of that article, read in order. The app does so for the eight most promising documents."""
    documents = [[words.segment(p.tokens) for p in document] for document in found.documents]
    questions = _segments(model, words, found.questions)
    cosines = torch.empty(len(questions), sum(map(len, documents)))
    places = found.places()
    for number, vectors, memory in read_passages(model, words, documents):
        asked = ask_vectors(model, words, questions, memory)  # (Q, D)
        at = places[number]
        cosines[:, at.start : at.stop] = (asked @ vectors.T).cpu()
    return cosines


def _segments(model: ArmtModel, words: Words, texts: Sequence[str]) -> list[list[int]]:
    """Each text as one segment, cut where it is longer."""
    most = model.config.segment_tokens - 2
    return [words.segment(tokens[:most]) for tokens in words.encode(texts)]


def _asked(
    found: Collection, bm25: list[dict[int, float]], cosines: Tensor, scope: str
) -> list[Asked]:
    places, everywhere = found.places(), range(cosines.shape[1])
    asked = []
    for q, article in enumerate(found.article):
        within = places[article] if scope == "inside" else everywhere
        scores = cosines[q, within.start : within.stop].tolist()
        ranked = dict(zip(within, scores, strict=True))
        asked.append(Asked(found.titles[article], found.right[q], bm25[q], ranked))
    return asked


def _rows(scope: str, asked: dict[str, list[Asked]], share: float) -> list[RetrievalRow]:
    """asked: the questions with each kind of vectors."""

    def row(
        method: str, kind: str, words: float, articles: str, part: list[Asked], score: Score
    ) -> RetrievalRow:
        first, five = (recall_at(k, part, score) for k in (1, 5))
        return RetrievalRow(scope, method, kind, words, articles, len(part), first, five)

    anyone = next(iter(asked.values()))
    rows = [row("words", "", 1.0, "all", anyone, lambda one: one.words)]
    for kind, part in asked.items():
        rows.append(row("vectors", kind, 0.0, "all", part, lambda one: one.cosines))
    chosen_on = set(sorted({one.article for one in anyone})[::2])
    for kind, part in asked.items():
        rows.append(row("hybrid", kind, share, "all", part, fused(share)))
        others = [one for one in part if one.article not in chosen_on]
        if others:  # one article alone leaves none to report on
            best = best_share([one for one in part if one.article in chosen_on])
            for words in (share, best):
                rows.append(row("hybrid", kind, words, "others", others, fused(words)))
    return rows
