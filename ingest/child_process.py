"""One child process that answers requests, and what becomes of it when it does not.

Messages are 8 bytes of length and then that many bytes. A request is one message of
JSON; the answer is a message of JSON, `{"ok": true}` or `{"ok": false, "code", "message"}`,
and after `ok` a second message with the result. A child that is up says `{"ok": true}`.
"""

import contextlib
import json
import logging
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import psutil

from armt_core.errors import LimitExceeded, ParseError, RecollectError
from ingest.limits import ParseLimits

logger = logging.getLogger(__name__)

ENTRY = "ingest.child_main"
"""The module whose `main(limits)` the child runs."""

_START_SECONDS = 120.0  # for Python and its imports, on a busy machine
_LENGTH = struct.Struct(">Q")


def write_message(stream: IO[bytes], data: bytes) -> None:
    """Send one message."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes:
    """The next message; EOFError if the other end closes before it is whole."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("no message")
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("half a message")
    return data


class ChildProcess:
    """A child that is started when needed, and again after it has ended.

    `run` belongs to one thread at a time; `close` may come from any.
    """

    def __init__(self, limits: ParseLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def run(self, request: dict[str, Any], name: str) -> bytes:
        """The answer to a request about the file called `name`.

        Raises the RecollectError that the child raised, LimitExceeded if it took too long,
        ParseError if it died.
        """
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        with self._watched(process, self._limits.seconds, name):
            write_message(process.stdin, json.dumps(request).encode())
            head = json.loads(read_message(process.stdout))
            if head["ok"]:
                return read_message(process.stdout)
        raise _error_class(head["code"])(head["message"])

    def close(self) -> None:
        """Kill the process for good."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill(self._process)
                _bury(self._process)

    def _running(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._closed:
                raise ParseError("the parser has been closed")
            if self._process is not None and self._process.poll() is None:
                return self._process
            path = [entry or str(Path.cwd()) for entry in sys.path]
            code = (
                f"import sys; sys.path[:] = {path!r}; from {ENTRY} import main; "
                f"main(**{asdict(self._limits)!r})"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        process = self._process
        assert process.stdout is not None
        with self._watched(process, _START_SECONDS, "any file"):
            read_message(process.stdout)
        return process

    @contextlib.contextmanager
    def _watched(
        self, process: "subprocess.Popen[bytes]", seconds: float, name: str
    ) -> Iterator[None]:
        """Kill the process after `seconds`; turn its end, whatever its cause, into an error."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            _kill(process)
            code = process.wait()
            _bury(process)
            if self._closed:
                raise ParseError(f"the parser was closed while at work on {name}") from error
            if late.is_set():
                raise LimitExceeded(
                    f"{name} took more than {seconds:g} seconds and was given up"
                ) from error
            raise ParseError(
                f"{name} broke the parser ({_cause(code)}): the file is damaged, or needs more "
                f"than {self._limits.memory_bytes / 2**20:,.0f} MiB of memory"
            ) from error
        finally:
            timer.cancel()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and what it has started (tesseract or pandoc, if it needs them)."""
    try:
        child = psutil.Process(process.pid)
        child.suspend()  # it starts nothing more
        for other in child.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                other.kill()
    except psutil.Error:
        logger.debug("child %d has ended already", process.pid)
    process.kill()


def _bury(process: "subprocess.Popen[bytes]") -> None:
    """Collect the dead process and close its pipes."""
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # unsent bytes, or a read under way
                stream.close()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _error_class(code: str) -> type[RecollectError]:
    kinds: list[type[RecollectError]] = [RecollectError]
    for kind in kinds:
        if kind.code == code:
            return kind
        kinds.extend(kind.__subclasses__())
    return ParseError
