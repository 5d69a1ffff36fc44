"""The memory a question is asked with: final, as of a page, or empty."""

from collections import OrderedDict
from threading import Lock

from app.results import Memory
from armt_core.document_model import DocumentModel
from armt_core.errors import OtherModel, UsageError
from armt_core.memory import MemoryState
from armt_core.snapshot import load_snapshot
from storage.library import Library
from storage.records import Document

#: Memories kept open, 1.8 MB each with the default model.
OPEN_AT_MOST = 32


class Memories:
    """Opens memories of documents and keeps the latest ones; safe to use from several threads."""

    def __init__(self, library: Library, model: DocumentModel) -> None:
        self._library, self._model = library, model
        self._open: OrderedDict[tuple[int, int], MemoryState] = OrderedDict()
        self._lock = Lock()

    def of(
        self, document: Document, memory: Memory = "final", as_of_page: int | None = None
    ) -> MemoryState:
        """The memory of a ready document after its last segment, or after page `as_of_page`.

        Raises OtherModel if another model read the document, UsageError for a page that
        it does not have, DamagedSnapshot if the stored bytes are not what was written.
        """
        self._check(document, as_of_page)
        if memory == "empty":
            return self._model.model.empty_memory()
        segments = document.segments_read
        if as_of_page is not None:
            segments = self._library.segments_upto_page(document.id, as_of_page)
        key = (document.version_id, segments)
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        state = self._after(document, segments)
        with self._lock:
            self._open[key] = state
            while len(self._open) > OPEN_AT_MOST:
                self._open.popitem(last=False)
        return state

    def _check(self, document: Document, as_of_page: int | None) -> None:
        if document.fingerprint != self._model.fingerprint:
            raise OtherModel(
                f'"{document.title}" was read by model {document.fingerprint[:12]}, the loaded '
                f"model is {self._model.fingerprint[:12]}. Start with the model that read it, or "
                + ("delete it." if document.memory_alone else "read it again."),
                "" if document.memory_alone else "reread",
            )
        if as_of_page is not None and document.memory_alone:
            raise UsageError(
                f'"{document.title}" was imported as a memory alone, which holds no page: ask it '
                "as a whole."
            )
        if as_of_page is not None and not 0 <= as_of_page < document.pages:
            raise UsageError(
                f'"{document.title}" has pages 0 to {document.pages - 1}; '
                f"there is no memory as of page {as_of_page}."
            )

    def _after(self, document: Document, segments: int) -> MemoryState:
        """From the nearest earlier snapshot, reading the stored passages in between again."""
        state = self._model.model.empty_memory()
        done = 0
        snapshot = self._library.snapshot_at_or_before(document.version_id, segments)
        if snapshot is not None:
            state = load_snapshot(snapshot.data, self._model.config, self._model.fingerprint)
            state = state.to(self._model.model.device)
            done = snapshot.segments_read
        if done < segments:
            for passage in self._library.passages(document.id)[done:segments]:
                _, state = self._model.read(passage.text, state)
        return state
