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
from armt_core.pooling import mean_pool
from armt_core.reading import pad_segments
from training.data.articles import Article, Passage, passages_of
from training.depth import read_to_learn
from training.objectives.base import Learned, Objective
from training.rows import Answers, Words, beside

#: Of the cosines in the contrastive loss, as all-MiniLM-L6-v2 was trained with.
TEMPERATURE = 0.05


@dataclass(frozen=True)
class AskingSettings:
    """sets: names of files of questions. documents: B. questions: Q. passages: S at most.
    elsewhere: share of questions put to a passage that does not answer them. longest: most
    tokens of an answer that memory is taught to say. spans, ranks, says: weights of the
    three losses. depth, recompute: as in `read_to_learn`."""

    sets: tuple[str, ...] = ("squad-articles",)
    documents: int = 4
    questions: int = 8
    passages: int = 4
    elsewhere: float = 0.2
    longest: int = 8
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
        ids, mask = pad_segments(
            [[self.words.segment(p.tokens) for p in document] for document in documents],
            self.words.pad,
        )
        ids, mask = ids.to(device), mask.to(device)
        memory: MemoryState | None
        if empty:  # each passage by itself
            flat = mask.flatten(0, 1)
            out, _ = model.run(ids.flatten(0, 1), flat)
            hidden, memory = list(out.view(*ids.shape, -1).unbind(1)), None
        else:
            hidden, memory = read_to_learn(model, ids, mask, size.depth, size.recompute)
        vectors = torch.stack(
            [mean_pool(h, mask[:, s]) for s, h in enumerate(hidden)], dim=1
        )  # (B, S, D)

        asked = self._ask(model, put, documents, memory)
        spans, figures = self._spans(model, put, documents, memory, draw)
        ranks, first = self._ranks(asked[1], put, vectors, mask.any(-1))
        loss = size.spans * spans + size.ranks * ranks + size.says * asked[0]
        figures |= {"spans": float(spans.detach()), "ranks": float(ranks.detach())}
        figures |= {"says": float(asked[0].detach()), "first": first, "said": asked[2]}
        kind = "empty " if empty else ""
        return Learned(loss, {f"{kind}{name}": value for name, value in figures.items()})

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
        possible: list[tuple[str, int, tuple[int, int] | None]] = []
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
        draw.shuffle(possible)
        kept = [possible[i % len(possible)] for i in range(size.questions)]
        tokens = self.words.encode([question for question, _, _ in kept])
        return flat, [
            Put(ids[:64], document, passage, span)
            for ids, (_, passage, span) in zip(tokens, kept, strict=True)
        ]

    def _ask(
        self,
        model: ArmtModel,
        put: list[Put],
        documents: list[list[Passage]],
        memory: MemoryState | None,
    ) -> tuple[Tensor, Tensor, float]:
        """Loss of the answers from memory, vectors of the questions (B Q, D), share said right."""
        said = []
        for q in put:
            passage = documents[q.document][q.passage]
            short = q.span is not None and q.span[1] - q.span[0] < self.settings.longest
            said.append(list(passage.tokens[q.span[0] : q.span[1] + 1]) if short and q.span else [])
        answers = Answers.of(self.words, [q.tokens for q in put], said).to(model.device)
        hidden, _ = model.run(answers.ids, answers.mask, memory, prefix=answers.prefix)
        asked = torch.arange(hidden.shape[1], device=hidden.device) < answers.prefix[:, None]
        loss, right = answers.loss(model, hidden)
        told = torch.tensor([bool(s) for s in said], device=hidden.device)
        share = float(right[told].float().mean()) if bool(told.any()) else 0.0
        return loss, mean_pool(hidden, asked), share

    def _spans(
        self,
        model: ArmtModel,
        put: list[Put],
        documents: list[list[Passage]],
        memory: MemoryState | None,
        draw: random.Random,
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of first and last token; a passage elsewhere answers with [CLS]."""
        passages, firsts, lasts = [], [], []
        for q in put:
            document, passage, span = documents[q.document], q.passage, q.span
            if span is not None and draw.random() < self.settings.elsewhere:
                text = document[passage].tokens[span[0] : span[1] + 1]
                others = [i for i, p in enumerate(document) if not _holds(p.tokens, text)]
                if others:
                    passage, span = draw.choice(others), None
            before = len(q.tokens) + 2
            passages.append(document[passage].tokens)
            firsts.append(before + span[0] if span else 0)
            lasts.append(before + span[1] if span else 0)
        laid = beside(self.words, [q.tokens for q in put], passages)
        ids, mask, inside = (t.to(model.device) for t in laid)
        hidden, _ = model.run(ids, mask, memory)
        assert model.span is not None
        first, last = model.span(hidden, inside)
        wanted = torch.tensor([firsts, lasts], device=ids.device)
        loss = functional.cross_entropy(first, wanted[0]) + functional.cross_entropy(
            last, wanted[1]
        )
        exact = (first.argmax(-1) == wanted[0]) & (last.argmax(-1) == wanted[1])
        answerable = wanted[0] > 0
        figures = {"exact": float(exact[answerable].float().mean())} if answerable.any() else {}
        if not bool(answerable.all()):
            figures["refused"] = float(exact[~answerable].float().mean())
        return loss / 2, figures

    def _ranks(
        self, queries: Tensor, put: list[Put], vectors: Tensor, there: Tensor
    ) -> tuple[Tensor, float]:
        """Contrastive loss of the answerable questions against all passages of the batch."""
        S = vectors.shape[1]
        answerable = [i for i, q in enumerate(put) if q.span is not None]
        if not answerable:
            return queries.sum() * 0, 0.0
        cosines = queries[answerable] @ vectors.flatten(0, 1).T / TEMPERATURE  # (n, B S)
        cosines = cosines.masked_fill(~there.flatten(), -torch.inf)
        wanted = torch.tensor(
            [put[i].document * S + put[i].passage for i in answerable], device=cosines.device
        )
        first = float((cosines.argmax(-1) == wanted).float().mean())
        return functional.cross_entropy(cosines, wanted), first


def _holds(tokens: Sequence[int], part: Sequence[int]) -> bool:
    n = len(part)
    return any(tuple(tokens[i : i + n]) == tuple(part) for i in range(len(tokens) - n + 1))
