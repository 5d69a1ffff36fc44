"""Scanned pages through tesseract: only where a page has no text, and only when asked for.

scripts/test installs tesseract; without it these tests fail.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import fpdf
import gradio as gr
import psutil
import pypdfium2 as pdfium
import pytest

from app.answering import Answerer
from app.results import Citation
from app.service import SCALE, Service
from app.support import load_calibration
from app.ui.library import LibraryView, _ocr_choice
from app.ui.pages import page_html
from armt_core.errors import NoPicture, UsageError
from ingest import ocr as ocr_module
from ingest.__main__ import main
from ingest.child import ParserPool, draw_in_child, parse_in_child
from ingest.limits import ParseLimits
from ingest.ocr import Ocr, find_ocr, read_picture
from ingest.pipeline import ingest_paths, reread_document
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from storage.records import Page
from tests.hostile_pdfs import one_page, page_tree
from tests.pdf_makers import encrypted, pdf_bytes, turned, written

WORDS = "The harbour light burns all night."


def scanned(*pages: str) -> bytes:
    """A PDF whose pages are pictures of these texts; " " is one of nothing, "" no picture."""
    document = fpdf.FPDF()
    for text in pages:
        document.add_page()
        if text:
            picture = io.BytesIO()
            page = pdfium.PdfDocument(pdf_bytes(text))[0]
            page.render(scale=2.5).to_pil().save(picture, "PNG")
            document.image(picture, 0, 0, 210)
    return bytes(document.output())


@pytest.fixture(scope="module")
def english():
    return find_ocr("eng")


def plain(text: str) -> str:
    return " ".join(text.split())


def test_only_pages_without_text_are_read_from_their_pictures(tmp_path, english):
    both = fpdf.FPDF()
    both.set_font("Helvetica", size=12)
    both.add_page()
    both.multi_cell(0, text="Typed words.")
    path = written(tmp_path, "a.pdf", bytes(both.output()))
    assert parse_in_child(path, ocr=english) == parse_in_child(path)
    path = written(tmp_path, "b.pdf", scanned(WORDS, " ", ""))
    assert [page.needs_ocr for page in parse_in_child(path).pages] == [True, True, False]
    document = parse_in_child(path, ocr=english)
    first, second, third = document.pages
    assert plain(first.text) == WORDS
    assert (first.needs_ocr, first.by_ocr) == (False, True)
    assert (second.text, second.needs_ocr, second.by_ocr) == ("", False, True)  # it is blank
    assert (third.text, third.needs_ocr, third.by_ocr) == ("", False, False)  # and this one empty
    assert document.ocr == english.engine and document.ocr.endswith(", eng")


def test_a_page_on_its_head_and_an_encrypted_one_are_read(tmp_path, english):
    text = " ".join(f"{WORDS} Boat {n} comes home at dusk." for n in range(12))
    path = written(tmp_path, "a.pdf", encrypted(turned(scanned(text), 180), "secret"))
    document = parse_in_child(path, ["secret"], ocr=english)
    assert plain(document.pages[0].text).count("harbour light") >= 10


def test_ocr_is_visible_where_it_was_used_and_asked_for_where_it_is_needed(
    tmp_path, reader, english
):
    path = written(tmp_path, "scan.pdf", scanned(WORDS, "Nobody may enter the tower."))
    with Library(tmp_path / "library") as library:
        (report,) = ingest_paths([path], library, reader)
        assert report.outcome == "added" and report.pages_without_text == 2
        assert report.reason == (
            "2 of 2 pages have no text: 2 need OCR (python -m ingest --ocr eng reads such pages, "
            "with tesseract)"
        )
        (report,) = ingest_paths([path], library, reader, ocr=english)
        assert (report.outcome, report.pages_without_text) == ("reread", 0)
        assert report.reason == (
            f"2 of 2 pages were read by OCR ({english.engine}), which makes mistakes"
        )
        document = library.document("scan")
        assert (document.pages_by_ocr, document.pages_need_ocr) == (2, 0)
        assert [page.by_ocr for page in library.pages(document.id)] == [True, True]
        (hit,) = library.search_words("tower", 5)
        assert library.passages(document.id)[-1].id == hit[0]
        for again in (english, None):  # neither reads it once more, nor forgets it
            (report,) = ingest_paths([path], library, reader, ocr=again)
            assert (report.outcome, report.segments_read) == ("skipped", 0)
        reread_document(library.document("scan"), library, reader)
        assert library.document("scan").ocr == english.engine


def test_a_page_read_by_ocr_is_drawn_without_a_box(tmp_path, reader, english):
    path = written(tmp_path, "scan.pdf", scanned(WORDS))
    with Library(tmp_path / "library") as library:
        list(ingest_paths([path], library, reader, ocr=english))
        document = library.document("scan")
        citation = Citation(document.id, "scan", 0, None, 0, 11, WORDS[:11], 1, 0.5)
        with Service(Answerer(library, reader, load_calibration(DEFAULT_MODEL))) as service:
            assert service.drawn(citation) == (draw_in_child(path, 0, scale=SCALE), "")
            assert "read by OCR, so the quote is not marked" in page_html(service, citation)


def test_a_page_that_cannot_be_read_still_needs_ocr_and_the_others_go_in(
    tmp_path, english, monkeypatch, caplog
):
    """tesseract, replaced by a program that fails on the second page."""
    program = written(
        tmp_path,
        "tesseract",
        b"#!/bin/sh\ncase $1 in --*) echo eng; exit;; esac\n"
        b"if [ -e '%s' ]; then echo broken >&2; exit 1; fi\n"
        b"touch '%s'; cat > /dev/null; echo words\n" % ((str(tmp_path / "was here").encode(),) * 2),
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = written(tmp_path, "a.pdf", scanned("one", "two"))
    first, second = parse_in_child(path, ocr=english).pages
    assert (first.text, first.by_ocr, second.needs_ocr) == ("words", True, True)
    assert "Page 1 of a.pdf still needs OCR: tesseract cannot read page 1" in caplog.text
    assert "broken" in caplog.text


def test_a_page_that_cannot_be_drawn_has_a_reason_and_is_not_tried_again(tmp_path, reader):
    """Its tree names a second page that is not there."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
    path = written(tmp_path, "a.pdf", page_tree(b"3 0 R 9 0 R", 2, page))
    never = Ocr("eng", "no program")  # pages that need none ask for none
    with Library(tmp_path / "library") as library:
        (report,) = ingest_paths([path], library, reader, ocr=never)
        told = "2 of 2 pages have no text: 1 cannot be drawn (the file is damaged there)"
        assert report.outcome == "added" and told in (report.reason or "")
        with sqlite3.connect(library.database) as database:  # as read before this was known
            database.execute("UPDATE page SET needs_ocr = 1, no_picture = 0 WHERE number = 1")
            database.execute("UPDATE version SET pages_need_ocr = 1, pages_no_picture = 0")
        for outcome in ("reread", "skipped"):
            (report,) = ingest_paths([path], library, reader, ocr=never)
            assert report.outcome == outcome
            document = library.document("a")
            assert (document.pages_need_ocr, document.pages_no_picture) == (0, 1)
        (report,) = ingest_paths([path], library, reader, ocr=never, retry_failed=True)
        assert report.outcome == "reread"  # it was asked for


