"""`python -m ingest PATH...`: read documents into memory."""

import argparse
import dataclasses
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from armt_core.errors import RecollectError, UsageError
from ingest.terminal import ends_quietly, harmless, log_to_terminal, say

if TYPE_CHECKING:
    from armt_core.document_model import DocumentModel
    from ingest.reports import FileReport
    from storage.library import Library


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="go on watching the folders: new and changed files go in once they have stopped "
        "growing; ends at Ctrl-C or SIGTERM, with exit code 0",
    )
    parser.add_argument("--library", metavar="L", help="folder or sqlite:/// URL")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: the one that ships")
    parser.add_argument("--json", action="store_true", help="a JSON line a file on standard output")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="parsing processes")
    parser.add_argument("--retry-failed", action="store_true", help="try failed files again")
    parser.add_argument(
        "--password-file", metavar="F", help="passwords to try, one a line; - is standard input"
    )
    parser.add_argument(
        "--ocr",
        metavar="LANGUAGES",
        help="read scanned pages with tesseract: eng, or eng+deu",
    )
    parser.add_argument(
        "--no-originals", action="store_true", help="keep no copy to draw cited pages from"
    )
    return parser


@ends_quietly
def main(arguments: list[str] | None = None) -> int:
    """0: everything went in or was known, or a watch was ended. 1: something failed and is named.
    2: wrong usage."""
    # Before torch is loaded: its waiting threads sleep, so that other programs get the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error("--workers must be at least 1")
    log_to_terminal()
    if options.watch:
        # What ends a service ends it as Ctrl-C does: the reading under way gives up its claim.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _ingest(options)
    except BrokenPipeError:
        raise
    except (RecollectError, OSError) as error:
        code = error.code if isinstance(error, RecollectError) else "os"
        if options.json:
            say(json.dumps({"error": {"code": code, "message": str(error)}}))
        say(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        say("stopped; the next run goes on from the last checkpoint", file=sys.stderr)
        return 0 if options.watch else 130


def _ingest(options: argparse.Namespace) -> int:
    from ingest.ocr import find_ocr
    from ingest.settings import open_reader
    from storage.library import Library

    passwords = _passwords(options.password_file)
    ocr = find_ocr(options.ocr) if options.ocr else None
    with Library(options.library) as library:
        model = open_reader(options.model)
        bars = _Bars()
        counts: Counter[str] = Counter()
        reports = _reports(
            options,
            library,
            model,
            workers=options.workers,
            passwords=passwords,
            retry_failed=options.retry_failed,
            keep_originals=not options.no_originals,
            ocr=ocr,
            progress=bars.show,
        )
        with closing(reports):  # whatever interrupts, readings end before the library is closed
            for report in reports:
                counts[report.outcome] += 1
                bars.close(Path(report.path))
                if options.json:
                    say(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
                else:
                    say(_line(report), file=sys.stderr)
    if not counts:
        say("There is no file to read in these folders.", file=sys.stderr)
    say(", ".join(f"{n} {outcome}" for outcome, n in counts.items()), file=sys.stderr)
    return 1 if counts.get("failed") else 0


def _reports(
    options: argparse.Namespace, library: "Library", model: "DocumentModel", **settings: Any
) -> "Generator[FileReport]":
    """Of the paths as they are; or of the folders until a signal ends the watch."""
    from ingest.pipeline import ingest_paths
    from ingest.watching import SECONDS, watch

    if not options.watch:
        return ingest_paths(options.paths, library, model, **settings)

    def wait() -> bool:
        time.sleep(SECONDS)
        return False

    named = ", ".join(map(str, options.paths))
    say(f"Watching {named}; Ctrl-C ends it.", file=sys.stderr)
    return watch(options.paths, library, model, wait, **settings)


class _Bars:
    """A bar a file on standard error, counting its segments; none when nobody watches."""

    def __init__(self) -> None:
        self._bars: dict[Path, tqdm] = {}

    def show(self, path: Path, done: int, total: int) -> None:
        if path in self._bars:
            self._bars[path].update(1)
        else:
            self._bars[path] = tqdm(
                desc=harmless(path.name),
                total=total,
                initial=done,
                unit="segment",
                leave=False,
                disable=None,
            )

    def close(self, path: Path) -> None:
        if path in self._bars:
            self._bars.pop(path).close()


def _passwords(source: str | None) -> list[str]:
    if source is None:
        return []
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def _line(report: "FileReport") -> str:
    parts = [f"{report.outcome:9} {report.path}"]
    if report.outcome in ("added", "continued", "reread"):
        parts.append(
            f"{report.pages} pages, {report.tokens:,} tokens, "
            f"{report.segments_read} segments read in {report.seconds:.1f} s"
        )
    if report.reason:
        parts.append(report.reason)
    return " · ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
