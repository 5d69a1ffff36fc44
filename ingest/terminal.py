"""What is printed: lines in which nothing from a document, a title or a file's name can act.

A terminal obeys control characters, and marks of direction make one name look like another;
both are shown as their numbers instead. JSON stays the same JSON.
"""

import functools
import logging
import os
import re
import sys
from collections.abc import Callable
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


def ends_quietly(main: Callable[[list[str] | None], int]) -> Callable[..., int]:
    """A command that ends without a word once nobody reads what it prints (`| head`), with 141, as
    one that SIGPIPE ended. It has to let BrokenPipeError through, which is an OSError."""

    @functools.wraps(main)
    def ended(arguments: list[str] | None = None) -> int:
        try:
            code = main(arguments)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # What is left goes nowhere: the interpreter would complain when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141

    return ended


def log_to_terminal() -> None:
    """Warnings and worse go to standard error, their messages harmless."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Harmless("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Harmless(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = harmless(record.message)
        return super().formatMessage(record)
