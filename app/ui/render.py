"""What the page shows, as HTML. Everything that comes from a document goes through `escape`."""

import base64
from collections.abc import Sequence
from html import escape

from app.results import Answer, Citation
from ingest.reports import MOST_UNKNOWN, FileReport
from storage.records import Document, Page

_OUTCOMES = {
    "added": "Read",
    "continued": "Read on",
    "reread": "Read again",
    "skipped": "Left out",
    "failed": "Failed",
}
#: Characters of a text page shown before and after a quote.
AROUND = 1500


def page_name(page: int, label: str | None) -> str:
    """A page as printed, else its number from 1."""
    return label if label is not None else str(page + 1)


def count(number: int, thing: str) -> str:
    """ "1 page", "1,200 pages"."""
    return f"{number:,} {thing}{'s' if number != 1 else ''}"


def citation_label(number: int, citation: Citation) -> str:
    """One line to choose a citation by; plain text."""
    title = citation.title if len(citation.title) <= 60 else citation.title[:57] + "..."
    return f"{number} · {title}, page {page_name(citation.page, citation.page_label)}"


def answer_html(answer: Answer) -> str:
    """The answer and its quotes, or that there is none."""
    if not answer.found or answer.answer is None:
        nearest = "".join(_quote_html(n, c) for n, c in enumerate(answer.nearest[:3], 1))
        return (
            '<div class="answer not-found"><p class="verdict">Not found in these documents.</p>'
            + (f"<p>The nearest passages, in case they help:</p>{nearest}" if nearest else "")
            + "</div>"
        )
    if answer.source == "memory":
        return (
            f'<div class="answer"><p class="verdict">{escape(answer.answer)}</p>'
            f'<p class="confidence">From memory alone, no passage says so · confidence '
            f"{answer.confidence:.0%}</p></div>"
        )
    quotes = "".join(_quote_html(n, c) for n, c in enumerate(answer.citations, 1))
    return (
        f'<div class="answer"><p class="verdict">{escape(answer.answer)}</p>'
        f'<p class="confidence">Confidence {answer.confidence:.0%}</p>{quotes}</div>'
    )


def _quote_html(number: int, citation: Citation) -> str:
    quote = " ".join(citation.quote.split())
    return (
        f'<blockquote class="citation"><p>{escape(quote)}</p>'
        f"<footer>{escape(citation_label(number, citation))} · {citation.score:.0%}"
        "</footer></blockquote>"
    )


#: What is said of memory alone where it is not asked.
UNTRAINED = (
    "This model's memory is not trained yet: it is written and kept while reading, but it "
    "answers nothing by itself, and answers are the same with it and without."
)
NOT_ASKED = (
    "This model gives no answers from memory alone. Memory helps it to find and to read the "
    "passages; ask with an emptied memory to see the difference."
)


def memory_html(answer: Answer | None, unasked: str | None, titles: dict[str, str]) -> str:
    """What memory alone says, apart from what passages say. unasked: why it is not asked."""
    if unasked is not None:
        return f'<p class="memory">{unasked}</p>'
    if answer is None:
        return ""
    if answer.memory_answer is None:
        return '<p class="memory">Memory alone has no answer.</p>'
    said = answer.memory_answer
    title = titles.get(said.document_id, "")
    return (
        f'<p class="memory">{escape(said.text)}</p><p class="confidence">From the memory of '
        f"“{escape(title)}” alone, no passage read · confidence {said.confidence:.0%}</p>"
    )


def page_image_html(png: bytes, citation: Citation) -> str:
    """A drawn page; the picture is in the page itself, so no file of it is left behind."""
    data = base64.b64encode(png).decode()
    name = escape(f"{citation.title}, page {page_name(citation.page, citation.page_label)}")
    return (
        f'<figure class="page" data-page="{citation.page}">'
        f'<img alt="{name}" src="data:image/png;base64,{data}"><figcaption>{name}</figcaption>'
        "</figure>"
    )


def page_text_html(page: Page, citation: Citation, why: str = "") -> str:
    """The text around a quote, marked, for documents that have no drawn pages."""
    start = max(0, citation.start - AROUND)
    end = min(len(page.text), citation.end + AROUND)
    before, after = page.text[start : citation.start], page.text[citation.end : end]
    name = escape(f"{citation.title}, page {page_name(citation.page, citation.page_label)}")
    return (
        f'<figure class="page" data-page="{citation.page}"><pre>'
        f"{'…' if start else ''}{escape(before)}<mark>{escape(citation.quote)}</mark>"
        f"{escape(after)}{'…' if end < len(page.text) else ''}</pre>"
        f"<figcaption>{name}{' · ' + escape(why) if why else ''}</figcaption></figure>"
    )


def documents_html(documents: Sequence[Document]) -> str:
    """The library as a table, or what to do when it is empty."""
    if not documents:
        return '<p class="empty">The library is empty. Drop documents above.</p>'
    rows = "".join(
        f"<tr><td>{escape(d.title)}</td><td>{escape(_state(d))}</td><td>{d.pages}</td>"
        f"<td>{d.tokens:,}</td></tr>"
        for d in documents
    )
    return (
        '<table class="documents"><thead><tr><th>Document</th><th>State</th><th>Pages</th>'
        f"<th>Tokens</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _state(document: Document) -> str:
    state: str = document.state
    if document.state == "failed":
        state = f"failed: {document.reason}"
    elif document.pages and document.pages_need_ocr == document.pages:
        state = "needs OCR: no page has text"
    elif document.pages_need_ocr:
        pages = document.pages_need_ocr
        state += f", {pages} page{' needs' if pages == 1 else 's need'} OCR"
    if document.pages_by_ocr:
        state += f", {count(document.pages_by_ocr, 'page')} read by OCR"
    if document.unknown_ratio > MOST_UNKNOWN:
        state += ", not readable by this model (found by words alone)"
    if document.update_state == "failed":
        state += f"; a newer version failed: {document.update_reason}"
    elif document.update_state is not None:
        state += "; a newer version is being read"
    return state


def reports_html(reports: Sequence[FileReport]) -> str:
    """What became of the dropped files."""
    items = []
    for report in reports:
        name = report.title or report.path.replace("\\", "/").rsplit("/", 1)[-1]
        known = report.reason == "known already"
        outcome = "Known already" if known else _OUTCOMES[report.outcome]
        line = f"<b>{escape(outcome)}</b> {escape(name)}"
        if report.outcome in ("added", "continued", "reread"):
            line += (
                f": {count(report.pages, 'page')}, {report.tokens:,} tokens, {report.seconds:.1f} s"
            )
        if report.reason and not known:
            line += f" ({escape(report.reason)})"
        items.append(f'<li class="{report.outcome}">{line}</li>')
    return f'<ul class="reports">{"".join(items)}</ul>' if items else ""


def error_html(message: str) -> str:
    """An error as a sentence."""
    return f'<p class="error">{escape(message)}</p>'
