"""One parsed document: from its pages to its memory, checkpoint by checkpoint."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.snapshot import load_snapshot, snapshot_bytes
from ingest.checkpoints import is_checkpoint, kept
from ingest.cleaning import clean_document
from ingest.parsed import ParsedDocument
from ingest.passages import TextPassage, split_passages, unknown_ratio
from storage.claims import Claim
from storage.library import Library
from storage.records import NewPassage, NewSnapshot, Version

log = logging.getLogger(__name__)

#: Segments done and segments in all.
Progress = Callable[[int, int], None]

HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class ReadOutcome:
    """continued_at: segments that were not read again. segments_read: by this reading."""

    version: Version
    continued_at: int
    segments_read: int


def read_document(
    document: ParsedDocument,
    version: Version,
    claim: Claim,
    library: Library,
    model: DocumentModel,
    progress: Progress,
    inherit: bool = True,
) -> ReadOutcome:
    """Reads `document` into the claimed `version` and finishes it.

    Goes on from the version's own last checkpoint, or (if `inherit`) from the document's
    older version as far as its leading segments are unchanged. Raises LostClaim if another
    process took over, LibraryError if the library cannot be written.
    """
    passages = split_passages(
        document, clean_document(document), model.tokenizer, model.text_tokens
    )
    parsed = library.set_parsed(
        version.id,
        claim,
        document.title,
        document.pages,
        len(passages),
        unknown_ratio(model.tokenizer, passages),
    )
    start = parsed.segments_read
    if start == 0 and inherit:
        start = _inherit(passages, parsed, claim, library, model)
    memory = _memory_after(start, parsed, library, model)
    _read(passages, start, memory, parsed, claim, library, model, progress)
    library.finish(parsed.id, claim)
    return ReadOutcome(library.version(parsed.id), start, len(passages) - start)


def _read(
    passages: Sequence[TextPassage],
    start: int,
    memory: MemoryState,
    version: Version,
    claim: Claim,
    library: Library,
    model: DocumentModel,
    progress: Progress,
) -> None:
    total = len(passages)
    progress(start, total)
    pending: list[NewPassage] = []
    if total == start:  # nothing to read, yet every document has a memory
        _checkpoint(pending, start, total, memory, version, claim, library, model)
    last_write = time.monotonic()
    for index in range(start, total):
        vector, memory = model.read(passages[index].text, memory)
        pending.append(_new_passage(passages[index], vector))
        done = index + 1
        if is_checkpoint(done, total):
            _checkpoint(pending, done, total, memory, version, claim, library, model)
            pending, last_write = [], time.monotonic()
        elif time.monotonic() - last_write > HEARTBEAT_SECONDS:
            library.heartbeat(version.id, claim)
            last_write = time.monotonic()
        progress(done, total)


def _checkpoint(
    pending: list[NewPassage],
    done: int,
    total: int,
    memory: MemoryState,
    version: Version,
    claim: Claim,
    library: Library,
    model: DocumentModel,
) -> None:
    snapshot = NewSnapshot(done, model.fingerprint, snapshot_bytes(memory, model.fingerprint))
    library.checkpoint(version.id, claim, pending, snapshot, kept(done, total))


def _inherit(
    passages: Sequence[TextPassage],
    version: Version,
    claim: Claim,
    library: Library,
    model: DocumentModel,
) -> int:
    """Takes over what an older reading of this document shares with it; segments taken."""
    older = [
        v
        for v in library.versions(version.document_id)
        if v.id != version.id and v.is_current and v.fingerprint == model.fingerprint
    ]
    if not older:
        return 0
    same = 0
    for new, old in zip(passages, library.passages_of(older[0].id), strict=False):
        if (new.page, new.start, new.end, new.text) != (old.page, old.start, old.end, old.text):
            break
        same += 1
    return library.inherit(version.id, claim, older[0].id, same) if same else 0


def _memory_after(
    segments: int, version: Version, library: Library, model: DocumentModel
) -> MemoryState:
    if segments == 0:
        return model.model.empty_memory()
    snapshot = library.snapshot_at_or_before(version.id, segments)
    assert snapshot is not None and snapshot.segments_read == segments
    return load_snapshot(snapshot.data, model.config, model.fingerprint).to(model.model.device)


def _new_passage(passage: TextPassage, vector: np.ndarray) -> NewPassage:
    return NewPassage(
        ordinal=passage.ordinal,
        page=passage.page,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        runs=passage.runs,
        tokens=passage.tokens,
        vector=vector.astype(np.float16),
    )
