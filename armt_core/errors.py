"""Every error Recollect raises on purpose.

A message says what happened, with which values, and what to do next. `code`
is the stable short name that the command line prints in `{"error": {...}}`.
"""


class RecollectError(Exception):
    """Root of the tree; catch this to catch every expected failure. command: what helps, as words
    of `python -m app`."""

    code = "error"

    def __init__(self, message: str = "", command: str = "") -> None:
        super().__init__(message)
        self.command = command

    def __str__(self) -> str:
        return self.told()

    def told(self, options: str = "") -> str:
        """The message with the command, and after that the options with which a command line was
        given itself: only there are the paths in them for whoever reads this."""
        message = super().__str__()
        return f"{message} Run: python -m app {self.command}{options}" if self.command else message


class UsageError(RecollectError):
    """The request itself makes no sense (a bad option, an impossible page)."""

    code = "usage"


class ModelError(RecollectError):
    """A model folder, a checkpoint or a configuration that cannot be used."""

    code = "model"


class MemoryMismatch(RecollectError):
    """A memory whose shape, type or values do not fit the model it is given to."""

    code = "memory_mismatch"


class OtherModel(RecollectError):
    """A snapshot made by another model than the one that is loaded."""

    code = "other_model"


class DamagedSnapshot(RecollectError):
    """Snapshot bytes that do not match their hash or cannot be read."""

    code = "damaged_snapshot"


class LibraryError(RecollectError):
    """The library cannot be opened, read or written."""

    code = "library"


class LibraryTooNew(LibraryError):
    """The database was written by a newer Recollect than this one."""

    code = "library_too_new"


class EmptyLibrary(LibraryError):
    """There is no document to ask."""

    code = "empty_library"


class UnknownDocument(LibraryError):
    """No document has this id or title."""

    code = "unknown_document"


class ReadAnew(LibraryError):
    """What was read of a document is gone: the document was deleted, or read anew meanwhile."""

    code = "read_anew"


class AmbiguousName(LibraryError):
    """Several documents have this title."""

    code = "ambiguous_name"


class UnknownConversation(LibraryError):
    """No conversation has this id; it may have been deleted meanwhile."""

    code = "unknown_conversation"


class LostClaim(LibraryError):
    """Another process has taken over the reading of this document."""

    code = "lost_claim"


class BeingRead(LibraryError):
    """A living process is reading this document; it is left alone."""

    code = "being_read"


class ParseError(RecollectError):
    """A file whose text cannot be had."""

    code = "parse"


class UnsupportedFormat(ParseError):
    """A kind of file that Recollect does not read."""

    code = "unsupported"


class PasswordNeeded(ParseError):
    """An encrypted file, and no given password opens it."""

    code = "password"


class NoPicture(ParseError):
    """A page that cannot be drawn."""

    code = "no_picture"


class QuoteNotSeen(NoPicture):
    """A page that does not show a quote from its text: white on white, covered, off the page."""

    code = "quote_not_seen"


class LimitExceeded(ParseError):
    """Parsing took more time, memory or pages than allowed."""

    code = "limit"
