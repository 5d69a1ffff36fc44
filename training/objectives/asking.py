"""Questions over documents that were read: which passage, which span, and what memory says.

One reading serves all three: the vectors of the passages come from it, and the memory it
leaves goes with the question.

Axes: B documents, S passages a document, Q questions a document, T tokens, D width.
"""

import itertools
import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows, pad_segments
from armt_core.pooling import mean_pool
from armt_core.spans import QUESTION_TOKENS
from training.data.articles import Article, Passage, passages_of
from training.data.exchanged import exchanged
from training.depth import read_to_learn
from training.objectives.base import Learned, Objective
from training.rows import Answers, Words, alike, beside
from training.traced import read_documents_traced

#: Tokens of rows that go through the model together; more would only be slower on a CPU.
_TOGETHER = 2048

#: Of the cosines in the contrastive loss, as all-MiniLM-L6-v2 was trained with.
TEMPERATURE = 0.05


@dataclass(frozen=True)
class AskingSettings:
    """sets: names of files of questions. documents: B. questions: Q. passages: S at most.
    elsewhere: share of questions put to the likest passage that does not answer them. longest: most
    tokens of an answer that memory is taught to say. unanswerable: share of questions that have no
    answer, where an article has some. exchanged: share of the others in which a name, a number
    or a word is exchanged, so that they have none. spans, ranks, says: weights of the three
    losses. depth, recompute: as in `read_to_learn`."""

    sets: tuple[str, ...] = ("squad-articles",)
    documents: int = 4
    questions: int = 8
    passages: int = 4
    elsewhere: float = 0.2
    longest: int = 8
    unanswerable: float = 0.2
    exchanged: float = 0.0
    spans: float = 1.0
    ranks: float = 0.5
    says: float = 0.2
    depth: int | None = None
    recompute: bool = False


@dataclass(frozen=True)
class Put:
    """A question: its tokens, its document and passage there, the answer's tokens in that
    passage (first, last), None if it has none."""

    tokens: list[int]
    document: int
    passage: int
    span: tuple[int, int] | None


#: A question, the number of its passage, and the answer's tokens there, None if it has none.
_Possible = tuple[str, int, tuple[int, int] | None]


