"""A document's memory handed over as one file, and taken in as a document without text.

The file is a snapshot (docs/snapshot.md) whose manifest names the document. It comes from
anywhere, so nothing of it is believed until it is checked, and nothing is ever unpickled.
"""

import os
import re
import unicodedata
from pathlib import Path, PureWindowsPath

from armt_core.document_model import DocumentModel
from armt_core.errors import DamagedSnapshot, LibraryError, MemoryMismatch, OtherModel
from armt_core.snapshot import (
    check_handover,
    handover_bytes,
    load_snapshot,
    most_bytes,
    read_manifest,
    snapshot_bytes,
)
from storage.library import Library
from storage.records import Document, NewSnapshot

#: Most characters of a title in a file.
MOST_TITLE = 300

_PATH = re.compile(r"[/\\]|~[/\\]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]*://")
#: Of what is never seen, what may stand in no title: controls, line ends, and marks that turn
#: the direction of the text around them.
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def export_memory(library: Library, name: str, target: Path) -> Document:
    """Writes the last memory of a ready document to a new file that only its owner can read.

    Returns the document. Raises as `exported`, and LibraryError for a file that exists or cannot
    be written.
    """
    document, data = exported(library, name)
    _write_new(target, data)
    return document


def exported(library: Library, name: str) -> tuple[Document, bytes]:
    """A ready document, and its last memory as the bytes of a file.

    Raises LibraryError for a document that is not ready or holds no text; UnknownDocument,
    AmbiguousName, DamagedSnapshot.
    """
    document = library.document(name)
    snapshot = library.latest_snapshot(document.version_id)
    if document.state != "ready" or snapshot is None or not document.segments_read:
        why = "holds no text" if document.state == "ready" else f"is {document.state}"
        raise LibraryError(f'"{document.title}" has no memory to export: it {why}.')
    data = handover_bytes(snapshot.data, title_to_hand_over(document.title), document.tokens)
    return document, data


def import_memory(library: Library, model: DocumentModel, source: Path) -> tuple[Document, bool]:
    """Takes in a memory file made by this model: the document, and whether it is new.

    A memory that the library holds already is left as it is. Raises DamagedSnapshot,
    MemoryMismatch or OtherModel with the reason why the file is refused; nothing has changed then.
    """
    try:
        data = _bounded(source, most_bytes(model.config))
        manifest = read_manifest(data)
        memory = load_snapshot(data, model.config, model.fingerprint)
        if manifest.title is None or manifest.tokens is None:
            raise DamagedSnapshot("Its manifest names no document (title, tokens).")
        if problem := title_problem(manifest.title):
            raise DamagedSnapshot(f"Its title {problem}.")
        if not manifest.segments_read:
            raise DamagedSnapshot("It has read nothing (segments_read is 0).")
        check_handover(data)
    except (DamagedSnapshot, MemoryMismatch, OtherModel) as error:
        raise type(error)(
            f"{source.name} is not imported, and nothing has changed: {error}"
        ) from error
    snapshot = NewSnapshot(
        manifest.segments_read,
        model.fingerprint,
        snapshot_bytes(memory, model.fingerprint),
        "imported",
    )
    document_id, new = library.add_memory(manifest.title, manifest.tokens, snapshot)
    return library.document(document_id), new


def title_problem(title: str) -> str | None:
    """Why a title from a file is refused, or None. It is shown to people, and never opened."""
    if not title.strip():
        return "is empty"
    if len(title) > MOST_TITLE:
        return f"has {len(title)} characters, more than {MOST_TITLE}"
    if any(unicodedata.category(c) in _UNSEEN or c in _TURNING for c in title):
        return f"holds characters that cannot be seen: {title!a}"
    if _PATH.match(title) or ".." in re.split(r"[/\\]", title):
        return f"is a path, {title!r}; a file never says where anything lies"
    return None


def title_to_hand_over(title: str) -> str:
    """A document's title as `import_memory` takes it: of a path its last part, no more."""
    seen = "".join(" " if unicodedata.category(c) in _UNSEEN or c in _TURNING else c for c in title)
    if title_problem(seen[:MOST_TITLE]) is not None:
        seen = PureWindowsPath(seen).name.strip(". ")
    return seen[:MOST_TITLE].strip() or "untitled"


def _bounded(source: Path, most: int) -> bytes:
    """The bytes of a regular file, which are at most `most`; no more are ever read."""
    try:
        if source.exists() and not source.is_file():
            raise DamagedSnapshot("It is no regular file.")
        with source.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise DamagedSnapshot(f"It cannot be read: {error.strerror}.") from error
    if len(data) > most:
        raise DamagedSnapshot(
            f"It has {source.stat().st_size} bytes, and a memory of this model at most {most}."
        )
    return data


def _write_new(target: Path, data: bytes) -> None:
    """All of it or nothing; a file that is there stays as it is."""
    part = target.with_name(target.name + ".part")
    if target.exists():
        raise LibraryError(f"{target} exists already; name a file that does not.")
    try:
        part.unlink(missing_ok=True)
        with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LibraryError(f"{target} cannot be written: {error.strerror}.") from error
