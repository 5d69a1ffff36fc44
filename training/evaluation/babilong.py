"""Real bAbI questions hidden in books that were kept apart, answered from memory alone.

Axes: B stories read side by side, T tokens.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.data.files import BabiQuestion
from training.depth import read_documents
from training.evaluation.metrics import with_interval
from training.objectives.babilong import hide
from training.rows import Words
from training.text import Texts


@dataclass(frozen=True)
class BabilongRow:
    """One task at one length: how often the answer is right with the memory and with an emptied
    one, and how often the most frequent answer is."""

    task: int
    segments: int
    n: int
    final: float
    empty: float
    constant: float

    columns: ClassVar = ("task", "segments", "n", "memory", "emptied", "best constant")

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        final, empty = with_interval(self.final, self.n), with_interval(self.empty, self.n)
        constant = f"{self.constant:.0%}"
        return f"qa{self.task}", str(self.segments), str(self.n), final, empty, constant


@torch.inference_mode()
def babilong(
    model: ArmtModel,
    words: Words,
    stories: Sequence[BabiQuestion],
    texts: Texts,
    task: int,
    segments: int,
    n: int,
    batch: int = 10,
    seed: int = 0,
) -> BabilongRow:
    """n questions of `task`, each story hidden in about `segments` full segments of a book."""
    draw = random.Random(f"{seed}/{task}/{segments}")
    chosen = draw.sample(list(stories), min(n, len(stories)))
    right = {"final": 0, "empty": 0}
    for at in range(0, len(chosen), batch):
        part = chosen[at : at + batch]
        most = model.config.segment_tokens - 2
        documents = [hide(words, q.facts, texts, segments, most, draw) for q in part]
        memory = read_documents(
            model, [[words.segment(s) for s in d] for d in documents], words.pad
        )
        for kind, state in (("final", memory), ("empty", None)):
            said = _say(model, words, [q.question for q in part], state)
            pairs = zip(said, part, strict=True)
            right[kind] += sum(text.strip() == q.answer for text, q in pairs)
    total = len(chosen)
    constant = Counter(q.answer for q in chosen).most_common(1)[0][1] / total
    return BabilongRow(
        task, segments, total, right["final"] / total, right["empty"] / total, constant
    )


def _say(
    model: ArmtModel, words: Words, questions: list[str], memory: MemoryState | None
) -> list[str]:
    rows = [words.segment(tokens) for tokens in words.encode(questions)]
    said: list[str] = [""] * len(rows)
    # The answer follows the question without a gap, so rows of one length go together.
    for length in sorted({len(row) for row in rows}):
        which = [i for i, row in enumerate(rows) if len(row) == length]
        ids, _ = pad_rows([rows[i] for i in which])
        state = None if memory is None else memory.take(which)
        new = model.generate(ids.to(model.device), memory=state, max_new_tokens=8)
        for i, text in zip(
            which, words.tokenizer.batch_decode(new, skip_special_tokens=True), strict=True
        ):
            said[i] = text
    return said
