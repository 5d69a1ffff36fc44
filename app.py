"""The page on this machine: `python app.py`, then http://127.0.0.1:7860."""

import argparse
import os
import signal
import sys
from pathlib import Path

from app.temporary import temporary_folder
from ingest.terminal import log_to_terminal, say


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Serves until interrupted. 0: ended. 1: could not start. 2: wrong usage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--host", help="default: RECOLLECT_HOST, else 127.0.0.1; others need RECOLLECT_PASSWORD"
    )
    parser.add_argument("--port", type=_port, default=7860, help="default: 7860")
    parser.add_argument("--library", metavar="L", help="folder or sqlite:/// URL")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: the one that ships")
    parser.add_argument(
        "--mcp", action="store_true", help="serve the API as MCP tools, too (docs/api.md)"
    )
    options = parser.parse_args(arguments)
    log_to_terminal()
    # Before Gradio is imported: it would ask the network for its version otherwise.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Before torch is: threads that wait by spinning take the cores from each other as soon as
    # another program is busy; a question then took 8 s instead of 0.1 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with temporary_folder() as uploads:  # what visitors upload goes with the server
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: tidied up
        return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    from app.answering import Answerer
    from app.service import Service
    from app.ui.doors import door
    from app.ui.page import build, launch_settings
    from armt_core.errors import RecollectError, UsageError
    from storage.library import Library

    try:
        at = door(options.host)
        settings = launch_settings(at, options.mcp)
        with (
            Library(options.library) as library,
            Service(Answerer.open(library, options.model)) as service,
        ):
            others = sum(d.of_another(service.model) for d in service.documents())
            if others:
                say(
                    f"Another model read {others:,} of the documents: they cannot be asked until "
                    "they are read again; the page says which, under Library.",
                    file=sys.stderr,
                )
            say(f"Recollect is at http://{at.name}:{options.port}", file=sys.stderr)
            build(service).launch(server_port=options.port, quiet=True, **settings)
    except (RecollectError, OSError) as error:
        say(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        pass  # before it served; Gradio ends its own waiting
    return 0


if __name__ == "__main__":
    sys.exit(main())
