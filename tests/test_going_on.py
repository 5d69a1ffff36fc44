"""A reading whose process was killed: told as interrupted, and gone on with at one press."""

import argparse
import json
from dataclasses import replace

import pytest

from app.answering import Answerer
from app.commands.keeping import run_documents, run_verify
from app.commands.output import report_error
from app.service import Service
from app.ui.documents import documents_html
from armt_core.errors import LibraryError, OtherModel
from ingest.parsed import ParsedDocument
from ingest.pipeline import ingest_paths, reread_document
from ingest.settings import DEFAULT_MODEL
from storage.claims import Claim
from storage.library import Library
from storage.originals import file_sha256
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
        [document], reader.fingerprint
    )
    run_documents(argparse.Namespace(library=tmp_path / "library", json=False, model=None))
    goes_on = f"python -m app reread --library {tmp_path / 'library'} goes on with it"
    assert "stopped " in (said := capsys.readouterr().out) and goes_on in said
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


def test_a_killed_reading_of_a_changed_file_is_told_until_the_file_is_added_again(tmp_path, reader):
    path = tmp_path / "island.txt"
    path.write_text(PAGES[0], encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([path], library, reader))
        path.write_text("\f".join(PAGES), encoding="utf-8")
        claim = killed()
        library.begin_reading(
            str(path), file_sha256(path), reader.fingerprint, "island", "text", 9, claim
        )
        (document,) = library.documents()
        assert document.state == "ready" and document.update_interrupted
        assert "add its file again" in documents_html([document], reader.fingerprint)
        list(ingest_paths([path], library, reader))
        (document,) = library.documents()
        assert document.pages == 3 and not document.update_interrupted


def test_a_reading_under_way_is_not_interrupted(tmp_path, reader):
    with Library(tmp_path / "library") as library:
        library.begin_reading("/x", "0" * 64, reader.fingerprint, "x", "text", 9, Claim.new())
        (document,) = library.documents()
        assert (document.state, document.interrupted) == ("reading", False)


def test_what_another_model_read_is_told_with_what_to_do_and_read_again_at_one_press(
    tmp_path, reader, capsys
):
    path, home = tmp_path / "island.txt", tmp_path / "library"
    path.write_text(PAGES[0], encoding="utf-8")
    with Library(home) as library:
        (report,) = ingest_paths([path], library, replace(reader, fingerprint="f" * 64))
        options = argparse.Namespace(library=home, json=False, model=DEFAULT_MODEL)
        reread = f"python -m app reread --library {home} --model {DEFAULT_MODEL}"
        assert run_documents(options) == 0
        assert f"another model read it: it cannot be asked; {reread} reads" in told(capsys)
        assert run_verify(options) == 0
        said = told(capsys)
        assert "is sound.\nAnother model read 1 of its documents: they cannot be asked." in said
        assert f"python -m app documents --library {home} --model {DEFAULT_MODEL}" in said
        options.json = True
        assert run_documents(options) == run_verify(options) == 0
        listed, checked = map(json.loads, told(capsys).splitlines())
        assert listed["documents"][0]["other_model"] is True
        assert checked == {"problems": [], "other_model": [report.document_id]}
        answerer = Answerer(library, reader, CALIBRATION)
        with pytest.raises(OtherModel, match="Another model read every document here") as refused:
            answerer.ask("Who?")
        assert str(refused.value).endswith(" Run: python -m app reread")
        assert report_error(refused.value, options) == 1
        assert capsys.readouterr().err.endswith(f" Run: {reread}\n")
        with pytest.raises(OtherModel, match=r"or read it again\. Run: python -m app reread$"):
            answerer.ask("Who?", documents=["island"])
        with Service(answerer) as service:
            (report,) = service.go_on(lambda *_: None)
            assert list(service.go_on(lambda *_: None)) == []
        assert report.outcome == "reread" and answerer.ask("When does the ferry leave?").citations


def told(capsys) -> str:
    """What was printed for people or programs."""
    return str(capsys.readouterr().out)


def test_what_another_model_read_is_left_out_of_a_question_to_all_with_a_warning(
    tmp_path, reader, caplog
):
    for name, text in zip(("ferry", "keeper"), PAGES, strict=False):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "ferry.txt"], library, replace(reader, fingerprint="f" * 64)))
        list(ingest_paths([tmp_path / "keeper.txt"], library, reader))
        answer = Answerer(library, reader, CALIBRATION).ask("When does the ferry leave?")
        titles = {c.title for c in (*answer.citations, *answer.nearest)}
        assert titles == {"keeper"}
        assert "1 of 2 documents are not asked: another model read them" in caplog.text
        with pytest.raises(OtherModel):
            Answerer(library, reader, CALIBRATION).ask("When?", documents=["ferry"])
