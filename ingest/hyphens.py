"""Words divided at a line end: which hyphen is part of the word, and which is not.

"exam-/ple" is one word; "well-/known" keeps its hyphen if the document writes
"well-known" elsewhere and nowhere "wellknown". In a text file only what comes
before counts as elsewhere, so that a file that grows keeps its cleaned beginning.
"""

import re
from collections.abc import Iterable, Sequence

# Hyphen-minus, hyphen, and soft hyphen, which in a PDF is also PDFium's mark of a divided
# word and has the rest of it behind it without a line end (see pdf_text).
HYPHENS = "-\u2010\u00ad"
_LEFT = r"[^\W\d_]{1,40}(?:[-\u2010][^\W\d_]{1,40}){0,6}"
_DIVIDED = re.compile(
    rf"(?<![^\W\d_])({_LEFT})(?:[-\u2010][ \t\r]*\n|\u00ad[ \t\r]*\n?)"
    r"[ \t]*([^\W\d_]{1,40})"
)
_LEFT_END = re.compile(rf"(?<![^\W\d_]){_LEFT}\Z")
_LONGEST = 80
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")


class DividedWords:
    """Answers, for a word divided at a line end, whether it keeps its hyphen."""

    def __init__(self, pages: Iterable[str], only_before: bool) -> None:
        texts: Sequence[str] = list(pages)
        self._only_before = only_before
        self._first: dict[str, tuple[int, int]] = {}
        wanted = self._wanted(texts)
        if not wanted:
            return
        for number, text in enumerate(texts):
            for found in _WORD.finditer(text):
                word = found[0].replace("\u2010", "-").lower()
                if word in wanted and word not in self._first:
                    self._first[word] = (number, found.start())

    @staticmethod
    def _wanted(texts: Sequence[str]) -> set[str]:
        """Both spellings of every word that may have been divided."""
        wanted: set[str] = set()
        for text in texts:
            for left, right in _DIVIDED.findall(text):
                left, right = left.replace("\u2010", "-").lower(), right.lower()
                wanted.update((f"{left}-{right}", f"{left}{right}"))
        return wanted

    def join(self, text: str, page: int, hyphen: int, right: int) -> str:
        """What to put for the hyphen at `text[hyphen]` when the rest begins at `text[right]`.

        "" mends the word, "-" keeps its hyphen. Only letters that go on in lower case
        can be one word ("Anglo-/Saxon" and "1990-/2000" keep theirs).
        """
        before = _LEFT_END.search(text, max(0, hyphen - _LONGEST), hyphen)
        after = _WORD.match(text, right, right + _LONGEST)
        if before is None or after is None or (after[0][0].isupper() and not before[0].isupper()):
            return "-"
        head, tail = before[0].replace("\u2010", "-").lower(), after[0].lower()
        if "-" in head:
            return "-"  # "state-of-the-/art": nobody writes the rest of it in one
        tail = tail.replace("\u2010", "-")
        hyphenated = self._known(f"{head}-{tail}", page, hyphen)
        return "-" if hyphenated and not self._known(head + tail, page, hyphen) else ""

    def _known(self, word: str, page: int, offset: int) -> bool:
        first = self._first.get(word)
        return first is not None and (not self._only_before or first < (page, offset))
