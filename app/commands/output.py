"""How commands print: JSON on standard output, everything else for people."""

import argparse
import io
import json
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from app.as_json import error_json
from app.results import Answer, Citation, FoundPassage, Place, page_name
from armt_core.errors import AmbiguousName, RecollectError, UsageError
from ingest.terminal import say

if TYPE_CHECKING:  # it loads torch
    from app.answering import Answerer


def use_utf8() -> None:
    """Standard output in UTF-8, as JSON has to be, whatever the terminal says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def utf8_lines(stream: TextIO) -> Iterator[str]:
    """Lines of UTF-8; a byte that is none becomes a lone surrogate and spoils only its line."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    yield from stream


def print_json(value: Any) -> None:
    """One JSON value on one line of standard output."""
    say(json.dumps(value, ensure_ascii=False))


def given(options: argparse.Namespace) -> str:
    """The library and model that a command line names, as options for another one."""
    named = (("--library", options.library), ("--model", options.model))
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in named if value)


def words_for(error: Exception, options: argparse.Namespace) -> str:
    """What an error says at a command line: a command that helps is named with its options."""
    return error.told(given(options)) if isinstance(error, RecollectError) else str(error)


def report_error(error: Exception, options: argparse.Namespace) -> int:
    """Prints the error where it belongs and gives the exit code: 2 for wrong usage, else 1."""
    if options.json:
        print_json(error_json(error))
    say(f"error: {words_for(error, options)}", file=sys.stderr)
    return 2 if isinstance(error, UsageError | AmbiguousName) else 1


def place(item: Citation | FoundPassage | Place) -> str:
    """Where something stands, for people: title and page as printed, else its number from 1."""
    return f"{item.title}, {page_name(item.page, item.page_label)}"


def print_answer(answer: Answer, answerer: "Answerer") -> None:
    """An answer for people. answerer: who gave it."""
    if answer.found and answer.answer is not None:
        say(" ".join(answer.answer.split()))
        say("" if answer.citations else "    from memory alone, surer than any passage")
    else:
        say("Not found in these documents.")
    for number, citation in enumerate(answer.citations, 1):
        _say_citation(f"[{number}] ", citation)
    if answer.since is not None:
        say("It says so since it read this:")
        _say_citation("", answer.since)
    if answer.nearest:
        say("", "The nearest passages:")
        for number, citation in enumerate(answer.nearest[:3], 1):
            _say_citation(f"[{number}] ", citation)
    if answer.memory_answer is not None:
        confidence = answer.memory_answer.confidence
        say("", f"From memory alone ({confidence:.2f}): {answer.memory_answer.text}")
    elif not answerer.model.reads_memory:
        say("", "From memory alone: nothing. The memory of this model is not trained yet.")
    elif answerer.answers_from_memory:
        say("", "From memory alone: nothing.")


def _say_citation(mark: str, citation: Citation) -> None:
    quote = " ".join(citation.quote.split())
    say(f"{mark}{place(citation)} ({citation.score:.0%})")
    say(f"    {quote if len(quote) <= 300 else quote[:297] + '...'}")
    say_copies(citation, "    ")


def say_copies(item: Citation | FoundPassage, indent: str) -> None:
    """Where the same passage stands once more, if anywhere."""
    if item.also:
        say(f"{indent}also in {'; '.join(map(place, item.also))}")