class Asking(Objective):
    """Reading, retrieval and answers from memory over articles."""

    name = "asking"

    def __init__(self, settings: AskingSettings, words: Words, articles: Sequence[Article]) -> None:
        self.settings, self.words, self.articles = settings, words, articles
        counts = (sum(map(len, article.questions)) for article in articles)
        self._upto = list(itertools.accumulate(counts))

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        size, device = self.settings, model.device
        documents, put = self._draw(draw, model.config.segment_tokens - 2)
        segments = [[self.words.segment(p.tokens) for p in document] for document in documents]
        memory: MemoryState | None = None
        vectors: Tensor | None = None  # (P, D), of all passages, as in `segments`
        if not empty:
            ids, mask = (t.to(device) for t in pad_segments(segments, self.words.pad))
            if model.config.memory_tokens == "apart" and not size.ranks:
                memory = read_documents_traced(model, ids, mask)
            else:
                read, memory = read_to_learn(model, ids, mask, size.depth, size.recompute)
                pooled = [mean_pool(h, mask[:, s]) for s, h in enumerate(read)]
                vectors = torch.stack(pooled, dim=1)[mask.any(-1)]
        elif size.ranks:  # each passage by itself
            vectors = self._alone(model, [row for document in segments for row in document])

        loss = torch.zeros((), device=device)
        figures: dict[str, float] = {}
        if size.spans:
            spans, figures = self._spans(model, put, documents, memory, draw)
            loss = size.spans * spans
            figures["spans"] = float(spans.detach())
        if size.says or size.ranks:
            hidden, answers = self._ask(model, put, documents, memory)
        if size.says:
            says, right = answers.loss(model, hidden)
            loss = loss + size.says * says
            told = [i for i, q in enumerate(put) if self._said(q, documents)]
            figures["says"] = float(says.detach())
            figures["said"] = float(right[told].float().mean()) if told else 0.0
        if size.ranks and vectors is not None:
            asked = torch.arange(hidden.shape[1], device=device) < answers.prefix[:, None]
            queries = mean_pool(hidden, asked)
            ranks, first = self._ranks(queries, put, vectors, [len(d) for d in documents])
            loss = loss + size.ranks * ranks
            figures |= {"ranks": float(ranks.detach()), "first": first}
        kind = "empty " if empty else ""
        return Learned(loss, {f"{kind}{name}": value for name, value in figures.items()})

    def _alone(self, model: ArmtModel, rows: list[list[int]]) -> Tensor:
        """The vectors (P, D) of P passages, each read with an empty memory."""
        groups = alike([len(row) for row in rows], _TOGETHER)
        vectors = []
        for group in groups:
            ids, mask = (
                t.to(model.device) for t in pad_rows([rows[i] for i in group], self.words.pad)
            )
            vectors.append(mean_pool(model.run(ids, mask)[0], mask))
        order = torch.tensor([i for group in groups for i in group], device=model.device)
        return torch.cat(vectors)[order.argsort()]

    def _draw(self, draw: random.Random, most: int) -> tuple[list[list[Passage]], list[Put]]:
        """B documents as passages, and Q questions of each, those of a document together."""
        documents: list[list[Passage]] = []
        put: list[Put] = []
        while len(documents) < self.settings.documents:
            at = bisect(self._upto, draw.randrange(self._upto[-1]))
            found = self._window(self.articles[at], draw, most, len(documents))
            if found is not None:
                documents.append(found[0])
                put += found[1]
        return documents, put

    def _window(
        self, article: Article, draw: random.Random, most: int, document: int
    ) -> tuple[list[Passage], list[Put]] | None:
        """A stretch of an article around a question of it; None if none has its answer there."""
        size = self.settings
        counts = [len(questions) for questions in article.questions]
        middle = draw.choices(range(len(counts)), counts)[0]
        start = max(0, middle - draw.randrange(size.passages))
        chosen = range(start, min(len(counts), start + size.passages))
        split = passages_of([article.contexts[i] for i in chosen], self.words.tokenizer, most)
        flat: list[Passage] = []
        possible: list[_Possible] = []
        for i, passages in zip(chosen, split, strict=True):
            room = size.passages - len(flat)
            for question in article.questions[i]:
                for n, passage in enumerate(passages[:room]):
                    if not question.answers:
                        possible.append((question.question, len(flat) + n, None))
                        break
                    answer = question.answers[0]
                    span = passage.span(answer.start, answer.start + len(answer.text))
                    if span is not None:
                        possible.append((question.question, len(flat) + n, span))
                        break
            flat += passages[:room]
        if not possible:
            return None
        asked = [self._changed(q, article, flat, draw) for q in self._mixed(possible, draw)]
        tokens = self.words.encode([question for question, _, _ in asked])
        return flat, [
            Put(ids[:QUESTION_TOKENS], document, passage, span)
            for ids, (_, passage, span) in zip(tokens, asked, strict=True)
        ]

    def _mixed(self, possible: Sequence[_Possible], draw: random.Random) -> list[_Possible]:
        """Q of the questions, with and without an answer in the shares that are set."""
        kinds = [[p for p in possible if (p[2] is None) is none] for none in (False, True)]
        for kind in kinds:
            draw.shuffle(kind)
        taken = [0, 0]
        mixed = []
        for _ in range(self.settings.questions):
            none = draw.random() < self.settings.unanswerable
            n = int(none if kinds[none] else not none)
            mixed.append(kinds[n][taken[n] % len(kinds[n])])
            taken[n] += 1
        return mixed

    def _changed(
        self, put: _Possible, article: Article, flat: Sequence[Passage], draw: random.Random
    ) -> _Possible:
        """The question, or one in its place that its passage does not answer."""
        question, passage, span = put
        if span is None or draw.random() >= self.settings.exchanged:
            return put
        other = article if len(article.contexts) > 1 else draw.choice(self.articles)
        new = exchanged(question, flat[passage].text, other.contexts, draw)
        return (new, passage, None) if new else put

    def _said(self, q: Put, documents: list[list[Passage]]) -> list[int]:
        """The tokens of the answer that memory is to say; none if it is long or there is none."""
        if q.span is None or q.span[1] - q.span[0] >= self.settings.longest:
            return []
        return list(documents[q.document][q.passage].tokens[q.span[0] : q.span[1] + 1])

    def _ask(
        self,
        model: ArmtModel,
        put: list[Put],
        documents: list[list[Passage]],
        memory: MemoryState | None,
    ) -> tuple[Tensor, Answers]:
        """Hidden states (B Q, T, D) of the questions with their answers after them, and these."""
        said = [self._said(q, documents) for q in put]
        answers = Answers.of(self.words, [q.tokens for q in put], said).to(model.device)
        hidden, _ = model.run(
            answers.ids, answers.mask, memory, prefix=answers.prefix, role="answer"
        )
        return hidden, answers

    def _spans(
        self,
        model: ArmtModel,
        put: list[Put],
        documents: list[list[Passage]],
        memory: MemoryState | None,
        draw: random.Random,
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of first and last token; a passage elsewhere answers with [CLS]."""
        passages, wanted = [], []
        for q in put:
            document, passage, span = documents[q.document], q.passage, q.span
            if span is not None and draw.random() < self.settings.elsewhere:
                text = document[passage].tokens[span[0] : span[1] + 1]
                others = [i for i, p in enumerate(document) if not _holds(p.tokens, text)]
                if others:
                    passage, span = _likest(q.tokens, document, others), None
            before = len(q.tokens) + 2
            passages.append(document[passage].tokens)
            wanted.append((before + span[0], before + span[1]) if span else (0, 0))
        lengths = [len(q.tokens) + len(p) for q, p in zip(put, passages, strict=True)]
        loss = torch.zeros((), device=model.device)
        right = {True: [0, 0], False: [0, 0]}  # answerable or not: how many, how many right
        for group in alike(lengths, _TOGETHER):
            state = None if memory is None else memory.take([put[i].document for i in group])
            laid = beside(self.words, [put[i].tokens for i in group], [passages[i] for i in group])
            ids, mask, inside = (t.to(model.device) for t in laid)
            hidden, _ = model.run(ids, mask, state, role="reader")
            assert model.span is not None
            first, last = model.span(hidden, inside)
            ends = torch.tensor([wanted[i] for i in group], device=model.device).T
            loss = loss + functional.cross_entropy(first, ends[0], reduction="sum")
            loss = loss + functional.cross_entropy(last, ends[1], reduction="sum")
            exact = ((first.argmax(-1) == ends[0]) & (last.argmax(-1) == ends[1])).tolist()
            for i, hit in zip(group, exact, strict=True):
                counts = right[wanted[i][0] > 0]
                counts[0], counts[1] = counts[0] + 1, counts[1] + hit
        names = {True: "exact", False: "refused"}
        figures = {names[kind]: hit / n for kind, (n, hit) in right.items() if n}
        return loss / (2 * len(put)), figures

    def _ranks(
        self, queries: Tensor, put: list[Put], vectors: Tensor, counts: list[int]
    ) -> tuple[Tensor, float]:
        """Contrastive loss of the answerable questions against all passages of the batch.

        queries: (B Q, D). vectors: (P, D), of the passages of each document in turn, of which
        there are `counts`.
        """
        answerable = [i for i, q in enumerate(put) if q.span is not None]
        if not answerable:
            return queries.sum() * 0, 0.0
        cosines = queries[answerable] @ vectors.T / TEMPERATURE  # (n, P)
        starts = [0, *itertools.accumulate(counts)]
        wanted = torch.tensor(
            [starts[put[i].document] + put[i].passage for i in answerable], device=cosines.device
        )
        first = float((cosines.argmax(-1) == wanted).float().mean())
        return functional.cross_entropy(cosines, wanted), first


def _likest(question: Sequence[int], document: Sequence[Passage], numbers: list[int]) -> int:
    """Which of these passages has most of the question's tokens: the hardest to tell apart."""
    asked = set(question)
    return max(numbers, key=lambda i: len(asked & set(document[i].tokens)))


def _holds(tokens: Sequence[int], part: Sequence[int]) -> bool:
    n = len(part)
    return any(tuple(tokens[i : i + n]) == tuple(part) for i in range(len(tokens) - n + 1))
