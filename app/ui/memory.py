"""The third view: what a memory is, where it was written, what was new to it."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import pandas as pd

from app.outline import Change, differences, outline
from app.results import Citation, page_name
from app.service import Service
from app.ui.choosing import brought_up_to_date, offer_what_is_typed
from app.ui.documents import Shelf
from app.ui.pages import page_html
from app.ui.render import beginning, count, error_html, on_citation
from armt_core.errors import RecollectError
from ingest.terminal import harmless
from storage.records import Document, PassageNote

#: Changes between two documents that are listed.
CHANGES = 20
EMPTY = '<p class="empty">The library is empty. Open <b>Library</b> and drop documents there.</p>'
BEGIN = (
    '<p class="empty">Choose a document: you then see where its memory was written, and which '
    "passages changed it most.</p>"
)
#: Short names in the plot leave its legend whole on a phone.
CURVES = (
    '<p class="confidence">beta: how strongly a segment was written; gamma: how new its keys '
    "were; change: how far it moved the memory, as a share of the most.</p>"
)
#: Two documents of which less is the same are no versions of each other.
SAME = 0.1
UNNOTED = (
    '<p class="empty">This document was read before it was noted where its memory was written. '
    "Read it again with: {command}</p>"
)


class MemoryView:
    """The view over one service, added to the page that is being built. When the library has
    changed, the page gives `again` what `watched` holds, and sets `refreshed`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.listed: Any = gr.State([])
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.chosen = gr.Dropdown(
                    label="Document", choices=[], value=None, elem_id="memory-of"
                )
                self.size = gr.HTML(BEGIN, elem_id="memory-size")
                self.plot = gr.LinePlot(
                    x="segment",
                    y="share",
                    color="what",
                    x_title="segment, in reading order",
                    y_title="0 to 1",
                    y_lim=[0, 1],
                    color_title="curve",
                    height=240,
                    visible=False,
                    elem_id="memory-plot",
                )
                self.outline = gr.HTML(elem_id="outline", js_on_load=on_citation("#memory-page"))
                with gr.Accordion("Compare with another version", open=False):
                    self.other = gr.Dropdown(
                        label="The other document", choices=[], value=None, elem_id="other"
                    )
                    self.changes = gr.HTML(elem_id="changes")
            with gr.Column(scale=2, min_width=320, elem_classes="beside"):
                self.page = gr.HTML(elem_id="memory-page")
        private: Any = {"api_visibility": "private"}
        shown = [self.size, self.plot, self.outline, self.listed, self.page, self.changes]
        self.refreshed = [self.chosen, self.other, *shown]
        dropdowns = [self.chosen, self.other]
        self.watched = [
            *dropdowns,
            *(offer_what_is_typed(d, service, lambda shelf: shelf.ready) for d in dropdowns),
        ]
        self.chosen.input(self._show, inputs=self.chosen, outputs=shown, **private)
        self.outline.click(self._open, inputs=self.listed, outputs=self.page, **private)
        self.other.input(
            self._compare, inputs=[self.chosen, self.other], outputs=self.changes, **private
        )

    def _show(self, document_id: str | None) -> tuple[Any, ...]:
        hidden = gr.LinePlot(visible=False)
        if document_id is None:
            return BEGIN, hidden, "", [], "", ""
        try:
            document = self.service.library.document(document_id)
            _, size = self.service.load([document.id])
            notes = self.service.library.notes(document.id)
            listed = outline(document, notes, self.service.library)
        except RecollectError as error:
            return error_html(str(error)), hidden, "", [], "", ""
        # A point alone is no curve.
        plot = gr.LinePlot(_plotted(notes), visible=True) if len(notes) > 1 else hidden
        if notes:
            told = outline_html(listed)
        else:
            told = UNNOTED.format(command=f"python -m app reread {document.id}")
        said = size_html(document, size) + (CURVES if len(notes) > 1 else "")
        return said, plot, told, listed, "", ""

    def again(
        self, shelf: Shelf, chosen: str | None, other: str | None, typed: str, typed_other: str
    ) -> tuple[Any, ...]:
        """The view once the library has changed: of a document that is gone nothing stays."""
        here, there = shelf.holds(chosen), shelf.holds(other)
        stay = gr.skip()
        return (
            brought_up_to_date(shelf.ready, chosen, typed),
            brought_up_to_date(shelf.ready, other, typed_other),
            *((stay,) * 5 if chosen is None or here else self._show(None)[:5]),
            stay if here and there else "",
        )

    def _open(self, listed: list[Citation], event: gr.EventData) -> str:
        try:
            return page_html(self.service, listed[int(event.citation)])
        except RecollectError as error:
            return error_html(str(error))

    def _compare(self, here: str | None, there: str | None) -> str:
        if here is None or there is None:
            return error_html("Choose two documents.")
        library = self.service.library
        try:
            ours, theirs = library.document(here), library.document(there)
            return changes_html(ours, theirs, *differences(library, ours, theirs))
        except RecollectError as error:
            return error_html(str(error))


