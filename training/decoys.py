"""Sentences of books in which people, places and things have the names of stories.

Of 256 stretches of a book one or two are taken for a fact, since somebody in it is called John or
sits in a kitchen. So few teach little; with names put into them, half of all stretches are.
"""

import random
import re

from training.worlds import GIVERS, MOVERS, OBJECTS, PLACES

#: What a book calls people, in the middle of a sentence; places; and things.
_PERSON = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")
_PLACE = re.compile(
    r"\b(?:room|house|church|town|road|door|street|village|hall|library|castle|forest|wood|ship"
    r"|city|palace|country|table|river|world|place)\b"
)
_THING = re.compile(
    r"\b(?:book|letter|hat|horse|sword|money|paper|bag|glass|coat|hand|word|thing|stone|dress|ring)"
    r"\b"
)
_NAMES = ((_PERSON, sorted({*MOVERS, *GIVERS})), (_PLACE, PLACES), (_THING, OBJECTS))


def decoy(sentence: str, draw: random.Random) -> str:
    """The sentence with names of stories in the place of its own: of people alone every second
    time, for there is seldom more of them in a book."""
    kinds = _NAMES[: draw.choice([1, len(_NAMES)])]
    for found, names in kinds:
        sentence = found.sub(lambda _, names=names: draw.choice(names), sentence)  # type: ignore[misc]
    return sentence
