"""Which documents a question goes to that names none."""

import logging

from armt_core.errors import EmptyLibrary, OtherModel
from storage.library import Library
from storage.records import Askable

log = logging.getLogger(__name__)


def askable(library: Library, model: str) -> list[Askable]:
    """The documents that the model with this fingerprint can be asked about. What another has read
    is left out, and a warning says so.

    Raises EmptyLibrary where no document is ready, OtherModel where all are another model's.
    """
    there = library.askable()
    if not there:
        raise EmptyLibrary(
            "The library has no document to ask. Drop some on the page, or add them with: "
            "python -m ingest PATH"
        )
    ready = [document for document in there if document.fingerprint == model]
    if not ready:
        raise OtherModel(
            "Another model read every document here. Start with that one, or have this one read "
            "them again.",
            "reread",
        )
    if len(ready) < len(there):
        left = len(there) - len(ready)
        log.warning("%d of %d documents are not asked: another model read them", left, len(there))
    return ready
