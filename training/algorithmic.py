"""`python -m training algorithmic`: a system learns to copy, to reverse, or parity."""

import random
from typing import Any

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.objectives.algorithmic import (
    SEGMENT,
    VOCABULARY,
    Algorithmic,
    Problem,
    answer,
    draw_problems,
)
from training.small import SmallTask

#: Segments of the stages; a training of N segments goes through those below N, and then N.
CURRICULUM = (1, 2, 3, 4, 6, 8, 12, 16)
#: How many times as many segments as trained a system is measured at.
BEYOND = (1, 2, 4, 8)
#: Documents of a batch.
BATCH = 64


def algorithmic(problem: Problem, segments: int, documents: int = 1000) -> SmallTask:
    """Documents of up to so many segments; measured on so many new ones at each length.

    Raises UsageError for no segments.
    """
    if segments < 1:
        raise UsageError(f"--segments must be at least 1, not {segments}.")

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        found: dict[str, Any] = {"documents": documents, "right": {}, "right_emptied": {}}
        for n in (segments * times for times in BEYOND):
            for name, empty in (("right", False), ("right_emptied", True)):
                found[name][str(n)] = shares_right(model, problem, n, documents, draw, empty)
        return found

    return SmallTask(
        name="algorithmic",
        vocabulary=VOCABULARY,
        segment_tokens=1 + SEGMENT,
        stages=[
            {"problem": problem, "segments": n, "documents": BATCH}
            for n in [*(n for n in CURRICULUM if n < segments), segments]
        ],
        objective=Algorithmic,
        measure=measure,
        described={"problem": problem, "segments": segments},
    )


def shares_right(
    model: SystemModel,
    problem: Problem,
    segments: int,
    documents: int,
    draw: random.Random,
    empty: bool,
) -> dict[str, float]:
    """Shares of symbols and of whole answers ("exact") that are right."""
    symbols = exact = 0.0
    for first in range(0, documents, BATCH):
        drawn = draw_problems(draw, problem, segments, min(BATCH, documents - first))
        right = answer(model, drawn, empty).argmax(-1).cpu() == drawn.right  # (B, R, U)
        symbols += float(right.float().mean((1, 2)).sum())
        exact += float(right.all(-1).all(-1).sum())
    return {"symbols": symbols / documents, "exact": exact / documents}
