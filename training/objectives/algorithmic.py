"""Algorithmic problems told in segments: copy, reverse, and parity.

A document is so many segments of symbols. In "copy" the model then says all of them again, a
segment at a time; in "reverse" from the last to the first; in "parity" it says whether the second
of two symbols came an even or an odd number of times.

Axes: B documents, S segments, T symbols of a segment, R segments of the answer, U symbols of each.
"""

import random
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.systems import SystemModel
from training.objectives.base import Learned, Objective
from training.objectives.next_token import next_logits

Problem = Literal["copy", "reverse", "parity"]

#: The vocabulary: padding, what stands before a segment that is told and before one of the answer,
#: symbols.
PAD, TOLD, ANSWER, FIRST, SYMBOLS = 0, 1, 2, 3, 16
VOCABULARY = FIRST + SYMBOLS
#: T.
SEGMENT = 8


@dataclass(frozen=True)
class Drawn:
    """told: (B, S, 1 + T), TOLD and symbols. answers: (B, R, 1 + U), ANSWER and what is right."""

    told: Tensor
    answers: Tensor

    @property
    def right(self) -> Tensor:
        """The symbols of the answer, (B, R, U)."""
        return self.answers[:, :, 1:]


def draw_problems(draw: random.Random, problem: Problem, segments: int, documents: int) -> Drawn:
    """So many documents of so many segments."""
    kinds = 2 if problem == "parity" else SYMBOLS
    drawn = [draw.randrange(kinds) for _ in range(documents * segments * SEGMENT)]
    numbers = torch.tensor(drawn).view(documents, segments, SEGMENT)
    if problem == "copy":
        right = numbers
    elif problem == "reverse":
        right = numbers.flatten(1).flip(1).view_as(numbers)
    else:
        right = numbers.sum((1, 2)).view(documents, 1, 1) % 2
    return Drawn(_after(TOLD, FIRST + numbers), _after(ANSWER, FIRST + right))


def _after(mark: int, symbols: Tensor) -> Tensor:
    return functional.pad(symbols, (1, 0), value=mark)


def answer(model: SystemModel, drawn: Drawn, empty: bool = False) -> Tensor:
    """What the model says in the places of the answer: logits (B, R, U, vocabulary).

    Each symbol is said after the right ones before it, so all of them are the most likely ones
    exactly where greedy generation would be right. Segments of the answer are read and written as
    any other. empty: each of them begins with an emptied memory.
    """
    (B, S, _), R = drawn.told.shape, drawn.answers.shape[1]
    forget = torch.arange(S + R).expand(B, -1) >= S if empty else None
    said = next_logits(model, [*drawn.told.unbind(1), *drawn.answers.unbind(1)], forget)
    return torch.stack(said[S:], dim=1)[:, :, :-1]


class Algorithmic(Objective):
    """Documents of so many segments, and the cross-entropy of the answer."""

    name: ClassVar[str] = "algorithmic"

    def __init__(self, problem: Problem, segments: int, documents: int) -> None:
        """documents: in a batch."""
        self.problem, self.segments, self.documents = problem, segments, documents

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        drawn = draw_problems(draw, self.problem, self.segments, self.documents)
        logits = answer(model, drawn, empty)
        right = drawn.right.to(logits.device)
        loss = functional.cross_entropy(logits.flatten(0, 2), right.flatten())
        symbols = float((logits.detach().argmax(-1) == right).float().mean())
        return Learned(loss, {"symbols": symbols, "segments": float(self.segments)})