def test_a_page_that_turns_out_to_have_no_picture_needs_ocr_no_longer(
    tmp_path, monkeypatch, caplog
):
    path, real = written(tmp_path, "a.pdf", one_page(b"0 0 9 9 re f")), ParserPool._run

    def run(pool, task, *rest):
        if task == "ocr":
            raise NoPicture("page 0 of a.pdf cannot be drawn: no")
        return real(pool, task, *rest)

    assert parse_in_child(path).pages == (Page(0, None, "", needs_ocr=True),)
    monkeypatch.setattr(ParserPool, "_run", run)
    pages = parse_in_child(path, ocr=Ocr("eng", "no program")).pages
    assert pages == (Page(0, None, "", no_picture=True),)
    assert "Page 0 of a.pdf has no text: page 0 of a.pdf cannot be drawn" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="a shell script stands in for tesseract")
def test_a_page_that_takes_too_long_is_given_up_with_the_program_that_reads_it(
    tmp_path, english, monkeypatch, caplog
):
    program = written(
        tmp_path,
        "tesseract",
        b"#!/bin/sh\ncase $1 in --*) echo eng;; *) echo $$ > %s; exec sleep 1000;; esac"
        % str(tmp_path / "id").encode(),
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = written(tmp_path, "a.pdf", scanned("one"))
    (page,) = parse_in_child(path, limits=ParseLimits(seconds=3), ocr=english).pages
    assert page.needs_ocr and "took more than 3 seconds" in caplog.text
    sleeper = int((tmp_path / "id").read_text())
    for _ in range(100):
        if not psutil.pid_exists(sleeper):
            break
        time.sleep(0.05)
    assert not psutil.pid_exists(sleeper)


def test_the_page_offers_the_languages_and_reads_what_is_dropped_in_those_chosen(tmp_path, reader):
    path = written(tmp_path, "scan.pdf", scanned(WORDS))
    with (
        Library(tmp_path / "library") as library,
        Service(Answerer(library, reader, load_calibration(DEFAULT_MODEL))) as service,
    ):
        with gr.Blocks():
            view = LibraryView(service)
        assert view.ocr.interactive and ("eng", "eng") in view.ocr.choices
        assert ("osd", "osd") not in view.ocr.choices and view.ocr.value == []

        def dropped(languages: list[str]) -> str:
            upload = tmp_path / "upload" / "scan.pdf"
            upload.parent.mkdir()
            shutil.copy(path, upload)
            *_, (reports, table) = view._take(
                [str(upload)], "", languages, "", lambda *_, **__: None
            )
            return reports + table

        first = dropped([])
        assert "1 of 1 page has no text: 1 needs OCR" in first
        assert "needs OCR: no page has text; see “Scanned pages” above" in first
        assert "tesseract has no data for xyz" in dropped(["xyz"])
        second = dropped(["eng"])
        assert "Read again" in second and "1 page read by OCR" in second
        assert len(library.search_words("harbour", 5)) == 1


def test_where_tesseract_is_missing_the_page_says_so_and_offers_nothing(monkeypatch):
    monkeypatch.setattr(ocr_module.shutil, "which", lambda name: None)
    with gr.Blocks():
        choice = _ocr_choice()
    assert choice.interactive is False and choice.choices == []
    assert "needs tesseract, which is not here. Install it with" in choice.info


def test_without_tesseract_or_its_data_the_error_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    with pytest.raises(UsageError, match=r"no data for xyz.*tesseract-ocr-xyz"):
        find_ocr("eng+xyz")
    for nonsense in ("", "-eng", "eng;ls", "../eng", "eng+"):
        with pytest.raises(UsageError, match="names no languages"):
            find_ocr(nonsense)
    monkeypatch.setattr(ocr_module.shutil, "which", lambda name: None)
    arguments = [str(tmp_path), "--library", str(tmp_path / "lib"), "--ocr", "eng"]
    assert main(arguments) == 2
    assert "apt-get install tesseract-ocr" in capsys.readouterr().err
    assert not (tmp_path / "lib").exists()


def test_the_example_scan_is_read_nearly_without_mistakes():
    root = Path(__file__).resolve().parent.parent / "examples"
    read = read_picture(root / "corpus" / "light-float-certificate-scan.pdf", 0, [], "eng")
    truth = (root / "sources" / "scan.txt").read_text(encoding="utf-8")
    wanted = {word for word in truth.split() if word.isalpha()}
    assert len(wanted & set(read.split())) > 0.9 * len(wanted)


def test_tesseract_is_there():
    assert shutil.which("tesseract") and subprocess.run(["tesseract", "--version"], check=True)
