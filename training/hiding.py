"""Stories hidden in books: in which segment each fact stands, and what is around it.

Axes: B stories, S segments, N segments of any, T tokens.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from torch import Tensor
from torch.nn import functional

from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.rows import Words
from training.text import Encodes, Tells, Texts
from training.traced import Text
from training.traced import texts as read_texts

#: Most tokens of a fact; some are shorter.
_FACT = 10


@dataclass(frozen=True)
class Place:
    """Where a fact stands: in which segment, and its first and last token there."""

    segment: int
    first: int
    last: int


@dataclass
class Told:
    """A story in segments: the tokens of those that hold facts, by number; where each fact is."""

    segments: dict[int, list[int]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


def tell(
    words: Encodes,
    facts: Sequence[str],
    texts: Tells,
    segments: int,
    most: int,
    draw: random.Random,
) -> Told:
    """Facts in their order in S segments of at most `most` tokens, at random places among
    sentences of a book. Segments without a fact are left to the caller. Raises ValueError for
    facts that do not fit."""
    tokens = words.encode(facts)
    own = _shared_out([len(t) for t in tokens], segments, most, draw)
    story = Told()
    for s, numbers in enumerate(own):
        if not numbers:
            continue
        room = most - sum(len(tokens[i]) for i in numbers)
        filler = _sentences(texts, room, draw)
        between = sorted(draw.randint(0, len(filler)) for _ in numbers)
        row: list[int] = []
        for number, sentence in enumerate([*filler, []]):
            for i, place in zip(numbers, between, strict=True):
                if place == number:
                    story.places.append(Place(s, 1 + len(row), len(row) + len(tokens[i])))
                    row += tokens[i]
            row += sentence
        story.segments[s] = row
    return story


def fits(facts: Sequence[str], segments: int, most: int) -> bool:
    """Whether these facts surely fit into so many segments of at most `most` tokens."""
    return len(facts) <= most_facts(segments, most)


def most_facts(segments: int, most: int) -> int:
    """How many facts surely fit into so many segments of at most `most` tokens."""
    return segments * (most - _FACT) // _FACT


def _shared_out(
    lengths: Sequence[int], segments: int, most: int, draw: random.Random
) -> list[list[int]]:
    """Facts of these lengths, by number, put into S segments at random and in their order; those
    that do not fit go on to the next segment, and from the last one back."""
    own: list[list[int]] = [[] for _ in range(segments)]
    for i, s in enumerate(sorted(draw.randrange(segments) for _ in lengths)):
        own[s].append(i)
    for s in range(segments - 1):
        while sum(lengths[i] for i in own[s]) > most:
            own[s + 1].insert(0, own[s].pop())
    for s in range(segments - 1, 0, -1):
        while sum(lengths[i] for i in own[s]) > most:
            own[s - 1].append(own[s].pop(0))
    if sum(lengths[i] for i in own[0]) > most:
        raise ValueError(f"{sum(lengths)} tokens of facts do not fit into {segments} x {most}.")
    return own


def _sentences(texts: Tells, room: int, draw: random.Random) -> list[list[int]]:
    """Sentences of a book, as tokens, as many as `room` tokens have place for."""
    found: list[list[int]] = []
    for sentence in texts.sentences(draw):
        room -= len(sentence)
        if room < 0:
            return found
        found.append(sentence)
    return found


def hide(
    words: Words, facts: Sequence[str], texts: Texts, segments: int, most: int, draw: random.Random
) -> list[list[int]]:
    """The tokens of all S segments of a document that tells these facts (`tell`)."""
    story = tell(words, facts, texts, segments, most, draw)
    return [
        story.segments.get(s) or list(chain.from_iterable(_sentences(texts, most, draw)))
        for s in range(segments)
    ]


def filler(
    model: ArmtModel, words: Words, texts: Texts, number: int, most: int, draw: random.Random
) -> list[Text]:
    """Segments of books without a fact, of at most `most` tokens with the special ones, read once:
    text does not depend on what was read before it."""
    rows = [list(chain.from_iterable(_sentences(texts, most - 2, draw))) for _ in range(number)]
    return read_texts(model, *laid(model, words, rows, most))


#: So many stretches of books serve so many segments of a document, and then others.
POOL = 256


class Filler:
    """Segments of books without a fact, to hide stories among: for the first POOL segments of all
    documents the same POOL stretches of books, for the next ones others, so that a long document is
    one of much text. They are read once for all documents."""

    def __init__(self, model: ArmtModel, words: Words, texts: Texts, most: int) -> None:
        """most: tokens of a segment, with the special ones."""
        self._settings = model, words, texts, POOL, most
        self._number: int | None = None
        self._pool: list[Text] = []

    def at(self, segment: int) -> list[Text]:
        """What a segment without a fact may be, by its number in the document."""
        if (number := segment // POOL) != self._number:
            self._pool, self._number = filler(*self._settings, random.Random(number)), number
        return self._pool


def laid(
    model: ArmtModel, words: Words, rows: Sequence[Sequence[int]], most: int
) -> tuple[Tensor, Tensor]:
    """N segments of tokens as ids and mask, (N, T), with special tokens; T is `most` in tiles."""
    ids, mask = pad_rows([words.segment(row) for row in rows], words.pad)
    missing = (0, -(-most // 16) * 16 - ids.shape[1])
    ids, mask = functional.pad(ids, missing, value=words.pad), functional.pad(mask, missing)
    return ids.to(model.device), mask.to(model.device)


def together(
    model: ArmtModel,
    words: Words,
    told: Sequence[Told],
    segments: int,
    most: int,
    bare: Filler,
    draw: random.Random,
) -> Iterator[Text]:
    """S segments, each of B documents: those with facts are read, the others are some of `bare`."""
    own = [(b, s) for b, story in enumerate(told) for s in story.segments]
    rows = [told[b].segments[s] for b, s in own]
    found = dict(zip(own, read_texts(model, *laid(model, words, rows, most)), strict=True))
    for s in range(segments):
        pool = bare.at(s)
        yield Text.together([found.get((b, s)) or draw.choice(pool) for b in range(len(told))])
