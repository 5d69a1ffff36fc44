"""After a document was deleted, no byte of the library's files says what it said."""

import contextlib
import io
import zipfile
import zlib
from pathlib import Path

import gradio as gr
import pytest
from fpdf import FPDF

from app.answering import Answerer
from app.service import Service
from app.ui.library import LibraryView, set_apart
from ingest.pipeline import ingest_paths
from storage.database import copy_database
from storage.library import Library
from storage.migrating import backup_before
from tests.book_makers import docx_bytes, paragraph
from tests.fakes import CALIBRATION

SECRET = "The zirconium pelican whispers at midnight."
WORDS = ("zirconium", "pelican")  # the question itself stays, as the user asked it


def unpacked(data: bytes) -> list[bytes]:
    """The bytes, and what is compressed in them: zlib streams anywhere, members of a zip."""
    found, at = [data], data.find(b"x")
    while at >= 0:
        if int.from_bytes(data[at : at + 2]) % 31 == 0:
            with contextlib.suppress(zlib.error):
                found.append(zlib.decompressobj().decompress(data[at:]))
        at = data.find(b"x", at + 1)
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found += [archive.read(name) for name in archive.namelist()]
    return found


def holding(folder: Path) -> dict[str, set[str]]:
    """The files that hold words of the secret in any case, as UTF-8 or UTF-16; with the words."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        for data in unpacked(path.read_bytes()) if path.is_file() else ():
            plain = data.lower()
            for word in WORDS:
                kinds = (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be"))
                if any(kind in plain for kind in kinds):
                    found.setdefault(str(path.relative_to(folder)), set()).add(word)
    return found


def as_pdf(path: Path) -> None:
    pdf = FPDF()
    pdf.set_compression(True)
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.multi_cell(0, text=SECRET)
    pdf.output(str(path))


def as_docx(path: Path) -> None:
    path.write_bytes(docx_bytes(paragraph(SECRET)))


def as_utf16(path: Path) -> None:
    path.write_text(SECRET, encoding="utf-16")


@pytest.mark.parametrize(
    ("name", "make"), [("a.pdf", as_pdf), ("a.docx", as_docx), ("a.txt", as_utf16)]
)
def test_what_was_read_asked_and_deleted_is_in_no_file_of_the_library(tmp_path, reader, name, make):
    make(tmp_path / name)
    other = tmp_path / "other.txt"
    other.write_text("The harbour master counts the boats.", encoding="utf-8")
    folder = tmp_path / "library"
    with Library(folder) as library, Service(Answerer(library, reader, CALIBRATION)) as service:
        reports = list(ingest_paths([tmp_path / name, other], library, reader))
        assert [report.outcome for report in reports] == ["added", "added"]
        answer = service.ask("Who whispers at midnight?", None, None, "final")
        assert answer.found and answer.citations[0].quote == SECRET
        service.remember(service.begin(None, answer.question), answer)
        service.drawn(answer.citations[0])
        copy_database(library.database, backup_before(library.database, "0003"))
        held = holding(folder)
        assert {"library.db", "library.db.before-0003"} <= set(held) | {"library.db"}
        assert any(path.startswith("originals") for path in held), held
        library.delete(answer.citations[0].document_id)
        assert holding(folder) == {}
        assert library.search_words("harbour", 5) and library.verify() == []
    assert holding(folder) == {}  # closing wrote nothing back


def test_backups_that_still_hold_a_deleted_document_are_named(tmp_path, reader):
    path = tmp_path / "a.txt"
    with Library(tmp_path / "library") as library:
        library.backup(tmp_path / "before")
        path.write_text(SECRET, encoding="utf-8")
        (report,) = ingest_paths([path], library, reader)
        for name in ("held", "gone", "unreadable"):
            library.backup(tmp_path / name)
        (tmp_path / "gone").rename(tmp_path / "moved")
        (tmp_path / "unreadable" / "library.db").write_bytes(b"no database at all" * 100)
        library.delete(report.document_id)
        named = library.backups_with(report.document_id)
        assert named == [tmp_path / "held", tmp_path / "unreadable"]
    assert holding(tmp_path / "held") and not holding(tmp_path / "library")


def test_what_waits_to_be_read_lies_where_gradio_removes_nothing(tmp_path):
    upload = tmp_path / "uploads" / "hash" / "one.txt"
    upload.parent.mkdir(parents=True)
    upload.write_text(SECRET, encoding="utf-8")
    apart = set_apart(upload)
    assert apart.name == "one.txt" and apart.read_text(encoding="utf-8") == SECRET
    assert not upload.parent.exists() and apart.parent.parent == tmp_path / "uploads"
    assert set_apart(upload) == upload  # gone, as its report will say
    assert list((tmp_path / "uploads").iterdir()) == [apart.parent]


@pytest.mark.parametrize("ends", ["read", "the page is closed"])
def test_an_upload_is_removed_as_soon_as_it_was_read(tmp_path, reader, ends):
    uploads = [tmp_path / "uploads" / name / f"{name}.txt" for name in ("one", "two")]
    for path in uploads:
        path.parent.mkdir(parents=True)
        path.write_text(f"{SECRET} {path.stem}", encoding="utf-8")
    with (
        Library(tmp_path / "library") as library,
        Service(Answerer(library, reader, CALIBRATION)) as service,
    ):
        with gr.Blocks():
            view = LibraryView(service)
        said = view._take([str(path) for path in uploads], "", [], "", lambda *told, **more: None)
        if ends == "read":
            assert "two: 1 page" in list(said)[-1][0]
            assert len(library.documents()) == 2
        else:
            next(said)
            said.close()
        assert list((tmp_path / "uploads").rglob("*")) == []
