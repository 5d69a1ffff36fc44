"""Where sentences begin and end: rules, no statistics, one pass.

Every newline is a boundary (the cleaned text has one only between paragraphs,
headings and list items). A wrong split costs more than a missed one, because a
sentence is also what is quoted, so what looks like an abbreviation does not end one
unless the next word clearly begins another.
"""

import re

_CLOSERS = "\"'”’»›)\\]}」』）】〉》〕"
# Every alternative takes all it can and never fails later: one pass, whatever the text.
_NOTES = r"(?:\[\d{1,3}\])*"  # "... in 1937.[12]"
_ENDS = re.compile(rf"([.!?…؟۔]+)[{_CLOSERS}]*{_NOTES}|[。！？｡．।॥។။።]+[.!?…{_CLOSERS}]*|\n")
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'“‘«]+\Z")
_NEXT_WORD = re.compile(r"[^\W\d_]+")
_LOOK_BACK = 24
_LOOK_AHEAD = 40
_LONGEST_SHORT_WORD = 4


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the end, whatever follows.
_TITLES = _words(
    "mr mrs ms dr prof st gen sen rep lt col capt sgt maj rev hon gov pres messrs mme mlle mm"
    " hr fr dipl ing vs cf eg ie viz al"
)
# Not the end before a number, a bracket or a single letter.
_NUMBERED = _words(
    "no nos nr fig figs vol vols p pp sec secs eq eqs ch chap art ref refs tab par para"
    " app ex abs bd kap s n"
)
# The end only where the next word begins a sentence.
_OTHERS = _words(
    "inc ltd co corp llc jr sr ave blvd rd dept est approx etc ca bzw usw evtl ggf gest geb"
    " jan feb apr jun jul aug sep sept oct nov dec mon tue thu fri univ ed eds trans repr suppl"
    " assoc bros"
)
_STARTERS = _words(
    "the a an this that these those it its he she they we i you his her their our there here"
    " in on at by for from with as if when while after before since although however but and"
    " so then thus therefore what who where why how no yes one some many most all each"
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The [start, end) of each sentence, in order, without white space around it.

    Nothing but white space lies outside the spans. Takes time proportional to the text.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for found in _ENDS.finditer(text):
        if text[found.start()] == "\n" or _ends_sentence(text, found, start):
            _add(spans, text, start, found.end())
            start = found.end()
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    sentence = text[start:end]
    stripped = sentence.lstrip()
    if stripped:
        begin = end - len(stripped)
        spans.append((begin, begin + len(stripped.rstrip())))


def _ends_sentence(text: str, found: re.Match[str], sentence_start: int) -> bool:
    """Is this run of closing punctuation the end of the sentence that began there?"""
    marks, end = found[1], found.end()
    after = text[end : end + 1]
    if marks is None:
        return not (found[0] == "．" and after.isdigit())
    if not after or after == "\n":
        return True
    if not after.isspace():
        return False
    ahead = text[end : end + _LOOK_AHEAD].lstrip().lstrip("\"'“‘«([¿¡*_")
    word = _NEXT_WORD.match(ahead)
    next_word = word[0] if word else ahead[:1]
    if marks != ".":
        return not next_word.islower()
    look_from = max(sentence_start, found.start() - _LOOK_BACK)
    before = _WORD_BEFORE.search(text, look_from, found.start())
    if before is None:
        return True
    return _period_ends(before[0], before.start() == _first(text, sentence_start), next_word)


def _first(text: str, start: int) -> int:
    """Where the sentence that begins after `start` has its first character, if it is near."""
    ahead = text[start : start + _LOOK_AHEAD]
    return start + len(ahead) - len(ahead.lstrip())


def _period_ends(word: str, is_first: bool, next_word: str) -> bool:
    """Does the period after `word` end its sentence, when `next_word` comes next?"""
    plain = word.lower().replace(".", "")
    starter = next_word.lower() in _STARTERS and not next_word.islower()
    if is_first and word.replace(".", "").isdigit():
        return False  # "1. Introduction"
    if plain in _TITLES:
        return False
    if plain in _NUMBERED and (next_word[:1].isdigit() or (len(next_word) == 1 and not starter)):
        return False
    if next_word.islower():
        return len(plain) > _LONGEST_SHORT_WORD and plain not in _OTHERS and "." not in word
    if "." in word and all(len(part) <= 2 for part in word.split(".")):
        return starter  # "U.S." and "a.m."
    if plain in _OTHERS:
        return starter or not next_word[:1].isalnum()
    if len(word) == 1 and word.isalpha() and word.isupper():
        return word == "I"  # an initial
    return True
