"""The model that ships, opened the way reading and asking both need it."""

from pathlib import Path

from transformers.utils import logging as transformers_logging

from armt_core.document_model import DocumentModel
from armt_core.opening import open_model

#: Goes up when the same file would give other passages; a memory made before is then
#: another model's memory. 2: pages of a PDF with nothing but U+FFFD and controls have no text.
PARSER_VERSION = 2

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / "models" / "default"


def open_reader(folder: Path | str | None = None) -> DocumentModel:
    """The model in `folder` (None: the one that ships), its fingerprint with the parser's version.

    Raises ModelError for a folder that is no model.
    """
    # transformers would draw a bar on standard error for half a second of loading.
    transformers_logging.disable_progress_bar()
    return open_model(folder or DEFAULT_MODEL, {"parser": PARSER_VERSION})
