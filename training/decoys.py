"""Sentences of books in which people, places and things have the names of stories.

Of 256 stretches of a book one or two are taken for a fact, since somebody in it is called John or
sits in a kitchen. So few teach little; with names put into them, half of all stretches are.
"""

import random
import re
from collections.abc import Sequence

from training.wordings import untold
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


#: Whom a question is about: a name of one or more words, or what a tale calls somebody.
_WHOM = re.compile(
    r"(?<=[a-z,;] )[A-Z][a-z]+(?: [A-Z][a-z]+)*\b"
    r"|\bthe (?:(?:old|young|poor|rich|little) )?(?:king|queen|prince|princess|man|woman|boy|girl"
    r"|husband|wife|mother|father|brother|sister|son|daughter|giant|soldier|peasant|farmer)s?\b"
)
#: What stories may answer, in whatever words: where, who gave, which place lies how.
_TOLD = re.compile(
    r"^\W*(?:where|in wh|at wh|to wh|from wh)|\b(?:g[ai]ven?|gift|receiv|got|gets?\b|hand|pass"
    r"|bring|brought|carr|tak|took|north|south|east|west|room|locat|plac)",
    re.IGNORECASE,
)


def strange(questions: Sequence[str]) -> list[str]:
    """Those of other questions into which names of stories can be put, and which no story answers
    then."""
    named = (_WHOM, *(found for found, _ in _NAMES[1:]))
    return [
        question
        for question in questions
        if any(found.search(question) for found in named) and not _TOLD.search(question)
    ]


def decoy_question(question: str, draw: random.Random) -> str:
    """The question about people, places and things of stories: "Why did the king weep?" becomes
    "Why did Mary weep?"."""
    people = _NAMES[0][1]
    return decoy(_WHOM.sub(lambda _: draw.choice(people), question), draw)


def strange_question(questions: Sequence[str], draw: random.Random) -> str:
    """What no story answers: one of these with names of stories in it, or, every second time, what
    people ask when they try a memory ("How old is John?")."""
    if draw.random() < 0.5:
        return untold(draw)
    return decoy_question(draw.choice(questions), draw)
