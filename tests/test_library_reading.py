"""The reading side of the library: claims, checkpoints, versions, inheriting, finishing.

The helpers on top are shared with the other tests of the library.
"""

import functools
import hashlib
import logging
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from sqlalchemy import text

from armt_core.errors import (
    BeingRead,
    DamagedSnapshot,
    LibraryError,
    LostClaim,
    OtherModel,
)
from storage import Claim, Library, NewPassage, NewSnapshot, Page

ROOT = Path(__file__).parent.parent
WIDTH = 4


def sha(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def passages_from(sentences, first=0):
    """A passage a page, each the whole sentence of that page."""
    return [
        NewPassage(
            ordinal=number,
            page=number,
            start=0,
            end=len(sentence),
            text=sentence,
            runs=((0, 0, len(sentence)),),
            tokens=len(sentence.split()),
            vector=np.full(WIDTH, number + 0.5, dtype=np.float16),
        )
        for number, sentence in enumerate(sentences)
        if number >= first
    ]


def memory(sentences, upto, fingerprint="model"):
    data = ("memory of: " + "|".join(sentences[:upto])).encode()
    return NewSnapshot(upto, fingerprint, data)


def begin(library, path, sentences, claim=None, fingerprint="model", **options):
    claim = claim or Claim.new()
    content = "".join(sentences)
    title = Path(path).stem
    version = library.begin_reading(
        str(path), sha(content), fingerprint, title, "text", len(content), claim, **options
    )
    return version, claim


def parse(library, version, claim, sentences, title=None):
    pages = [Page(number, str(number + 1), s) for number, s in enumerate(sentences)]
    return library.set_parsed(version.id, claim, title or version.title, pages, len(sentences), 0.0)


def step(library, version, claim, sentences, upto, keep=None, fingerprint="model"):
    """A checkpoint after `upto` segments."""
    done = library.version(version.id).segments_read
    library.checkpoint(
        version.id,
        claim,
        passages_from(sentences[:upto], done),
        memory(sentences, upto, fingerprint),
        keep,
    )


def read(library, path, sentences, fingerprint="model", title=None, **options):
    """Read a document to the end, a checkpoint a segment."""
    version, claim = begin(library, path, sentences, fingerprint=fingerprint, **options)
    parse(library, version, claim, sentences, title)
    for upto in range(1, len(sentences) + 1):
        step(library, version, claim, sentences, upto, fingerprint=fingerprint)
    library.finish(version.id, claim)
    return library.version(version.id)


def run_python(code, *arguments):
    """Another process with the same library code; it says `ready` when it gets there."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


OLD = ["Alpha sits by the river.", "Beta climbs the hill.", "Gamma sleeps."]
NEW = [*OLD, "Delta arrives late."]


@functools.cache
def empty_library():
    """The bytes of a new library's database: copying them is faster than migrating."""
    with tempfile.TemporaryDirectory() as folder:
        Library(folder).close()
        return (Path(folder) / "library.db").read_bytes()


def open_library(folder):
    folder.mkdir()
    (folder / "library.db").write_bytes(empty_library())
    return Library(folder)


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "library") as opened:
        yield opened
        check_counts(opened)


def check_counts(library):
    """What versions say of their memories is what is there."""
    counted = text("SELECT id, snapshot_bytes, snapshot_sha256 FROM version")
    with library._reading() as session:
        versions = session.execute(counted).all()
    for version_id, size, sha256 in versions:
        held = library.snapshots(version_id)
        assert size == sum(snapshot.size for snapshot in held)
        assert sha256 == (held[-1].sha256 if held else None)


# Identity


def test_the_same_bytes_at_two_paths_are_one_document_with_two_aliases(library):
    first = read(library, "/a/old.txt", OLD)
    second, _ = begin(library, "/b/copy.txt", OLD)
    assert (second.id, second.state) == (first.id, "ready")
    (document,) = library.documents()
    assert document.aliases == ("/a/old.txt", "/b/copy.txt")


def test_an_alias_moves_to_the_document_it_is_given_to(library):
    first, second = read(library, "/a", OLD), read(library, "/b", ["Something else."])
    library.add_alias(second.document_id, "/a")
    assert library.document(first.document_id).aliases == ()
    assert library.document(second.document_id).aliases == ("/a", "/b")


