"""How a cleaned text maps back to the text it was made from.

A run `(clean_start, page_start, length)` says: these `length` characters of the
cleaned text are the very same characters of the page, one for one. What was
dropped lies between runs on the page side only; what was replaced (a ligature,
a line end that became a space) lies between them on both sides. A run of length
0 marks where a replacement begins or ends, wherever its neighbouring runs do not
already say so. So every stretch of cleaned text, replaced characters included,
has one smallest stretch of the page that it came from.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from storage.records import Runs


@dataclass(frozen=True)
class CleanPage:
    """What the model reads of a page, and where on the page it stood (see above)."""

    text: str
    runs: Runs


def to_page_span(runs: Runs, clean_start: int, clean_end: int) -> tuple[int, int]:
    """The smallest span of the page that covers the cleaned text in [clean_start, clean_end).

    Of a replaced stretch the whole original is taken, for it cannot be divided.
    Raises ValueError for an empty span or one that the runs do not cover.
    """
    if not runs or not runs[0][0] <= clean_start < clean_end <= runs[-1][0] + runs[-1][2]:
        raise ValueError(f"[{clean_start}, {clean_end}) is not a stretch of this cleaned text")
    clean, page, length = runs[bisect_right(runs, clean_start, key=lambda run: run[0]) - 1]
    start = page + min(clean_start - clean, length)
    clean, page, length = runs[bisect_left(runs, clean_end, key=lambda run: run[0] + run[2])]
    end = page + max(clean_end - clean, 0)
    return start, end


def slice_runs(runs: Runs, clean_start: int, clean_end: int) -> Runs:
    """The runs of `clean[clean_start:clean_end]`, counted from its own beginning."""
    start, end = to_page_span(runs, clean_start, clean_end)
    first = bisect_right(runs, clean_start, key=lambda run: run[0] + run[2])
    last = bisect_left(runs, clean_end, key=lambda run: run[0])
    parts = []
    for clean, page, length in runs[first:last]:
        begin = max(clean, clean_start)
        stop = min(clean + length, clean_end)
        parts.append((begin - clean_start, page + begin - clean, stop - begin))
    if not parts or parts[0][0] > 0:
        parts.insert(0, (0, start, 0))
    if parts[-1][0] + parts[-1][2] < clean_end - clean_start:
        parts.append((clean_end - clean_start, end, 0))
    return tuple(parts)


class RunBuilder:
    """Writes a cleaned text from left to right and keeps the runs as it goes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._runs: list[tuple[int, int, int]] = []
        self._page_end = -1  # where on the page the last kept or replaced stretch ends
        self._in_gap = False

    def keep(self, start: int, end: int) -> None:
        """Append `source[start:end]` as it is."""
        if start >= end:
            return
        if self._in_gap:
            self._close_gap(start)
        elif start == self._page_end:
            clean, page, length = self._runs.pop()
            self._runs.append((clean, page, length + end - start))
            self._append(self._source[start:end], end)
            return
        self._runs.append((self._length, start, end - start))
        self._append(self._source[start:end], end)

    def replace(self, start: int, end: int, text: str) -> None:
        """Append `text` in place of `source[start:end]`; an empty `text` drops it."""
        if not text:
            return
        if start != self._page_end:
            if self._in_gap:
                self._close_gap(start)
            self._runs.append((self._length, start, 0))
        self._in_gap = True
        self._append(text, end)

    def build(self) -> CleanPage:
        """The cleaned text and its runs."""
        if self._in_gap:
            self._close_gap(-1)
        return CleanPage("".join(self._parts), tuple(self._runs))

    def _append(self, text: str, page_end: int) -> None:
        self._parts.append(text)
        self._length += len(text)
        self._page_end = page_end

    def _close_gap(self, next_start: int) -> None:
        if next_start != self._page_end:
            self._runs.append((self._length, self._page_end, 0))
        self._in_gap = False
