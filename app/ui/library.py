"""The second view: drop files, see what became of them, delete."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.service import Service
from app.ui import documents, render
from app.ui.choosing import brought_up_to_date, offer_what_is_typed
from app.ui.uploads import as_paths
from armt_core.errors import RecollectError, UsageError
from ingest.ocr import known_languages
from storage.records import Document

DELETED = '<p class="extent">Deleted.</p>'


class LibraryView:
    """The view over one service, added to the page that is being built.

    The library is another after each of `changes`; the page then gives `again` what `watched`
    holds, and sets `refreshed`.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.files = as_paths(
            gr.File(
                label="Drop PDF, Word (docx), EPUB, HTML, text or Markdown files here",
                file_count="multiple",
                elem_id="files",
                height=180,
            )
        )
        with gr.Accordion("Scanned pages, files with a password", open=False):
            self.ocr = _ocr_choice()
            self.password = gr.Textbox(
                "",
                label="Password, tried on the files that are dropped next; it is not kept",
                type="password",
                elem_id="password",
                max_lines=1,
            )
        self.resume = gr.Button("Go on reading", visible=False, elem_id="resume")
        self.reports = gr.HTML(elem_id="reports")
        self.find = gr.Textbox(
            "",
            label="Find documents",
            info="by words of their names or states: failed, needs OCR",
            visible=False,
            elem_id="find",
            max_lines=1,
        )
        self.table = gr.HTML(elem_id="library")
        with gr.Accordion("Hand a memory over, delete a document", open=False):
            self.chosen = gr.Dropdown(label="Document", choices=[], value=None, elem_id="chosen")
            self.extent = gr.HTML(elem_id="extent")
            with gr.Row(elem_classes="pair"):
                self.export = gr.Button("Export its memory", interactive=False, elem_id="export")
                self.delete = gr.Button("Delete it …", interactive=False, elem_id="delete")
            with gr.Row(visible=False, elem_classes="pair") as self.confirming:
                self.confirm = gr.Button("Delete it for good", variant="stop", elem_id="confirm")
                self.keep = gr.Button("Keep it", elem_id="keep")
            self.exported = gr.HTML(elem_id="exported")
            self.imported = as_paths(
                gr.UploadButton("Import a memory", file_types=[".safetensors"], elem_id="import")
            )
        private: Any = {"api_visibility": "private"}
        taken = self.files.upload(
            self._take,
            inputs=[self.files, self.password, self.ocr, self.find],
            outputs=[self.reports, self.table],
            show_progress_on=self.reports,
            **private,
        )
        # Apart from what is shown on the way: an update that skips it would make Gradio forget
        # how these files are taken.
        taken.then(lambda: (None, ""), outputs=[self.files, self.password], **private)
        went_on = self.resume.click(
            self._go_on,
            inputs=self.find,
            outputs=[self.reports, self.table, self.resume],
            show_progress_on=self.reports,
            **private,
        )
        self.find.change(
            self._listed,
            inputs=self.find,
            outputs=self.table,
            show_progress="hidden",
            trigger_mode="always_last",  # of a word that is typed only the end is looked for
            **private,
        )
        # Gradio tells twice of what is chosen; by the second time more may have been asked for.
        considered: Any = gr.State(None)
        chosen = [self.extent, self.export, self.delete, self.exported, self.confirming, considered]
        self.typed = offer_what_is_typed(self.chosen, service, lambda shelf: shelf.all)
        self.chosen.input(self._consider, [self.chosen, considered], chosen, **private)
        self.export.click(self._export, self.chosen, chosen, **private)
        self.delete.click(lambda: gr.Row(visible=True), outputs=self.confirming, **private)
        self.keep.click(lambda: gr.Row(visible=False), outputs=self.confirming, **private)
        removed = self.confirm.click(self._remove, self.chosen, [*chosen, self.chosen], **private)
        came_in = self.imported.upload(self._import, self.imported, chosen, **private)
        self.changes = (taken, went_on, removed, came_in)
        self.watched = [self.chosen, self.find, self.typed]
        self.refreshed = [self.table, self.find, self.resume, self.chosen, *chosen]

    def _take(
        self,
        paths: Sequence[str] | None,
        password: str,
        languages: Sequence[str],
        wanted: str,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        """Reads dropped files; the reports so far after each. The copies that the browser's
        upload has left are removed, whatever becomes of them."""

        def show(path: Path, done: int, total: int) -> None:
            progress((done, total), desc=path.name, unit="segments")

        dropped, done = [set_apart(Path(path)) for path in paths or ()], []
        error = ""
        try:
            passwords = [password] if password else ()
            for report in self.service.add(dropped, show, passwords, languages):
                done.append(report)
                yield documents.reports_html(done), self._listed(wanted)
        except RecollectError as failure:
            error = render.error_html(str(failure))
        finally:
            _remove_uploads(dropped)
        yield documents.reports_html(done) + error, self._listed(wanted)

    def _go_on(
        self,
        wanted: str,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        """Reads on what was interrupted or read by another model; the reports so far after each."""

        def show(path: Path, done: int, total: int) -> None:
            progress((done, total), desc=path.name, unit="segments")

        done = []
        for report in self.service.go_on(show):
            done.append(report)
            yield documents.reports_html(done), self._listed(wanted), gr.skip()
        yield documents.reports_html(done), self._listed(wanted), gr.Button(visible=False)

    def _listed(self, wanted: str) -> str:
        return self._table(self.service.documents(), wanted)

    def _table(self, there: Sequence[Document], wanted: str) -> str:
        return documents.documents_html(there, self.service.model, wanted)

    def again(
        self, shelf: documents.Shelf, chosen: str | None, wanted: str, typed: str
    ) -> tuple[Any, ...]:
        """The view once the library has changed."""
        gone = chosen is not None and not shelf.holds(chosen)
        return (
            self._table(shelf.documents, wanted),
            # Once it is there it stays: something may be typed in it.
            gr.Textbox(visible=bool(wanted) or len(shelf.documents) > documents.ROWS),
            gr.Button(visible=any(d.to_be_read(self.service.model) for d in shelf.documents)),
            brought_up_to_date(shelf.all, chosen, typed),
            *(_chosen(DELETED, False) if gone else (gr.skip() for _ in range(6))),
        )

    def _consider(self, document_id: str | None, considered: str | None) -> tuple[Any, ...]:
        """What would go with a document, unless that is shown already."""
        if document_id is not None and document_id == considered:
            return (gr.skip(),) * 6
        if document_id is None:
            return _chosen("", False)
        try:
            document = self.service.library.document(document_id)
            extent = self.service.library.extent(document.id)
        except RecollectError as error:
            return _chosen(render.error_html(str(error)), False)
        return _chosen(documents.extent_html(document, extent), True, document_id)

    def _remove(self, document_id: str | None) -> tuple[Any, ...]:
        if document_id is None:
            return *_chosen("", False), None
        try:
            self.service.library.delete(document_id)
            backups = self.service.library.backups_with(document_id)
        except RecollectError as error:
            return *_chosen(render.error_html(str(error)), False), None
        return *_chosen(DELETED + documents.backups_html(backups), False), None

    def _export(self, document_id: str | None) -> tuple[Any, ...]:
        if document_id is None:
            return _chosen("", False)
        try:
            name, data = self.service.export(document_id)
        except RecollectError as error:
            return _chosen(render.error_html(str(error)), True)
        stay = gr.skip()
        return stay, stay, stay, documents.exported_html(name, data), stay, stay

    def _import(self, path: str) -> tuple[Any, ...]:
        try:
            document, new = self.service.take_in(Path(path))
        except RecollectError as error:
            return _chosen(render.error_html(str(error)), False)
        finally:
            _remove_uploads([Path(path)])
        came = "answers from memory alone now" if new else "was here already"
        return _chosen(f'<p class="extent">“{escape(document.title)}” {came}.</p>', False)


def _ocr_choice() -> gr.Dropdown:
    """The languages of scanned pages; where they cannot be read, why not."""
    languages: list[str] = []
    told = (
        "Read by OCR (tesseract) in the languages that you choose. Documents that need it are read "
        "when they are dropped again."
    )
    try:
        languages = known_languages()
    except UsageError as error:
        told = str(error)
    return gr.Dropdown(
        label="Scanned pages",
        info=told,
        choices=languages,
        value=[],
        multiselect=True,
        interactive=bool(languages),
        elem_id="ocr",
    )


def _chosen(told: str, able: bool, considered: str | None = None) -> tuple[Any, ...]:
    """What is said of the chosen document, whether there is something to do with it, and which
    document's extent is told with that."""
    able_to = gr.Button(interactive=able), gr.Button(interactive=able)
    return told, *able_to, "", gr.Row(visible=False), considered


def set_apart(path: Path) -> Path:
    """Where a dropped file lies until it is read: Gradio removes its own copies after a while,
    read or not."""
    folder = Path(tempfile.mkdtemp(dir=path.parent.parent))
    try:
        moved = path.rename(folder / path.name)
    except OSError:  # it is gone, which its report will say
        folder.rmdir()
        return path
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return moved


def _remove_uploads(paths: Sequence[Path]) -> None:
    """And their folders, unless something else lies there: Gradio keeps the same file of two
    visitors at one path."""
    for path in paths:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()
