"""`python -m training associative`: a system learns associative retrieval (arXiv 2407.04841)."""

import random
from collections.abc import Iterator, Sequence
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
#: Parts of a document, by which it is told when the pair was told that a question is about.
PARTS = 5
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
    least so many questions about new ones (`SURER` times as many up to `pairs`), in all and by the
    fifth of the document in which the pair was told.

    Raises UsageError for more pairs than there are keys, or none.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"--pairs must be from 1 to {MOST_PAIRS} (the keys), not {pairs}.")

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        lengths = sorted({pairs, *measured})
        asked = {str(n): questions * (SURER if n <= pairs else 1) for n in lengths}
        shares, by_part = {}, {}
        for n, many in asked.items():
            right, part = answered(model, task, int(n), many, draw)
            shares[n] = float(right.mean())
            by_part[n] = [_mean(right[part == i]) for i in range(PARTS)]
        found: dict[str, Any] = {
            "questions": asked,
            "exact_match": shares,
            "exact_match_by_fifth": by_part,
        }
        if task == "rewrite":
            found["exact_match_of_few_keys"] = {
                f"{n} of {keys}": float(answered(model, task, n, questions, draw, keys)[0].mean())
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


def _mean(of: Tensor) -> float | None:
    """None of nothing: few pairs, or few questions, may leave a part without one."""
    return float(of.mean()) if len(of) else None


def _batch(pairs: int) -> dict[str, int]:
    """Documents of a batch, and most questions about each, where documents have so many pairs."""
    documents = min(BATCH, max(FEWEST, READ // pairs))
    return {"documents": documents, "questions": ASKED // documents}


@torch.no_grad()
def answered(
    model: SystemModel,
    task: Task,
    pairs: int,
    questions: int,
    draw: random.Random,
    keys: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Of at least so many questions about documents of so many pairs (of so many keys): whether the
    whole value is right (1 or 0), and in which of the `PARTS` of the document it was told; (B, Q)
    both. Several are asked about each, for reading is most of the cost."""
    right, part = [], []
    for drawn in _documents(task, pairs, questions, draw, keys):
        right.append(matches(answer(model, drawn), drawn).double().cpu())
        part.append(drawn.told_at * PARTS // pairs)
    return torch.cat(right), torch.cat(part)


def exact_match_without_keys(
    task: Task, pairs: int, questions: int, draw: random.Random, keys: int | None = None
) -> float:
    """Share of such questions that is right for who looks at no key and always says the value told
    most often, or always the one told last, whichever is right more often."""
    documents = _documents(task, pairs, questions, draw, keys)
    right = torch.cat([matches_without_keys(drawn) for drawn in documents], dim=1)  # (2, B, Q)
    return float(right.double().mean((1, 2)).max())


def _documents(
    task: Task, pairs: int, questions: int, draw: random.Random, keys: int | None
) -> Iterator[Drawn]:
    """Batches of documents with at least so many questions in all."""
    while questions > 0:
        drawn = draw_documents(draw, task, pairs, BATCH, ASKED // BATCH, keys)
        questions -= drawn.questions.shape[:2].numel()
        yield drawn
