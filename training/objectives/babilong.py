"""bAbI stories hidden in books, answered from memory alone (BABILong, arXiv 2406.10149).

Axes: B stories, S segments, T tokens, Q questions a story.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from armt_core.model import ArmtModel
from training.data.files import BabiQuestion
from training.decoys import decoy, strange_question
from training.hiding import Place, Told, filler, laid, tell
from training.objectives.addresses import address_loss
from training.objectives.base import Learned, Objective
from training.objectives.carried import carried_loss
from training.objectives.lengths import Lengths
from training.objectives.rivals import rival_loss
from training.objectives.seeing import who_sees
from training.objectives.tries import TRIES, nothing_asked
from training.objectives.written import written_loss
from training.recipe import RecipeError
from training.rows import Answers, Words, ask
from training.simulating import simulate
from training.text import Texts
from training.traced import Text, ask_traced, read_on, read_traced
from training.traced import texts as read_texts
from training.wordings import reworded
from training.worlds import Asked, replay, shuffled

#: Segments of books without a fact that the stories of a round are hidden among.
_FILLER = 64
#: A story is told over at most so many segments. Tokens of a fact.
_SPREAD, _FACT = 8, 8


@dataclass(frozen=True)
class Story:
    """Facts, where each is, and the segments that hold some, as they were read, by number."""

    facts: list[str]
    places: list[Place]
    texts: dict[int, Text]


class Babilong(Objective):
    """stories: the real ones of each task that is not always simulated. strange: questions that no
    story answers."""

    name = "babilong"

    def __init__(
        self,
        lengths: Lengths,
        words: Words,
        texts: Texts,
        stories: Mapping[int, Sequence[BabiQuestion]],
        strange: Sequence[str] = (),
    ) -> None:
        self.lengths, self.words, self.texts, self.stories = lengths, words, texts, stories
        if lengths.strange and not strange:
            raise RecipeError('"strange" needs questions that no story answers; there are none.')
        self.strange = strange
        self._decoys = Texts(texts.texts, words, decoy)
        self._told: dict[int, dict[int, list[Story]]] = {}  # by `segment_tokens` and task
        self._bare: dict[int, list[Text]] = {}  # by `segment_tokens`
        self._round = 0

    def at(self, step: int) -> None:
        """Forgets the stories of another round, and what they are hidden among: those of one are
        the same for all its steps."""
        now = step // self.lengths.renewed
        if now != self._round:
            self._round = now
            self._told.clear()
            self._bare.clear()

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        size = self.lengths
        S, most = draw.choice(size.segments), draw.choice(size.segment_tokens)
        beside, filled = draw.random() < size.beside, draw.random() < size.filled
        stories, asked = self.drawn(model, S, most, draw)
        before = [
            list(chain.from_iterable(self.words.encode(story.facts))) if beside else []
            for story in stories
        ]
        answers = self.answers(before, asked, filled).to(model.device)
        if empty or beside:
            loss, right, _ = ask(model, answers, None)
            return Learned(loss, self._figures("beside" if beside else "empty", right, asked))
        segments = self.segments(model, stories, S, most, draw)
        outside = 0 if size.depth is None else max(0, S - size.depth)
        memory = read_on(model, segments[:outside]) if outside else None
        memory, trace = read_traced(model, segments[outside:], memory, size.fixed)
        hidden, queries, strays = ask_traced(model, answers, memory, size.fixed)
        loss, right = answers.loss(model, hidden)
        figures = self._figures("right", right, asked)
        loss = loss + size.overlap * (strays + trace.strays)
        told = [text.told for text in segments[outside:]]
        sentences, places = [s.facts for s in stories], [s.places for s in stories]
        seen = who_sees(places, told, outside, model)
        if size.quiet:
            written = written_loss(trace, seen)
            loss = loss + size.quiet * torch.stack(list(written.values())).sum()
            figures |= {name: float(part.detach()) for name, part in written.items()}
        if size.address:
            address, share = address_loss(queries, trace, answers, asked, seen)
            loss, figures["address"] = loss + size.address * address, share
        if size.rivals:
            mistaken = rival_loss(queries, trace.keys, answers, asked, seen, sentences)
            loss, figures["rivals"] = loss + size.rivals * mistaken, float(mistaken.detach())
            in_order = model.config.reads_in_order
            carried = carried_loss(trace, seen, sentences, in_order, size.before > 0)
            loss, figures["carried"] = loss + size.rivals * carried, float(carried.detach())
        return Learned(loss, figures)

    def drawn(
        self, model: ArmtModel, S: int, most: int, draw: random.Random
    ) -> tuple[list[Story], list[list[Asked]]]:
        """The beginnings of B stories, read in segments of at most `most` tokens, laid over some
        of S segments, and Q questions about each."""
        if most not in self._told:
            self._told[most] = self._read_once(model, most)
        drawn = [self._draw(self._told[most], S, draw) for _ in range(self.lengths.batch)]
        return [story for story, _ in drawn], [asked for _, asked in drawn]

    def segments(
        self, model: ArmtModel, stories: Sequence[Story], S: int, most: int, draw: random.Random
    ) -> list[Text]:
        """The S segments of these stories, each of all of them, with filler between."""
        if most not in self._bare:
            of_filler = random.Random(f"filler {most} {self._round}")
            decoys = round(self.lengths.decoys * _FILLER)
            parts = (self.texts, _FILLER - decoys), (self._decoys, decoys)
            read = [filler(model, self.words, *part, most, of_filler) for part in parts if part[1]]
            self._bare[most] = list(chain.from_iterable(read))
        bare = self._bare[most]
        return [
            Text.together([story.texts.get(s) or draw.choice(bare) for story in stories])
            for s in range(S)
        ]

    def _read_once(self, model: ArmtModel, most: int) -> dict[int, list[Story]]:
        """Stories of each task, over segments of at most `most` tokens."""
        size, draw = self.lengths, random.Random(f"stories {most} {self._round}")
        made: dict[int, list[tuple[list[str], Told]]] = {}
        for task in sorted(set(size.tasks)):
            made[task] = []
            while len(made[task]) < size.stories * size.tasks.count(task):
                if draw.random() < size.simulated:
                    facts = simulate(task, draw.randint(*size.facts), draw, size.moved_on)
                else:
                    facts = list(draw.choice(self.stories[task]).facts)
                fewest = math.ceil(_FACT * len(facts) / (size.full * most))
                if fewest <= _SPREAD:
                    over = draw.randint(fewest, max(fewest, min(_SPREAD, len(facts))))
                    decoys = size.decoys and draw.random() < size.decoys
                    among = self._decoys if decoys else self.texts
                    story = tell(self.words, facts, among, over, most - 2, draw)
                    for s in sorted(story.segments)[max(size.segments) :]:
                        del story.segments[s]  # there is never room for it
                    made[task].append((facts, story))
        rows = [
            row for told in made.values() for _, story in told for row in story.segments.values()
        ]
        read = iter(read_texts(model, *laid(model, self.words, rows, most)))
        return {
            task: [
                Story(facts, story.places, {s: next(read) for s in story.segments})
                for facts, story in told
            ]
            for task, told in made.items()
        }

    def _draw(
        self, told: Mapping[int, Sequence[Story]], S: int, draw: random.Random
    ) -> tuple[Story, list[Asked]]:
        """The beginning of a story, in some of S segments, and Q questions about it."""
        before = self.lengths.before
        for _ in range(TRIES):  # a few beginnings answer no question of their task
            task = draw.choice(self.lengths.tasks)
            story = draw.choice(told[task])
            own = sorted(story.texts)[: draw.randint(1, S)]
            facts = [
                fact
                for fact, place in zip(story.facts, story.places, strict=True)
                if place.segment <= own[-1]
            ]
            world = replay(facts)
            people = world.earlier() if before else []
            possible = self._of(task, facts)
            if before and task == 3 and (not possible or draw.random() < before):
                possible = people
            if possible:
                break
        else:
            raise nothing_asked(self.lengths.tasks, self.lengths.kinds)
        at = dict(zip(own, sorted(draw.sample(range(S), len(own))), strict=True))
        places = [Place(at[p.segment], p.first, p.last) for p in story.places[: len(facts)]]
        moved = Story(facts, places, {at[s]: story.texts[s] for s in own})
        if self.lengths.mixed and draw.random() < self.lengths.mixed:
            # Without `before` qa3 is a guess, and only its own stories are asked it.
            possible = [a for a in self._known(facts) if before or a.task in (task, 1, 2, 4, 5)]
            possible += people
        possible = shuffled(possible, facts, draw)
        # Memory is read by all questions of a story at once, so each has as many; again if few.
        asked = [possible[i % len(possible)] for i in range(self.lengths.questions)]
        known = {a.question for a in (*world.questions(), *world.earlier())}
        for i in range(len(asked)):
            if draw.random() < self.lengths.absent:
                others = self._of(task, draw.choice(told[task]).facts)
                unknown = [a for a in others if a.question not in known]
                if unknown:
                    asked[i] = Asked(task, draw.choice(unknown).question, "")
            if draw.random() < self.lengths.reworded:
                asked[i] = replace(asked[i], wording=reworded(asked[i].question, draw))
            if draw.random() < self.lengths.strange:
                asked[i] = Asked(task, strange_question(self.strange, draw), "")
        return moved, asked

    def _of(self, task: int, facts: list[str]) -> list[Asked]:
        """The questions of a task that these facts answer, of the `kinds` that are asked."""
        known = self._known(facts)
        return [a for a in known if a.task == task and a.question.startswith(self.lengths.kinds)]

    def _known(self, facts: list[str]) -> list[Asked]:
        """The questions of bAbI that these facts answer; with `before`, of qa3 those alone whose
        facts are known."""
        known = replay(facts).questions()
        return [a for a in known if a.task != 3 or a.slots] if self.lengths.before else known

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

    def answers(self, before: list[list[int]], asked: list[list[Asked]], filled: bool) -> Answers:
        """Rows of questions with room for their answers, after what is `before` them."""
        encode = self.words.encode
        said = [encode([a.answer for a in questions]) for questions in asked]
        put = [encode([a.put for a in questions]) for questions in asked]
        if filled:
            if any(len(answer) > 1 for to in said for answer in to):
                raise RecipeError("A [MASK] is filled with one token; an answer here has several.")
            stop = [self.words.sep]  # what is said where there is nothing to say
            rows = [
                [(question, (answer or stop)[0]) for question, answer in zip(of, to, strict=True)]
                for of, to in zip(put, said, strict=True)
            ]
            return Answers.filled(self.words, before, rows)
        told = [start + q for start, of in zip(before, put, strict=True) for q in of]
        return Answers.of(self.words, told, [answer for to in said for answer in to])
