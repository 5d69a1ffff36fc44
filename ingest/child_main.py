"""What runs in a child process: parse a file or draw a page, answer, wait for the next.

Imports the parsers and nothing heavy: neither torch nor transformers.
"""

import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from armt_core.errors import LimitExceeded, ParseError, RecollectError
from ingest.child_process import read_message, write_message
from ingest.limits import ParseLimits
from ingest.parse import parse_file
from ingest.parsed import storable

Task = Callable[[dict[str, Any], ParseLimits], bytes]


def main(**limits: float) -> None:
    """Answer requests until standard input ends."""
    serve({"parse": _parse, "draw": _draw, "ocr": _ocr}, ParseLimits(**limits))  # type: ignore[arg-type]


def serve(tasks: dict[str, Task], limits: ParseLimits) -> None:
    """Answer requests for `tasks` until standard input ends (see ingest.child_process)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it reports every scratch
    # Whatever else writes to standard output must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_memory(limits.memory_bytes)
    write_message(answers, b'{"ok": true}')
    while True:
        try:
            request = json.loads(read_message(sys.stdin.buffer))
        except EOFError:
            return
        try:
            body = tasks[request["task"]](request, limits)
        except RecollectError as error:
            _refuse(answers, error.code, str(error))
        except MemoryError:
            _refuse(
                answers,
                LimitExceeded.code,
                f"{Path(request['path']).name} needs more than "
                f"{limits.memory_bytes / 2**20:,.0f} MiB of memory",
            )
        except (OSError, RecursionError) as error:
            name = Path(request["path"]).name
            _refuse(answers, ParseError.code, f"{name} cannot be read: {error}")
        else:
            write_message(answers, b'{"ok": true}')
            write_message(answers, body)


def _refuse(answers: Any, code: str, message: str) -> None:
    answer = {"ok": False, "code": code, "message": storable(message)}
    write_message(answers, json.dumps(answer).encode())


def _limit_memory(more_bytes: int) -> None:
    """Let the address space grow by `more_bytes` from now on, where the system can see to it."""
    if sys.platform in ("win32", "darwin"):
        return
    import resource

    now = psutil.Process().memory_info().vms
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = now + more_bytes
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _parse(request: dict[str, Any], limits: ParseLimits) -> bytes:
    document = parse_file(Path(request["path"]), request["passwords"], limits)
    pages = list(map(dataclasses.astuple, document.pages))
    answer = {"title": document.title, "format": document.format, "pages": pages}
    return json.dumps(answer, ensure_ascii=False).encode()


def _ocr(request: dict[str, Any], limits: ParseLimits) -> bytes:
    from ingest.ocr import read_picture  # brings in the drawing library

    return read_picture(
        Path(request["path"]), request["page"], request["passwords"], request["languages"]
    ).encode()


def _draw(request: dict[str, Any], limits: ParseLimits) -> bytes:
    from ingest.draw import draw_page  # brings in the drawing library

    boxes_for = tuple(request["boxes_for"]) if request["boxes_for"] else None
    return draw_page(
        Path(request["path"]), request["page"], request["password"], boxes_for, request["scale"]
    )
