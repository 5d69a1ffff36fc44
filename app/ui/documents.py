"""The library as HTML. Everything that comes from a document goes through `escape`."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from app.ui.render import count
from ingest.reports import MOST_UNKNOWN, FileReport
from ingest.terminal import harmless
from storage.records import Document, Extent

_OUTCOMES = {
    "added": "Read",
    "continued": "Read on",
    "reread": "Read again",
    "skipped": "Left out",
    "failed": "Failed",
}

EMPTY = (
    '<p class="empty">The library is empty. Open <b>Library</b> and drop documents '
    "there; then ask about them here.</p>"
)
#: Documents in the table: ten thousand are 90,000 nodes in a browser.
ROWS = 200
_BY_OCR = "see “Scanned pages” above"


@dataclass(frozen=True)
class Shelf:
    """What the library holds, the choices that views offer: (name, id) of each document, and of
    those that can be asked; and the fingerprint of the model that answers."""

    documents: Sequence[Document]
    all: list[tuple[str, str]]
    ready: list[tuple[str, str]]
    model: str

    @classmethod
    def of(cls, documents: Sequence[Document], model: str) -> "Shelf":
        named = names(documents)
        ready = [
            d
            for d in documents
            if d.state == "ready" and d.segments_read and not d.of_another(model)
        ]
        return cls(
            documents,
            [(named[d.id], d.id) for d in documents],
            [(f"{named[d.id]} ({count(d.pages, 'page')})", d.id) for d in ready],
            model,
        )

    def notice(self) -> str:
        """What there is to do before anything can be asked, or before everything can; else
        nothing."""
        if not self.documents:
            return EMPTY
        others = [d for d in self.documents if d.of_another(self.model)]
        memories, there = (
            sum(d.memory_alone for d in others),
            count(len(self.documents), "document"),
        )
        told = []
        if others[memories:]:
            told.append(
                f"Another model read {len(others) - memories:,} of {there}: not asked until “Go on "
                "reading” under <b>Library</b> has read them again."
            )
        if memories:
            told.append(
                f"Another model made {count(memories, 'imported memory', 'imported memories')}: "
                "not asked, and to be deleted under <b>Library</b>."
            )
        return f'<p class="empty">{" ".join(told)}</p>' if told else ""

    def holds(self, document_id: str | None) -> bool:
        """Whether a document is there."""
        return any(d.id == document_id for d in self.documents)


def documents_html(documents: Sequence[Document], model: str, wanted: str = "") -> str:
    """The library as a table, or what to do when it is empty. model: the fingerprint of the one
    that answers. wanted: words that the names or states of the documents have, whatever the case;
    of many documents the first ROWS are shown."""
    if not documents:
        return '<p class="empty">The library is empty. Drop documents above.</p>'
    named, words = names(documents), wanted.casefold().split()
    found = list(documents)
    if words:
        told = {d.id: f"{named[d.id]} {state_of(d, model)}".casefold() for d in documents}
        found = [d for d in documents if all(word in told[d.id] for word in words)]
    rows = "".join(
        f"<tr><td>{escape(named[d.id])}</td>"
        f'<td class="{escape(d.state)}">{escape(state_of(d, model))}</td>'
        f"<td>{d.pages:,}</td><td>{d.tokens:,}</td></tr>"
        for d in found[:ROWS]
    )
    return _shown(len(documents), len(found), bool(words)) + (
        '<table class="documents"><thead><tr><th>Document</th><th>State</th><th>Pages</th>'
        f"<th>Tokens</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _shown(there: int, found: int, asked: bool) -> str:
    """How many of the documents the table shows, where that is not all of them."""
    if not asked and found <= ROWS:
        return ""
    told = f"{found:,} of {count(there, 'document')}" if asked else count(there, "document")
    if found > ROWS:
        told += f"; the first {ROWS} are shown, “Find documents” above finds others"
    return f'<p class="confidence" role="status">{told}.</p>'


def names(documents: Sequence[Document]) -> dict[str, str]:
    """What each document is called, by id: its title, and where others have the same, what tells
    them apart. Plain text."""
    titles = Counter(d.title.casefold() for d in documents)
    named = {d.id: harmless(d.title) for d in documents}
    for d in documents:
        if titles[d.title.casefold()] > 1:
            parts = [*map(harmless, d.file_names[:1]), f"added {d.created_at:%Y-%m-%d %H:%M}"]
            named[d.id] += f" ({', '.join(parts)})"
    again = Counter(named.values())
    return {k: f"{name} · {k[:8]}" if again[name] > 1 else name for k, name in named.items()}


def state_of(document: Document, model: str) -> str:
    """The state for people, with its reason; plain text. model: the fingerprint of the one that
    answers: what another has read cannot be asked."""
    state: str = document.state
    if document.interrupted:
        state = (
            f"interrupted after {document.segments_read:,} of {document.segments_total or 0:,} "
            "segments; “Go on reading” above reads the rest"
        )
    elif document.state == "failed":
        state = f"failed: {document.reason}"
    elif document.of_another(model):
        mend = "" if document.memory_alone else "; “Go on reading” above reads it again"
        state = f"cannot be asked: another model read it{mend}"
    elif document.memory_alone:
        state = "a memory alone: it answers, and there is no text to search or to cite"
    elif document.pages and document.pages_need_ocr == document.pages:
        state = f"needs OCR: no page has text; {_BY_OCR}"
    elif document.pages and document.pages_without_text == document.pages:
        state += ", no page has text"
    elif document.pages_need_ocr:
        state += f", {count(document.pages_need_ocr, 'page needs', 'pages need')} OCR: {_BY_OCR}"
    if document.pages_no_picture:
        state += f", {count(document.pages_no_picture, 'page')} without text cannot be drawn"
    if document.pages_by_ocr:
        state += f", {count(document.pages_by_ocr, 'page')} read by OCR"
    if document.unknown_ratio > MOST_UNKNOWN:
        state += ", not readable by this model (found by words alone)"
    if document.update_state == "failed":
        state += f"; a newer version failed: {document.update_reason}"
    elif document.update_interrupted:
        state += "; the reading of a newer version was interrupted: add its file again"
    elif document.update_state is not None:
        state += "; a newer version is being read"
    return state


def reports_html(reports: Sequence[FileReport]) -> str:
    """What became of the dropped files."""
    items = []
    for report in reports:
        name = harmless(report.title or report.path.replace("\\", "/").rsplit("/", 1)[-1])
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
    return f'<ul class="reports" role="status">{"".join(items)}</ul>' if items else ""


def extent_html(document: Document, extent: Extent) -> str:
    """What goes with a document, before it is deleted."""
    parts = [
        count(document.pages, "page"),
        count(extent.passages, "passage"),
        count(extent.snapshots, "memory", "memories"),
    ]
    if document.original_kept:
        parts.append("the copy of its file")
    if extent.messages:
        parts.append(count(extent.messages, "answer that quotes it", "answers that quote it"))
    return (
        f'<p class="extent">Deletion removes “{escape(document.title)}” for good: '
        f"{', '.join(parts)}; {document.bytes_kept / 1e6:.1f} MB. "
        "The file that was dropped stays where it is.</p>"
    )


def exported_html(name: str, data: bytes) -> str:
    """A memory to take away. The file is in the page itself, so that no copy of it is left
    behind, and no address that outlives the document."""
    held = base64.b64encode(data).decode()
    return (
        f'<p class="extent"><a download="{escape(name)}" '
        f'href="data:application/octet-stream;base64,{held}">{escape(name)}</a> '
        f"({len(data) / 1e6:.1f} MB): the memory as a file, as private as the document.</p>"
    )


def backups_html(folders: Sequence[Path]) -> str:
    """Which backups still hold what was deleted here."""
    return "".join(
        f'<p class="extent">The backup {escape(str(folder))} still holds it.</p>'
        for folder in folders
    )
