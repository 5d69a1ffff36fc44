"""What kind of thing a question asks for, and whether a sentence holds one.

For English questions about numbers, times and people; any other has no kind.
"""

import re
from typing import Literal

Kind = Literal["number", "person"]

_ASKS_NUMBER = re.compile(
    r"\b(how (many|much|long|far|often|high|deep|wide|old|large|big|heavy|fast|tall|late|early"
    r"|soon)|(what|which) (year|day|month|number|time|date|depth|height|length|price|percentage"
    r"|share|speed|temperature|age)|when|by how|at what)\b",
    re.IGNORECASE,
)
_ASKS_PERSON = re.compile(r"\b(who|whose|whom)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty"
    r"|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|half|once|twice|first|second"
    r"|third)\b",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Miss|Dr)\b")
# Not the first word of a sentence: any of those has a capital.
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+")


def asked_kind(question: str) -> Kind | None:
    """The kind of thing that `question` asks for; None: no such kind, or unknown."""
    if _ASKS_NUMBER.search(question):
        return "number"
    return "person" if _ASKS_PERSON.search(question) else None


def kind_match(question: str, sentence: str) -> float:
    """1 if `sentence` holds what `question` asks for, -1 if not, 0 without a kind.

    A name that the question has already is no answer to it.
    """
    kind = asked_kind(question)
    if kind is None:
        return 0.0
    if kind == "number":
        return 1.0 if _NUMBER.search(sentence) else -1.0
    known = set(re.findall(r"\w+", question))
    names = [name for name in _NAME.findall(sentence) if name not in known]
    return 1.0 if names or _TITLE.search(sentence) else -1.0
