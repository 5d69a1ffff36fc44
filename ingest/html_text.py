"""The text of an HTML tree, as a reader of the page would see it.

A block is a line, with an empty line around paragraphs and headings; white space is
collapsed as a browser does. A list item begins with "- " or its number. A short row of a
table is one line, its cells parted by tabs; the cells of a long one, as where tables lay
out a page, are blocks. Scripts, styles, navigation, form controls and what is marked as
hidden are no text.
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from ingest.parsed import storable

_NO_TEXT = frozenset(
    "head title script style template noscript nav iframe object embed svg canvas audio video"
    " select datalist button textarea rp rt annotation annotation-xml".split()
)
_APART = frozenset(
    "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre figure hr section article header footer"
    " main aside form fieldset details address caption figcaption".split()
)
_LINES = frozenset("html body div li dt dd tr td th legend summary center".split())
_LISTS = frozenset(("ul", "ol"))
_NOT_IN_A_LINE = frozenset("table ul ol dl pre blockquote".split())
_LONGEST_ROW = 300  # characters of a row that is one line
_MOST_IN_ROW = 200  # elements
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_WHITE = re.compile(r"[ \t\n\f\r]+")
_BEFORE_TAB = re.compile(r" +\t")


def text_of(root: Any) -> str:
    """The text of an lxml element and all within it; any depth, one pass."""
    writer = _Writer()
    for element, name, entered in _walk(root):
        if entered:
            writer.enter(element, name)
        else:
            writer.leave(name)
            if element is not root:
                writer.write(element.tail)
    return storable(writer.text())


def name_of(element: Any) -> str:
    """The tag in lower case without its namespace; empty for comments and the like."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _walk(root: Any) -> Iterator[tuple[Any, str, bool]]:
    """Each element with its name as it is entered and as it is left; nothing in hidden ones."""
    name = name_of(root)
    yield root, name, True
    above = [(root, name, iter(root))]
    while above:
        element, name, children = above[-1]
        child = next(children, None)
        if child is None:
            above.pop()
            yield element, name, False
            continue
        name = name_of(child)
        if name and not _is_hidden(child, name):
            yield child, name, True
            above.append((child, name, iter(child)))
        elif child.tag is etree.Entity:
            yield child, "", True
            yield child, "", False
        else:  # what follows it is text all the same
            yield child, "", False


def _is_hidden(element: Any, name: str) -> bool:
    return (
        name in _NO_TEXT
        or "hidden" in element.attrib
        or element.get("aria-hidden") == "true"
        or element.get("role") == "navigation"
        or _HIDDEN.search(element.get("style", "")) is not None
    )


class _Writer:
    """Takes the elements in order and lays their text out in lines."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._blank = False  # an empty line comes before the next one
        self._marker = ""  # of a list item whose text has not begun
        self._lists: list[int | None] = []  # the next number of each open list, or None
        self._pre = 0
        self._row = ""  # "", "row" or "cell": where in a row that is one line

    def enter(self, element: Any, name: str) -> None:
        if name == "":
            self.write(html.unescape(element.text))
            return
        if name == "tr" and not self._row and _is_one_line(element):
            self._end_line()
            self._row = "row"
        elif self._row and name in ("td", "th"):
            if self._row == "cell":
                self._line.append("\t")
            self._row = "cell"
        elif name == "br":
            if self._row:
                self.write(" ")
            else:
                self._end_line()
        else:
            self._block(name)
        if name in _LISTS:
            self._lists.append(_start_of(element) if name == "ol" else None)
        elif name == "li":
            self._begin_item(element)
        elif name == "pre":
            self._pre += 1
        self.write(element.text)

    def leave(self, name: str) -> None:
        if name in _LISTS:
            self._lists.pop()
        if name == "tr" and self._row:
            self._row = ""
            self._end_line()
        else:
            self._block(name)
        if name == "li":
            self._marker = ""
        elif name == "pre":
            self._pre -= 1

    def write(self, text: str | None) -> None:
        if not text:
            return
        if self._pre and not self._row:
            first, *others = text.expandtabs(4).replace("\r\n", "\n").split("\n")
            self._put(first)
            for line in others:
                self._end_line(strip=False)
                self._put(line)
            return
        text = _WHITE.sub(" ", text)
        if not self._line or self._line[-1].endswith((" ", "\t")):
            text = text.lstrip(" ")
        self._put(text)

    def text(self) -> str:
        self._end_line()
        return "\n".join(self._done)

    def _put(self, text: str) -> None:
        if not text:
            return
        if self._marker:
            self._line.append(self._marker)
            self._marker = ""
        self._line.append(text)

    def _block(self, name: str) -> None:
        """What begins or ends such an element begins or ends a line, unless it is in a row."""
        if self._row:
            if name in _APART or name in _LINES:
                self.write(" ")
        elif name in _APART:
            self._end_line()
            self._blank = self._blank or not self._lists
        elif name in _LINES:
            self._end_line()

    def _begin_item(self, element: Any) -> None:
        number = self._lists[-1] if self._lists else None
        self._marker = "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number}. ")
        if number is not None:
            self._lists[-1] = number + 1

    def _end_line(self, strip: bool = True) -> None:
        line = _BEFORE_TAB.sub("\t", "".join(self._line))
        self._line = []
        line = line.rstrip(" \t") if strip else line.rstrip()
        if not line:
            self._blank = self._blank or not strip
            return
        if self._blank and self._done:
            self._done.append("")
        self._blank = False
        self._done.append(line)


def _start_of(ordered_list: Any) -> int:
    start = ordered_list.get("start", "")
    return int(start) if re.fullmatch(r"-?\d{1,6}", start) else 1


def _is_one_line(row: Any) -> bool:
    """Is this a row of data, rather than one that places parts of a page side by side?"""
    length = 0
    for count, element in enumerate(row.iter()):
        if count > _MOST_IN_ROW or name_of(element) in _NOT_IN_A_LINE:
            return False
        if isinstance(element.tag, str):
            length += len((element.text or "").strip())
        if element is not row:
            length += len((element.tail or "").strip())
        if length > _LONGEST_ROW:
            return False
    return True
