"""What parsing gives: a title and pages of text, and nothing of the file's looks."""

from dataclasses import dataclass

from storage.records import Page


@dataclass(frozen=True)
class ParsedDocument:
    """One file after parsing.

    `format` is "pdf", "text" or "markdown". `pages` are numbered from 0 without
    holes. Their text is what is stored: every offset that Recollect ever shows
    counts characters of it.
    """

    title: str
    format: str
    pages: tuple[Page, ...]
