"""`python -m training associative`: a system learns associative retrieval (arXiv 2407.04841)."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.objectives.associative import (
    MOST_PAIRS,
    PAIR,
    VOCABULARY,
    Associative,
    Drawn,
    Task,
    answer,
    draw_documents,
    matches,
    matches_without_keys,
)
from training.small import SmallTask

#: Pairs of the stages; a training of N pairs goes through those below N, and then N. Each has steps
#: in proportion to the root of its pairs: one and two are soon known, and hold up what comes next.
CURRICULUM = (1, 2, 3, 5, 10, 20, 50)
#: Pairs at which a trained system is measured.
MEASURED = (5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500)
#: How many times as many questions are asked up to the trained length, where shares are near to one
#: and those of a document go wrong together.
SURER = 4
#: Pairs of "rewrite", and how few keys share them, that a trained system is measured at besides:
#: there values are replaced most often.
FEW_KEYS = ((20, 2), (50, 5), (200, 10))
#: Most and fewest documents of a batch. Longer ones are fewer, so that about as many pairs are read
#: in a step, and more is asked about each.
BATCH, FEWEST, READ = 32, 8, 800
#: Most questions of a batch.
ASKED = 256


def associative(
    task: Task,
    pairs: int,
    measured: Sequence[int] = MEASURED,
    questions: int = 1000,
    few_keys: Sequence[tuple[int, int]] = FEW_KEYS,
) -> SmallTask:
    """Documents of up to so many pairs; measured at `pairs` and at each number of `measured`, by at
    least so many questions about new ones (`SURER` times as many up to `pairs`).

    Raises UsageError for more pairs than there are keys, or none.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"--pairs must be from 1 to {MOST_PAIRS} (the keys), not {pairs}.")

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        lengths = sorted({pairs, *measured})
        asked = {str(n): questions * (SURER if n <= pairs else 1) for n in lengths}
        shares = {n: exact_match(model, task, int(n), many, draw) for n, many in asked.items()}
        found: dict[str, Any] = {"questions": asked, "exact_match": shares}
        if task == "rewrite":
            found["exact_match_of_few_keys"] = {
                f"{n} of {keys}": exact_match(model, task, n, questions, draw, keys)
                for n, keys in few_keys
            }
        return found

    pairs_of_stages = [*(n for n in CURRICULUM if n < pairs), pairs]
    return SmallTask(
        name="associative",
        vocabulary=VOCABULARY,
        segment_tokens=PAIR,
        stages=[{"task": task, "pairs": n, **_batch(n)} for n in pairs_of_stages],
        shares=[n**0.5 for n in pairs_of_stages],
        objective=Associative,
        measure=measure,
        described={"told": task, "pairs": pairs},
        writes=1,  # a pair is one thing to write: eight keys beside each other are blunt
    )


def _batch(pairs: int) -> dict[str, int]:
    """Documents of a batch, and most questions about each, where documents have so many pairs."""
    documents = min(BATCH, max(FEWEST, READ // pairs))
    return {"documents": documents, "questions": ASKED // documents}


@torch.no_grad()
def exact_match(
    model: SystemModel,
    task: Task,
    pairs: int,
    questions: int,
    draw: random.Random,
    keys: int | None = None,
) -> float:
    """Share of at least so many questions about documents of so many pairs (of so many keys) whose
    whole value is right; several are asked about each, for reading is most of the cost."""

    def right(drawn: Drawn) -> Tensor:
        return matches(answer(model, drawn), drawn)

    return float(_shares(right, task, pairs, questions, draw, keys))


def exact_match_without_keys(
    task: Task, pairs: int, questions: int, draw: random.Random, keys: int | None = None
) -> float:
    """The same for who looks at no key and always says the value told most often, or always the one
    told last, whichever is right more often."""
    return float(_shares(matches_without_keys, task, pairs, questions, draw, keys).max())


def _shares(
    right: Callable[[Drawn], Tensor],
    task: Task,
    pairs: int,
    questions: int,
    draw: random.Random,
    keys: int | None,
) -> Tensor:
    """How often (..., B, Q) of drawn documents is true: (...)."""
    matching: list[Tensor] = []
    while sum(found.shape[-2:].numel() for found in matching) < questions:
        drawn = draw_documents(draw, task, pairs, BATCH, ASKED // BATCH, keys)
        matching.append(right(drawn))
    return torch.cat(matching, -2).double().mean((-2, -1))
