"""`python app.py` as a program of its own, for tests that talk to it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """The port of a server over the library in `folder`, where its log is, too."""
    port, log = free_port(), folder / "log"
    command = [sys.executable, "app.py", "--port", str(port), "--library", str(folder / "library")]
    with log.open("w") as file:
        server = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            env={**os.environ, **(environment or {})},
        )
    try:
        wait_until_served(f"http://127.0.0.1:{port}/", server, log)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def wait_until_served(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(480):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"not served within two minutes: {log.read_text()}")
