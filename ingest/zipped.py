"""Files that are zip archives of parts (DOCX, EPUB, ODT, PPTX), opened with distrust.

A part never becomes a file, and no more is unpacked than the limits allow: zipfile stops
at the size that the archive's directory states, so that is what is added up.
"""

from pathlib import Path
from types import TracebackType
from zipfile import ZipFile, is_zipfile

from armt_core.errors import LimitExceeded, ParseError
from ingest.faults import FAULTS, words_of
from ingest.limits import ParseLimits

_OLE_MARK = bytes.fromhex("d0cf11e0a1b11ae1")
_MOST_PARTS = 100_000
_ENCRYPTED = 0x1  # the flag of a part that needs a password


class ZippedParts:
    """The parts of an archive, by name. A context manager.

    Raises ParseError for a file that is none, or whose parts are encrypted, and
    LimitExceeded for one that would unpack to more than `limits.unpacked_bytes`.
    """

    def __init__(self, path: Path, kind: str, limits: ParseLimits) -> None:
        self._name = path.name
        with path.open("rb") as file:
            old = file.read(len(_OLE_MARK)) == _OLE_MARK
        if old:
            raise ParseError(
                f"{path.name} is encrypted, or of a kind older than {kind}: open it where it "
                f"was made and save it as {kind} without a password"
            )
        if not is_zipfile(path):
            raise ParseError(f"{path.name} is no {kind} file, or damaged: it is no zip archive")
        try:
            self._zip = ZipFile(path)
        except FAULTS as error:
            raise ParseError(f"{path.name} cannot be opened: {words_of(error)}") from error
        parts = self._zip.infolist()
        if len(parts) > _MOST_PARTS:
            raise LimitExceeded(f"{path.name} has {len(parts)} parts; {_MOST_PARTS} are allowed")
        size = sum(part.file_size for part in parts)
        if size > limits.unpacked_bytes:
            raise LimitExceeded(
                f"{path.name} unpacks to {size} bytes; {limits.unpacked_bytes} are allowed"
            )
        if any(part.flag_bits & _ENCRYPTED for part in parts):
            raise ParseError(f"{path.name} is encrypted; save a copy of it without a password")

    def __enter__(self) -> "ZippedParts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def names(self) -> list[str]:
        """The names of all parts, each once."""
        return list(self._zip.NameToInfo)

    def read(self, name: str) -> bytes:
        """The bytes of a part. Raises ParseError if there is no such part, or it is damaged."""
        if name not in self:
            raise ParseError(f"{self._name}, part {name!r} cannot be read: it is not in the file")
        try:
            return self._zip.read(name)
        except FAULTS as error:
            said = words_of(error)
            raise ParseError(f"{self._name}, part {name!r} cannot be read: {said}") from error
