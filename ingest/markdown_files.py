"""Markdown, read natively: one page whose stored text is the source itself.

The cleaned view keeps what a reader of the rendered page would see: a line a block,
wrapped lines joined. What is no markup for certain is left as it stands.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.characters import is_wide
from ingest.markdown_inline import keep_inline
from ingest.parsed import ParsedDocument, title_from_name
from ingest.runs import CleanPage, RunBuilder
from ingest.text_files import read_text
from storage.records import Page

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:[^\n]*\n){0,500}?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FENCE = re.compile(r"[ \t>]*(`{3,20}|~{3,20})")
_RULE = re.compile(r"[ \t]*(?:[-*_=](?:[ \t]*[-*_=]){2,}|=+|-+)[ \t]*")
_TABLE_RULE = re.compile(r"[ \t|]*:?-+:?[ \t]*(?:\|[ \t]*:?-*:?[ \t]*)+")
_REFERENCE = re.compile(r"[ ]{0,3}\[([^\^\[\]\n][^\[\]\n]*)\]:[ \t]*\S+")
_FOOTNOTE = re.compile(r"[ ]{0,3}\[\^[^\[\]\n]*\]:[ \t]*")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}(?:[ \t]+|\Z)")
_HEADING_END = re.compile(r"[ \t]#+\Z")
_TITLE = re.compile(r"[ ]{0,3}#[ \t]+")
_QUOTE = re.compile(r"(?:[ \t]{0,3}>)+[ \t]?")
_BULLET = re.compile(r"[ \t]*[-*+][ \t]+(?:\[[ xX]\][ \t]+)?")
_NUMBERED = re.compile(r"[ \t]*\d{1,9}[.)][ \t]")


def parse_markdown(path: Path) -> ParsedDocument:
    """One page 0 without a label; the title is the first `# heading`, else the file's stem."""
    text = read_text(path)
    return ParsedDocument(_title(text) or title_from_name(path), "markdown", (Page(0, None, text),))


def _title(text: str) -> str | None:
    for start, end, in_code in _lines(text):
        if not in_code and _TITLE.match(text, start, end):
            return clean_markdown(text[start:end]).text or None
    return None


def clean_markdown(text: str) -> CleanPage:
    """The text without its markup; the runs count from the start of `text`."""
    builder = RunBuilder(text)
    labels = {_label(found[1]) for found in re.finditer(rf"(?m)^{_REFERENCE.pattern}", text)}
    lines = list(_lines(text))
    last = -1  # where the last line that was kept ends
    block_ended, in_table, was_quoted = True, False, False
    for index, (start, end, in_code) in enumerate(lines):
        if in_code:
            content, content_end, opens, closes = start, end, True, True
        else:
            content, content_end, opens, closes = _content(text, start, end)
            quoted = _QUOTE.match(text, start, end) is not None
            opens = opens or (quoted and not was_quoted)
            was_quoted = quoted
        while content_end > content and text[content_end - 1].isspace():
            content_end -= 1
        if content >= content_end:
            block_ended = True
            in_table = _is_table_rule(text, start, end) if start < end else False
            continue
        has_pipe = not in_code and "|" in text[content:content_end]
        following = lines[index + 1] if index + 1 < len(lines) else (0, 0, True)
        row = has_pipe and (
            in_table
            or text[content] == "|"
            or (not following[2] and _is_table_rule(text, following[0], following[1]))
        )
        if row:
            opens = closes = True
            while content < content_end and text[content] in "| \t":
                content += 1
            while content_end > content and text[content_end - 1] in "| \t":
                content_end -= 1
        if last >= 0:
            builder.replace(last, content, _glue(text, last, content, block_ended or opens))
        if in_code:
            builder.keep(content, content_end)
        else:
            keep_inline(builder, text, content, content_end, labels, row)
        last, block_ended = content_end, closes
    return builder.build()


def _glue(text: str, last: int, start: int, new_block: bool) -> str:
    if new_block:
        return "\n"
    return "" if is_wide(text[last - 1]) and is_wide(text[start]) else " "


def _label(text: str) -> str:
    return " ".join(text.lower().split())


def _is_table_rule(text: str, start: int, end: int) -> bool:
    return _TABLE_RULE.fullmatch(text, start, end) is not None


def _content(text: str, start: int, end: int) -> tuple[int, int, bool, bool]:
    """Where the content of a line lies, whether it opens a block, and whether it closes one."""
    quote = _QUOTE.match(text, start, end)
    if quote:
        start = quote.end()
    if (
        _RULE.fullmatch(text, start, end)
        or _is_table_rule(text, start, end)
        or _REFERENCE.match(text, start, end)
    ):
        return end, end, True, True
    heading = _HEADING.match(text, start, end)
    if heading:
        closing = _HEADING_END.search(text, heading.end(), end)
        return heading.end(), closing.start() if closing else end, True, True
    bullet = _BULLET.match(text, start, end) or _FOOTNOTE.match(text, start, end)
    if bullet:
        return bullet.end(), end, True, False
    numbered = _NUMBERED.match(text, start, end) is not None
    while start < end and text[start].isspace():
        start += 1
    return start, end, numbered, False


def _lines(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, is code) of each line; fences, comments and front matter are left out.

    Where they stood comes an empty line, so that what lies around them is not joined.
    """
    front = _FRONT_MATTER.match(text)
    position = front.end() if front else 0
    fence = ""
    comments = True  # may there still be one that ends?
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        mark = _FENCE.match(text, position, end)
        if fence:
            if mark and mark[1].startswith(fence) and not text[mark.end() : end].strip():
                fence = ""
                yield position, position, False
            else:
                yield position, end, True
        elif mark and "`" not in text[mark.end() : end]:
            fence = mark[1]
            yield position, position, False
        else:
            opening = text.find("<!--", position, end) if comments else -1
            if opening >= 0 and text[opening - 1 : opening] != "`":
                closing = text.find("-->", opening + 4)
                comments = closing >= 0
                if comments:
                    if text[position:opening].strip():
                        yield position, opening, False
                    position = closing + 3
                    continue
            yield position, end, False
        position = end + 1
