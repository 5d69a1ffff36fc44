"""bAbI stories hidden in books, answered from memory alone (BABILong, arXiv 2406.10149).

Axes: B stories, S segments, T tokens, Q questions a story.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from armt_core.model import ArmtModel
from armt_core.padding import pad_segments
from training.data.files import BabiQuestion
from training.depth import read_to_learn
from training.objectives.base import Learned, Objective
from training.recipe import RecipeError
from training.rows import Answers, Words, ask, pack
from training.text import Texts
from training.worlds import Asked, replay, simulate


@dataclass(frozen=True)
class Lengths:
    """batch: B. questions: Q. segments: S, drawn anew for each batch from this list.
    segment_tokens: most tokens of a segment, as many are drawn from. facts: fewest and most
    sentences of a simulated story. beside: share of batches whose stories stand before their
    questions in one row, without memory: what answering is, before it is from memory. filled:
    share of batches that ask all questions of a story in one row, with a [MASK] for each answer
    (all answers of bAbI qa1 to qa5 are words of one token). depth, recompute: as in
    `read_to_learn`."""

    tasks: tuple[int, ...] = (1,)
    batch: int = 32
    questions: int = 4
    segments: tuple[int, ...] = (1,)
    segment_tokens: tuple[int, ...] = (64,)
    facts: tuple[int, int] = (2, 4)
    simulated: float = 1.0
    beside: float = 0.0
    filled: float = 0.0
    depth: int | None = None
    recompute: bool = False


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

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        size = self.lengths
        segments, most = draw.choice(size.segments), draw.choice(size.segment_tokens)
        beside, filled = draw.random() < size.beside, draw.random() < size.filled
        documents, asked, before = [], [], []
        for _ in range(size.batch):
            facts, questions = self._story(draw)
            told = self.words.encode(facts) if beside else []
            before.append(list(chain.from_iterable(told)))
            document = hide(self.words, facts, self.texts, segments, most - 2, draw)
            documents.append([self.words.segment(part) for part in document])
            asked.append(questions)
        device = model.device
        answers = self._answers(before, asked, filled).to(device)
        memory = None
        if not empty and not beside:
            ids, mask = (t.to(device) for t in pad_segments(documents, self.words.pad))
            _, memory = read_to_learn(model, ids, mask, size.depth, size.recompute)
        loss, right, _ = ask(model, answers, memory)
        kind = "beside" if beside else "empty" if empty else "right"
        figures = {f"{kind}/all": float(right.float().mean())}
        tasks = [a.task for questions in asked for a in questions]
        for task in sorted(set(tasks)):
            of = torch.tensor([task == other for other in tasks], device=device)
            figures[f"{kind}/qa{task}"] = float(right[of].float().mean())
        return Learned(loss, figures)

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

    def _story(self, draw: random.Random) -> tuple[list[str], list[Asked]]:
        """Facts, and Q questions about them, of one task."""
        size = self.lengths
        while True:  # a few short stories answer no question of their task
            task = draw.choice(size.tasks)
            if draw.random() < size.simulated:
                facts = simulate(task, draw.randint(*size.facts), draw)
            else:
                facts = list(draw.choice(self.stories[task]).facts)
            possible = [a for a in replay(facts).questions() if a.task == task]
            if possible:
                break
        draw.shuffle(possible)
        # Memory is read by all questions of a story at once, so each has as many; again if few.
        return facts, [possible[i % len(possible)] for i in range(size.questions)]


def hide(
    words: Words,
    facts: Sequence[str],
    texts: Texts,
    segments: int,
    most: int,
    draw: random.Random,
) -> list[list[int]]:
    """Facts in their order, at random places among sentences of a book: about `segments`
    segments of at most `most` tokens. One segment holds the facts and nothing else."""
    told = words.encode(facts)
    room = (segments * most - sum(map(len, told))) if segments > 1 else 0
    filler: list[list[int]] = []
    for sentence in texts.sentences(draw):
        room -= len(sentence)
        if room < 0:
            break
        filler.append(sentence)
    places = sorted(draw.randint(0, len(filler)) for _ in told)
    mixed, at = [], 0
    for place, fact in zip(places, told, strict=True):
        mixed += [*filler[at:place], fact]
        at = place
    return pack(mixed + filler[at:], most)
