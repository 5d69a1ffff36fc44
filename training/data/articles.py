"""Sets of questions as documents: paragraphs of one title, in order, and what is asked of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.sentences import sentence_spans
from training.data.files import Question


@dataclass(frozen=True)
class Passage:
    """Tokens of a stretch of a context, and where each begins and ends in it: [start, end)."""

    text: str
    tokens: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """The first and last token of text[start:end] of the context; None if not all here."""
        touched = [i for i, (a, b) in enumerate(self.offsets) if a < end and b > start]
        if not touched or self.offsets[0][0] > start or self.offsets[-1][1] < end:
            return None
        return touched[0], touched[-1]


@dataclass
class Article:
    """A document: its contexts in order, and the questions of each."""

    title: str
    contexts: list[str] = field(default_factory=list)
    questions: list[list[Question]] = field(default_factory=list)


def articles_of(questions: Iterable[Question]) -> list[Article]:
    """Contexts grouped by title; where there is no title, every context is a document."""
    found: dict[str, Article] = {}
    place: dict[tuple[str, str], int] = {}
    for question in questions:
        name = question.title or question.context
        article = found.setdefault(name, Article(question.title))
        at = place.setdefault((name, question.context), len(article.contexts))
        if at == len(article.contexts):
            article.contexts.append(question.context)
            article.questions.append([])
        article.questions[at].append(question)
    return list(found.values())


def passages_of(contexts: Sequence[str], tokenizer: Any, most: int) -> list[list[Passage]]:
    """Each context as passages: whole sentences, up to `most` tokens, as ingest makes them."""
    encoded = tokenizer(
        list(contexts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    return [
        _split(context, ids, offsets, most)
        for context, ids, offsets in zip(
            contexts, encoded["input_ids"], encoded["offset_mapping"], strict=True
        )
    ]


def _split(
    context: str, ids: list[int], offsets: list[tuple[int, int]], most: int
) -> list[Passage]:
    ends, at = [], 0  # the token after each sentence
    for _, end in sentence_spans(context):
        while at < len(ids) and offsets[at][0] < end:
            at += 1
        ends.append(at)
    pieces: list[tuple[int, int]] = []
    start = last = 0
    for end in [*ends, len(ids)]:
        while end - start > most:
            cut = last if last > start else start + most
            pieces.append((start, cut))
            start = cut
        last = end
    if start < len(ids):
        pieces.append((start, len(ids)))
    return [
        Passage(
            context[offsets[a][0] : offsets[b - 1][1]],
            tuple(ids[a:b]),
            tuple((x, y) for x, y in offsets[a:b]),
        )
        for a, b in pieces
    ]
