"""Markdown within a line: emphasis, code, links, images, tags, entities, escapes."""

import html
import re
from collections.abc import Set

from ingest.characters import is_wide, keep_mended
from ingest.runs import RunBuilder

_TAGS = (
    "a|abbr|b|blockquote|br|center|cite|code|dd|del|details|div|dl|dt|em|figcaption|figure|font"
    "|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|picture|pre|q|s|samp|section|small|source|span|strong"
    "|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|u|ul|var|video"
)
# No part looks further than the next mark of its own kind, so a line takes one pass.
_INLINE = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`{1,3})(?P<inside>[^`\n]+)(?P=code)"
    r"|\[!\[(?P<badge>[^\[\]\n]*)\]\([^()\n]{0,2000}\)\]\([^()\n]{0,2000}\)"
    r"|!?\[(?P<text>[^\[\]\n]*)\]\((?:[^()\n]|\([^()\n]{0,2000}\)){0,2000}\)"
    r"|(?P<note>\[\^[^\[\]\n]*\])"
    r"|!?\[(?P<label>[^\[\]\n]*)\](?:\[(?P<reference>[^\[\]\n]*)\])?"
    r"|<(?P<address>(?:https?|mailto):[^<>\s]*)>"
    rf"|(?P<tag></?(?:{_TAGS})(?:\s[^<>\n]*)?/?>)"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)"
    r"|(?P<marks>\*+|_+|~~+)"
    r"|(?P<pipe>[|])",
    re.IGNORECASE,
)
_INNER = ("inside", "address", "badge", "text")


def keep_inline(
    builder: RunBuilder, text: str, start: int, end: int, labels: Set[str], in_table: bool
) -> None:
    """Append `text[start:end]`, part of one line, without its markup.

    `labels` are those the document defines as link targets; `[a][b]` is otherwise text.
    """
    while start < end:
        found = _INLINE.search(text, start, end)
        if found is None:
            break
        keep_mended(builder, text, start, found.start())
        start = found.end()
        inner = next((name for name in _INNER if found[name] is not None), "")
        if found["escape"]:
            builder.keep(found.start() + 1, found.end())
        elif inner in ("inside", "address"):
            builder.keep(*found.span(inner))
        elif inner:
            keep_inline(builder, text, *found.span(inner), labels, in_table)
        elif found["label"] is not None:
            if " ".join((found["reference"] or found["label"]).lower().split()) in labels:
                keep_inline(builder, text, *found.span("label"), labels, in_table)
            else:
                start = found.start() + (2 if found[0][0] == "!" else 1)
                builder.keep(found.start(), start)
        elif found["tag"] and found["tag"][1:3].lower() == "br":
            builder.replace(found.start(), found.end(), " ")
        elif found["entity"]:
            _keep_entity(builder, found)
        elif found["marks"] and not _is_markup(text, found, end):
            builder.keep(found.start(), found.end())
        elif found["pipe"]:
            if in_table:
                while start < end and text[start] in " \t":
                    start += 1
                spaced = found.start() and text[found.start() - 1] in " \t"
                builder.replace(found.start(), start, "" if spaced else " ")
            else:
                builder.keep(found.start(), found.end())
    keep_mended(builder, text, start, end)


def _keep_entity(builder: RunBuilder, found: re.Match[str]) -> None:
    character = html.unescape(found[0])
    if character == found[0]:
        builder.keep(found.start(), found.end())
    else:
        builder.replace(found.start(), found.end(), character.replace("\xa0", " "))


def _is_markup(text: str, found: re.Match[str], end: int) -> bool:
    """Do these stars, underscores or tildes emphasise, or are they meant as they are?"""
    before = text[found.start() - 1 : found.start()] if found.start() else " "
    after = text[found.end()] if found.end() < end else " "
    if before.isspace() and after.isspace():
        return False  # "2 * 3"
    if before.isalnum() and after.isalnum():  # "snake_case", "2**3"
        return len(found[0]) > 1 and (is_wide(before) or is_wide(after))
    return True
