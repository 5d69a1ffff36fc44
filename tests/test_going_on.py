"""A reading whose process was killed: told as interrupted, and gone on with at one press."""

import argparse
from dataclasses import replace

import pytest

from app.answering import Answerer
from app.commands.keeping import run_documents
from app.service import Service
from app.ui.documents import documents_html
from armt_core.errors import LibraryError
from ingest.files import file_sha256
from ingest.parsed import ParsedDocument
from ingest.pipeline import ingest_paths, reread_document
from storage.claims import Claim
from storage.library import Library
from storage.records import Page
from tests.fakes import CALIBRATION

PAGES = ("The ferry leaves at seven.", "The lighthouse is red.", "The bell rings at nine.")


def killed() -> Claim:
    """The claim of a process that is no more: its number belongs to another one."""
    return replace(Claim.new(), process_create_time=0.0)


@pytest.fixture
def broken(tmp_path, reader):
    """A library with a text of three pages whose reading was begun."""
    path = tmp_path / "island.txt"
    path.write_text("\f".join(PAGES), encoding="utf-8")
    with Library(tmp_path / "library") as library:
        claim = killed()
        version = library.begin_reading(
            str(path), file_sha256(path), reader.fingerprint, "island", "text", 9, claim
        )
        yield library, version, claim


def test_a_killed_reading_is_told_as_interrupted_and_goes_on_at_one_press(
    broken, reader, tmp_path, capsys
):
    library, version, claim = broken
    parsed = ParsedDocument("island", "text", tuple(map(Page, range(3), [None] * 3, PAGES)))
    library.set_parsed(version.id, claim, parsed.title, parsed.pages, 3, 0.0)
    (document,) = library.documents()
    assert document.interrupted and "interrupted after 0 of 3 segments" in documents_html(
        [document]
    )
    run_documents(argparse.Namespace(library=tmp_path / "library", json=False))
    assert "stopped " in (said := capsys.readouterr().out) and "app reread goes on with it" in said
    shown = []
    with Service(Answerer(library, reader, CALIBRATION)) as service:
        (report,) = service.go_on(lambda path, done, total: shown.append((done, total)))
        assert list(service.go_on(lambda *_: None)) == []
    assert (report.outcome, report.title, report.pages) == ("continued", "island", 3)
    assert shown[-1] == (3, 3)
    (document,) = library.documents()
    assert document.state == "ready" and not document.interrupted
    with Library(tmp_path / "whole") as whole:
        list(ingest_paths([tmp_path / "island.txt"], whole, reader))
        assert whole.documents()[0].snapshot_sha256 == document.snapshot_sha256


def test_one_that_was_killed_before_its_text_was_stored_asks_for_its_file(broken, reader):
    library, _, _ = broken
    (document,) = library.documents()
    with pytest.raises(LibraryError, match="Add its file again, or delete it"):
        reread_document(document, library, reader)
    with Service(Answerer(library, reader, CALIBRATION)) as service:
        (report,) = service.go_on(lambda *_: None)
    assert report.outcome == "failed" and "interrupted before" in (report.reason or "")


def test_a_reading_under_way_is_not_interrupted(tmp_path, reader):
    with Library(tmp_path / "library") as library:
        library.begin_reading("/x", "0" * 64, reader.fingerprint, "x", "text", 9, Claim.new())
        (document,) = library.documents()
        assert (document.state, document.interrupted) == ("reading", False)
