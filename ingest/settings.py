"""The model that ships, opened the way reading and asking both need it."""

from pathlib import Path
from typing import TYPE_CHECKING

from armt_core.fingerprint import fingerprint

if TYPE_CHECKING:  # it loads torch
    from armt_core.document_model import DocumentModel

#: Goes up when the same file would give other passages; a memory made before is then
#: another model's memory. 2: pages of a PDF with nothing but U+FFFD and controls have no text.
PARSER_VERSION = 2
#: What else decides a memory, besides the model.
_SETTINGS = {"parser": PARSER_VERSION}

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / "models" / "default"


def open_reader(folder: Path | str | None = None) -> "DocumentModel":
    """The model in `folder` (None: the one that ships), its fingerprint with the parser's version.

    Raises ModelError for a folder that is no model.
    """
    from transformers.utils import logging as transformers_logging

    from armt_core.opening import open_model

    # transformers would draw a bar on standard error for half a second of loading.
    transformers_logging.disable_progress_bar()
    return open_model(folder or DEFAULT_MODEL, _SETTINGS)


def reader_fingerprint(folder: Path | str | None = None) -> str:
    """The fingerprint that `open_reader` gives, without loading the model. Raises ModelError."""
    return fingerprint(Path(folder or DEFAULT_MODEL), _SETTINGS)