def test_new_bytes_at_a_known_path_are_a_new_version_and_the_old_one_serves_until_finish(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", NEW)
    assert new.document_id == old.document_id and new.id != old.id
    parse(library, new, claim, NEW, title="A better title")
    step(library, new, claim, NEW, 3)

    document = library.document(old.document_id)
    assert (document.version_id, document.state, document.title) == (old.id, "ready", "a")
    assert (document.update_state, document.segments_read) == ("reading", 3)
    assert [p.text for p in library.passages(old.document_id)] == OLD
    assert library.latest_snapshot(old.id).data == memory(OLD, 3).data
    assert library.search_words("delta", 5) == []

    step(library, new, claim, NEW, 4)
    library.finish(new.id, claim)
    document = library.document(old.document_id)
    assert (document.version_id, document.update_state) == (new.id, None)
    assert (document.title, document.aliases) == ("A better title", ("/a",))
    assert [p.text for p in library.passages(old.document_id)] == NEW
    assert [v.id for v in library.versions(old.document_id)] == [new.id]
    with pytest.raises(LibraryError, match="deleted or replaced"):
        library.latest_snapshot(old.id)
    assert library.verify() == []


def test_the_same_bytes_read_by_another_model_are_a_new_version_of_the_same_document(library):
    old = read(library, "/a", OLD)
    new = read(library, "/a", OLD, fingerprint="model2")
    assert new.document_id == old.document_id
    assert library.find_version(sha("".join(OLD)), "model") is None
    assert library.find_version(sha("".join(OLD)), "model2") == new
    assert library.document(old.document_id).aliases == ("/a",)


def test_a_ready_version_is_found_before_one_that_is_read_again(library):
    ready = read(library, "/a", OLD)
    again, _ = begin(library, "/a", OLD, again=True)
    assert again.id != ready.id
    assert library.find_version(ready.sha256, "model").id == ready.id


def test_the_vectors_of_sentences_are_kept_with_their_passage_and_inherited(library):
    sentences, vectors = ["One. Two.", "Three."], np.arange(8, dtype=np.float16).reshape(2, 4)
    version, claim = begin(library, "a.txt", sentences)
    parse(library, version, claim, sentences)
    first, second = passages_from(sentences)
    for wrong in (vectors[0], vectors[:, :3], vectors.astype(np.float32)):
        bad = replace(first, sentences=wrong)
        with pytest.raises(LibraryError, match="sentence vectors of passage 0"):
            library.checkpoint(version.id, claim, [bad], memory(sentences, 1), None)
    parts = [replace(first, sentences=vectors), second]
    library.checkpoint(version.id, claim, parts, memory(sentences, 2), None)
    library.finish(version.id, claim)

    def kept() -> dict[int, np.ndarray]:
        ids = [passage.id for passage in library.passages(version.document_id)]
        assert set(library.sentence_vectors(ids)) <= {ids[0]}
        return library.sentence_vectors(ids)

    (found,) = kept().values()
    assert np.array_equal(found, vectors)
    longer = [*sentences, "Four."]
    newer, claim = begin(library, "a.txt", longer)
    parse(library, newer, claim, longer)
    assert library.inherit(newer.id, claim, version.id, 2) == 2
    step(library, newer, claim, longer, 3)
    library.finish(newer.id, claim)
    (found,) = kept().values()
    assert np.array_equal(found, vectors)


def test_a_version_read_again_replaces_the_damaged_one(library):
    old = read(library, "/a", OLD)
    new = read(library, "/a", OLD, again=True)
    assert new.id != old.id and new.document_id == old.document_id
    assert [v.id for v in library.versions(old.document_id)] == [new.id]


def test_when_one_of_two_copies_changes_the_other_stays_in_the_library(library, tmp_path):
    (tmp_path / "one.txt").write_text("".join(OLD))
    (tmp_path / "two.txt").write_text("".join(OLD))
    old = read(library, tmp_path / "one.txt", OLD)
    library.keep_original(old.sha256, tmp_path / "one.txt")
    begin(library, tmp_path / "two.txt", OLD)

    new = read(library, tmp_path / "one.txt", NEW)
    kept = library.find_version(old.sha256, "model")
    assert kept.id == old.id and kept.document_id != new.document_id and kept.is_current
    assert library.document(kept.document_id).aliases == (str(tmp_path / "two.txt"),)
    assert library.document(new.document_id).aliases == (str(tmp_path / "one.txt"),)
    assert library.original_path(old.sha256) is not None
    assert [p.text for p in library.passages(kept.document_id)] == OLD
    assert library.verify() == []


def test_a_second_path_whose_bytes_changed_too_keeps_no_older_version(library, tmp_path):
    """As a link beside the file that it leads to: what it showed is nowhere any more."""
    report, latest = tmp_path / "report.txt", tmp_path / "latest.txt"
    report.write_text("".join(OLD))
    latest.symlink_to(report)
    old = read(library, report, OLD)
    begin(library, latest, OLD)
    report.write_text("".join(NEW))
    new = read(library, report, NEW)
    begin(library, latest, NEW)
    (document,) = library.documents()
    assert document.id == old.document_id == new.document_id
    assert document.aliases == (str(latest), str(report))
    assert library.find_version(old.sha256, "model") is None


def test_a_file_that_was_moved_and_then_changed_stays_one_document(library, tmp_path):
    old = read(library, tmp_path / "gone.txt", OLD)
    begin(library, tmp_path / "moved.txt", OLD)
    new = read(library, tmp_path / "moved.txt", NEW)
    assert new.document_id == old.document_id and len(library.documents()) == 1
    assert library.documents()[0].aliases == (str(tmp_path / "moved.txt"),)


def test_a_file_changed_and_changed_back_leaves_no_failed_update_behind(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", NEW)
    library.fail(new.id, claim, "broken", "parse")
    assert library.documents()[0].update_reason == "broken"
    again, _ = begin(library, "/a", OLD)
    assert again.id == old.id
    assert library.documents()[0].update_state is None
    assert [v.id for v in library.versions(old.document_id)] == [old.id]


def test_a_path_that_is_not_utf8_is_kept_as_readable_codes(library):
    begin(library, os.fsdecode(b"/caf\xe9.txt"), OLD)
    assert library.documents()[0].aliases == ("/caf\\udce9.txt",)


# Claims

CLAIMER = """
import sys, time
from storage import Library, Claim
from tests.test_library_reading import begin, parse, step, OLD
library = Library(sys.argv[1])
version, claim = begin(library, "/a", OLD)
parse(library, version, claim, OLD)
step(library, version, claim, OLD, 2)
print("ready", version.id, flush=True)
time.sleep(60)
"""


def test_a_living_process_is_left_alone_and_a_killed_one_is_continued(library):
    child = run_python(CLAIMER, library.database.parent)
    try:
        version_id = int(child.stdout.readline().split()[1])
        with pytest.raises(BeingRead, match=f"process {child.pid}.*2 of 3 segments"):
            begin(library, "/b", OLD)
        assert library.documents()[0].aliases == ("/a",)
        # However old its heartbeat looks: on the same host, the clock does not decide.
        set_version(library, version_id, heartbeat_at=0.0)
        with pytest.raises(BeingRead):
            begin(library, "/a", OLD)
    finally:
        child.kill()
        # It has not been waited for yet, so it is a zombie: dead all the same.
        until = time.monotonic() + 10
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until
            time.sleep(0.01)
    set_version(library, version_id, heartbeat_at=time.time() + 10_000)
    version, claim = begin(library, "/a", OLD)
    assert (version.id, version.state, version.segments_read) == (version_id, "reading", 2)
    child.wait()
    child.stdout.close()
    assert library.latest_snapshot(version_id).data == memory(OLD, 2).data
    step(library, version, claim, OLD, 3)
    library.finish(version_id, claim)
    assert [p.text for p in library.passages(version.document_id)] == OLD


def set_version(library, version_id, **values):
    columns = ", ".join(f"{name} = :{name}" for name in values)
    with library._writing() as session:
        session.execute(
            text(f"UPDATE version SET {columns} WHERE id = :id"), {**values, "id": version_id}
        )


def test_a_process_number_that_was_given_to_another_process_is_not_the_reader(library):
    mine = Claim.new()
    earlier = replace(mine, process_create_time=mine.process_create_time - 100, token="old")
    begin(library, "/a", OLD, claim=earlier)
    version, _ = begin(library, "/a", OLD, claim=mine)
    library.heartbeat(version.id, mine)
    with pytest.raises(LostClaim):
        library.heartbeat(version.id, earlier)


def test_a_reader_from_before_the_machine_was_started_anew_is_gone(library):
    begin(library, "/a", OLD, claim=replace(Claim.new(), boot="an earlier start", token="old"))
    assert begin(library, "/a", OLD)[0].state == "reading"


def test_a_reader_on_another_host_is_judged_by_its_heartbeat(library):
    away = replace(Claim.new(), host=platform.node() + "-other", token="away")
    version, _ = begin(library, "/a", OLD, claim=away)
    with pytest.raises(BeingRead, match="-other"):
        begin(library, "/a", OLD)
    set_version(library, version.id, heartbeat_at=time.time() - 55)
    with pytest.raises(BeingRead):
        begin(library, "/a", OLD)
    library.heartbeat(version.id, away)
    set_version(library, version.id, heartbeat_at=time.time() - 65)
    assert begin(library, "/a", OLD)[0].id == version.id


def test_every_write_of_a_reader_that_lost_its_claim_is_refused_and_changes_nothing(library):
    version, lost = begin(library, "/a", OLD)
    parse(library, version, lost, OLD)
    step(library, version, lost, OLD, 1)
    library.release(version.id, lost)
    version, owner = begin(library, "/a", OLD)
    other = read(library, "/o", OLD[:1])
    before = library.version(version.id)
    for write in (
        lambda: library.heartbeat(version.id, lost),
        lambda: parse(library, version, lost, NEW),
        lambda: step(library, version, lost, OLD, 2),
        lambda: library.inherit(version.id, lost, other.id, 1),
        lambda: library.rewind(version.id, lost, 0),
        lambda: library.finish(version.id, lost),
        lambda: library.fail(version.id, lost, "no", "no"),
        lambda: library.release(version.id, lost),
    ):
        with pytest.raises(LostClaim, match=f"process {os.getpid()}"):
            write()
    assert library.version(version.id) == before
    step(library, version, owner, OLD, 2)


def test_a_reader_whose_document_was_deleted_or_replaced_is_told_so(library):
    version, claim = begin(library, "/a", OLD)
    library.delete(version.document_id)
    with pytest.raises(LostClaim, match="no longer in the library"):
        library.heartbeat(version.id, claim)


def test_a_released_reading_is_pending_and_goes_on_at_once(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 1)
    library.release(version.id, claim)
    assert library.documents()[0].state == "pending"
    version, _ = begin(library, "/a", OLD)
    assert (version.state, version.segments_read) == ("reading", 1)


def test_a_failed_version_says_why_and_is_begun_anew_from_nothing(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 2)
    library.fail(version.id, claim, "the disk is full", "library")
    document = library.documents()[0]
    assert (document.state, document.reason, document.reason_code) == (
        "failed",
        "the disk is full",
        "library",
    )
    again, _ = begin(library, "/a", OLD)
    assert (again.id, again.state, again.segments_read, again.reason) == (
        version.id,
        "reading",
        0,
        None,
    )
    assert library.pages_of(version.id) == library.passages_of(version.id) == []
    assert library.snapshots(version.id) == []
    assert library.verify() == []


# Parsing and checkpoints


def test_pages_come_back_as_they_were_with_characters_that_others_trip_over(library):
    version, claim = begin(library, "/a", OLD)
    pages = [
        Page(0, None, "nul \x00 and more\x0c\r\n\ufeff 😀 e\u0301 ﬁ"),
        Page(1, "iv", "", needs_ocr=True),
    ]
    stored = library.set_parsed(version.id, claim, "A Title", pages, 1, 0.25)
    assert library.pages(version.document_id) == pages
    assert library.page(version.document_id, 1) == pages[1]
    assert (stored.title, stored.pages, stored.pages_without_text) == ("A Title", 2, 1)
    assert (stored.segments_total, stored.unknown_ratio) == (1, 0.25)


def test_pages_out_of_order_or_with_half_a_character_are_refused(library):
    version, claim = begin(library, "/a", OLD)
    with pytest.raises(LibraryError, match="numbered 0 to 0"):
        library.set_parsed(version.id, claim, "t", [Page(1, None, "x")], 1, 0.0)
    with pytest.raises(LibraryError, match=r"Page 0 holds half a character.*character 1"):
        library.set_parsed(version.id, claim, "t", [Page(0, None, "a\ud800")], 1, 0.0)


def test_parsing_the_same_again_keeps_what_was_read_and_parsing_otherwise_drops_it(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 2)
    assert parse(library, version, claim, OLD).segments_read == 2
    changed = ["Alpha sat by the river.", *OLD[1:]]
    assert parse(library, version, claim, changed).segments_read == 0
    assert library.passages_of(version.id) == [] and library.snapshots(version.id) == []
    assert [page.text for page in library.pages_of(version.id)] == changed


def test_a_checkpoint_is_kept_whole_with_its_passages_and_memory(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 2)
    first, second = library.passages_of(version.id)
    assert (first.text, first.page, first.page_label, first.start, first.end) == (
        OLD[0],
        0,
        "1",
        0,
        len(OLD[0]),
    )
    assert first.runs == ((0, 0, len(OLD[0])),) and first.title == "a"
    assert second.ordinal == 1 and second.version_id == version.id
    snapshot = library.latest_snapshot(version.id)
    assert (snapshot.segments_read, snapshot.data) == (2, memory(OLD, 2).data)
    assert (snapshot.sha256, snapshot.fingerprint) == (sha(snapshot.data), "model")
    now = library.version(version.id)
    assert (now.segments_read, now.tokens) == (2, first.tokens + second.tokens)
    ids, vectors = library.vectors(version.document_id)
    assert ids.tolist() == [first.id, second.id]
    assert vectors.tolist() == [[0.5] * WIDTH, [1.5] * WIDTH] and vectors.dtype == np.float16


def test_a_checkpoint_that_breaks_in_the_middle_leaves_nothing(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 1)
    # The passage is written by then, and the snapshot is not.
    with pytest.raises(TypeError):
        library.checkpoint(
            version.id,
            claim,
            [passages_from(OLD)[1]],
            NewSnapshot(2, "model", None),  # type: ignore[arg-type]
        )
    assert len(library.passages_of(version.id)) == library.version(version.id).segments_read == 1
    step(library, version, claim, OLD, 2)
    assert library.verify() == []


def test_snapshots_are_thinned_to_those_asked_for_and_the_newest_always_stays(library):
    sentences = [f"Sentence {number} stands here." for number in range(6)]
    version, claim = begin(library, "/a", sentences)
    parse(library, version, claim, sentences)
    for upto in range(1, 6):
        step(library, version, claim, sentences, upto)
    step(library, version, claim, sentences, 6, keep={2, 4})
    kept = library.snapshots(version.id)
    assert [snapshot.segments_read for snapshot in kept] == [2, 4, 6]
    assert [s.size for s in kept] == [len(memory(sentences, n).data) for n in (2, 4, 6)]
    assert library.snapshot_at_or_before(version.id, 5).data == memory(sentences, 4).data
    assert library.snapshot_at_or_before(version.id, 1) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ordinal": 5}, "must be numbered from there"),
        ({"page": 9}, "page 9 is not stored"),
        ({"end": 900}, "are outside page 1"),
        ({"start": 5, "end": 4}, "are outside page 1"),
        ({"runs": ((0, 0, 900),)}, "ends after the passage"),
        ({"runs": ((0, 0, 4), (2, 4, 2))}, "overlaps the one before"),
        ({"runs": ((0, 1, 4),)}, "pairs 'Beta' with 'eta '"),
        ({"vector": np.zeros(WIDTH, np.float32)}, "expected float16"),
        ({"vector": np.zeros(WIDTH + 1, np.float16)}, "must have one width"),
    ],
)
def test_a_passage_that_does_not_fit_is_refused_before_anything_is_written(
    library, change, message
):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 1)
    wrong = replace(passages_from(OLD)[1], **change)
    with pytest.raises(LibraryError, match=message):
        library.checkpoint(version.id, claim, [wrong], memory(OLD, 2))
    assert library.version(version.id).segments_read == 1


