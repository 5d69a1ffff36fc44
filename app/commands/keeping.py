"""`documents`, `show`, `delete`, `reread` and `verify`."""

import argparse
import sys
from typing import Any

from app.as_json import document_json
from app.commands.output import given, print_json, report_error
from armt_core.errors import RecollectError, UsageError
from ingest.settings import open_reader, reader_fingerprint
from ingest.terminal import say
from storage.library import Library
from storage.records import Document


def add_commands(commands: "argparse._SubParsersAction[Any]", common: Any) -> None:
    """Adds them to the command line."""
    documents = commands.add_parser("documents", parents=[common], help="what the library holds")
    documents.set_defaults(run=run_documents)
    show = commands.add_parser("show", parents=[common], help="everything about one document")
    show.add_argument("document", metavar="D")
    show.set_defaults(run=run_show)
    delete = commands.add_parser("delete", parents=[common], help="forget a document")
    delete.add_argument("document", metavar="D")
    delete.add_argument("--yes", action="store_true", help="really")
    delete.set_defaults(run=run_delete)
    reread = commands.add_parser(
        "reread", parents=[common], help="read stored documents again with the loaded model"
    )
    reread.add_argument(
        "documents",
        nargs="*",
        metavar="D",
        help="default: all that need it, and what was interrupted",
    )
    reread.set_defaults(run=run_reread)
    verify = commands.add_parser("verify", parents=[common], help="check the library")
    verify.set_defaults(run=run_verify)


def run_documents(options: argparse.Namespace) -> int:
    """The exit code."""
    model = reader_fingerprint(options.model)
    with Library(options.library) as library:
        found = library.documents()
    reread = f"python -m app reread{given(options)}"
    if options.json:
        print_json({"documents": [document_json(document, model) for document in found]})
        return 0
    if not found:
        say("The library is empty. Add documents with: python -m ingest PATH", file=sys.stderr)
    for document in found:
        state = "stopped" if document.interrupted else document.state
        pages = "page " if document.pages == 1 else "pages"
        line = f"{state:8} {document.id}  {document.pages:5} {pages}  {document.title}"
        if document.pages_need_ocr:
            line += f"  ({document.pages_need_ocr} pages need OCR)"
        if document.pages_no_picture:
            line += f"  ({document.pages_no_picture} pages without text cannot be drawn)"
        if document.pages_by_ocr:
            line += f"  ({document.pages_by_ocr} pages read by OCR)"
        if document.interrupted:
            line += f"  (its reading was interrupted; {reread} goes on with it)"
        elif document.to_be_read(model):
            line += f"  (another model read it: it cannot be asked; {reread} reads it again)"
        elif document.of_another(model):
            line += "  (another model made this memory: it cannot be asked, and may be deleted)"
        say(line + (f"  ({document.reason})" if document.reason else ""))
    return 0


def run_show(options: argparse.Namespace) -> int:
    """The exit code."""
    model = reader_fingerprint(options.model)
    with Library(options.library) as library:
        document = library.document(options.document)
        snapshots = library.snapshots(document.version_id)
    value = document_json(document, model)
    value["snapshots"] = [
        {"segments_read": s.segments_read, "sha256": s.sha256, "bytes": s.size} for s in snapshots
    ]
    if options.json:
        print_json(value)
        return 0
    for name, item in value.items():
        if name == "snapshots":
            say(f"{name:19} {len(snapshots)} kept, {sum(s.size for s in snapshots):,} bytes")
        elif name == "paths":
            say(f"{name:19} {', '.join(item)}")
        elif item is not None:
            say(f"{name:19} {item}")
    return 0


def run_delete(options: argparse.Namespace) -> int:
    """The exit code. Without --yes it only says what would go."""
    with Library(options.library) as library:
        document = library.document(options.document)
        extent = (
            f'"{document.title}" ({document.id}): {document.pages} pages, its memory, '
            f"{document.bytes_kept:,} bytes"
        )
        if not options.yes:
            raise UsageError(f"Nothing deleted. --yes deletes {extent}.")
        library.delete(document.id)
        backups = [str(folder) for folder in library.backups_with(document.id)]
    if options.json:
        print_json({"deleted": document.id, "backups": backups})
    else:
        say(f"Deleted {extent}. The file it was read from is untouched.")
        for backup in backups:
            say(f"The backup {backup} still holds it.")
    return 0


def run_reread(options: argparse.Namespace) -> int:
    """The exit code. By default those of another model, those whose memory is damaged, and those
    whose reading was interrupted."""
    from ingest.pipeline import reread_document

    failed = False
    with Library(options.library) as library:
        model = open_reader(options.model)
        if options.documents:
            chosen = [library.document(name) for name in options.documents]
        else:
            chosen = [d for d in library.documents() if _needs_rereading(d, library, model)]
        if not chosen and not options.json:
            say("Nothing has to be read again.")
        for document in chosen:
            try:
                version = reread_document(document, library, model)
            except RecollectError as error:
                failed = True
                report_error(error, options)
                continue
            if options.json:
                print_json({"document_id": document.id, "segments_read": version.segments_read})
            else:
                say(f'Read "{document.title}" again: {version.segments_read} segments.')
    return 1 if failed else 0


def _needs_rereading(document: Document, library: Library, model: Any) -> bool:
    if document.state != "ready":
        return document.interrupted
    if document.of_another(model.fingerprint):
        return not document.memory_alone  # there is no text to read: `documents` tells of it
    try:
        return library.latest_snapshot(document.version_id) is None
    except RecollectError:
        return True


def run_verify(options: argparse.Namespace) -> int:
    """0 if the library is sound, 1 if not; each problem is one line. What another model read is
    told and is no problem."""
    model = reader_fingerprint(options.model)
    with Library(options.library) as library:
        problems = library.verify(given(options))
        others = [] if problems else [d for d in library.documents() if d.of_another(model)]
    if options.json:
        print_json({"problems": problems, "other_model": [d.id for d in others]})
    else:
        say(*(problems or ["The library is sound."]))
        if others:
            say(
                f"Another model read {len(others)} of its documents: they cannot be asked. What to "
                f"do is told by: python -m app documents{given(options)}"
            )
    return 1 if problems else 0
