"""Searching the words of passages: BM25 over SQLite's FTS5, for any text that a user types."""

import json
import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.store import Store

MOST_WORDS = 100
"""Distinct words of a query that are searched; a longer one is cut there."""

#: Times as many of the best are looked at again where too few count.
_LOOK_AGAIN = 16

STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be because been before being between both
    but by can could did do does doing during each for from further had has have having he her
    here hers him his how i if in into is it its itself just me more most my no nor not now of
    off on once only or other our ours out over own same she should so some such than that the
    their theirs them then there these they this those through to too under until up us very
    was we were what when where which while who whom whose why will with would you your yours
    """.split()
)

#: Words in a larger share of all passages are common: they tell little, and scoring every passage
#: that has one is nearly all of the work in a large library.
_COMMON = 0.02
#: FTS5's k1: a word adds less than its idf times (k1 + 1), however often a passage has it.
_K1 = 1.2

# Scores are the index's alone, so the best of all are taken before their passages are looked up.
# A passage that several of the expressions match has its whole score from one of them.
_SEARCH_ALL = """
SELECT best.number, best.score, version.is_current
  AND (:upto_page IS NULL OR passage.page <= :upto_page)
FROM (
  SELECT number, max(score) AS score FROM ({matches}) GROUP BY number
  ORDER BY score DESC, number LIMIT :most
) AS best
JOIN passage ON passage.id = best.number
JOIN version ON version.id = passage.version_id
ORDER BY best.score DESC, best.number
"""
_MATCH = """
SELECT * FROM (
  SELECT rowid AS number, -bm25(passage_words) AS score
  FROM passage_words WHERE passage_words MATCH :{words}
  ORDER BY score DESC, rowid LIMIT :most
)
"""

# Of few passages the other way round: they are known before any is scored. The plus keeps SQLite
# from searching the index once for each of them.
_SEARCH_SOME = """
SELECT rowid, -bm25(passage_words) AS score
FROM passage_words
WHERE passage_words MATCH :words AND +rowid IN ({passages})
ORDER BY score DESC, rowid
LIMIT :most
"""
_OF_DOCUMENTS = """
SELECT passage.id FROM version JOIN passage ON passage.version_id = version.id
WHERE version.is_current AND version.document_id IN (SELECT value FROM json_each(:documents))
  AND (:upto_page IS NULL OR passage.page <= :upto_page)
"""
_OF_PAGES = """
SELECT passage.id FROM passage JOIN version ON version.id = passage.version_id
WHERE version.is_current AND passage.page <= ifnull(:upto_page, 9e18)
"""


class Search(Store):
    """Word search."""

    def search_words(
        self,
        query: str,
        limit: int,
        document_ids: Collection[str] | None = None,
        upto_page: int | None = None,
    ) -> list[tuple[int, float]]:
        """Passages of ready documents that have any word of the query, the best first.

        Returns (passage id, BM25 score); higher is better. Words are stemmed (Porter) and
        compared without case and accents; stop words count only if there is nothing else. No
        text is special: quotes and operators are just text. `upto_page` is inclusive.
        """
        words = words_of(query)
        if not words or limit <= 0:
            return []
        wanted: dict[str, Any] = {"upto_page": upto_page}
        with self._reading() as session:
            passages = _OF_DOCUMENTS
            if document_ids is not None:
                wanted["documents"] = json.dumps(list(document_ids))
            else:
                if not _are_few(session, upto_page):
                    found = _best_of_all(session, words, limit, upto_page)
                    if found is not None:
                        return found
                passages = _OF_PAGES
            some = text(_SEARCH_SOME.format(passages=passages))
            rows = session.execute(some, {**wanted, "words": _any(words), "most": limit})
            return [(row[0], row[1]) for row in rows]

    def passages_with(self, words: Collection[str]) -> dict[str, int]:
        """How many passages of the library hold each word, compared as in `search_words`."""
        with self._reading() as session:
            return {word: _passages_with(session, word) for word in words}

    def passage_count(self) -> int:
        """How many passages the library holds."""
        with self._reading() as session:
            return _passages(session)


def _are_few(session: Session, upto_page: int | None) -> bool:
    """Whether so many passages lie on later pages that the best of all would seldom count."""
    if upto_page is None:
        return False
    asked = text("SELECT count(*) FROM passage WHERE page <= :upto_page")
    count = session.execute(asked, {"upto_page": upto_page}).scalar_one()
    return bool(_LOOK_AGAIN * count < _passages(session))


def _best_of_all(
    session: Session, words: Sequence[str], limit: int, upto_page: int | None
) -> list[tuple[int, float]] | None:
    """The best of the library that count; None where they are too few among the very best, the
    others lying on later pages or in versions that do not serve."""
    total = _passages(session)
    held = {word: count for word in words if (count := _passages_with(session, word))}
    common = [word for word, count in held.items() if count > _COMMON * total]
    rare = [word for word in held if word not in common]
    if rare and common:
        # First those with a rare word, by all their words. None of the others can be among the
        # best if common words cannot add up to the score of the last one.
        either = [_any(rare), f"({_any(common)}) AND ({_any(rare)})"]
        found = _counting(session, either, limit, upto_page)
        without = sum((_K1 + 1) * _idf(held[word], total) for word in common)
        if found is None or (len(found) == limit and found[-1][1] >= without):
            return found
    return _counting(session, [_any(words)], limit, upto_page)


def _counting(
    session: Session, expressions: Sequence[str], limit: int, upto_page: int | None
) -> list[tuple[int, float]] | None:
    """The best of the library that match any of the expressions and count; None where they are too
    few among the very best."""
    named = {f"words{number}": expression for number, expression in enumerate(expressions)}
    matches = " UNION ALL ".join(_MATCH.format(words=name) for name in named)
    asked = text(_SEARCH_ALL.format(matches=matches))
    for most in (limit, _LOOK_AGAIN * limit):
        rows = session.execute(asked, {**named, "upto_page": upto_page, "most": most}).all()
        counting = [(number, score) for number, score, counts in rows if counts]
        if len(counting) >= limit or len(rows) < most:
            return counting[:limit]
    return None


def _any(words: Iterable[str]) -> str:
    """Of FTS5: any of the words."""
    return " OR ".join(f'"{word}"' for word in words)


def _idf(count: int, total: int) -> float:
    """What FTS5's BM25 weighs a word that `count` of `total` passages hold."""
    return max(math.log((total - count + 0.5) / (count + 0.5)), 1e-6)


def _passages_with(session: Session, word: str) -> int:
    words = " ".join(f'"{part}"' for part in words_of(word)) or '""'
    asked = text("SELECT count(*) FROM passage_words WHERE passage_words MATCH :words")
    return int(session.execute(asked, {"words": words}).scalar_one())


def _passages(session: Session) -> int:
    return int(session.execute(text("SELECT count(*) FROM passage")).scalar_one())


def words_of(query: str) -> list[str]:
    """The distinct words to search for: letters, digits and their marks, as FTS5 splits them."""
    spaced = "".join(
        character if unicodedata.category(character)[0] in "LNM" else " " for character in query
    )
    words = list(dict.fromkeys(word.lower() for word in spaced.split()))
    telling = [word for word in words if word not in STOP_WORDS]
    return (telling or words)[:MOST_WORDS]