def test_a_memory_of_another_model_or_another_length_is_refused(library):
    version, claim = begin(library, "/a", OLD)
    with pytest.raises(LibraryError, match="call set_parsed first"):
        library.checkpoint(version.id, claim, [], memory(OLD, 0))
    parse(library, version, claim, OLD)
    with pytest.raises(OtherModel, match="stranger"):
        library.checkpoint(version.id, claim, passages_from(OLD[:1]), memory(OLD, 1, "stranger"))
    with pytest.raises(LibraryError, match="after 1, not after 2"):
        library.checkpoint(version.id, claim, passages_from(OLD[:1]), memory(OLD, 2))


def test_a_cleaned_text_may_mend_line_breaks_and_ligatures(library):
    stored, clean = "the ﬁrst hyphen-\nated\nline", "the first hyphenated line"
    version, claim = begin(library, "/a", [stored])
    parse(library, version, claim, [stored])
    runs = ((0, 0, 4), (6, 5, 10), (16, 17, 9))
    passage = replace(passages_from([clean])[0], end=len(stored), runs=runs)
    assert [clean[c : c + n] for c, _, n in runs] == ["the ", "rst hyphen", "ated line"]
    assert [stored[p : p + n] for _, p, n in runs] == ["the ", "rst hyphen", "ated\nline"]
    library.checkpoint(version.id, claim, [passage], memory([clean], 1))
    assert library.passages_of(version.id)[0].runs == runs