def _plotted(notes: Sequence[PassageNote]) -> pd.DataFrame:
    """A row for each segment and curve."""
    segments, most = list(range(1, len(notes) + 1)), max(note.change for note in notes) or 1.0
    curves = {
        "beta": [note.beta for note in notes],
        "gamma": [note.gamma for note in notes],
        "change": [note.change / most for note in notes],
    }
    return pd.concat(
        pd.DataFrame({"segment": segments, "share": values, "what": name})
        for name, values in curves.items()
    )


def size_html(document: Document, size: int) -> str:
    """What the memory is, in one line. size: its bytes."""
    return (
        f'<p class="memory">{count(document.segments_read, "segment")} of '
        f"{count(document.pages, 'page')}, {document.tokens:,} tokens, in a memory of "
        f"{size / 1e6:.1f} MB, which is as large for a document of any length.</p>"
    )


def outline_html(listed: Sequence[Citation]) -> str:
    """The passages that were newest to the memory; each opens its page."""
    if not listed:
        return '<p class="empty">One passage alone: to an empty memory everything is new.</p>'
    rows = "".join(
        f'<button type="button" class="citation" data-citation="{n}"><span class="quote">'
        f'{escape(beginning(c.quote))}</span><span class="source">'
        f"{escape(page_name(c.page, c.page_label))} · {c.score:.1f} times as much as usual"
        "</span></button>"
        for n, c in enumerate(listed)
    )
    return f"<h4>What changed the memory most</h4>{rows}"


def changes_html(
    here: Document, there: Document, changes: Sequence[Change], same: float = 1.0
) -> str:
    """What tells two documents apart. same: the share of their sentences that both have."""
    names = escape(harmless(here.title)), escape(harmless(there.title))
    if not changes:
        return '<p class="empty">They say the same, sentence by sentence.</p>'
    if same < SAME:
        return (
            f'<p class="empty">“{names[0]}” and “{names[1]}” have hardly a sentence in common: '
            "they are not versions of each other.</p>"
        )
    more = len(changes) - CHANGES
    rows = "".join(
        f'<li class="{"gone" if change.kind == "only there" else "new"}">'
        f'{escape(beginning(change.text, 300))} <span class="source">'
        f"{escape((there if change.kind == 'only there' else here).title)}, "
        f"{escape(page_name(change.page, change.page_label))}</span></li>"
        for change in changes[:CHANGES]
    )
    rest = f'<p class="empty">and {count(more, "other")}.</p>' if more > 0 else ""
    legend = (
        f'<p class="legend"><span class="new">only in the first, “{names[0]}”</span> '
        f'<span class="gone">only in the other, “{names[1]}”</span></p>'
    )
    return f'{legend}<ul class="changes">{rows}</ul>{rest}'
