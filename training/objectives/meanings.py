"""What questions and facts mean, learned before anything is answered.

The two wordings of a question about two places mean the same, and a fact answers questions about
either of its places. A query and a key that both do not know yet which side of a place is meant
cannot teach it to each other: learned together from the first step they stay at one of two for
hundreds of steps (docs/decisions.md). So questions learn from each other, with nothing read, and
then keys from the queries of those questions, which stand by then.

Axes: L layers, B stories, S segments, M memory tokens, K key features, N questions, G meanings,
P memory tokens that see a fact.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.model import ArmtModel
from training.data.files import BabiQuestion
from training.objectives.babilong import Babilong
from training.objectives.base import Learned, Objective
from training.objectives.lengths import Lengths
from training.objectives.rivals import Held, held_by, share
from training.objectives.seeing import who_sees
from training.objectives.tries import TRIES, nothing_asked
from training.rows import Words
from training.simulating import simulate
from training.text import Texts
from training.traced import ask_traced, read_traced
from training.worlds import Asked, meaning, replay


@dataclass(frozen=True)
class MeaningsSettings:
    """tasks, batch, questions, segment_tokens, stories, renewed, facts, simulated: as in
    `training.objectives.babilong.Lengths`; stories stand in one segment. keys: whether stories are
    read and their keys learn; without it only questions do, and nothing is read. overlap: weight of
    the loss of keys that stray from all others (`training.traced`)."""

    tasks: tuple[int, ...] = (1, 4, 5)
    batch: int = 40
    questions: int = 6
    segment_tokens: tuple[int, ...] = (64,)
    stories: int = 350
    renewed: int = 60
    facts: tuple[int, int] = (2, 8)
    simulated: float = 0.8
    keys: bool = False
    overlap: float = 0.3


class Meanings(Objective):
    """Questions against each other, and the keys of facts against the questions they answer."""

    name = "meanings"

    def __init__(
        self,
        settings: MeaningsSettings,
        words: Words,
        texts: Texts,
        stories: Mapping[int, Sequence[BabiQuestion]],
    ) -> None:
        """stories: the real ones of each task, of which `1 - simulated` of those read are."""
        self.settings = settings
        lengths = Lengths(
            tasks=settings.tasks,
            batch=settings.batch,
            questions=settings.questions,
            segment_tokens=settings.segment_tokens,
            stories=settings.stories,
            renewed=settings.renewed,
            facts=settings.facts,
            simulated=settings.simulated,
        )
        self._stories = Babilong(lengths, words, texts, stories)

    def at(self, step: int) -> None:
        self._stories.at(step)

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        """empty: the keys are left out; nothing else reads a memory."""
        asked = [self._questions(draw) for _ in range(self.settings.batch)]
        answers = self._stories.answers([[] for _ in asked], asked, True).to(model.device)
        _, queries, _ = ask_traced(model, answers, model.empty_memory(self.settings.batch))
        first = answers.first()
        queries = queries[:, answers.row[first], answers.place[first]]  # (L, N, K)
        meanings = [meaning(a.question) for questions in asked for a in questions]
        loss, right = question_loss(queries, meanings, answers.row[first])
        figures = {"questions": right}
        if self.settings.keys and not empty:
            of_keys, right = self._keys(model, queries.detach(), meanings, draw)
            loss, figures["keys"] = loss + of_keys, right
        return Learned(loss, figures)

    def _questions(self, draw: random.Random) -> list[Asked]:
        """Questions about one made story."""
        for _ in range(TRIES):  # a few stories answer no question of their task
            task = draw.choice(self.settings.tasks)
            facts = simulate(task, draw.randint(*self.settings.facts), draw)
            possible = [a for a in replay(facts).questions() if a.task == task]
            if possible:
                draw.shuffle(possible)
                return [possible[i % len(possible)] for i in range(self.settings.questions)]
        raise nothing_asked(self.settings.tasks, [""])

    def _keys(
        self, model: ArmtModel, queries: Tensor, meanings: Sequence[str], draw: random.Random
    ) -> tuple[Tensor, float]:
        """`key_loss` of stories that are read, and of keys that stray; queries: (L, N, K)."""
        most = draw.choice(self.settings.segment_tokens)
        stories, _ = self._stories.drawn(model, 1, most, draw)
        segments = self._stories.segments(model, stories, 1, most, draw)
        _, trace = read_traced(model, segments, fixed=True)
        places, told = [story.places for story in stories], [text.told for text in segments]
        seen = who_sees(places, told, 0, model)
        held = held_by(seen, [story.facts for story in stories])
        loss, right = key_loss(trace.keys, held, queries, meanings)
        return loss + self.settings.overlap * trace.strays, right


def question_loss(queries: Tensor, meanings: Sequence[str], rows: Tensor) -> tuple[Tensor, float]:
    """Whether a query is nearer to those of other rows that mean the same than to those that mean
    something else: the contrastive loss of cosines, and how often the nearest one is of them.

    queries: (L, N, K), the first third of the layers is left to itself. rows: (N,), the row that
    each question stands in, in which it may come twice.
    """
    same = torch.tensor([[a == b for b in meanings] for a in meanings], device=queries.device)
    hit = same & (rows[:, None] != rows)
    losses, right = [], []
    with torch.autocast(queries.device.type, enabled=False):
        for layer in range(len(queries) // 3, len(queries)):
            query = functional.normalize(queries[layer].float(), dim=-1)
            cosines = query @ query.T
            losses.append(share(cosines, hit, ~same))
            right.append(_nearest(cosines.detach(), hit, ~same))
    return torch.stack(losses).mean(), sum(right) / len(right)


def key_loss(
    keys: Tensor, held: Held, queries: Tensor, meanings: Sequence[str]
) -> tuple[Tensor, float]:
    """Whether the key of a fact is nearer to each question that it answers than to all that it does
    not answer: the contrastive loss of cosines with the mean query of each meaning, and how
    often that is so.

    keys: (L, B, S, M, K). held: as of `held_by`. queries: (L, N, K), of questions with these
    meanings. The first third of the layers is left to itself.
    """
    names = sorted(set(meanings))
    place = {name: g for g, name in enumerate(names)}
    pairs = [(p, place[m]) for p, of in enumerate(held.values()) for m in of if m in place]
    if not pairs:
        return keys.sum() * 0, 0.0
    device = keys.device
    # A row for each fact and each of its meanings.
    token, own = torch.tensor(pairs, device=device).T
    rival = torch.tensor([[n not in of for n in names] for of in held.values()], device=device)
    hit = functional.one_hot(own, len(names)).bool()
    group = torch.tensor([place[m] for m in meanings], device=device)  # (N,)
    b, s, m = torch.tensor(list(held), device=device).T
    losses, right = [], []
    with torch.autocast(device.type, enabled=False):
        for layer in range(len(keys) // 3, len(keys)):
            query = functional.normalize(queries[layer].float(), dim=-1)
            total = query.new_zeros(len(names), query.shape[-1]).index_add_(0, group, query)
            mean = functional.normalize(total, dim=-1)  # (G, K)
            key = functional.normalize(keys[layer, b, s, m].float(), dim=-1)  # (P, K)
            cosines = (key @ mean.T)[token]
            losses.append(share(cosines, hit, rival[token]))
            right.append(_nearest(cosines.detach(), hit, rival[token]))
    return torch.stack(losses).mean(), sum(right) / len(right)


def _nearest(cosines: Tensor, hit: Tensor, rival: Tensor) -> float:
    """Of the rows with a hit, the share whose nearest hit is nearer than any rival."""
    counts = hit.any(-1)
    best = cosines.masked_fill(~hit, -2).amax(-1) > cosines.masked_fill(~rival, -2).amax(-1)
    return float(best[counts].float().mean()) if bool(counts.any()) else 0.0