def test_going_back_drops_what_was_read_beyond(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    for upto in (1, 2, 3):
        step(library, version, claim, OLD, upto)
    library.rewind(version.id, claim, 2)
    now = library.version(version.id)
    assert (now.segments_read, len(library.passages_of(version.id))) == (2, 2)
    assert [s.segments_read for s in library.snapshots(version.id)] == [1, 2]
    library.rewind(version.id, claim, 0)
    assert library.version(version.id).tokens == 0 and library.snapshots(version.id) == []
    with pytest.raises(LibraryError, match="no memory after 1 segments"):
        library.rewind(version.id, claim, 1)


# Inheriting


def test_a_document_that_grew_inherits_what_was_read_of_it(library):
    old = read(library, "/a", OLD)
    ids, _ = library.vectors(old.document_id)
    plain = np.arange(3 * WIDTH, dtype=np.float16).reshape(3, WIDTH)
    library.set_plain_vectors(old.document_id, ids, plain)
    new, claim = begin(library, "/a", NEW)
    parse(library, new, claim, NEW)
    assert library.inherit(new.id, claim, old.id, 3) == 3
    assert library.latest_snapshot(new.id).data == memory(OLD, 3).data
    step(library, new, claim, NEW, 4)
    library.finish(new.id, claim)
    assert [p.text for p in library.passages(old.document_id)] == NEW
    assert library.vectors(old.document_id)[1][:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert library.vectors(old.document_id, "plain")[1].tolist() == plain.tolist()
    assert [s.segments_read for s in library.snapshots(new.id)] == [1, 2, 3, 4]
    assert library.version(new.id).tokens == sum(len(s.split()) for s in NEW)
    assert library.verify() == []


def test_inheriting_goes_back_to_the_last_memory_within_the_segments_that_are_the_same(library):
    old, claim = begin(library, "/a", OLD)
    parse(library, old, claim, OLD)
    step(library, old, claim, OLD, 1)
    step(library, old, claim, OLD, 3)
    library.finish(old.id, claim)
    new, claim = begin(library, "/a", NEW)
    parse(library, new, claim, NEW)
    assert library.inherit(new.id, claim, old.id, 2) == 1
    assert [p.text for p in library.passages_of(new.id)] == OLD[:1]
    assert [s.segments_read for s in library.snapshots(new.id)] == [1]


def test_where_no_memory_lies_within_the_same_segments_nothing_is_inherited(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", NEW)
    parse(library, new, claim, NEW)
    assert library.inherit(new.id, claim, old.id, 0) == 0
    assert library.passages_of(new.id) == [] and library.snapshots(new.id) == []


def test_a_damaged_memory_is_not_inherited(library, caplog):
    old = read(library, "/a", OLD)
    damage(library, old.id, 3)
    new, claim = begin(library, "/a", NEW)
    parse(library, new, claim, NEW)
    with caplog.at_level(logging.WARNING):
        assert library.inherit(new.id, claim, old.id, 3) == 2
    assert "after 3 segments is damaged" in caplog.text


def test_segments_that_have_changed_are_not_inherited(library):
    old = read(library, "/a", OLD)
    changed = [OLD[0], "Beta climbs the hall.", *OLD[2:]]
    new, claim = begin(library, "/a", changed)
    parse(library, new, claim, changed)
    with pytest.raises(LibraryError, match=r"segment 1 \(page 1"):
        library.inherit(new.id, claim, old.id, 3)
    assert library.passages_of(new.id) == [] and library.snapshots(new.id) == []
    assert library.inherit(new.id, claim, old.id, 1) == 1


def test_a_memory_of_another_model_is_not_inherited(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", OLD, fingerprint="model2")
    with pytest.raises(OtherModel, match="read it from the start"):
        library.inherit(new.id, claim, old.id, 3)


def test_inheriting_comes_before_the_first_checkpoint(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", NEW)
    with pytest.raises(LibraryError, match="only after set_parsed"):
        library.inherit(new.id, claim, old.id, 3)
    parse(library, new, claim, NEW)
    step(library, new, claim, NEW, 1)
    with pytest.raises(LibraryError, match="before the first checkpoint"):
        library.inherit(new.id, claim, old.id, 3)


# Finishing


def test_a_version_that_is_not_read_to_the_end_does_not_replace_the_old_one(library):
    old = read(library, "/a", OLD)
    new, claim = begin(library, "/a", NEW)
    with pytest.raises(LibraryError, match="cannot be finished"):
        library.finish(new.id, claim)
    parse(library, new, claim, NEW)
    step(library, new, claim, NEW, 3)
    with pytest.raises(LibraryError, match="3 of 4 segments"):
        library.finish(new.id, claim)
    step(library, new, claim, NEW, 4)
    with library._writing() as session:
        session.execute(
            text("DELETE FROM snapshot WHERE version_id = :v AND segments_read = 4"), {"v": new.id}
        )
    with pytest.raises(LibraryError, match="final memory is missing"):
        library.finish(new.id, claim)
    assert library.document(old.document_id).version_id == old.id
    library.rewind(new.id, claim, 3)


def test_a_document_without_text_can_be_finished_without_a_memory(library):
    version, claim = begin(library, "/scan.pdf", ["scan"])
    library.set_parsed(version.id, claim, "scan", [Page(0, None, "", needs_ocr=True)], 0, 0.0)
    library.finish(version.id, claim)
    document = library.document("scan")
    assert (document.state, document.pages_without_text) == ("ready", 1)
    assert document.snapshot_sha256 is None and library.latest_snapshot(version.id) is None
    assert library.verify() == []


def test_the_last_begun_version_wins_even_when_an_older_one_finishes_later(library):
    old, old_claim = begin(library, "/a", OLD)
    parse(library, old, old_claim, OLD)
    step(library, old, old_claim, OLD, 3)
    new, new_claim = begin(library, "/a", NEW)
    parse(library, new, new_claim, NEW)
    library.finish(old.id, old_claim)
    assert library.document(old.document_id).update_state == "reading"
    step(library, new, new_claim, NEW, 4)
    library.finish(new.id, new_claim)
    assert [v.id for v in library.versions(old.document_id)] == [new.id]


def test_a_reader_of_an_older_version_stops_when_a_newer_one_is_ready(library):
    old, claim = begin(library, "/a", OLD)
    read(library, "/a", NEW)
    with pytest.raises(LostClaim, match="newer version"):
        library.heartbeat(old.id, claim)


# Snapshots


def damage(library, version_id, segments):
    with library._writing() as session:
        session.execute(
            text(
                "UPDATE snapshot "
                "SET data = CAST(substr(data, 1, 5) || x'ff' || substr(data, 7) AS BLOB) "
                "WHERE version_id = :version AND segments_read = :segments"
            ),
            {"version": version_id, "segments": segments},
        )


def test_a_damaged_memory_is_never_handed_out(library):
    version = read(library, "/a", OLD)
    damage(library, version.id, 3)
    for attempt in (
        lambda: library.latest_snapshot(version.id),
        lambda: library.snapshot_at_or_before(version.id, 7),
    ):
        with pytest.raises(DamagedSnapshot, match=f"app reread {version.document_id}"):
            attempt()
    assert library.snapshot_at_or_before(version.id, 2).data == memory(OLD, 2).data
    (problem,) = library.verify()
    assert "memory after 3 segments is damaged" in problem


# Originals


def test_an_original_is_kept_by_its_hash_and_goes_with_its_version(library, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("".join(OLD))
    old = read(library, source, OLD)
    library.keep_original(old.sha256, source)
    library.keep_original(old.sha256, source)
    kept = library.original_path(old.sha256)
    assert kept == library.originals.folder / old.sha256[:2] / old.sha256
    assert kept.read_bytes() == source.read_bytes()
    assert library.documents()[0].original_kept
    read(library, source, NEW)
    assert library.original_path(old.sha256) is None and not kept.exists()


def test_a_file_that_changed_while_it_was_read_is_not_kept(library, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("other bytes")
    version, _ = begin(library, source, OLD)
    with pytest.raises(LibraryError, match="changed while it was being read"):
        library.keep_original(version.sha256, source)
    assert list(library.originals.all()) == []


def test_an_original_of_nothing_or_of_a_missing_file_is_refused(library, tmp_path):
    with pytest.raises(LibraryError, match="begin reading"):
        library.keep_original("0" * 64, tmp_path / "a.txt")
    version, _ = begin(library, tmp_path / "a.txt", OLD)
    with pytest.raises(LibraryError, match="cannot be copied"):
        library.keep_original(version.sha256, tmp_path / "a.txt")
    with pytest.raises(LibraryError, match="is not a SHA-256"):
        library.original_path("../../etc/passwd")


def test_a_damaged_original_is_reported_and_mended_by_keeping_it_again(library, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("".join(OLD))
    version = read(library, source, OLD)
    library.keep_original(version.sha256, source)
    library.original_path(version.sha256).write_text("damaged")
    (problem,) = library.verify()
    assert "is damaged: its SHA-256 is not its name" in problem
    library.keep_original(version.sha256, source)
    assert library.verify() == []


# Several at once

READER = """
import sys
from storage import Library
from tests.test_library_reading import read
with Library(sys.argv[1]) as library:
    for number in range(5):
        sentences = [f"{sys.argv[2]} {number} says {word}." for word in ("one", "two", "three")]
        read(library, f"/{sys.argv[2]}{number}", sentences)
"""


def test_two_processes_can_write_at_once(library):
    children = [run_python(READER, library.database.parent, name) for name in ("left", "right")]
    for child in children:
        assert child.wait(60) == 0
        child.stdout.close()
    documents = library.documents()
    assert len(documents) == 10 and {d.state for d in documents} == {"ready"}
    assert len(library.search_words("says", 100)) == 30
    assert library.verify() == []


def test_threads_can_read_and_write_at_once(library):
    errors = []

    def work(name):
        try:
            for number in range(3):
                sentences = [f"{name} {number} says {word}." for word in ("one", "two")]
                version = read(library, f"/{name}{number}", sentences)
                assert [p.text for p in library.passages(version.document_id)] == sentences
                library.search_words("says", 10)
                library.documents()
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"thread{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, len(library.documents())) == ([], 24)
    assert library.verify() == []


def test_of_many_that_begin_the_same_file_one_reads_and_the_others_are_told(library):
    outcomes = []

    def work():
        try:
            outcomes.append(begin(library, "/a", OLD)[0].id)
        except BeingRead:
            outcomes.append("being read")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1"] + ["being read"] * 5
