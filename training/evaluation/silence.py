"""How much is written of what is no fact: of books that were kept apart, and of decoys."""

import random
from dataclasses import dataclass
from typing import ClassVar

import torch

from armt_core.in_order import WRITES
from armt_core.model import ArmtModel
from training.decoys import decoy
from training.evaluation.metrics import with_interval
from training.hiding import filler
from training.rows import Words
from training.text import Texts
from training.traced import Text, read_one

#: Segments that are read side by side.
_BATCH = 32


@dataclass(frozen=True)
class SilenceRow:
    """text: "books", or "decoys", the same with names of stories in their sentences. segments: how
    many were read, each into an empty memory. written: share of those of which any memory token
    is written in any layer with a beta above a half."""

    text: str
    segments: int
    written: float

    columns: ClassVar = ("text without facts", "segments", "taken for a fact")

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        return self.text, str(self.segments), with_interval(self.written, self.segments)


@torch.inference_mode()
def silence(
    model: ArmtModel, words: Words, texts: Texts, segments: int, seed: int = 0
) -> list[SilenceRow]:
    """So many segments of `texts` as they are, and as many with decoys."""
    most, rows = model.config.segment_tokens, []
    decoys = Texts(texts.texts, words, decoy)
    for name, some in (("books", texts), ("decoys", decoys)):
        read = filler(model, words, some, segments, most, random.Random(f"{seed}/{name}"))
        written = 0
        for at in range(0, segments, _BATCH):
            part = Text.together(read[at : at + _BATCH])
            _, put = read_one(model, part, model.empty_memory(len(part.told)))
            written += int((put.beta > WRITES).any(-1).any(0).sum())  # (L, B, M)
        rows.append(SilenceRow(name, segments, written / segments))
    return rows
