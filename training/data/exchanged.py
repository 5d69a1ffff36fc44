"""Questions that a passage no longer answers: a name, a number or a word of one is exchanged.

A reader takes what fits the kind of a question for its answer, unless it has seen many questions
whose every word but one fits (SQuAD 2.0, arXiv 1806.03822, names these kinds of change).
"""

import random
import re
from collections.abc import Sequence

# Not the first word of a sentence, which is capital whatever it is.
_NAME = re.compile(r"(?<=[a-z,;’'] )[A-Z][\w’'-]*(?: (?:of |the )?[A-Z][\w’'-]*)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_OPPOSITES = (
    ("first", "last"), ("largest", "smallest"), ("highest", "lowest"), ("most", "least"),
    ("before", "after"), ("more", "fewer"), ("oldest", "newest"), ("north", "south"),
    ("northern", "southern"), ("east", "west"), ("eastern", "western"), ("increase", "decrease"),
    ("increased", "decreased"), ("won", "lost"), ("began", "ended"), ("start", "end"),
    ("upper", "lower"), ("major", "minor"), ("include", "exclude"), ("allowed", "forbidden"),
    ("can", "cannot"), ("is", "is not"), ("was", "was never"), ("did", "did not"),
)  # fmt: skip
_OTHER = {a: b for one, other in _OPPOSITES for a, b in ((one, other), (other, one))}
_OPPOSITE = re.compile(rf"\b(?:{'|'.join(sorted(_OTHER, key=len, reverse=True))})\b")


def exchanged(
    question: str, passage: str, elsewhere: Sequence[str], draw: random.Random
) -> str | None:
    """The question with one part exchanged, so that `passage` does not answer it; or None.

    A name or a number makes way for one of the same kind that stands in a text `elsewhere` and
    neither in the passage nor in the question; every fourth time, or where that cannot be, a
    word makes way for its opposite. None where neither can be done.
    """
    ways = [_opposed, _renamed] if draw.random() < 0.25 else [_renamed, _opposed]
    for way in ways:
        if found := way(question, passage, elsewhere, draw):
            return found
    return None


def _renamed(
    question: str, passage: str, elsewhere: Sequence[str], draw: random.Random
) -> str | None:
    """With a name or number from elsewhere."""
    kinds = [(found, kind) for kind in (_NAME, _NUMBER) for found in kind.finditer(question)]
    known = f"{passage} {question}".lower()
    draw.shuffle(kinds)
    for found, kind in kinds:
        others = {other for text in elsewhere for other in kind.findall(text)}
        new = sorted(other for other in others if other.lower() not in known)
        if new:
            return question[: found.start()] + draw.choice(new) + question[found.end() :]
    return None


def _opposed(question: str, _: str, __: Sequence[str], draw: random.Random) -> str | None:
    """With a word turned into its opposite."""
    found = list(_OPPOSITE.finditer(question))
    if not found:
        return None
    chosen = draw.choice(found)
    return question[: chosen.start()] + _OTHER[chosen[0]] + question[chosen.end() :]
