"""Associative retrieval (arXiv 2407.04841): pairs of key and value, one a segment, then a key.

"remember": every key comes once. "rewrite": keys come again, few of them often or many of them now
and then, and the last value counts.

Axes: B documents, S segments (pairs), Q questions of each, T tokens of a pair, V of a value.
"""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.model import ArmtModel
from armt_core.reading import Reads, read_sequential
from armt_core.state_space import StateSpaceModel
from armt_core.systems import SystemModel
from training.listed import ask_listed, read_listed
from training.objectives.base import Learned, Objective

Task = Literal["remember", "rewrite"]

#: The vocabulary: padding, what stands between key and value of a pair and of a question, symbols.
PAD, IS, ASKED, FIRST, SYMBOLS = 0, 1, 2, 3, 16
VOCABULARY = FIRST + SYMBOLS
#: Symbols of a key and of a value.
KEY, VALUE = 3, 1
#: T.
PAIR = KEY + 1 + VALUE
#: Most pairs of "remember": there are no more keys.
MOST_PAIRS = SYMBOLS**KEY


@dataclass(frozen=True)
class Drawn:
    """pairs: (B, S, T), `key IS value`; questions: (B, Q, T), `key ASKED value`, of keys told."""

    pairs: Tensor
    questions: Tensor

    @property
    def values(self) -> Tensor:
        """The right answers, (B, Q, V)."""
        return self.questions[:, :, KEY + 1 :]

    @property
    def told_at(self) -> Tensor:
        """Which of the S pairs each question is about, the last with its key: (B, Q)."""
        of_key = self.pairs[:, None, :, :KEY] == self.questions[:, :, None, :KEY]  # (B, Q, S, KEY)
        last_first = of_key.all(-1).flip(-1).long()
        return self.pairs.shape[1] - 1 - last_first.argmax(-1)


def draw_documents(
    draw: random.Random,
    task: Task,
    pairs: int,
    documents: int,
    questions: int = 1,
    keys: int | None = None,
) -> Drawn:
    """So many documents of so many pairs, and questions about keys of each, as many as there are
    pairs at most. In "remember" they are about different keys. In "rewrite" 2 to half as many keys
    share the pairs, drawn for each document, and a key may be asked for again. Never is there one
    key alone: who learns that the last value is the answer whatever the key is, writes all keys
    alike, and does not learn to tell them apart any more. keys: of "rewrite", exactly so many."""
    told, asked = [], []
    for _ in range(documents):
        again = task == "rewrite" and pairs > 2
        different = keys or draw.randint(2, max(2, pairs // 2)) if again else pairs
        chosen = draw.sample(range(MOST_PAIRS), different)
        # Of keys that come again, each comes at least once, in any order.
        order = chosen + [draw.choice(chosen) for _ in range(pairs - different)]
        draw.shuffle(order)
        values = [draw.randrange(SYMBOLS**VALUE) for _ in order]
        last = dict(zip(order, values, strict=True))
        several = min(questions, pairs)
        about = draw.choices(chosen, k=several) if again else draw.sample(chosen, several)
        told.append([_row(k, IS, v) for k, v in zip(order, values, strict=True)])
        asked.append([_row(k, ASKED, last[k]) for k in about])
    return Drawn(torch.tensor(told), torch.tensor(asked))


def _row(key: int, mark: int, value: int) -> list[int]:
    return [*_symbols(key, KEY), mark, *_symbols(value, VALUE)]


def _symbols(number: int, length: int) -> list[int]:
    return [FIRST + number // SYMBOLS**place % SYMBOLS for place in range(length)]


def answer(model: SystemModel, drawn: Drawn, learning: bool = False) -> Tensor:
    """What the model says in the places of the values: logits (B, Q, V, vocabulary).

    Each symbol of a value is said after the right ones before it, so the most likely ones are all
    right exactly where greedy generation would be. learning: the way that is fast with gradients.
    """
    pairs, rows = drawn.pairs.to(model.device), drawn.questions.flatten(0, 1).to(model.device)
    B, Q, _ = drawn.questions.shape
    if learning and isinstance(model, ArmtModel):
        hidden = ask_listed(model, rows, read_listed(model, pairs))
    else:
        if learning and isinstance(model, StateSpaceModel):
            # Its state goes from token to token and knows no segments: in one row it learns the
            # same in two thirds of the time.
            pairs = pairs.flatten(1, 2).unsqueeze(1)
        system: Reads[Any] = model
        memory = read_sequential(system, pairs).memory
        hidden, _ = system.run(rows, memory=memory.take(torch.arange(B).repeat_interleave(Q)))
    return model.adapter.logits(hidden[:, KEY : KEY + VALUE]).unflatten(0, (B, Q))


def matches(logits: Tensor, drawn: Drawn) -> Tensor:
    """Where every symbol of the value is the most likely one: (B, Q) bool."""
    return (logits.argmax(-1) == drawn.values.to(logits.device)).all(-1)


def matches_without_keys(drawn: Drawn) -> Tensor:
    """Where the value is the one that was told most often, and where it is the one that was told
    last: (2, B, Q) bool. Both can be said without looking at any key."""
    values = drawn.pairs[:, :, KEY + 1 :]
    commonest = [Counter(map(tuple, told)).most_common(1)[0][0] for told in values.tolist()]
    ways = [torch.tensor(commonest).unsqueeze(1), values[:, -1:]]  # (B, 1, V) each
    return torch.stack([(drawn.values == said).all(-1) for said in ways])


class Associative(Objective):
    """Documents of so many pairs, and the cross-entropy of the values that are asked for."""

    name: ClassVar[str] = "associative"

    def __init__(self, task: Task, pairs: int, documents: int, questions: int) -> None:
        """documents: in a batch; questions: about each, at most. Several share one reading, which
        is most of the cost."""
        self.task, self.pairs = task, pairs
        self.documents, self.questions = documents, questions

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        drawn = draw_documents(draw, self.task, self.pairs, self.documents, self.questions)
        logits = answer(model, drawn, learning=True)
        values = drawn.values.to(logits.device)
        loss = functional.cross_entropy(logits.flatten(0, 2), values.flatten())
        exact = float(matches(logits.detach(), drawn).float().mean())
        return Learned(loss, {"exact": exact, "pairs": float(self.pairs)})
