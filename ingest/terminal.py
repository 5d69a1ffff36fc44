"""What is printed: lines in which nothing from a document, a title or a file's name can act.

A terminal obeys control characters, and marks of direction make one name look like another;
both are shown as their numbers instead. JSON stays the same JSON.
"""

import logging
import re
import sys
from typing import TextIO

# Controls, line and paragraph ends, overrides of direction, halves of characters.
_ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """One line with `\\u001b` for an escape character, and so on."""
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(*lines: str, file: TextIO | None = None) -> None:
    """Prints lines, each harmless, to standard output or `file`."""
    for line in lines:
        print(harmless(line), file=file or sys.stdout, flush=True)


def log_to_terminal() -> None:
    """Warnings and worse go to standard error, their messages harmless."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Harmless("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Harmless(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = harmless(record.message)
        return super().formatMessage(record)
