"""A child process that does to itself what a hostile file does to a parser.

Stands in for ingest.child_main; the file's name says what happens, and a file called
anything else is parsed as ever.
"""

import os
import signal
import sys
import time
from pathlib import Path

from ingest.child_main import _parse, serve
from ingest.limits import ParseLimits


def main(**limits):
    serve({"parse": _hostile}, ParseLimits(**limits))


def _hostile(request, limits):
    name = Path(request["path"]).stem
    if name == "loops":
        while True:
            time.sleep(0.01)
    if name == "allocates":
        return bytes(sum(len(bytearray(2**20)) for _ in iter(_hoard, None)))
    if name == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "leaves":
        os._exit(3)
    if name == "recurses":
        return _hostile(request, limits)
    if name == "prints":
        sys.stdout.write("noise on standard output")
        os.write(1, b"more of it")
    if name == "lists modules":
        heavy = [name for name in ("torch", "transformers", "gradio") if name in sys.modules]
        request = {**request, "path": str(Path(request["path"]).with_name(f"{heavy}.txt"))}
        Path(request["path"]).write_text("text")
    if name == "says its id":
        Path(request["path"]).write_text(str(os.getpid()))
    return _parse(request, limits)


_hoarded: list[bytearray] = []


def _hoard():
    _hoarded.append(bytearray(2**22))
    return len(_hoarded)
