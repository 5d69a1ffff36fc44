"""The cleaned view of a document: what the model reads and what people see as an answer.

Stored text is the text as extracted; this view of it mends words divided at line
ends, ligatures and odd spaces, joins wrapped lines, and leaves repeated headers and
footers out. Its only newlines are the ends of paragraphs, headings and list items.
The runs lead every character back (see ingest.runs).

What becomes of the beginning of a text file never depends on what follows, unless it
has form feeds and with them headers and footers: only then does a file that grows
change its cleaned beginning, and only when a line starts to count as repeated.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ingest.characters import is_wide, keep_mended
from ingest.furniture import furniture_lines
from ingest.hyphens import HYPHENS, DividedWords
from ingest.markdown_files import clean_markdown
from ingest.pandoc_files import PANDOC_FORMATS
from ingest.parsed import ParsedDocument
from ingest.runs import CleanPage, RunBuilder, to_page_span

__all__ = ["CleanPage", "clean_document", "to_page_span"]

_LIST_ITEM = re.compile(r"(?:[-*•‣▪●◦–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][)]|\d+(?:\.\d+)+\.?)[ \t\xa0]")
# Each line of their text is a block: see html_text.
_LAID_OUT = frozenset(("html", "docx", "epub", *PANDOC_FORMATS))
_USUAL_WIDTH = 70  # of a line in a text file; fixed, so that appending changes nothing
_SHORT = 0.6  # of the usual width: such a line may end a paragraph or be a heading
_UNWRAPPED = 200  # a longer line is a whole paragraph


@dataclass(frozen=True)
class _Line:
    """The stretch [start, end) of a page: a line without white space around it."""

    start: int
    end: int
    after_blank: bool


def clean_document(document: ParsedDocument) -> list[CleanPage]:
    """The cleaned view of each page, in order."""
    texts = [page.text for page in document.pages]
    if document.format == "markdown":
        return [clean_markdown(text) for text in texts]
    if document.format in _LAID_OUT:
        return [_clean_blocks(text) for text in texts]
    is_pdf = document.format == "pdf"
    words = DividedWords(texts, only_before=not is_pdf)
    lines = [_lines(text) for text in texts]
    furniture = furniture_lines(
        [
            [text[line.start : line.end] for line in page]
            for text, page in zip(texts, lines, strict=True)
        ],
        [page.label for page in document.pages],
    )
    clean = []
    for number, (text, page) in enumerate(zip(texts, lines, strict=True)):
        kept = [line for index, line in enumerate(page) if index not in furniture[number]]
        width = _typical_width(text, kept) if is_pdf else _USUAL_WIDTH
        join = partial(words.join, text, number)
        clean.append(_clean_page(text, kept, width, join, is_pdf))
    return clean


def _clean_blocks(text: str) -> CleanPage:
    builder = RunBuilder(text)
    last = None
    for line in _lines(text):
        if last is not None:
            builder.replace(last, line.start, "\n")
        keep_mended(builder, text, line.start, line.end)
        last = line.end
    return builder.build()


def _lines(text: str) -> list[_Line]:
    """The lines that are not blank."""
    lines = []
    position, after_blank = 0, True
    for raw in text.split("\n"):
        stripped = raw.lstrip()
        if stripped:
            start = position + len(raw) - len(stripped)
            lines.append(_Line(start, start + len(stripped.rstrip()), after_blank))
        after_blank = not stripped
        position += len(raw) + 1
    return lines


def _width(text: str, line: _Line) -> int:
    # In a PDF a soft hyphen is where a line ended and the next one was put on to it.
    length = line.end - max(line.start, text.rfind("\u00ad", line.start, line.end) + 1)
    return 2 * length if is_wide(text[line.end - 1]) else length


def _typical_width(text: str, lines: Sequence[_Line]) -> int:
    """Three lines in four are at most this wide."""
    widths = sorted(_width(text, line) for line in lines)
    return widths[3 * len(widths) // 4] if widths else 0


def _clean_page(
    text: str, lines: Sequence[_Line], width: int, join: Callable[[int, int], str], is_pdf: bool
) -> CleanPage:
    builder = RunBuilder(text)

    def divided(mark: int) -> str:
        return join(mark, mark + 1) if is_pdf else ""

    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else None
        if following is None:
            keep_mended(builder, text, line.start, line.end, divided)
        elif _is_divided(text, line, following):
            keep_mended(builder, text, line.start, line.end - 1, divided)
            hyphen = join(line.end - 1, following.start)
            if hyphen and text[line.end - 1] == hyphen:
                builder.keep(line.end - 1, line.end)
            else:
                builder.replace(line.end - 1, line.end, hyphen)
        else:
            keep_mended(builder, text, line.start, line.end, divided)
            builder.replace(line.end, following.start, _glue(text, line, following, width))
    return builder.build()


def _is_divided(text: str, line: _Line, following: _Line) -> bool:
    """Does the last word of `line` go on at the start of `following`?"""
    return (
        not following.after_blank
        and line.end - line.start > 1
        and text[line.end - 1] in HYPHENS
        and text[line.end - 2].isalnum()
        and text[following.start].isalnum()
    )


def _glue(text: str, line: _Line, following: _Line, usual_width: int) -> str:
    """What stands between two lines: a paragraph's end, a space, or (Chinese) nothing."""
    last, first = text[line.end - 1], text[following.start]
    if following.after_blank or _LIST_ITEM.match(text, following.start, following.end):
        return "\n"
    width = _width(text, line)
    if width > max(_UNWRAPPED, 2 * usual_width):
        return "\n"
    if width < _SHORT * usual_width and not first.islower() and last not in ",;、，":
        return "\n"
    return "" if is_wide(last) and is_wide(first) else " "
