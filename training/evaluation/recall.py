"""Masked words of texts that were kept apart, filled in from memory near and far.

Axes: B documents read side by side, S segments, T tokens, N masked tokens, V vocabulary.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch

from armt_core.model import ArmtModel
from training.depth import read_documents
from training.evaluation.metrics import with_interval
from training.objectives.recall import Holes, RecallSettings, stretch
from training.rows import Words
from training.text import Texts


@dataclass(frozen=True)
class RecallRow:
    """One distance. ago: segments read since, 1 for the last one read. masked: share of the words
    of that segment that are masked. documents, tokens: how many were read, and how many
    masked tokens they have there in all. final, empty: share of those tokens that the
    language-model head gives first, with the memory after the last segment and with an
    emptied one; control: of a model that was trained without a memory. The tokens of a
    document are not independent, so their interval is a little narrow."""

    ago: int
    masked: float
    documents: int
    tokens: int
    final: float
    empty: float
    control: float | None = None

    columns: ClassVar = (
        "segments ago", "masked", "documents", "tokens", "memory", "emptied", "trained without",
    )  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        final = with_interval(self.final, self.tokens)
        empty = with_interval(self.empty, self.tokens)
        control = "" if self.control is None else with_interval(self.control, self.tokens)
        counts = str(self.documents), str(self.tokens)
        return str(self.ago), f"{self.masked:.0%}", *counts, final, empty, control


@torch.inference_mode()
def recall(
    model: ArmtModel,
    words: Words,
    texts: Texts,
    n: int,
    distances: Sequence[int] = (1, 8, 64),
    shares: Sequence[float] = (RecallSettings.masked, 0.15),
    batch: int = 10,
    seed: int = 0,
    control: ArmtModel | None = None,
) -> list[RecallRow]:
    """n documents of full segments, as many as the farthest distance; a row for each share of
    masked words (that of training first) and each distance. Each document is read once."""
    draw = random.Random(f"recall/{seed}")
    tokens: Counter[tuple[float, int]] = Counter()
    right: Counter[tuple[float, int, str]] = Counter()
    length, most = max(distances), model.config.segment_tokens
    for at in range(0, n, batch):
        together = min(batch, n - at)
        documents = [stretch(words, texts, length, most, draw) for _ in range(together)]
        memory = read_documents(model, documents, words.pad)
        for share, ago in product(shares, distances):
            again = [document[-ago] for document in documents]
            holes = Holes.of(words, again, share, draw).to(model.device)
            tokens[share, ago] += len(holes.target)
            ways = [("final", model, memory), ("empty", model, None)]
            for kind, who, state in ways + ([("control", control, None)] if control else []):
                said = holes.logits(who, state).argmax(-1)  # (N,)
                right[share, ago, kind] += int((said == holes.target).sum())
    rows = []
    for share, ago in product(shares, distances):
        total = tokens[share, ago]
        final, empty, without = (
            right[share, ago, kind] / total for kind in ("final", "empty", "control")
        )
        beside = without if control else None
        rows.append(RecallRow(ago, share, n, total, final, empty, beside))
    return rows
