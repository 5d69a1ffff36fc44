"""Several documents read side by side: each by its own thread, their segments in one batch.

On a GPU one short segment at a time leaves most of the device idle. Every thread reads its
document as if it were alone; `read` waits until all of them have brought their next segment,
and the last one to come runs the model for all. Nothing else in `ingest` knows of it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from armt_core.document_model import DocumentModel, Noted, Segment
from armt_core.memory import MemoryState

#: Documents at once on a GPU. On a CPU it is one: batches gain little there, and a document
#: read alone ends in the same bits every time.
ON_A_GPU = 16


def documents_at_once(model: DocumentModel) -> int:
    """How many documents to read side by side with this model on its device."""
    return ON_A_GPU if model.model.device.type == "cuda" else 1


@dataclass
class _Next:
    """A thread's next segment, and what became of it."""

    segment: Segment
    memory: MemoryState
    result: tuple[Noted, MemoryState] | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class SideBySide(DocumentModel):
    """A DocumentModel for several threads, each inside `document()` while it reads one."""

    documents: int = 1
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _waiting: list[_Next] = field(default_factory=list)
    _reading: list[int] = field(default_factory=list)  # idents of the threads inside

    @classmethod
    def of(cls, model: DocumentModel, documents: int) -> "SideBySide":
        """`model` for up to `documents` threads."""
        return cls(model.model, model.tokenizer, model.fingerprint, documents)

    @property
    def conditions(self) -> str:
        """As of the model; batches of several documents change the last bits of a memory."""
        alone = super().conditions
        return alone if self.documents == 1 else f"{alone}, up to {self.documents} documents"

    @contextmanager
    def document(self) -> Iterator[None]:
        """While inside, the others wait for this thread's segments."""
        with self._turn:
            self._reading.append(threading.get_ident())
        try:
            yield
        finally:
            with self._turn:
                self._reading.remove(threading.get_ident())
                self._run_when_complete()

    def read(
        self, text: str, memory: MemoryState, parts: Sequence[tuple[int, int]] = ()
    ) -> tuple[Noted, MemoryState]:
        """As `DocumentModel.read`, in one batch with the other documents' segments."""
        own = _Next(self.segment(text, parts), memory)
        with self._turn:
            self._waiting.append(own)
            self._run_when_complete()
            self._turn.wait_for(lambda: own.result or own.error)
        if own.error is not None:
            raise own.error
        assert own.result is not None
        return own.result

    def _run_when_complete(self) -> None:
        """Reads what is waiting if nobody is left to wait for. The lock is held."""
        if not self._waiting or len(self._waiting) < len(self._reading):
            return
        batch = list(self._waiting)
        self._waiting.clear()
        try:
            memory = MemoryState.stack([waiting.memory for waiting in batch])
            noted, memory = self.read_segments([waiting.segment for waiting in batch], memory)
            for row, waiting in enumerate(batch):
                waiting.result = (noted[row], memory.select(row))
        except Exception as error:  # noqa: BLE001 - each thread raises it for its own document
            for waiting in batch:
                waiting.error = error
        self._turn.notify_all()
