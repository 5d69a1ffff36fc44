"""What the library hands out and takes in: plain frozen records, never database rows.

Pages are counted from 0, offsets are characters of a page's stored text, times
are UTC. A segment is what the model reads at once; the passage with ordinal i is
what segment i read.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

State = Literal["pending", "reading", "ready", "failed"]
#: The format of a document that came in as a memory alone, without its text.
MEMORY_ALONE = "memory"
Runs = tuple[tuple[int, int, int], ...]
"""(start in the cleaned text, start in the page's stored text, length), ascending."""


@dataclass(frozen=True)
class Page:
    """A page of a document; `text` is exactly what was extracted.

    needs_ocr: it is a picture without text. by_ocr: its text was read from the picture by a
    program, which makes mistakes. no_picture: it has no text and cannot be drawn, so no program can
    read it either.
    """

    number: int
    label: str | None
    text: str
    needs_ocr: bool = False
    by_ocr: bool = False
    no_picture: bool = False


@dataclass(frozen=True, eq=False)
class NewPassage:
    """A passage that the model has just read, with its vector in the light of what came before.

    `text` is the cleaned text that the model read; `start` and `end` are offsets in the
    stored text of page `page`; `vector` is float16 of shape (D,), and `sentences` (n, D) are the
    vectors of its n sentences, in order (None: there are none to keep). `beta` is how strongly
    it was written to the memory, `gamma` how new its keys were there, both 0 to 1, and `change` how
    much it changed the memory (None: not known).
    """

    ordinal: int
    page: int
    start: int
    end: int
    text: str
    runs: Runs
    tokens: int
    vector: NDArray[np.float16] = field(repr=False)
    sentences: NDArray[np.float16] | None = field(default=None, repr=False)
    beta: float | None = None
    gamma: float | None = None
    change: float | None = None


@dataclass(frozen=True)
class PassageNote:
    """How a passage met the memory; see NewPassage."""

    passage_id: int
    page: int
    page_label: str | None
    start: int
    end: int
    beta: float
    gamma: float
    change: float


@dataclass(frozen=True)
class Passage:
    """A stored passage. `title` and `page_label` are those of its version and page."""

    id: int
    document_id: str
    version_id: int
    title: str
    ordinal: int
    page: int
    page_label: str | None
    start: int
    end: int
    text: str
    runs: Runs
    tokens: int


@dataclass(frozen=True)
class NewSnapshot:
    """A memory after `segments_read` segments, as bytes; the library computes the hash.

    `conditions` says what decides its last bits: device, dtype, threads.
    """

    segments_read: int
    fingerprint: str
    data: bytes = field(repr=False)
    conditions: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A stored memory whose bytes have been checked against `sha256`."""

    version_id: int
    segments_read: int
    sha256: str
    fingerprint: str
    data: bytes = field(repr=False)
    conditions: str = ""


@dataclass(frozen=True)
class SnapshotInfo:
    """A stored memory without its bytes (`size` of them)."""

    segments_read: int
    sha256: str
    size: int


@dataclass(frozen=True)
class Version:
    """One reading of one file content by one model (`fingerprint`).

    `ocr` names the program and languages that read the `pages_by_ocr`.
    """

    id: int
    document_id: str
    sha256: str
    fingerprint: str
    state: State
    reason: str | None
    reason_code: str | None
    is_current: bool
    title: str
    format: str
    size_bytes: int
    pages: int
    pages_without_text: int
    tokens: int
    segments_read: int
    segments_total: int | None
    unknown_ratio: float
    pages_need_ocr: int = 0
    pages_by_ocr: int = 0
    pages_no_picture: int = 0
    ocr: str | None = None


@dataclass(frozen=True)
class Document:
    """A document as its serving version shows it.

    The serving version (`version_id`) is the ready one; while there is none, the one begun
    last. `update_state` and `update_reason` speak of a newer version that is being read or
    has failed while the ready one still serves. `bytes_kept` counts stored text, vectors,
    snapshots and the original. interrupted: it is not ready, and nobody reads it any more;
    update_interrupted: the same of the newer version.
    """

    id: str
    version_id: int
    title: str
    format: str
    state: State
    reason: str | None
    reason_code: str | None
    sha256: str
    fingerprint: str
    pages: int
    pages_without_text: int
    tokens: int
    segments_read: int
    segments_total: int | None
    unknown_ratio: float
    aliases: tuple[str, ...]
    snapshot_sha256: str | None
    bytes_kept: int
    original_kept: bool
    created_at: datetime
    updated_at: datetime
    update_state: State | None = None
    update_reason: str | None = None
    update_reason_code: str | None = None
    pages_need_ocr: int = 0
    pages_by_ocr: int = 0
    pages_no_picture: int = 0
    ocr: str | None = None
    interrupted: bool = False
    update_interrupted: bool = False

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the files it was read from, without their folders."""
        return tuple(sorted({PureWindowsPath(path).name for path in self.aliases}))

    @property
    def memory_alone(self) -> bool:
        """Whether there is a memory and no text: nothing to search, cite or read again."""
        return self.format == MEMORY_ALONE and self.state == "ready"

    def of_another(self, model: str) -> bool:
        """Whether it is ready for another model than the one with this fingerprint, which cannot
        be asked about it."""
        return self.state == "ready" and self.fingerprint != model

    def to_be_read(self, model: str) -> bool:
        """Whether there is something to read (on) before that model can be asked about it."""
        return self.interrupted or (self.of_another(model) and not self.memory_alone)


class Askable(NamedTuple):
    """A ready document in short; see Document."""

    id: str
    version_id: int
    pages: int
    unknown_ratio: float
    memory_alone: bool
    fingerprint: str


@dataclass(frozen=True, eq=False)
class PassageVectors:
    """Vectors (n, D) of passages of several versions, and for each the version (n,) and the
    page (n,) that it lies on; those of a version stand together."""

    versions: NDArray[np.int64]
    pages: NDArray[np.int64]
    vectors: NDArray[np.float16] = field(repr=False)


@dataclass(frozen=True)
class Extent:
    """What goes with a document when it is deleted, of all its versions. messages: of
    conversations, that name it."""

    passages: int
    snapshots: int
    messages: int


@dataclass(frozen=True)
class Conversation:
    """A conversation, named by what was first asked or by the user."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `content` is any JSON object."""

    id: int
    conversation_id: str
    role: str
    content: dict[str, Any]
    created_at: datetime
