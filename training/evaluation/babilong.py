"""Real bAbI questions hidden in books that were kept apart, answered from memory alone.

Axes: B stories read side by side, T tokens.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from armt_core.errors import UsageError
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.data.files import BabiQuestion
from training.evaluation.metrics import with_interval
from training.hiding import Filler, fits, tell, together
from training.rows import Words
from training.text import Texts
from training.traced import read_on


@dataclass(frozen=True)
class BabilongRow:
    """One task at one length: how often the answer is right with the memory and with an emptied
    one, how often the most frequent answer to its kind of question is, and how often that of a
    model that was trained without a memory."""

    task: int
    segments: int
    n: int
    final: float
    empty: float
    constant: float
    control: float | None = None

    columns: ClassVar = (
        "task", "segments", "n", "memory", "emptied", "best constant", "trained without",
    )  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        final, empty = with_interval(self.final, self.n), with_interval(self.empty, self.n)
        constant = f"{self.constant:.0%}"
        control = "" if self.control is None else with_interval(self.control, self.n)
        return f"qa{self.task}", str(self.segments), str(self.n), final, empty, constant, control


@torch.inference_mode()
def babilong(
    model: ArmtModel,
    words: Words,
    stories: Sequence[BabiQuestion],
    texts: Texts,
    bare: Filler,
    task: int,
    segments: int,
    n: int,
    batch: int = 10,
    seed: int = 0,
    control: ArmtModel | None = None,
) -> BabilongRow:
    """n questions of `task`, each story hidden in as many full segments of books.

    bare: the segments of `texts` without a fact; they are read once for all stories, which is the
    same as anew, for text is read without the memory. A story that does not fit is left out.
    control: a model that was trained without a memory.
    Raises UsageError if none fits.
    """
    draw = random.Random(f"{seed}/{task}/{segments}")
    most = model.config.segment_tokens
    fitting = [q for q in stories if fits(q.facts, segments, most - 2)]
    if not fitting:
        raise UsageError(f"No story of qa{task} fits into {segments} segments; take more.")
    chosen = draw.sample(fitting, min(n, len(fitting)))
    right = {"final": 0, "empty": 0, "control": 0}
    for at in range(0, len(chosen), batch):
        part = chosen[at : at + batch]
        told = [tell(words, q.facts, texts, segments, most - 2, draw) for q in part]
        memory = read_on(model, together(model, words, told, segments, most, bare, draw))
        ways = [("final", model, memory), ("empty", model, None)]
        for kind, who, state in ways + ([("control", control, None)] if control else []):
            said = _say(who, words, [q.question for q in part], state)
            pairs = zip(said, part, strict=True)
            right[kind] += sum(text.strip() == q.answer for text, q in pairs)
    total = len(chosen)
    constant = best_constant([(q.question, q.answer) for q in chosen]) / total
    final, empty, without = (right[kind] / total for kind in ("final", "empty", "control"))
    beside = without if control else None
    return BabilongRow(task, segments, total, final, empty, constant, beside)


def best_constant(asked: Sequence[tuple[str, str]]) -> int:
    """How many are right if each kind of question, told by its first two words, always gets its
    most frequent answer."""
    return sum(answers.most_common(1)[0][1] for answers in _by_kind(asked).values())


def told_last(stories: Sequence[BabiQuestion]) -> int:
    """How many are right if a question gets that answer to questions of its kind which its story
    names last: what can be known without telling who is asked about from anybody else."""
    kinds = _by_kind([(story.question, story.answer) for story in stories])
    right = 0
    for story in stories:
        answers = kinds[_kind(story.question)]
        told = re.findall(r"\w+", " ".join(story.facts))
        last = next((word for word in reversed(told) if word in answers), None)
        right += last == story.answer
    return right


def _by_kind(asked: Sequence[tuple[str, str]]) -> dict[str, Counter[str]]:
    """How often each answer is right, by the kind of question."""
    kinds: dict[str, Counter[str]] = {}
    for question, answer in asked:
        kinds.setdefault(_kind(question), Counter())[answer] += 1
    return kinds


def _kind(question: str) -> str:
    return " ".join(question.split()[:2])


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
