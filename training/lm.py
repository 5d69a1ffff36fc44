"""`python -m training lm`: a system learns language from long stretches of books, and is measured
by where in a document a segment stands."""

import random
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.data import files
from training.objectives.long_text import SEGMENT, VOCABULARY, Books, LongText
from training.objectives.next_token import next_losses
from training.small import SmallTask

#: How a memory is taught: whole documents from the first step on; from one segment to all;
#: whole documents in which it is emptied now and then.
Strategy = Literal["plain", "length-curriculum", "memory-dropout"]

#: Segments of the stages of the length curriculum, those below the last one.
CURRICULUM = (1, 2, 4, 8, 16)
#: The chance that memory dropout empties the memory of a document before a segment.
DROPOUT = 0.2
#: Segments of a batch: every strategy reads as much in a step.
BATCH = 64
#: How many times as many segments as trained a system is measured at.
BEYOND = 4


def lm(data: Path, strategy: Strategy, segments: int, documents: int = 64) -> SmallTask:
    """Stretches of up to so many segments of the books in the data folder; measured on so many
    stretches of the books kept apart.

    Raises UsageError for a number of segments that a batch cannot hold, DataMissing without books.
    """
    if not 1 <= segments <= BATCH:
        raise UsageError(f"--segments must be from 1 to {BATCH}, not {segments}.")
    books = Books(files.books(data, "train"))

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        apart = Books(files.books(data, "dev"))
        read = apart.draw(draw, BEYOND * segments, documents)
        return {
            "documents": documents,
            "loss_by_segment": losses_by_segment(model, read, empty=False),
            "loss_by_segment_emptied": losses_by_segment(model, read, empty=True),
        }

    lengths = [segments]
    if strategy == "length-curriculum":
        lengths = [*(n for n in CURRICULUM if n < segments), segments]
    forgets = DROPOUT if strategy == "memory-dropout" else 0.0
    return SmallTask(
        name="lm",
        vocabulary=VOCABULARY,
        segment_tokens=SEGMENT,
        stages=[{"segments": n, "documents": BATCH // n, "forgets": forgets} for n in lengths],
        objective=partial(LongText, books),
        measure=measure,
        described={
            "strategy": strategy,
            "segments": segments,
            "segment_bytes": SEGMENT,
            "books": books.digest,
        },
    )


def losses_by_segment(model: SystemModel, read: Tensor, empty: bool) -> list[float]:
    """The mean loss in nats a byte in each segment. read: (B, S * T + 1). empty: every segment
    with an emptied memory."""
    found = []
    for part in read.split(8):
        forget = torch.ones(len(part), (read.shape[1] - 1) // SEGMENT).bool() if empty else None
        found.append(next_losses(model, part, SEGMENT, forget).mean(-1))  # (B, S)
    return torch.cat(found).mean(0).tolist()
