"""What parsers raise when a file is damaged: almost anything.

Each of these means "it cannot be read". MemoryError is not among them.
"""

import lzma
import struct
import zlib
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, LargeZipFile

from lxml.etree import ErrorTypes, LxmlError, XMLSyntaxError

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    ExpatError,
    LargeZipFile,
    LookupError,
    LxmlError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


_TOO_MUCH = (ErrorTypes.ERR_RESOURCE_LIMIT, ErrorTypes.ERR_ENTITY_LOOP)


def words_of(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, XMLSyntaxError) and error.code in _TOO_MUCH:
        return "its XML unpacks to too much, or nests too deep"  # lxml tells how to allow more
    said = error.msg if isinstance(error, XMLSyntaxError) else str(error)
    return " ".join(str(said).split()) or type(error).__name__
