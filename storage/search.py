"""Searching the words of passages: BM25 over SQLite's FTS5, for any text that a user types."""

import json
import unicodedata
from collections.abc import Collection

from sqlalchemy import text

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

# Scores are the index's alone, so the best of all are taken before their passages are looked up.
_SEARCH_ALL = """
SELECT best.number, best.score, version.is_current
  AND (:upto_page IS NULL OR passage.page <= :upto_page)
FROM (
  SELECT rowid AS number, -bm25(passage_words) AS score
  FROM passage_words WHERE passage_words MATCH :words
  ORDER BY score DESC, rowid LIMIT :most
) AS best
JOIN passage ON passage.id = best.number
JOIN version ON version.id = passage.version_id
ORDER BY best.score DESC, best.number
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
WHERE version.is_current AND (:upto_page IS NULL OR passage.page <= :upto_page)
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
        wanted = {"words": " OR ".join(f'"{word}"' for word in words), "upto_page": upto_page}
        with self._reading() as session:
            passages = _OF_DOCUMENTS
            if document_ids is not None:
                wanted["documents"] = json.dumps(list(document_ids))
            else:
                for most in (limit, _LOOK_AGAIN * limit):
                    rows = session.execute(text(_SEARCH_ALL), {**wanted, "most": most}).all()
                    counting = [(number, score) for number, score, counts in rows if counts]
                    if len(counting) >= limit or len(rows) < most:
                        return counting[:limit]
                # Too many lie on later pages, or in versions that do not serve.
                passages = _OF_PAGES
            some = text(_SEARCH_SOME.format(passages=passages))
            found = session.execute(some, {**wanted, "most": limit})
            return [(row[0], row[1]) for row in found]

    def passages_with(self, words: Collection[str]) -> dict[str, int]:
        """How many passages of the library hold each word, compared as in `search_words`."""
        with self._reading() as session:
            return {
                word: session.execute(
                    text("SELECT count(*) FROM passage_words WHERE passage_words MATCH :word"),
                    {"word": " ".join(f'"{part}"' for part in words_of(word)) or '""'},
                ).scalar_one()
                for word in words
            }

    def passage_count(self) -> int:
        """How many passages the library holds."""
        with self._reading() as session:
            return session.execute(text("SELECT count(*) FROM passage")).scalar_one()


def words_of(query: str) -> list[str]:
    """The distinct words to search for: letters, digits and their marks, as FTS5 splits them."""
    spaced = "".join(
        character if unicodedata.category(character)[0] in "LNM" else " " for character in query
    )
    words = list(dict.fromkeys(word.casefold() for word in spaced.split()))
    telling = [word for word in words if word not in STOP_WORDS]
    return (telling or words)[:MOST_WORDS]
