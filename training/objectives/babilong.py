"""bAbI stories hidden in books, answered from memory alone (BABILong, arXiv 2406.10149).

Axes: B stories, S segments, T tokens, Q questions a story.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.apart import stretches
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.data.files import BabiQuestion
from training.objectives.addresses import address_loss
from training.objectives.base import Learned, Objective
from training.recipe import RecipeError
from training.rows import Answers, Words, ask
from training.text import Texts
from training.traced import Text, ask_traced, read_on, read_traced
from training.traced import texts as read_texts
from training.worlds import Asked, replay, simulate

#: Tokens of a fact, about.
_FACT = 8
#: Segments of books without a fact, read once and used again in many stories.
_FILLER = 256


@dataclass(frozen=True)
class Lengths:
    """batch: B. questions: Q. segments: S, drawn anew for each batch from this list.
    segment_tokens: most tokens of a segment, as many are drawn from. facts: fewest and most
    sentences of a simulated story. beside: share of batches whose stories stand before their
    questions in one row, without memory: what answering is, before it is from memory. filled:
    share of batches that ask all questions of a story in one row, with a [MASK] for each answer
    (all answers of bAbI qa1 to qa5 are words of one token). address, overlap: weights of the
    losses of what is looked up (`training.objectives.addresses`) and of keys that stray from all
    others (`training.traced`). depth: only the last so many segments are in the graph (truncated
    back-propagation); None: all."""

    tasks: tuple[int, ...] = (1,)
    batch: int = 16
    questions: int = 4
    segments: tuple[int, ...] = (1,)
    segment_tokens: tuple[int, ...] = (64,)
    facts: tuple[int, int] = (2, 4)
    simulated: float = 1.0
    beside: float = 0.0
    filled: float = 0.0
    address: float = 0.0
    overlap: float = 1.0
    depth: int | None = None


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


class Babilong(Objective):
    """stories: the real ones of each task that is not always simulated."""

    name = "babilong"

    def __init__(
        self,
        lengths: Lengths,
        words: Words,
        texts: Texts,
        stories: Mapping[int, Sequence[BabiQuestion]],
    ) -> None:
        self.lengths, self.words, self.texts, self.stories = lengths, words, texts, stories
        self._filler: dict[int, list[Text]] = {}

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        size = self.lengths
        S, most = draw.choice(size.segments), draw.choice(size.segment_tokens)
        beside, filled = draw.random() < size.beside, draw.random() < size.filled
        told, asked, before = [], [], []
        for _ in range(size.batch):
            facts, questions = self._story(draw, S * (most - 2))
            before.append(list(chain.from_iterable(self.words.encode(facts))) if beside else [])
            told.append(tell(self.words, facts, self.texts, S, most - 2, draw))
            asked.append(questions)
        answers = self._answers(before, asked, filled).to(model.device)
        if empty or beside:
            loss, right, _ = ask(model, answers, None)
            return Learned(loss, self._figures("beside" if beside else "empty", right, asked))
        if S > 1 and most not in self._filler:
            fixed = random.Random(f"filler {most}")
            bare = filler(model, self.words, self.texts, _FILLER, most, fixed)
            self._filler[most] = bare
        bare = self._filler.get(most, [])
        segments = list(together(model, self.words, told, S, most, bare, draw))
        outside = 0 if size.depth is None else max(0, S - size.depth)
        memory = None
        if outside:
            memory = read_on(model, segments[:outside])
        memory, trace = read_traced(model, segments[outside:], memory)
        hidden, queries, strays = ask_traced(model, answers, memory)
        loss, right = answers.loss(model, hidden)
        figures = self._figures("right", right, asked)
        loss = loss + size.overlap * (strays + trace.strays)
        if size.address:
            seen = _seen(told, [text.mask for text in segments[outside:]], outside, model)
            address, share = address_loss(queries, trace.keys, answers, asked, seen)
            loss, figures["address"] = loss + size.address * address, share
        return Learned(loss, figures)

    def _figures(
        self, kind: str, right: Tensor, asked: Sequence[Sequence[Asked]]
    ) -> dict[str, float]:
        """How many questions were right, all and of each task."""
        figures = {f"{kind}/all": float(right.float().mean())}
        tasks = [a.task for questions in asked for a in questions]
        for task in sorted(set(tasks)):
            of = torch.tensor([task == other for other in tasks], device=right.device)
            figures[f"{kind}/qa{task}"] = float(right[of].float().mean())
        return figures

    def _answers(self, before: list[list[int]], asked: list[list[Asked]], filled: bool) -> Answers:
        encode = self.words.encode
        said = [encode([a.answer for a in questions]) for questions in asked]
        put = [encode([a.question for a in questions]) for questions in asked]
        if filled:
            if any(len(answer) != 1 for to in said for answer in to):
                raise RecipeError("A [MASK] is filled with one token; an answer here has several.")
            rows = [
                [(question, answer[0]) for question, answer in zip(of, to, strict=True)]
                for of, to in zip(put, said, strict=True)
            ]
            return Answers.filled(self.words, before, rows)
        told = [start + q for start, of in zip(before, put, strict=True) for q in of]
        return Answers.of(self.words, told, [answer for to in said for answer in to])

    def _story(self, draw: random.Random, room: int) -> tuple[list[str], list[Asked]]:
        """Facts, and Q questions about them, of one task; they fill `room` tokens at most half."""
        size = self.lengths
        while True:  # a few short stories answer no question of their task
            task = draw.choice(size.tasks)
            if draw.random() < size.simulated:
                facts = simulate(task, draw.randint(*size.facts), draw)
            else:
                facts = list(draw.choice(self.stories[task]).facts)
            possible = [a for a in replay(facts).questions() if a.task == task]
            if possible and _FACT * len(facts) <= room / 2:
                break
        draw.shuffle(possible)
        # Memory is read by all questions of a story at once, so each has as many; again if few.
        return facts, [possible[i % len(possible)] for i in range(size.questions)]


def tell(
    words: Words, facts: Sequence[str], texts: Texts, segments: int, most: int, draw: random.Random
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


def _sentences(texts: Texts, room: int, draw: random.Random) -> list[list[int]]:
    """Sentences of a book, as tokens, as many as `room` tokens have place for."""
    found: list[list[int]] = []
    for sentence in texts.sentences(draw):
        room -= len(sentence)
        if room < 0:
            return found
        found.append(sentence)
    return found


def _seen(
    told: Sequence[Told], masks: Sequence[Tensor], outside: int, model: ArmtModel
) -> list[list[Tensor | None]]:
    """Of each fact of each story, which of the S x M memory tokens see all of it: (S, M) bool.

    masks: (B, T) of each of the S segments that count, `outside` segments come before them; None
    for a fact in one of those.
    """
    M = model.config.num_memory_tokens
    views = torch.stack([stretches(mask, M) & mask[:, None] for mask in masks])  # (S, B, M, T)
    found: list[list[Tensor | None]] = []
    for b, story in enumerate(told):
        found.append([])
        for place in story.places:
            s = place.segment - outside
            if s < 0:
                found[-1].append(None)
                continue
            # Its full stop need not be seen.
            count = views[s, b, :, place.first : place.last].sum(-1)
            which = torch.zeros(len(masks), M, dtype=torch.bool, device=count.device)
            which[s] = count == count.max()
            found[-1].append(which)
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
    bare: Sequence[Text],
    draw: random.Random,
) -> Iterator[Text]:
    """S segments, each of B documents: those with facts are read, the others are some of `bare`."""
    own = [(b, s) for b, story in enumerate(told) for s in story.segments]
    rows = [told[b].segments[s] for b, s in own]
    found = dict(zip(own, read_texts(model, *laid(model, words, rows, most)), strict=True))
    for s in range(segments):
        yield Text.together([found.get((b, s)) or draw.choice(bare) for b in range(len(told))])
