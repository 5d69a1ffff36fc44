"""A time series in segments: the next value of Mackey-Glass (`training.mackey_glass`).

Values are told 3 units of time apart, as one of 256 tokens each. What comes next depends on the
value 17 units before, so at the begin of a segment of 8 values (24 units) on the segment before it.

Axes: B series, S segments, T values of a segment.
"""

import random
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from armt_core.systems import SystemModel
from training.mackey_glass import mackey_glass
from training.objectives.base import Learned, Objective
from training.objectives.next_token import next_losses

Which = Literal["train", "measured"]

#: Tokens: equal parts of the values from LOWEST to HIGHEST.
LEVELS, LOWEST, HIGHEST = 256, 0.2, 1.5
#: T, and the units of time between two values.
SEGMENT, EVERY = 8, 3.0
#: What is integrated once: so many series of so many values, of other beginnings for each use.
_SERIES, _VALUES = 64, 1000


@cache
def _integrated(which: Which) -> Tensor:
    """(series, values) float64."""
    seed = ("train", "measured").index(which)
    history = np.random.default_rng(seed).uniform(0.5, 1.5, _SERIES)
    return torch.from_numpy(mackey_glass(history, _VALUES, EVERY))


def draw_series(draw: random.Random, which: Which, segments: int, documents: int) -> Tensor:
    """(B, S * T + 1) float64: pieces of so many segments, and the value after them."""
    whole, length = _integrated(which), segments * SEGMENT + 1
    pieces = []
    for _ in range(documents):
        begin = draw.randrange(whole.shape[1] - length + 1)
        pieces.append(whole[draw.randrange(len(whole)), begin : begin + length])
    return torch.stack(pieces)


#: Most segments of a piece.
MOST_SEGMENTS = (_VALUES - 1) // SEGMENT


def as_tokens(values: Tensor) -> Tensor:
    """The token of each value."""
    share = (values - LOWEST) / (HIGHEST - LOWEST)
    return (share * LEVELS).long().clamp(0, LEVELS - 1)


def as_values(tokens: Tensor) -> Tensor:
    """The value in the middle of what a token stands for."""
    return LOWEST + (HIGHEST - LOWEST) * (tokens + 0.5) / LEVELS


class Series(Objective):
    """Pieces of so many segments, and the cross-entropy of each next value."""

    name: ClassVar[str] = "series"

    def __init__(self, segments: int, documents: int) -> None:
        """documents: in a batch."""
        self.segments, self.documents = segments, documents

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        tokens = as_tokens(draw_series(draw, "train", self.segments, self.documents))
        forget = torch.ones(self.documents, self.segments).bool() if empty else None
        losses = next_losses(model, tokens, SEGMENT, forget)  # (B, S, T)
        last = float(losses[:, -1].detach().mean())
        return Learned(losses.mean(), {"last_segment": last, "segments": float(self.segments)})
