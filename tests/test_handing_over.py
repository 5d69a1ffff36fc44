"""Memories handed over as files: what comes in answers alone, and hostile files change nothing."""

import dataclasses
import json
import os
import random
import re
import stat
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from app.__main__ import main
from app.answering import Answerer
from app.handing_over import export_memory, import_memory, title_problem, title_to_hand_over
from app.results import MemoryAnswer
from app.searching import Searcher
from app.support import load_calibration
from armt_core.errors import (
    DamagedSnapshot,
    LibraryError,
    MemoryMismatch,
    OtherModel,
    RecollectError,
    UsageError,
)
from armt_core.snapshot import handover_bytes, most_bytes
from ingest.pipeline import ingest_paths, reread_document
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.test_default_model import AROUND

JOHN, SANDRA = "John moved to the hallway. ", "Sandra journeyed to the bathroom. "
STORY = f"{2 * AROUND}{JOHN}{AROUND}{SANDRA}{3 * AROUND}"
QUESTION = "Where is John?"
SCAN = Path(__file__).parent.parent / "examples" / "corpus" / "light-float-certificate-scan.pdf"


@pytest.fixture(scope="module")
def giver(tmp_path_factory, reader):
    """A library with a story of two pages and a text without words."""
    folder = tmp_path_factory.mktemp("giver")
    (folder / "story.txt").write_text(f"{STORY}\fThe end.", encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "story.txt"], library, reader))
        yield library


@pytest.fixture(scope="module")
def handed(giver, tmp_path_factory) -> Path:
    """The story's memory as a file."""
    target = tmp_path_factory.mktemp("handed") / "story.safetensors"
    export_memory(giver, "Story", target)
    return target


@pytest.fixture
def taker(tmp_path):
    with Library(tmp_path / "taker") as library:
        yield library


def asked(library: Library, reader) -> Answerer:
    return Answerer(library, reader, load_calibration(DEFAULT_MODEL))


