"""`python -m app COMMAND`: ask, search, and look after the library."""

import argparse
import os
import sys
from pathlib import Path

from app.commands import asking, keeping, moving
from app.commands.output import report_error, use_utf8
from armt_core.errors import RecollectError
from ingest.terminal import ends_quietly, log_to_terminal


@ends_quietly
def main(arguments: list[str] | None = None) -> int:
    """0: all well. 1: something failed and is named. 2: wrong usage or an ambiguous name."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--library", metavar="L", help="folder or sqlite:/// URL")
    common.add_argument("--model", type=Path, metavar="FOLDER", help="default: the one that ships")
    common.add_argument("--json", action="store_true", help="only JSON on standard output")
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asking.add_commands(commands, common)
    keeping.add_commands(commands, common)
    moving.add_commands(commands, common)
    options = parser.parse_args(arguments)
    use_utf8()
    # Before torch is imported: threads that wait by spinning take the cores from each other
    # as soon as another program is busy; a question then took 8 s instead of 0.1 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    log_to_terminal()
    try:
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (RecollectError, OSError) as error:
        return report_error(error, options)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
