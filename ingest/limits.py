"""How much one file may cost before it is given up."""

from dataclasses import asdict, dataclass

from armt_core.errors import UsageError

GIB = 2**30


@dataclass(frozen=True)
class ParseLimits:
    """Limits for parsing one file, or drawing one page.

    seconds: wall clock, counted from when a child process begins with the file.
    memory_bytes: address space of the child, on top of what Python itself takes (where
    the system can limit it: not on Windows and macOS). pages, characters: of the document.
    file_bytes: of the file; a larger one is not opened. unpacked_bytes: of all parts of a
    zip archive (DOCX, EPUB, ODT, PPTX), as it states them.
    """

    seconds: float = 120.0
    memory_bytes: int = 2 * GIB
    pages: int = 20_000
    characters: int = 200_000_000
    file_bytes: int = 2 * GIB
    unpacked_bytes: int = GIB

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise UsageError(f"the limit {name} must be above 0, not {value}")
