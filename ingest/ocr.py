"""Scanned pages through tesseract, where it is installed and asked for.

Reading is asked for by naming the languages, never done because a program happens to be
there: else the same bytes would give one text here and another there, and nobody would
know. What read a page is kept with it.
"""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from armt_core.errors import ParseError, UsageError
from ingest.draw import drawable, fitting
from ingest.parsed import storable

_INCH = 300 / 72  # pixels a point at 300 dots an inch, which tesseract is trained for
_LANGUAGES = re.compile(r"[A-Za-z]\w{1,30}(?:\+[A-Za-z]\w{1,30}){0,9}")
_TURNS = "osd"  # the data that tells which way up a page is

INSTALL = (
    "Install it with: sudo apt-get install tesseract-ocr (macOS: brew install tesseract; "
    "Windows: winget install UB-Mannheim.TesseractOCR)"
)


@dataclass(frozen=True)
class Ocr:
    """Which languages tesseract reads, and what is noted of it with the pages."""

    languages: str
    engine: str


def find_ocr(languages: str) -> Ocr:
    """tesseract for `languages` ("eng", "eng+deu").

    Raises UsageError if it is not installed or lacks one of them, and says how to get it.
    """
    if not _LANGUAGES.fullmatch(languages):
        raise UsageError(
            f"{languages!r} names no languages of tesseract; give for example eng, or eng+deu"
        )
    known = known_languages()
    missing = [name for name in languages.split("+") if name not in known]
    if missing:
        raise UsageError(
            f"tesseract has no data for {', '.join(missing)}; it has {', '.join(known)}. On "
            f"Debian: sudo apt-get install {' '.join(f'tesseract-ocr-{n}' for n in missing)}"
        )
    version = _asked("tesseract", "--version").split()
    return Ocr(languages, " ".join(["tesseract", *version[1:2]]) + f", {languages}")


def known_languages() -> list[str]:
    """The languages that tesseract has data for. Raises UsageError if it is not installed."""
    if shutil.which("tesseract") is None:
        raise UsageError(f"Reading scanned pages needs tesseract, which is not here. {INSTALL}")
    lines = _asked("tesseract", "--list-langs").splitlines()
    return sorted(line for line in lines if " " not in line and line != _TURNS)


def read_picture(path: Path, page: int, passwords: Sequence[str], languages: str) -> str:
    """What tesseract reads on page `page` of a PDF; empty if it finds no text there.

    Runs in the calling process, which should be one with limits: tesseract inherits those
    of memory. Raises ParseError if the page cannot be drawn or read.
    """
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--dpi", "300", "--psm"]
    command.append("1" if _TURNS in _asked("tesseract", "--list-langs").split() else "3")
    done = subprocess.run(
        command,
        input=_picture(path, page, passwords),
        capture_output=True,
        check=False,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise ParseError(f"tesseract cannot read page {page} of {path.name}: {said}")
    return storable(done.stdout.decode("utf-8", "replace").replace("\f", "").strip())


def _picture(path: Path, page: int, passwords: Sequence[str]) -> bytes:
    """The page in shades of grey, as a portable graymap."""
    with drawable(path, page, passwords) as pdf_page:
        width, height = pdf_page.get_size()
        scale = fitting(width, height, _INCH)
        image = pdf_page.render(scale=scale, grayscale=True).to_pil().convert("L")
    out = io.BytesIO()
    image.save(out, "PPM")
    return out.getvalue()


def _asked(program: str, question: str) -> str:
    try:
        done = subprocess.run(
            [program, question], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"tesseract does not run: {error}. {INSTALL}") from error
    return done.stdout + done.stderr
