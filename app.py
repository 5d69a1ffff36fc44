"""The page on this machine: `python app.py`, then http://127.0.0.1:7860."""

import argparse
import logging
import os
import sys
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str] | None = None) -> int:
    """Serves until interrupted. 0: ended. 1: could not start. 2: wrong usage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", choices=LOOPBACK, help="this machine only")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--library", metavar="L", help="folder or sqlite:/// URL")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: the one that ships")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # Before Gradio is imported: it would ask the network for its version otherwise.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from app.answering import Answerer
    from app.service import Service
    from app.ui.page import build, launch_settings
    from armt_core.errors import RecollectError
    from storage.library import Library

    try:
        with (
            Library(options.library) as library,
            Service(Answerer.open(library, options.model)) as service,
        ):
            print(f"Recollect is at http://{options.host}:{options.port}", file=sys.stderr)
            build(service).launch(
                server_name=options.host,
                server_port=options.port,
                quiet=True,
                **launch_settings(),
            )
    except (RecollectError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
