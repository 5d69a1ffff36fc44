"""One parsed document: from its pages to its memory, checkpoint by checkpoint."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from armt_core.document_model import DocumentModel, Noted
from armt_core.errors import DamagedSnapshot
from armt_core.memory import MemoryState
from armt_core.snapshot import load_snapshot, snapshot_bytes
from ingest.checkpoints import is_checkpoint, kept
from ingest.cleaning import clean_document
from ingest.parsed import ParsedDocument
from ingest.passages import TextPassage, split_passages, unknown_ratio
from ingest.sentences import sentence_spans
from storage.claims import Claim
from storage.library import Library
from storage.records import NewPassage, NewSnapshot, Version

log = logging.getLogger(__name__)

#: Segments done and segments in all.
Progress = Callable[[int, int], None]

HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class ReadOutcome:
    """continued_at: segments that were not read again. segments_read: by this reading.

    other_conditions: those of the checkpoint gone on from, if they are not today's; the
    memory is then not bit for bit that of one undisturbed reading.
    """

    version: Version
    continued_at: int
    segments_read: int
    other_conditions: str | None


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
        document.ocr,
    )
    if parsed.segments_read == 0 and inherit:
        _inherit(passages, parsed, claim, library, model)
    start, memory, conditions = _resume(parsed.id, claim, library, model)
    _read(passages, start, memory, parsed, claim, library, model, progress)
    library.finish(parsed.id, claim)
    same = start in (0, len(passages)) or conditions == model.conditions
    return ReadOutcome(
        library.version(parsed.id), start, len(passages) - start, None if same else conditions
    )


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
        text = passages[index].text
        noted, memory = model.read(text, memory, sentence_spans(text))
        pending.append(_new_passage(passages[index], noted))
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
    data = snapshot_bytes(memory, model.fingerprint)
    snapshot = NewSnapshot(done, model.fingerprint, data, model.conditions)
    library.checkpoint(version.id, claim, pending, snapshot, kept(done, total))


def _inherit(
    passages: Sequence[TextPassage],
    version: Version,
    claim: Claim,
    library: Library,
    model: DocumentModel,
) -> None:
    """Takes over what an older reading of this document shares with it."""
    older = [
        v
        for v in library.versions(version.document_id)
        if v.id != version.id and v.is_current and v.fingerprint == model.fingerprint
    ]
    if not older:
        return
    same = 0
    for new, old in zip(passages, library.passages_of(older[0].id), strict=False):
        if (new.page, new.start, new.end, new.text) != (old.page, old.start, old.end, old.text):
            break
        same += 1
    if same:
        library.inherit(version.id, claim, older[0].id, same)


def _resume(
    version_id: int, claim: Claim, library: Library, model: DocumentModel
) -> tuple[int, MemoryState, str]:
    """Segments read, the memory after them, and the conditions it was made under.

    From the last sound checkpoint; a damaged one is passed over with a warning, and
    what was read after the sound one is read again.
    """
    read = library.version(version_id).segments_read
    for info in reversed(library.snapshots(version_id)):
        try:
            snapshot = library.snapshot_at_or_before(version_id, info.segments_read)
            assert snapshot is not None
            memory = load_snapshot(snapshot.data, model.config, model.fingerprint)
        except DamagedSnapshot as error:
            log.warning("%s It is passed over.", error)
            continue
        if info.segments_read < read:
            library.rewind(version_id, claim, info.segments_read)
        return info.segments_read, memory.to(model.model.device), snapshot.conditions
    if read:
        library.rewind(version_id, claim, 0)
    return 0, model.model.empty_memory(), model.conditions


def _new_passage(passage: TextPassage, noted: Noted) -> NewPassage:
    """With its vector (the first of these) and those of its sentences (the others)."""
    of_all, *of_sentences = noted.vectors.astype(np.float16)
    return NewPassage(
        ordinal=passage.ordinal,
        page=passage.page,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        runs=passage.runs,
        tokens=passage.tokens,
        vector=of_all,
        sentences=np.array(of_sentences, dtype=np.float16),
        beta=noted.beta,
        gamma=noted.gamma,
        change=noted.change,
    )
