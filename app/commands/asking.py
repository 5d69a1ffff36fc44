"""`ask` and `search`."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from app.as_json import answer_json, error_json, passages_json
from app.commands.output import place, print_answer, print_json, say_copies, utf8_lines, words_for
from app.requests import check_request, check_text
from app.results import Answer, Part
from armt_core.errors import RecollectError, UsageError
from ingest.terminal import say
from storage.library import Library

if TYPE_CHECKING:  # it loads torch
    from app.answering import Answerer

_FIELDS = {"question", "documents", "as_of_page", "memory", "k"}


def add_commands(commands: "argparse._SubParsersAction[Any]", common: Any) -> None:
    """Adds both to the command line."""
    ask = commands.add_parser("ask", parents=[common], help="a cited answer to a question")
    ask.add_argument(
        "question", metavar="QUESTION", help="- reads standard input: one a line, or JSON"
    )
    _scope_options(ask)
    ask.add_argument(
        "-k", type=int, default=5, metavar="N", help="passages read for an answer (default: 5)"
    )
    _without_option(ask, get_args(Part))
    ask.set_defaults(run=run_ask)

    search = commands.add_parser("search", parents=[common], help="the best passages")
    search.add_argument("question", metavar="QUESTION")
    _scope_options(search)
    search.add_argument(
        "-k", type=int, default=10, metavar="N", help="passages to list (default: 10)"
    )
    search.add_argument("--method", choices=("hybrid", "words", "vectors"), default="hybrid")
    _without_option(search, ("sentence-vectors", "memory-vectors"))
    search.set_defaults(run=run_search)


def _without_option(parser: argparse.ArgumentParser, parts: Sequence[str]) -> None:
    parser.add_argument(
        "--without",
        action="append",
        choices=parts,
        default=[],
        metavar="PART",
        help=f"leave a part out, to see what it adds: {', '.join(parts)}; again for more",
    )


def _scope_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--document", action="append", metavar="D", help="id or exact title; again for more"
    )
    parser.add_argument(
        "--as-of-page", type=int, metavar="N", help="only what stands up to page N, counted from 0"
    )
    parser.add_argument(
        "--memory", choices=("final", "empty"), default="final", help="empty: read none"
    )


def run_ask(options: argparse.Namespace) -> int:
    """One question, or with - one a line of standard input. The exit code."""
    from app.answering import Answerer

    with Library(options.library) as library:
        answerer = Answerer.open(library, options.model, options.without)
        defaults = {
            "documents": options.document,
            "as_of_page": options.as_of_page,
            "memory": options.memory,
            "k": options.k,
        }
        if options.question != "-":
            answer = answerer.ask(options.question, **defaults)
            _show(answer, options.json, answerer)
            return 0
        failed = False
        for line in utf8_lines(sys.stdin):
            if not line.strip():
                continue
            try:
                answer = answerer.ask(**_request(line, defaults))
            except (RecollectError, TypeError) as error:
                failed = True
                if options.json:
                    print_json(error_json(error))
                else:
                    say(f"error: {words_for(error, options)}", "")
            else:
                _show(answer, options.json, answerer)
                if not options.json:
                    say("")
        return 1 if failed else 0


def _request(line: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """The arguments of one line: plain text, or a JSON object whose keys override the flags."""
    text = line.strip()
    check_text(text)
    if not text.startswith("{"):
        return {**defaults, "question": text}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"This line begins like JSON and is none: {error}.") from error
    if unknown := set(given) - _FIELDS:
        raise UsageError(
            f"Unknown keys {sorted(unknown)}; a line may have {', '.join(sorted(_FIELDS))}."
        )
    request = {**defaults, **given}
    check_request(request)
    return request


def _show(answer: Answer, as_json: bool, answerer: "Answerer") -> None:
    if as_json:
        print_json(answer_json(answer))
    else:
        print_answer(answer, answerer)


def run_search(options: argparse.Namespace) -> int:
    """The exit code."""
    from app.answering import Answerer

    with Library(options.library) as library:
        answerer = Answerer.open(library, options.model, options.without)
        found = answerer.search(
            options.question,
            documents=options.document,
            as_of_page=options.as_of_page,
            memory=options.memory,
            k=options.k,
            method=options.method,
        )
    if options.json:
        print_json(passages_json(found))
        return 0
    for passage in found:
        say(f"{passage.score:.3f}  {place(passage)}")
        text = " ".join(passage.text.split())
        say(f"       {text if len(text) <= 200 else text[:197] + '...'}")
        say_copies(passage, "       ")
    return 0
