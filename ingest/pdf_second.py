"""What pypdf makes of a PDF, asked only where PDFium has no answer.

pypdf is pure Python and meets damaged files with almost any exception; each of them
means "no answer" here. The file is opened on the first question.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from armt_core.errors import PasswordNeeded
from ingest.faults import FAULTS

if TYPE_CHECKING:
    from pypdf import PdfReader

logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class SecondOpinion:
    """The same questions to pypdf; answers are empty where it fails too."""

    def __init__(self, path: Path, passwords: Sequence[str]) -> None:
        self._path = path
        self._passwords = passwords
        self.was_asked = False

    def page_count(self) -> int:
        """0 if the file cannot be read. Raises PasswordNeeded."""
        return self._ask(lambda reader: len(reader.pages), 0)

    def page_text(self, number: int) -> str:
        """The text of one page, in pypdf's own order."""
        return self._ask(lambda reader: reader.pages[number].extract_text() or "", "")

    def labels(self) -> list[str]:
        """A label a page; empty if the PDF has none."""

        def labels(reader: "PdfReader") -> list[str]:
            return list(reader.page_labels) if "/PageLabels" in reader.root_object else []

        return self._ask(labels, [])

    def title(self) -> str | None:
        """The title in the document information."""
        return self._ask(
            lambda reader: str(reader.metadata.title or "") if reader.metadata else "", ""
        )

    def xmp_title(self) -> str | None:
        """The title in the XMP metadata, in its default language."""

        def title(reader: "PdfReader") -> str:
            titles = reader.xmp_metadata.dc_title if reader.xmp_metadata else None
            return str(titles.get("x-default") or next(iter(titles.values()))) if titles else ""

        return self._ask(title, "")

    def _ask(self, question: Callable[["PdfReader"], _Answer], nothing: _Answer) -> _Answer:
        from pypdf.errors import PyPdfError

        self.was_asked = True
        try:
            reader = self._reader
            return nothing if reader is None else question(reader)
        except (PyPdfError, *FAULTS) as error:
            logger.info("%s: pypdf fails too: %r", self._path.name, error)
            return nothing

    @cached_property
    def _reader(self) -> "PdfReader | None":
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError

        try:
            reader = PdfReader(self._path, strict=False)
            locked = reader.is_encrypted and not any(
                reader.decrypt(password) for password in ("", *self._passwords)
            )
        except (PyPdfError, *FAULTS) as error:
            logger.info("%s: pypdf cannot open it: %r", self._path.name, error)
            return None
        if locked:
            raise PasswordNeeded(f"{self._path.name} is encrypted and needs a password")
        return reader
