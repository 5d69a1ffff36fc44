"""Associative retrieval (arXiv 2407.04841): pairs of key and value, one a segment, then a key.

"remember": every key comes once. "rewrite": keys come again, and the last value counts.

Axes: B documents, S segments (pairs), T tokens of a pair, V tokens of a value.
"""

import random
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.reading import Reads, read_sequential
from armt_core.systems import SystemModel
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
    """pairs: (B, S, T), `key IS value`; questions: (B, T), `key ASKED value`, of a key told."""

    pairs: Tensor
    questions: Tensor

    @property
    def values(self) -> Tensor:
        """The right answers, (B, V)."""
        return self.questions[:, KEY + 1 :]


def draw_documents(draw: random.Random, task: Task, pairs: int, documents: int) -> Drawn:
    """So many documents of so many pairs; in "rewrite" half as many keys share the pairs."""
    rows, questions = [], []
    for _ in range(documents):
        keys = draw.sample(range(MOST_PAIRS), pairs if task == "remember" else (pairs + 1) // 2)
        # Of keys that come again, each comes at least once, in any order.
        order = keys + [draw.choice(keys) for _ in range(pairs - len(keys))]
        draw.shuffle(order)
        values = [draw.randrange(SYMBOLS**VALUE) for _ in order]
        last = dict(zip(order, values, strict=True))
        asked = draw.choice(keys)
        told = zip(order, values, strict=True)
        rows.append([[*_symbols(k, KEY), IS, *_symbols(v, VALUE)] for k, v in told])
        questions.append([*_symbols(asked, KEY), ASKED, *_symbols(last[asked], VALUE)])
    return Drawn(torch.tensor(rows), torch.tensor(questions))


def _symbols(number: int, length: int) -> list[int]:
    return [FIRST + number // SYMBOLS**place % SYMBOLS for place in range(length)]


def answer(model: SystemModel, drawn: Drawn) -> Tensor:
    """What the model says in the places of the values, after the pairs: logits (B, V, vocabulary).

    Each symbol of a value is said after the right ones before it, so the most likely ones are all
    right exactly where greedy generation would be.
    """
    system: Reads[Any] = model
    memory = read_sequential(system, drawn.pairs.to(model.device)).memory
    hidden, _ = system.run(drawn.questions.to(model.device), memory=memory)
    return model.adapter.logits(hidden[:, KEY : KEY + VALUE])


def matches(logits: Tensor, drawn: Drawn) -> Tensor:
    """Where every symbol of the value is the most likely one: (B,) bool."""
    return (logits.argmax(-1) == drawn.values.to(logits.device)).all(-1)


class Associative(Objective):
    """Documents of so many pairs, and the cross-entropy of the value that is asked for."""

    name: ClassVar[str] = "associative"

    def __init__(self, task: Task, pairs: int, documents: int) -> None:
        """documents: in a batch."""
        self.task, self.pairs, self.documents = task, pairs, documents

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        drawn = draw_documents(draw, self.task, self.pairs, self.documents)
        logits = answer(model, drawn)
        values = drawn.values.to(logits.device)
        loss = functional.cross_entropy(logits.flatten(0, 1), values.flatten())
        exact = float(matches(logits.detach(), drawn).float().mean())
        return Learned(loss, {"exact": exact, "pairs": float(self.pairs)})
