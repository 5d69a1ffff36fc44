"""bAbI stories hidden in books, for small models of every system: a word is a token.

What `training/objectives/babilong.py` is for the model that ships, without its losses of what is
looked up, which an ARMT alone has.

Axes: B documents, S segments, T words of a segment, Q questions of each, U words of a question.
"""

import copy
import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.padding import pad_rows
from armt_core.reading import Reads, read_sequential
from armt_core.systems import SystemModel
from ingest.sentences import sentence_spans
from training.hiding import most_facts, tell
from training.objectives.base import Learned, Objective
from training.simulating import simulate
from training.worlds import MOVERS, replay

#: Padding, and every word that is not in the vocabulary.
PAD, UNKNOWN = 0, 1
#: T.
SEGMENT = 64
#: Frequent words of books in the vocabulary, and characters of each book that are told from.
_FREQUENT, _STRETCH = 1000, 10_000
#: Fewest and most facts of a story.
_FEWEST, MOST_FACTS = 2, 16
_TASKS = range(1, 6)
_WORD = re.compile(r"\w+|[^\w\s]")


class Tale:
    """Sentences of books and the words of stories, as numbers."""

    def __init__(self, books: Sequence[str]) -> None:
        stretches = [book[:_STRETCH] for book in books]
        counted = Counter(word for text in stretches for word in _words(text))
        known = [word for word, _ in counted.most_common(_FREQUENT)]
        told = (word for line in _lines_of_worlds() for word in _words(line))
        #: By word; the same books give the same numbers.
        self.numbers = {word: i for i, word in enumerate(dict.fromkeys([*told, *known]), 2)}
        self.vocabulary = len(self.numbers) + 2
        #: What tells these books from others.
        self.digest = hashlib.sha256("".join(stretches).encode()).hexdigest()[:16]
        self._sentences = self._told_by(stretches)

    def among(self, books: Sequence[str]) -> "Tale":
        """The same words, among sentences of other books."""
        other = copy.copy(self)
        other._sentences = other._told_by([book[:_STRETCH] for book in books])
        return other

    def _told_by(self, stretches: Sequence[str]) -> list[list[int]]:
        found = (self.encode([text[a:b] for a, b in sentence_spans(text)]) for text in stretches)
        return [sentence for sentences in found for sentence in sentences if sentence]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The words of each text."""
        return [[self.numbers.get(word, UNKNOWN) for word in _words(text)] for text in texts]

    def sentences(self, draw: random.Random) -> Iterator[list[int]]:
        """Sentences of the books from a random place on; after the last comes the first."""
        at = draw.randrange(len(self._sentences))
        while True:
            yield self._sentences[at]
            at = (at + 1) % len(self._sentences)

    def tell(
        self, facts: Sequence[str], segments: int, draw: random.Random, words: int = SEGMENT
    ) -> list[list[int]]:
        """The S full segments of a document that tells these facts, in their order. What a whole
        sentence does not fill is filled with the beginning of one. words: T."""
        story = tell(self, facts, self, segments, words, draw)
        rows = [story.segments.get(s, []) for s in range(segments)]
        for row in rows:
            sentences = self.sentences(draw)
            while len(row) < words:
                row += next(sentences)[: words - len(row)]
        return rows


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _lines_of_worlds() -> Iterator[str]:
    """Facts and questions with every word that stories have."""
    draw = random.Random("words")
    for _ in range(200):
        for task in _TASKS:
            facts = simulate(task, MOST_FACTS, draw)
            yield from facts
            yield from (f"{a.question} {a.answer}" for a in replay(facts).questions())


@dataclass(frozen=True)
class Told:
    """told: (B, S, T). questions and mask: (B * Q, U), padded on the right. answers: (B * Q,)."""

    told: Tensor
    questions: Tensor
    mask: Tensor
    answers: Tensor

    @staticmethod
    def of(
        tale: Tale,
        segments: Sequence[Sequence[Sequence[int]]],
        asked: Sequence[Sequence[tuple[str, str]]],
    ) -> "Told":
        """asked: Q questions and their answers of each of the B documents."""
        flat = [pair for pairs in asked for pair in pairs]
        questions, mask = pad_rows(tale.encode([question for question, _ in flat]), PAD)
        answers = [word for [word] in tale.encode([answer for _, answer in flat])]
        return Told(torch.tensor(segments), questions, mask, torch.tensor(answers))


def draw_stories(
    draw: random.Random,
    tale: Tale,
    tasks: Sequence[int],
    segments: int,
    documents: int,
    questions: int,
) -> Told:
    """So many documents of so many segments, each a simulated story of one of the tasks, and as
    many questions about each; where a story answers fewer they come again."""
    told: list[list[list[int]]] = []
    asked: list[list[tuple[str, str]]] = []
    most = min(MOST_FACTS, most_facts(segments, SEGMENT))
    while len(told) < documents:
        task = draw.choice(tasks)
        facts = simulate(task, draw.randint(min(_FEWEST, most), most), draw)
        possible = [(a.question, a.answer) for a in replay(facts).questions() if a.task == task]
        if possible:  # a few beginnings answer none
            draw.shuffle(possible)
            told.append(tale.tell(facts, segments, draw))
            asked.append([possible[i % len(possible)] for i in range(questions)])
    return Told.of(tale, told, asked)


def draw_moves(
    draw: random.Random, tale: Tale, segments: int, words: int, documents: int, questions: int
) -> Told:
    """The easiest stories: in each of so many segments (at most 4, for there are no more people) of
    so many words somebody else goes somewhere, as in qa1, and so many of them are asked for. Raises
    ValueError for more segments than people."""
    if segments > len(MOVERS):
        raise ValueError(f"{segments} segments need as many people, and there are {len(MOVERS)}.")
    told: list[list[list[int]]] = []
    asked: list[list[tuple[str, str]]] = []
    while len(told) < documents:
        facts = simulate(1, segments, draw)
        possible = [(a.question, a.answer) for a in replay(facts).questions()]
        if len(possible) == segments:  # nobody went twice
            draw.shuffle(possible)
            told.append([tale.tell([fact], 1, draw, words)[0] for fact in facts])
            asked.append([possible[i % segments] for i in range(questions)])
    return Told.of(tale, told, asked)


def answer(model: SystemModel, told: Told, empty: bool = False) -> Tensor:
    """What the model says after each question, from memory alone: logits (B * Q, vocabulary).

    empty: from an emptied memory.
    """
    B, asked = len(told.told), len(told.questions)
    if empty:
        memory = model.empty_memory(asked)
    else:
        system: Reads[Any] = model
        memory = read_sequential(system, told.told.to(model.device)).memory
        memory = memory.take(torch.arange(B).repeat_interleave(asked // B))
    mask = told.mask.to(model.device)
    hidden, _ = model.run(told.questions.to(model.device), mask, memory)
    last = (mask.sum(-1) - 1).view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
    return model.adapter.logits(hidden.gather(1, last))[:, 0]


class Stories(Objective):
    """Simulated stories of so many segments, and the cross-entropy of each answer.

    With `words`, `draw_moves` instead: to bind names to places was learned from short segments, and
    not, in as many steps, from long ones with several facts each (docs/decisions.md).
    """

    name: ClassVar[str] = "stories"

    def __init__(
        self,
        tale: Tale,
        tasks: Sequence[int],
        segments: int,
        documents: int,
        questions: int,
        words: int | None = None,
    ) -> None:
        """documents: in a batch; questions: about each, which share one reading."""
        self.tale, self.tasks, self.segments, self.words = tale, tasks, segments, words
        self.documents, self.questions = documents, questions

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        size = self.documents, self.questions
        if self.words:
            told = draw_moves(draw, self.tale, self.segments, self.words, *size)
        else:
            told = draw_stories(draw, self.tale, self.tasks, self.segments, *size)
        logits = answer(model, told, empty)
        answers = told.answers.to(logits.device)
        loss = functional.cross_entropy(logits, answers)
        right = float((logits.detach().argmax(-1) == answers).float().mean())
        return Learned(loss, {"right": right, "segments": float(self.segments)})
