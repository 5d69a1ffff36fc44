"""`python -m training associative`: a system learns associative retrieval (arXiv 2407.04841)."""

import random
from collections.abc import Sequence
from typing import Any

import torch

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.objectives.associative import (
    MOST_PAIRS,
    PAIR,
    VOCABULARY,
    Associative,
    Task,
    answer,
    draw_documents,
    matches,
)
from training.small import SmallTask

#: Pairs of the stages; a training of N pairs goes through those below N, and then N.
CURRICULUM = (1, 2, 3, 5, 10, 20, 40, 50)
#: Pairs at which a trained system is measured.
MEASURED = (10, 50, 100, 200, 500)
#: Documents of a batch, and most questions about each.
BATCH, QUESTIONS = 32, 8


def associative(
    task: Task, pairs: int, measured: Sequence[int] = MEASURED, documents: int = 1000
) -> SmallTask:
    """Documents of up to so many pairs; measured at `pairs` and at each number of `measured`, on so
    many new ones each, with one question.

    Raises UsageError for more pairs than there are keys, or none.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"--pairs must be from 1 to {MOST_PAIRS} (the keys), not {pairs}.")

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        shares = {
            str(n): exact_match(model, task, n, documents, draw) for n in sorted({pairs, *measured})
        }
        return {"documents": documents, "exact_match": shares}

    return SmallTask(
        name="associative",
        vocabulary=VOCABULARY,
        segment_tokens=PAIR,
        stages=[
            {"task": task, "pairs": n, "documents": BATCH, "questions": QUESTIONS}
            for n in [*(n for n in CURRICULUM if n < pairs), pairs]
        ],
        objective=Associative,
        measure=measure,
        described={"told": task, "pairs": pairs},
    )


@torch.no_grad()
def exact_match(
    model: SystemModel, task: Task, pairs: int, documents: int, draw: random.Random
) -> float:
    """Share of so many documents of so many pairs after which the whole value is right."""
    right = 0
    for first in range(0, documents, BATCH):
        drawn = draw_documents(draw, task, pairs, min(BATCH, documents - first))
        right += int(matches(answer(model, drawn), drawn).sum())
    return right / documents
