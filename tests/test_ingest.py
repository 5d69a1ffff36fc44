"""The way of a document, with the model that ships: outcomes, versions, resuming, refusals."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from armt_core.document_model import DocumentModel
from armt_core.errors import LibraryError
from armt_core.snapshot import load_snapshot
from ingest.__main__ import main
from ingest.checkpoints import INTERVAL, MOST, interval, is_checkpoint, kept
from ingest.files import find_files
from ingest.pipeline import ingest_paths, reread_document
from ingest.reports import FileReport
from storage.library import Library
from storage.records import Page
from tests.book_makers import chapter, docx_bytes, epub_bytes, paragraph
from tests.pdf_makers import pdf_bytes

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["Orla", "Matis", "Henrike", "Joris", "Wilma", "Tobin", "Sanna", "Ilse"]


def diary(days: int, start: int = 0) -> str:
    """A text whose every sentence differs; about 25 tokens a day."""
    return "".join(
        f"Day {day}: {NAMES[day % 8]} counted {day * 37 % 101} boats and wrote {day * 53 % 89} "
        f"letters to the office at quay {day % 13}.\n"
        for day in range(start, start + days)
    )


def ingest(library: Library, reader: DocumentModel, *paths: Path, **settings) -> list[FileReport]:
    return list(ingest_paths(paths, library, reader, **settings))


def memory_of(library: Library, document_id: str) -> str:
    sha = library.document(document_id).snapshot_sha256
    assert sha is not None
    return sha


@pytest.fixture
def library(tmp_path_factory):
    with Library(tmp_path_factory.mktemp("library")) as opened:
        yield opened


def test_a_text_goes_in_with_pages_passages_vectors_and_memory(tmp_path, library, reader):
    (tmp_path / "diary.txt").write_text(diary(60) + "\f" + diary(5, 60), encoding="utf-8")
    (report,) = ingest(library, reader, tmp_path / "diary.txt")
    assert (report.outcome, report.pages, report.title) == ("added", 2, "diary")
    document = library.document("diary")
    passages = library.passages(document.id)
    assert document.segments_read == len(passages) == report.segments_read > 5
    assert sum(p.tokens for p in passages) == report.tokens
    for passage in passages:
        assert passage.tokens <= reader.text_tokens
        page = library.page(document.id, passage.page).text
        assert page[passage.start : passage.end].split() == passage.text.split()
    # The same by hand: one segment after the other, from an empty memory.
    memory, vectors = reader.model.empty_memory(), []
    for passage in passages:
        noted, memory = reader.read(passage.text, memory)
        (vector,) = noted.vectors
        vectors.append(vector)
    snapshot = library.latest_snapshot(document.version_id)
    assert snapshot is not None and snapshot.conditions == reader.conditions
    stored = load_snapshot(snapshot.data, reader.config, reader.fingerprint)
    assert stored.normalizer.equal(memory.normalizer)
    assert stored.associations.equal(memory.associations)
    _, kept_vectors = library.vectors(document.id)
    # Not to the last bit: pooled beside those of its sentences, sums come in another order.
    alone = np.stack(vectors).astype(np.float16)
    np.testing.assert_allclose(kept_vectors, alone, rtol=1e-3, atol=1e-6)


def test_ingesting_twice_reads_nothing(tmp_path, library, reader):
    (tmp_path / "a.txt").write_text(diary(20), encoding="utf-8")
    ingest(library, reader, tmp_path)
    (again,) = ingest(library, reader, tmp_path)
    assert (again.outcome, again.segments_read) == ("skipped", 0)


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_new_file_behind_many_that_are_known_or_refused_goes_in(
    tmp_path, library, reader, at_once
):
    for number in range(9):
        (tmp_path / f"a{number}.txt").write_text(diary(1, number), encoding="utf-8")
        (tmp_path / f"b{number}.exe").write_bytes(b"MZ")
    ingest(library, reader, tmp_path)
    (tmp_path / "c.txt").write_text(diary(1, 50), encoding="utf-8")
    reports = ingest(library, reader, tmp_path, at_once=at_once)
    assert len(reports) == 19
    assert [Path(r.path).name for r in reports if r.outcome == "added"] == ["c.txt"]


def test_a_known_file_that_cannot_be_noted_is_reported_and_the_others_still_go_in(
    tmp_path, library, reader, monkeypatch
):
    (tmp_path / "a.txt").write_text(diary(1, 1), encoding="utf-8")
    ingest(library, reader, tmp_path)
    (tmp_path / "b.txt").write_text(diary(1, 2), encoding="utf-8")

    def locked(self, *arguments):
        raise LibraryError("database is locked")

    monkeypatch.setattr(Library, "add_alias", locked)
    reports = ingest(library, reader, tmp_path)
    assert [(r.outcome, r.reason) for r in reports] == [
        ("failed", "database is locked"), ("added", None),
    ]  # fmt: skip


def test_the_same_bytes_at_two_paths_are_one_document(tmp_path, library, reader):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(diary(5), encoding="utf-8")
    reports = ingest(library, reader, tmp_path)
    assert [r.outcome for r in reports] == ["added", "skipped"]
    assert reports[0].document_id == reports[1].document_id
    assert len(library.document("a").aliases) == 2


def test_a_text_that_grew_is_read_from_its_changed_segment_on(tmp_path, library, reader):
    path = tmp_path / "log.txt"
    path.write_text(diary(400), encoding="utf-8")
    (first,) = ingest(library, reader, path)
    path.write_text(diary(410), encoding="utf-8")
    (second,) = ingest(library, reader, path)
    assert second.outcome == "continued" and second.document_id == first.document_id
    assert second.segments_read <= 3 < first.segments_read
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "log.txt").write_text(diary(410), encoding="utf-8")
    with Library(tmp_path / "other") as other:
        (fresh,) = ingest(other, reader, whole)
        assert memory_of(other, fresh.document_id) == memory_of(library, second.document_id)
        ours, theirs = library.passages(second.document_id), other.passages(fresh.document_id)
        assert [p.text for p in ours] == [p.text for p in theirs]
        assert np.array_equal(
            library.vectors(second.document_id)[1], other.vectors(fresh.document_id)[1]
        )


def test_a_text_that_changed_in_the_middle_ends_as_if_read_anew(tmp_path, library, reader):
    path = tmp_path / "log.txt"
    path.write_text(diary(400), encoding="utf-8")
    ingest(library, reader, path)
    changed = diary(400).replace("Day 300:", "Day three hundred:")
    path.write_text(changed, encoding="utf-8")
    (report,) = ingest(library, reader, path)
    total = library.document("log").segments_read
    assert report.outcome == "continued" and 0 < report.segments_read < total
    with Library(tmp_path / "other") as other:
        (fresh,) = ingest(other, reader, path)
        assert memory_of(other, fresh.document_id) == memory_of(library, report.document_id)
    assert library.search_words("three hundred", 5)


def test_a_wholly_changed_file_is_read_again_and_the_old_text_is_gone(tmp_path, library, reader):
    path = tmp_path / "log.txt"
    path.write_text("The kestrel nests in the tower. " + diary(3), encoding="utf-8")
    ingest(library, reader, path)
    path.write_text("Nothing of it is left. " + diary(3, 50), encoding="utf-8")
    (report,) = ingest(library, reader, path)
    assert report.outcome == "reread"
    assert library.search_words("kestrel", 5) == [] and len(library.documents()) == 1


@pytest.mark.parametrize("kills", [1, 3])
def test_a_reading_killed_and_continued_ends_in_the_same_memory(tmp_path, reader, kills):
    path, folder = tmp_path / "long.txt", tmp_path / "library"
    path.write_text(diary(900), encoding="utf-8")
    command = [sys.executable, "-m", "ingest", str(path), "--library", str(folder), "--json"]
    seen = 0
    for _ in range(kills):
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        seen = _wait_for_more(folder, seen, child)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    with Library(folder) as library, Library(tmp_path / "undisturbed") as undisturbed:
        document = library.document("long")
        assert report["outcome"] == "continued"
        assert 0 < report["segments_read"] < document.segments_read
        (whole,) = ingest(undisturbed, reader, path)
        assert memory_of(library, document.id) == memory_of(undisturbed, whole.document_id)
        assert len(library.snapshots(document.version_id)) <= MOST
        assert library.verify() == []


def _wait_for_more(folder: Path, seen: int, child: subprocess.Popen) -> int:
    """Until the child has written a checkpoint beyond `seen`; how many segments it has read."""
    for _ in range(4000):  # a busy machine takes its time
        assert child.poll() is None, "the reading ended before it could be killed"
        if (folder / "library.db").exists():
            with Library(folder) as library:
                read = max((d.segments_read for d in library.documents()), default=0)
            if read > seen:
                return read
        time.sleep(0.05)
    raise AssertionError("no checkpoint within 200 seconds")


def test_an_interrupted_reading_leaves_its_claim(tmp_path, library, reader):
    (tmp_path / "a.txt").write_text(diary(300), encoding="utf-8")

    def interrupt(path: Path, done: int, total: int) -> None:
        if done == INTERVAL + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(library, reader, tmp_path / "a.txt", progress=interrupt)
    assert library.document("a").state == "pending"
    (report,) = ingest(library, reader, tmp_path / "a.txt")
    assert report.outcome == "continued"
    assert report.segments_read == library.document("a").segments_read - INTERVAL


def test_a_damaged_checkpoint_is_passed_over_when_reading_goes_on(tmp_path, library, reader):
    (tmp_path / "a.txt").write_text(diary(700), encoding="utf-8")

    def interrupt(path: Path, done: int, total: int) -> None:
        if done == 2 * INTERVAL + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(library, reader, tmp_path / "a.txt", progress=interrupt)
    _damage(library, f"segments_read = {2 * INTERVAL}")
    (report,) = ingest(library, reader, tmp_path / "a.txt")
    assert report.segments_read == library.document("a").segments_read - INTERVAL
    with Library(tmp_path / "other") as other:
        (whole,) = ingest(other, reader, tmp_path / "a.txt")
        assert memory_of(other, whole.document_id) == memory_of(library, report.document_id)


def test_reread_mends_a_damaged_memory(tmp_path, library, reader):
    (tmp_path / "a.txt").write_text(diary(60), encoding="utf-8")
    ingest(library, reader, tmp_path / "a.txt")
    before = memory_of(library, library.document("a").id)
    _damage(library, "1")
    assert library.verify() != []
    reread_document(library.document("a"), library, reader)
    assert memory_of(library, library.document("a").id) == before
    assert library.verify() == []


def _damage(library: Library, where: str) -> None:
    _execute(library, f"UPDATE snapshot SET data = zeroblob(100) WHERE {where}")


def _execute(library: Library, statement: str) -> None:
    import sqlite3

    with sqlite3.connect(library.database) as database:
        database.execute(statement)


def test_a_library_of_an_older_parser_is_mended_by_reading_it_again(tmp_path, library, reader):
    """What it stored of a page with no known character was text then."""
    (tmp_path / "a.pdf").write_bytes(pdf_bytes("One is here.", "Two is there."))
    ingest(library, reader, tmp_path)
    _execute(library, "UPDATE page SET text = char(65533, 65533, 13, 10) WHERE number = 0")
    newer = dataclasses.replace(reader, fingerprint="f" * 64)
    version = reread_document(library.document("a"), library, newer)
    assert (version.pages_without_text, version.pages_need_ocr) == (1, 1)
    document = library.document("a")
    assert document.fingerprint == newer.fingerprint
    assert library.pages(document.id)[0] == Page(0, None, "", needs_ocr=True)
    assert [(p.page, p.text) for p in library.passages(document.id)] == [(1, "Two is there.")]


def test_html_docx_and_epub_go_in_like_any_other_file(tmp_path, library, reader):
    (tmp_path / "a.html").write_text("<h1>Bell</h1><p>It rings at nine.", encoding="utf-8")
    (tmp_path / "b.docx").write_bytes(docx_bytes(paragraph("The lease ends in May.")))
    chapters = {"1.xhtml": chapter("<h1>Ebb</h1><p>Boats lie dry.</p>"), "2.xhtml": chapter("")}
    (tmp_path / "c.epub").write_bytes(epub_bytes(chapters))
    reports = ingest(library, reader, tmp_path)
    assert [(r.outcome, r.pages, r.title) for r in reports] == [
        ("added", 1, "Bell"),
        ("added", 1, "b"),
        ("added", 2, "A Book of Tides"),
    ]
    assert reports[2].reason == "1 of 2 pages has no text"
    (passage,) = library.passages(reports[2].document_id)
    assert (passage.page, passage.page_label, passage.text) == (0, "Ebb", "Ebb\nBoats lie dry.")
    page = library.page(reports[2].document_id, 0).text
    assert page[passage.start : passage.end] == "Ebb\n\nBoats lie dry."


def test_failures_are_listed_with_reasons_and_the_others_go_in(tmp_path, library, reader):
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (tmp_path / "good.md").write_text("# Good\n\nThe bell rings at nine.", encoding="utf-8")
    (tmp_path / "photo.xyz").write_bytes(b"xyz")
    (tmp_path / ".hidden.txt").write_text("hidden", encoding="utf-8")
    reports = {Path(r.path).name: r for r in ingest(library, reader, tmp_path)}
    assert {n: r.outcome for n, r in reports.items()} == {
        "broken.pdf": "failed",
        "empty.txt": "failed",
        "good.md": "added",
        "photo.xyz": "skipped",
    }
    assert "0 bytes" in (reports["empty.txt"].reason or "")
    states = {d.title: (d.state, d.reason) for d in library.documents()}
    assert states["Good"] == ("ready", None)
    assert states["broken"][0] == "failed" and states["broken"][1]


def test_a_failed_file_is_not_tried_again_unless_asked(tmp_path, library, reader):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    ingest(library, reader, tmp_path)
    (again,) = ingest(library, reader, tmp_path)
    assert again.outcome == "failed" and "--retry-failed" in (again.reason or "")
    (retried,) = ingest(library, reader, tmp_path, retry_failed=True)
    assert retried.outcome == "failed" and "--retry-failed" not in (retried.reason or "")


def test_a_text_in_foreign_letters_is_marked_as_not_readable(tmp_path, library, reader):
    (tmp_path / "a.txt").write_text("ᚠᚢᚦᚨᚱᚲ " * 200, encoding="utf-8")
    (report,) = ingest(library, reader, tmp_path)
    assert report.outcome == "added" and "not readable by this model" in (report.reason or "")


def test_the_command_prints_json_lines_alone_and_exits_by_the_outcome(tmp_path, capsys):
    (tmp_path / "a.txt").write_text(diary(3), encoding="utf-8")
    arguments = [str(tmp_path / "a.txt"), "--library", str(tmp_path / "lib"), "--json"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert set(json.loads(line)) == {
        "path", "document_id", "title", "outcome", "reason", "pages", "pages_without_text",
        "tokens", "segments_read", "seconds",
    }  # fmt: skip
    assert main([str(tmp_path / "none.txt"), *arguments[1:]]) == 1
    assert json.loads(capsys.readouterr().out)["outcome"] == "failed"


def test_folders_are_searched_in_order_without_hidden_files_or_links_out(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "b").mkdir(parents=True)
    (inside / ".git").mkdir()
    outside.mkdir()
    for path in (inside / "z.txt", inside / "b" / "a.md", inside / ".git" / "x.txt"):
        path.write_text("x", encoding="utf-8")
    (outside / "secret.txt").write_text("x", encoding="utf-8")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "linked").symlink_to(outside)
    found = {f.path.relative_to(inside).as_posix(): f.refusal for f in find_files([inside])}
    assert list(found) == ["link.txt", "z.txt", "b/a.md"]
    assert "leads out" in (found["link.txt"] or "") and found["z.txt"] is None


def test_links_that_lead_nowhere_or_in_a_circle_are_left_out_with_a_reason(tmp_path):
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    (tmp_path / "around.txt").symlink_to(tmp_path / "back.txt")
    (tmp_path / "back.txt").symlink_to(tmp_path / "around.txt")
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "self.txt").symlink_to("self.txt")
    found = {f.path.name: f.refusal for f in find_files([tmp_path])}
    assert found.pop("a.txt") is None
    assert found == dict.fromkeys(
        ("around.txt", "back.txt", "dangling.txt", "self.txt"), "it is no regular file"
    )
    (named,) = find_files([tmp_path / "self.txt"])
    assert named.named and "does not exist" in (named.refusal or "")


@pytest.mark.parametrize("total", [1, 2, 15, 16, 17, 300, 480, 500, 961, 5000, 100_000])
def test_checkpoints_are_few_even_and_end_with_the_last_two_states(total: int):
    stored: set[int] = set()
    for done in range(1, total + 1):
        if is_checkpoint(done, total):
            stored = {s for s in stored if s in kept(done, total)} | {done}
            assert len(stored) <= MOST
    step = interval(total)
    expected = {*range(step, total + 1, step), total - 1, total} - {0}
    assert stored == expected


def test_a_blank_page_of_a_text_is_told_but_needs_no_ocr(tmp_path, library, reader):
    (tmp_path / "gap.txt").write_text("One page.\f\fAnother page.", encoding="utf-8")
    (report,) = ingest(library, reader, tmp_path / "gap.txt")
    assert report.reason == "1 of 3 pages has no text"


def test_the_same_bad_bytes_under_another_name_say_so(tmp_path, library, reader):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"")
    (first,) = ingest(library, reader, tmp_path / "a.txt")
    (second,) = ingest(library, reader, tmp_path / "b.txt")
    assert "a.txt is empty" in (first.reason or "")
    assert (second.reason or "").startswith("The same bytes failed before")
