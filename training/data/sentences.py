"""Questions of which the answering sentence is known, but neither the span nor the text around it.

`retrieval/*.jsonl.gz` holds such sets: a question with its sentence, or with all sentences of a
section and the numbers of those that answer it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.files import rows_of


@dataclass(frozen=True)
class Told:
    """question: what is asked. sentence: what answers it. others: sentences that do not answer
    it, the likeliest to stand beside it first; before: how many of them stand before it, where
    that is known, else None."""

    question: str
    sentence: str
    others: tuple[str, ...] = ()
    before: int | None = None


def told(data: Path, name: str) -> list[Told]:
    """The questions of a set of sentences or sections, in the order of the file."""
    found = []
    for row in rows_of(data / "qa" / "retrieval" / f"{name}.jsonl.gz"):
        if "passage" in row:
            found.append(Told(row["question"], row["passage"]))
        elif row["answers"]:
            candidates, answers = row["candidates"], set(row["answers"])
            at = min(answers)
            others = [s for i, s in enumerate(candidates) if i not in answers]
            found.append(Told(row["question"], candidates[at], tuple(others), at))
    return found


def paragraph(one: Told, most: int, draw: random.Random) -> tuple[str, str]:
    """A text that holds the sentence and up to `most` others, and the same without it.

    Where the order of a section is known, its neighbours are taken and stay in order; else the
    first of `others`, in any order.
    """
    n = draw.randint(1, most)
    if one.before is None:
        others = list(one.others[:n])
        draw.shuffle(others)
        at = draw.randint(0, len(others))
    else:
        start = max(0, one.before - draw.randint(0, n))
        others = list(one.others[start : start + n])
        at = min(one.before - start, len(others))
    return " ".join([*others[:at], one.sentence, *others[at:]]), " ".join(others)


def without_answer(others: Sequence[str], answer: str) -> tuple[str, ...]:
    """Those of the sentences in which the answer's words do not stand."""
    return tuple(s for s in others if answer.lower() not in s.lower())
