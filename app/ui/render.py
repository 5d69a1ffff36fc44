"""Pieces of HTML that all views use. What comes from a document goes through `escape`."""

import base64
from html import escape

from app.results import Citation, FoundPassage, Place, page_name
from ingest.draw import is_part
from ingest.terminal import harmless
from storage.records import Page

#: Characters of a text page shown before a quote, few enough for it to be in view, and after.
BEFORE, AFTER = 400, 1500


def count(number: int, one: str, many: str | None = None) -> str:
    """ "1 page", "1,200 pages"; many: where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def beginning(text: str, most: int = 140) -> str:
    """A text in one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def citation_name(citation: Citation | FoundPassage | Place) -> str:
    """Document and page; plain text."""
    title = harmless(citation.title)
    title = title if len(title) <= 60 else title[:57] + "..."
    return f"{title}, {page_name(citation.page, citation.page_label)}"


def on_citation(page: str) -> str:
    """Script for HTML with buttons that have data-citation: a click, by mouse or keyboard, tells
    what data they have, and goes to where the page is drawn, which a narrow screen may not show."""
    return f"""
element.addEventListener('click', event => {{
  const chosen = event.target.closest('[data-citation]');
  if (!chosen) return;
  trigger('click', {{...chosen.dataset}});
  document.querySelector('{page}').scrollIntoView({{block: 'nearest', behavior: 'smooth'}});
}});
"""


def error_html(message: str) -> str:
    """An error as a sentence."""
    return f'<p class="error" role="alert">{escape(message)}</p>'


def page_image_html(png: bytes, citation: Citation, by_ocr: bool = False) -> str:
    """A drawn page; the picture is in the page itself, so no file of it is left behind.

    by_ocr: its text comes from the picture, and nothing tells where on it the quote stands.
    """
    data = base64.b64encode(png).decode()
    name = escape(f"{citation.title}, {page_name(citation.page, citation.page_label)}")
    said = "; part of the page" if is_part(png) else ""
    if by_ocr:
        said += "; read by OCR, so the quote is not marked"
    return (
        f'<figure class="page" data-page="{citation.page}">'
        f'<img alt="{name}" src="data:image/png;base64,{data}"><figcaption>{name}{said}'
        "</figcaption></figure>"
    )


def page_text_html(page: Page, citation: Citation, why: str = "") -> str:
    """The text around a quote, marked, for documents that have no drawn pages. why: of a page that
    would be drawn otherwise, why it is not."""
    start = max(0, citation.start - BEFORE)
    end = min(len(page.text), citation.end + AFTER)
    before, after = page.text[start : citation.start], page.text[citation.end : end]
    name = escape(f"{citation.title}, {page_name(citation.page, citation.page_label)}")
    return (
        f'<figure class="page" data-page="{citation.page}"><pre dir="auto">'
        f"{'…' if start else ''}{escape(before)}<mark>{escape(citation.quote)}</mark>"
        f"{escape(after)}{'…' if end < len(page.text) else ''}</pre>"
        f"<figcaption>{name}{escape(f'; shown as text: {why}' if why else '')}"
        "</figcaption></figure>"
    )
