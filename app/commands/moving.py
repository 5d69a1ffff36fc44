"""`export`, `import` and `backup`: what leaves the library as files, and comes in from one."""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.commands.output import print_json
from ingest.terminal import say
from storage.library import Library

_BACKUP = """
F is a new folder that is itself a library, complete with originals and readable by its owner
alone. It can be made while others use the library. To look into it, or to use it as it is:

    python -m app documents --library F
    python -m app verify --library F

To restore it, end all programs that use the library, move the library's folder away, and copy
F to its place. A document that is deleted later stays in backups made before: delete those.
"""


def add_commands(commands: "argparse._SubParsersAction[Any]", common: Any) -> None:
    """Adds them to the command line."""
    export = commands.add_parser(
        "export",
        parents=[common],
        help="a document's memory as one file",
        description="Writes a document's memory to one safetensors file, for `import` elsewhere. "
        "A memory is made from the text: the file is as private as the document.",
    )
    export.add_argument("document", metavar="D", help="id or exact title")
    export.add_argument("--output", required=True, type=Path, metavar="F", help="a new file")
    export.set_defaults(run=run_export)
    importing = commands.add_parser(
        "import",
        parents=[common],
        help="a memory that was exported",
        description="Takes in a memory file. It is checked first and must have been made by the "
        "loaded model. The document then answers from memory alone: there is no text to search.",
    )
    importing.add_argument("file", type=Path, metavar="F", help="what `export` wrote")
    importing.set_defaults(run=run_import)
    backup = commands.add_parser(
        "backup",
        parents=[common],
        help="a copy of the whole library",
        description="Copies the library, as it is at one moment, to a new folder." + _BACKUP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    backup.add_argument("folder", type=Path, metavar="F", help="a folder that does not exist yet")
    backup.set_defaults(run=run_backup)


def run_export(options: argparse.Namespace) -> int:
    """The exit code."""
    from app.handing_over import export_memory

    with Library(options.library) as library:
        document = export_memory(library, options.document, options.output)
    size = options.output.stat().st_size
    if options.json:
        value = {"document_id": document.id, "title": document.title}
        print_json(value | {"output": str(options.output), "bytes": size})
    else:
        say(f'Wrote the memory of "{document.title}" to {options.output}: {size:,} bytes.')
        say("It is as private as the document.", file=sys.stderr)
    return 0


def run_import(options: argparse.Namespace) -> int:
    """The exit code."""
    from app.handing_over import import_memory
    from ingest.settings import open_reader

    with Library(options.library) as library:
        document, new = import_memory(library, open_reader(options.model), options.file)
    if options.json:
        value = {"document_id": document.id, "title": document.title}
        outcome = "imported" if new else "known"
        print_json(value | {"outcome": outcome, "segments_read": document.segments_read})
    elif new:
        say(
            f'Imported the memory of "{document.title}" ({document.id}): '
            f"{document.segments_read} segments, {document.tokens:,} tokens. It answers from "
            "memory alone."
        )
    else:
        say(f'The library holds this memory already: "{document.title}" ({document.id}).')
    return 0


def run_backup(options: argparse.Namespace) -> int:
    """0: complete. 1: without originals that are damaged, each named on standard error."""
    with Library(options.library) as library:
        made = library.backup(options.folder)
    for problem in made.problems:
        say(f"error: {problem}", file=sys.stderr)
    if options.json:
        value = {"folder": str(made.folder), "documents": made.documents}
        more = {"originals": made.originals, "bytes": made.size, "problems": list(made.problems)}
        print_json(value | more)
    else:
        say(
            f"Copied {made.documents} documents and {made.originals} originals to {made.folder}: "
            f"{made.size:,} bytes.",
            f"It is a library: python -m app documents --library {made.folder}",
            "How to restore it: python -m app backup --help",
        )
    return 1 if made.problems else 0
