"""Pages of documents: the one that a citation names, and the one that somebody types."""

from app.results import Citation
from app.service import Service
from app.ui import render
from armt_core.errors import UsageError


def page_html(service: Service, citation: Citation) -> str:
    """A cited page of a PDF drawn with the quote marked, of others as text."""
    png, why = service.drawn(citation)
    page = service.page(citation)
    if png is not None:
        return render.page_image_html(png, citation, by_ocr=page.by_ocr)
    return render.page_text_html(page, citation, why)


def page_index(text: str) -> int | None:
    """The 0-based page of what was typed, counted from 1; None for nothing."""
    typed = text.strip()
    if not typed:
        return None
    if not typed.isdecimal() or len(typed) > 9 or int(typed) < 1:
        raise UsageError(f"“As of page” takes a page number from 1 on, not “{typed[:40]}”.")
    return int(typed) - 1
