"""`python -m training series`: a system learns to say the next value of a time series."""

import random
from typing import Any

import torch
from torch import Tensor

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.objectives.next_token import next_logits
from training.objectives.series import (
    LEVELS,
    MOST_SEGMENTS,
    SEGMENT,
    Series,
    as_tokens,
    as_values,
    draw_series,
)
from training.small import SmallTask

#: Segments of the stages; a training of N segments goes through those below N, and then N.
CURRICULUM = (1, 2, 4, 8, 16)
#: How many times as many segments as trained a system is measured at.
BEYOND = 8
#: Series of a batch.
BATCH = 64


def series(segments: int, documents: int = 256) -> SmallTask:
    """Pieces of up to so many segments; measured on so many pieces of series with other beginnings.

    Raises UsageError for more segments than a series is integrated for.
    """
    if not 1 <= BEYOND * segments <= MOST_SEGMENTS:
        most = MOST_SEGMENTS // BEYOND
        raise UsageError(f"--segments must be from 1 to {most}, not {segments}.")

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        values = draw_series(draw, "measured", BEYOND * segments, documents)
        return {
            "documents": documents,
            "error_by_segment": errors(model, values, empty=False),
            "error_by_segment_emptied": errors(model, values, empty=True),
            "error_of_the_value_before": _relative(values[:, :-1], values).mean().item(),
            "error_of_rounding": _relative(as_values(as_tokens(values[:, 1:])), values)
            .mean()
            .item(),
        }

    return SmallTask(
        name="series",
        vocabulary=LEVELS,
        segment_tokens=SEGMENT,
        stages=[
            {"segments": n, "documents": BATCH}
            for n in [*(n for n in CURRICULUM if n < segments), segments]
        ],
        objective=Series,
        measure=measure,
        described={"segments": segments},
    )


def errors(model: SystemModel, values: Tensor, empty: bool) -> list[float]:
    """The error in each segment: the root of the mean square, as a share of the standard deviation.

    values: (B, S * T + 1). What counts as said is the mean of what the model thinks possible.
    empty: every segment with an emptied memory.
    """
    segments = as_tokens(values[:, :-1]).unflatten(1, (-1, SEGMENT))
    said = []
    levels = as_values(torch.arange(LEVELS)).to(model.device)
    for first in range(0, len(values), BATCH):
        part = segments[first : first + BATCH]
        forget = torch.ones(part.shape[:2]).bool() if empty else None
        logits = next_logits(model, part.unbind(1), forget)
        said.append(torch.stack([at.softmax(-1) @ levels for at in logits], dim=1).cpu())
    return _relative(torch.cat(said).flatten(1).double(), values).tolist()


def _relative(said: Tensor, values: Tensor) -> Tensor:
    """The errors by segment (S,) of what was `said` (B, S * T) of the values (B, S * T + 1) after
    the first."""
    right = values[:, 1:]
    square = (said - right).square().unflatten(1, (-1, SEGMENT)).mean((0, 2))
    return square.sqrt() / right.std()