def test_the_file_is_the_snapshot_with_the_documents_name_and_its_owners_alone(giver, handed):
    document = giver.document("story")
    stored = giver.latest_snapshot(document.version_id).data
    with safe_open(handed, "pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["manifest"]
    manifest = json.loads(metadata["manifest"])
    assert len(manifest.pop("sha256")) == 64 and manifest == {
        "fingerprint": document.fingerprint,
        "format": 1,
        "segments_read": document.segments_read,
        "title": "story",
        "tokens": document.tokens,
    }
    tensors = load(handed.read_bytes())
    assert all(torch.equal(tensors[name], value) for name, value in load(stored).items())
    assert b"hallway" not in handed.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(handed.stat().st_mode) == 0o600


def test_an_imported_memory_answers_alone(giver, handed, taker, reader):
    document, new = import_memory(taker, reader, handed)
    assert new and document == taker.document("story") and document.memory_alone
    assert (document.state, document.format, document.pages) == ("ready", "memory", 0)
    story = giver.document("story")
    assert (document.segments_read, document.tokens) == (story.segments_read, story.tokens)
    assert document.snapshot_sha256 == story.snapshot_sha256
    assert document.bytes_kept == len(taker.latest_snapshot(document.version_id).data)
    answerer = asked(taker, reader)
    answer = answerer.ask(QUESTION)
    assert (answer.source, answer.answer, answer.citations) == ("memory", "hallway", ())
    assert answer.memory_answer == MemoryAnswer("hallway", answer.confidence, document.id)
    there = asked(giver, reader).ask(QUESTION).memory_answer
    assert there is not None and there.confidence == answer.confidence
    unknown = answerer.ask("What is the capital of Mongolia?")
    assert (unknown.source, unknown.answer, unknown.nearest) == ("none", None, ())
    assert answerer.ask(QUESTION, memory="empty").answer != "hallway"
    assert answerer.search(QUESTION) == [] and answerer.search(QUESTION, method="words") == []
    assert taker.verify() == []


def test_an_imported_memory_stands_beside_documents_with_text(handed, taker, reader, tmp_path):
    import_memory(taker, reader, handed)
    (tmp_path / "ferry.txt").write_text("The ferry leaves at seven.\fIt is red.", encoding="utf-8")
    list(ingest_paths([tmp_path / "ferry.txt"], taker, reader))
    answerer = asked(taker, reader)
    assert {p.title for p in answerer.search("When does the ferry leave?")} == {"ferry"}
    named = answerer.ask(QUESTION, documents=["story"])
    assert (named.source, named.answer) == ("memory", "hallway")
    assert named.since is None  # nothing is kept of what told it
    as_of = answerer.ask("When does the ferry leave?", as_of_page=0)
    assert {c.title for c in (*as_of.citations, *as_of.nearest)} == {"ferry"}


def test_a_memory_alone_has_no_pages_and_no_text_to_read_again(handed, taker, reader):
    document, _ = import_memory(taker, reader, handed)
    answerer = asked(taker, reader)
    with pytest.raises(UsageError, match="memory alone, which holds no page"):
        answerer.ask(QUESTION, documents=["story"], as_of_page=0)
    with pytest.raises(UsageError, match="Every document here"):
        answerer.ask(QUESTION, as_of_page=0)
    with pytest.raises(LibraryError, match="no text to read again"):
        reread_document(document, taker, reader)
    assert taker.document("story") == document


def test_a_memory_alone_of_another_model_is_to_be_deleted_not_read_again(handed, taker, reader):
    import_memory(taker, reader, handed)
    other = dataclasses.replace(reader, fingerprint="0" * 64)
    with pytest.raises(OtherModel, match=r"Start with the model that read it, or delete it\.$"):
        asked(taker, other).ask(QUESTION, documents=["story"])


def test_among_many_documents_a_memory_alone_comes_last_and_is_asked_by_name(
    handed, taker, reader, tmp_path, monkeypatch
):
    monkeypatch.setattr("app.searching.DOCUMENTS", 1)
    import_memory(taker, reader, handed)
    (tmp_path / "ferry.txt").write_text("The ferry leaves at seven.", encoding="utf-8")
    list(ingest_paths([tmp_path / "ferry.txt"], taker, reader))
    searcher = Searcher(taker, reader)
    real = taker.vectors
    for sign in (1, -1):  # near and far: a memory alone has no vector, and no cosine below zero

        def vectors(*arguments, sign=sign):
            ids, found = real(*arguments)
            return ids, sign * found

        monkeypatch.setattr(taker, "vectors", vectors)
        assert [s.document.title for s in searcher.scopes("Zebras?")] == ["ferry"]
    assert [s.document.title for s in searcher.scopes(QUESTION, ["story"])] == ["story"]


def test_it_can_be_handed_on_and_comes_back_as_the_same(handed, taker, reader, tmp_path, giver):
    import_memory(taker, reader, handed)
    export_memory(taker, "story", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == handed.read_bytes()
    document, new = import_memory(taker, reader, tmp_path / "again")
    assert not new and [d.id for d in taker.documents()] == [document.id]
    document, new = import_memory(giver, reader, handed)  # where it came from
    assert not new and document == giver.document("story") and document.pages == 2


def test_the_documents_file_can_still_be_ingested(handed, taker, reader, tmp_path):
    imported, _ = import_memory(taker, reader, handed)
    (tmp_path / "story.txt").write_text(f"{STORY}\fThe end.", encoding="utf-8")
    (report,) = ingest_paths([tmp_path / "story.txt"], taker, reader)
    assert report.outcome == "added" and report.document_id != imported.id
    assert asked(taker, reader).search(QUESTION)[0].document_id == report.document_id


def test_a_damaged_imported_memory_is_mended_by_its_file(handed, taker, reader):
    import sqlite3

    document, _ = import_memory(taker, reader, handed)
    with sqlite3.connect(taker.database) as connection:
        connection.execute("UPDATE snapshot SET data = zeroblob(100)")
    with pytest.raises(DamagedSnapshot, match="Import its file again"):
        asked(taker, reader).ask(QUESTION)
    assert "python -m app import F" in taker.verify()[0]
    assert import_memory(taker, reader, handed) == (taker.document(document.id), False)
    assert taker.verify() == [] and asked(taker, reader).ask(QUESTION).answer == "hallway"


def test_what_has_no_memory_is_not_exported_and_nothing_is_overwritten(
    giver, taker, reader, tmp_path
):
    target = tmp_path / "kept"
    target.write_text("kept")
    with pytest.raises(LibraryError, match="exists already"):
        export_memory(giver, "story", target)
    assert target.read_text() == "kept"
    with pytest.raises(LibraryError, match="cannot be written"):
        export_memory(giver, "story", tmp_path / "missing" / "file")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 no more")
    scan, bad = ingest_paths([SCAN, tmp_path / "bad.pdf"], taker, reader)
    for document, why in ((scan, "it holds no text"), (bad, "it is failed")):
        with pytest.raises(LibraryError, match=why):
            export_memory(taker, document.document_id, tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "kept", "bad.pdf",
    }  # fmt: skip


def manifest_of(data: bytes) -> dict:
    return json.loads(header_of(data)["__metadata__"]["manifest"])


def header_of(data: bytes) -> dict:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def said(data: bytes, **changes) -> bytes:
    """The file with another manifest; a value of None takes a key out."""
    manifest = {**manifest_of(data), **changes}
    kept = {name: value for name, value in manifest.items() if value is not None}
    return save(load(data), {"manifest": json.dumps(kept)})


def changed(data: bytes, **changes) -> bytes:
    """The file with other tensors."""
    tensors = load(data)
    for name, change in changes.items():
        tensors[name] = change(tensors.get(name)).contiguous()
    return save(tensors, header_of(data)["__metadata__"])


def at(place: int, value: float):
    """One number of a tensor is another."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[place] = value
        return tensor

    return change


def with_header(data: bytes, header: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


HOSTILE = {
    "empty": (lambda d: b"", DamagedSnapshot, "not a whole Recollect snapshot"),
    "half a length": (lambda d: d[:5], DamagedSnapshot, "not a whole Recollect snapshot"),
    "cut in the header": (lambda d: d[:60], DamagedSnapshot, "not a whole Recollect snapshot"),
    "cut in the numbers": (lambda d: d[:-100], DamagedSnapshot, "cannot be read"),
    "more at the end": (lambda d: d + b"\0" * 50, DamagedSnapshot, "cannot be read"),
    "huge header": (
        lambda d: (2**62).to_bytes(8, "little") + d[8:], DamagedSnapshot, "header said to take 46",
    ),
    "large header": (
        lambda d: with_header(d, json.dumps(header_of(d)).encode() + b" " * 70_000),
        DamagedSnapshot, "more than|at most",
    ),
    "large file": (lambda d: d + bytes(10**6), DamagedSnapshot, "a memory of this model at most"),
    "pickle": (lambda d: b"\x80\x04cos\nsystem\n" * 9, DamagedSnapshot, "header said to take"),
    "header no JSON": (lambda d: with_header(d, b"{nonsense"), DamagedSnapshot, "no readable"),
    "header deep": (lambda d: with_header(d, b"[" * 60_000), DamagedSnapshot, "no readable"),
    "header a list": (lambda d: with_header(d, b"[]"), DamagedSnapshot, "no readable manifest"),
    "no manifest": (lambda d: save(load(d)), DamagedSnapshot, "no readable manifest"),
    "manifest no JSON": (
        lambda d: save(load(d), {"manifest": "hello"}), DamagedSnapshot, "no readable manifest",
    ),
    "manifest a list": (
        lambda d: save(load(d), {"manifest": "[1]"}), DamagedSnapshot, "no readable manifest",
    ),
    "unknown key": (lambda d: said(d, path="/x"), DamagedSnapshot, "'path'"),
    "other format": (lambda d: said(d, format=2), DamagedSnapshot, "format 2"),
    "format as text": (lambda d: said(d, format="1"), DamagedSnapshot, "format is str, not int"),
    "other fingerprint": (lambda d: said(d, fingerprint="0" * 64), OtherModel, "made by model 000"),
    "fingerprint no text": (lambda d: said(d, fingerprint=7), DamagedSnapshot, "not str"),
    "no title": (lambda d: said(d, title=None), DamagedSnapshot, "names no document"),
    "no tokens": (lambda d: said(d, tokens=None), DamagedSnapshot, "names no document"),
    "title no text": (lambda d: said(d, title=["a"]), DamagedSnapshot, "title is list, not str"),
    "title empty": (lambda d: said(d, title=" "), DamagedSnapshot, "title is empty"),
    "title long": (lambda d: said(d, title="a" * 301), DamagedSnapshot, "301 characters"),
    "title a path": (lambda d: said(d, title="/etc/passwd"), DamagedSnapshot, "is a path"),
    "title a way up": (lambda d: said(d, title="../../x"), DamagedSnapshot, "is a path"),
    "title a drive": (lambda d: said(d, title="C:\\x"), DamagedSnapshot, "is a path"),
    "title a link": (lambda d: said(d, title="file:///x"), DamagedSnapshot, "is a path"),
    "title unseen": (lambda d: said(d, title="a\x00b"), DamagedSnapshot, "cannot be seen"),
    "title half a character": (
        lambda d: said(d, title="\ud800"), DamagedSnapshot, "cannot be seen",
    ),
    "tokens negative": (lambda d: said(d, tokens=-1), DamagedSnapshot, "no reading gives"),
    "nothing read": (lambda d: said(d, segments_read=0), DamagedSnapshot, "has read nothing"),
    "read negative": (lambda d: said(d, segments_read=-1), DamagedSnapshot, "no reading gives"),
    "read too much": (lambda d: said(d, segments_read=10**30), DamagedSnapshot, "no reading gives"),
    "read a half": (lambda d: said(d, segments_read=0.5), DamagedSnapshot, "float, not int"),
    "read true": (lambda d: said(d, segments_read=True), DamagedSnapshot, "bool, not int"),
    "16 bits": (
        lambda d: changed(d, associations=lambda t: t.half()), MemoryMismatch, "float16",
    ),
    "64 bits": (lambda d: changed(d, normalizer=lambda t: t.double()), MemoryMismatch, "float64"),
    "other shape": (
        lambda d: changed(d, associations=lambda t: t.transpose(1, 2)), MemoryMismatch, "of \\(6",
    ),
    "a tensor less": (
        lambda d: save({"normalizer": load(d)["normalizer"]}, header_of(d)["__metadata__"]),
        DamagedSnapshot, "associations",
    ),
    "a tensor more": (
        lambda d: changed(d, other=lambda t: torch.ones(3)), DamagedSnapshot, "no memory: \\['oth",
    ),
    "NaN": (
        lambda d: changed(d, associations=at(7, float("nan"))), DamagedSnapshot, "not finite",
    ),
    "infinite": (
        lambda d: changed(d, normalizer=at(-1, float("inf"))), DamagedSnapshot, "not finite",
    ),
    "manifest a number": (
        lambda d: save(load(d), {"manifest": "5"}), DamagedSnapshot, "there is no 'format'",
    ),
    "header null": (
        lambda d: with_header(d, b"null"), DamagedSnapshot, "there is no '__metadata__'",
    ),
    "no fingerprint": (
        lambda d: said(d, fingerprint=None), DamagedSnapshot, "there is no 'fingerprint'",
    ),
    "one bit": (
        lambda d: d[:-4000] + bytes([d[-4000] ^ 1]) + d[-3999:], DamagedSnapshot, "It is damaged",
    ),
    "one number": (lambda d: changed(d, associations=at(7, 0.1)), DamagedSnapshot, "is damaged"),
    "other tokens": (lambda d: said(d, tokens=7), DamagedSnapshot, "is damaged"),
    "another title": (lambda d: said(d, title="will"), DamagedSnapshot, "is damaged"),
    "no checksum": (lambda d: said(d, sha256=None), DamagedSnapshot, "export it again with this"),
    "checksum no text": (lambda d: said(d, sha256=5), DamagedSnapshot, "sha256 is int, not str"),
    "huge numbers": (
        lambda d: handover_bytes(changed(d, associations=at(7, 3e38)), "story", 7),
        DamagedSnapshot, "associations holds 3e\\+38; no reading gives more than 1e\\+12",
    ),
    "huge z": (
        lambda d: handover_bytes(changed(d, normalizer=at(7, 3e38)), "story", 7),
        DamagedSnapshot, "normalizer holds 3e",
    ),
    "negative z": (
        lambda d: changed(d, normalizer=at(3, -1e-3)), DamagedSnapshot, "negative numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason_and_nothing_changes(
    name, handed, taker, reader, tmp_path
):
    spoil, kind, reason = HOSTILE[name]
    import_memory(taker, reader, handed)
    before = (taker.documents(), taker.snapshots(taker.document("story").version_id))
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(spoil(handed.read_bytes()))
    with pytest.raises(kind, match=reason) as refused:
        import_memory(taker, reader, bad)
    told = str(refused.value)
    assert told.startswith(f"{bad.name} is not imported, and nothing has changed: ")
    assert not re.search(r"__init__|NoneType|object is not|argument after|attribute", told)
    assert before == (taker.documents(), taker.snapshots(taker.document("story").version_id))
    assert taker.verify() == []


def test_what_is_no_file_is_refused(taker, reader, tmp_path):
    with pytest.raises(DamagedSnapshot, match="no regular file"):
        import_memory(taker, reader, tmp_path)
    with pytest.raises(DamagedSnapshot, match="No such file"):
        import_memory(taker, reader, tmp_path / "missing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
        with pytest.raises(DamagedSnapshot, match="no regular file"):
            import_memory(taker, reader, tmp_path / "pipe")
    assert taker.documents() == []


def test_files_with_flipped_bytes_are_refused_or_sound(handed, taker, reader, tmp_path):
    """Fuzzed: whatever a bit of the header says, the outcome is an error of ours or a memory."""
    good, random_ = handed.read_bytes(), random.Random(5)
    header, bad, refused = int.from_bytes(good[:8], "little"), tmp_path / "bad", 0
    for _ in range(300):
        data = bytearray(good)
        for _ in range(random_.randint(1, 4)):
            data[random_.randrange(8 + header)] = random_.randrange(256)
        bad.write_bytes(data)
        try:
            import_memory(taker, reader, bad)
        except RecollectError:
            refused += 1
    assert refused > 250 and taker.verify() == []


@pytest.mark.parametrize(
    ("title", "handed_over"),
    [
        ("Either/Or", "Either/Or"),
        ("C:\\Users\\me\\report.doc", "report.doc"),
        ("/tmp/x/../notes.dvi", "notes.dvi"),
        ("../..", "untitled"),
        ("~/secret/plan", "plan"),
        ("tab\tand\u202eturned\x00", "tab and turned"),
        ("a" * 400, "a" * 300),
        (" \x00 ", "untitled"),
        ("Größe ∞", "Größe ∞"),
    ],
)
def test_a_title_leaves_without_the_path_it_may_be(title, handed_over):
    assert title_to_hand_over(title) == handed_over and title_problem(handed_over) is None


def test_the_longest_title_still_fits_into_what_is_read(giver, reader):
    stored = giver.latest_snapshot(giver.document("story").version_id).data
    assert len(handover_bytes(stored, "\U0001f4d6" * 300, 2**39)) < most_bytes(reader.config)


# The commands


@pytest.fixture
def run(capsys, monkeypatch, reader):
    """Runs a command in this process: its exit code, and what it printed on either."""
    monkeypatch.setattr("app.answering.open_reader", lambda folder: reader)
    monkeypatch.setattr("ingest.settings.open_reader", lambda folder: reader)

    def command(*arguments: str, library: Path):
        code = main([*arguments, "--library", str(library.parent)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def test_export_and_import_as_commands(run, giver, taker, tmp_path):
    file = tmp_path / "story.memory"
    code, out, _ = run("export", "story", "--output", str(file), "--json", library=giver.database)
    document = giver.document("story")
    assert code == 0 and json.loads(out) == {
        "document_id": document.id,
        "title": "story",
        "output": str(file),
        "bytes": file.stat().st_size,
    }
    code, out, err = run("import", str(file), "--json", library=taker.database)
    imported = json.loads(out)
    assert (code, err) == (0, "") and imported == {
        "document_id": taker.document("story").id,
        "title": "story",
        "outcome": "imported",
        "segments_read": document.segments_read,
    }
    code, out, _ = run("import", str(file), library=taker.database)
    assert code == 0 and out.startswith("The library holds this memory already")
    code, out, _ = run("documents", library=taker.database)
    assert code == 0 and "imported: a memory alone, without text" in out
    code, out, _ = run("show", "story", "--json", library=taker.database)
    shown = json.loads(out)
    assert (shown["state"], shown["format"], shown["pages"]) == ("ready", "memory", 0)
    assert shown["snapshot_sha256"] == document.snapshot_sha256 and shown["bytes_kept"] > 1_700_000
    code, out, _ = run("search", QUESTION, "--json", library=taker.database)
    assert (code, json.loads(out)) == (0, {"passages": []})
    code, out, _ = run("ask", QUESTION, "--json", library=taker.database)
    assert (json.loads(out)["source"], json.loads(out)["answer"]) == ("memory", "hallway")
    code, out, _ = run("ask", QUESTION, library=taker.database)
    assert "from memory alone, surer than any passage" in out and "since" not in out
    code, out, _ = run("ask", QUESTION, library=giver.database)
    told = out.split("It says so since it read this:\nstory, page 1 (")[1]
    assert told.splitlines()[1].strip() == JOHN.strip()
    code, out, err = run("reread", "story", library=taker.database)
    assert code == 1 and "no text to read again" in err
    assert run("reread", library=taker.database)[:2] == (0, "Nothing has to be read again.\n")
    code, out, _ = run("delete", "story", "--yes", library=taker.database)
    assert code == 0 and taker.documents() == []


def test_refusals_of_the_commands_are_json_with_a_code(run, giver, taker, handed, tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(said(handed.read_bytes(), fingerprint="0" * 64))
    code, out, err = run("import", str(bad), "--json", library=taker.database)
    assert code == 1 and json.loads(out)["error"]["code"] == "other_model" and "nothing has" in err
    options = ("--output", str(tmp_path / "new"), "--json")
    code, out, _ = run("export", "novel", *options, library=giver.database)
    assert code == 1 and json.loads(out)["error"]["code"] == "unknown_document"
    code, out, _ = run("export", "story", "--output", str(bad), "--json", library=giver.database)
    assert code == 1 and json.loads(out)["error"]["code"] == "library"
    assert taker.documents() == [] and not (tmp_path / "new").exists()
