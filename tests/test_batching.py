"""Documents read side by side, as on a GPU; here on a CPU, with a memory that matters."""

from contextvars import ContextVar
from pathlib import Path

import pytest
import torch

from armt_core.document_model import DocumentModel
from armt_core.errors import ModelError
from armt_core.opening import open_model
from armt_core.snapshot import load_snapshot
from ingest.batching import SideBySide, documents_at_once
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.fakes import write_all

SENTENCE = "Boat {n} of quay {name} carried {n} barrels of salt herring to the island of Oster. "


@pytest.fixture(scope="module")
def model() -> DocumentModel:
    """The model that ships in float32, with a memory that changes what is read."""
    opened = open_model(DEFAULT_MODEL, dtype=torch.float32)
    torch.manual_seed(0)
    with torch.no_grad():
        opened.model.associative.value.normal_(std=0.02)
    write_all(opened.model)
    return opened


def written(folder: Path, **sentences: int) -> Path:
    folder.mkdir()
    for name, count in sentences.items():
        text = "".join(SENTENCE.format(n=n, name=name) for n in range(count))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def memories(library: Library, model: DocumentModel) -> dict[str, torch.Tensor]:
    found = {}
    for document in library.documents():
        version = library.version(document.version_id)
        snapshot = library.snapshot_at_or_before(version.id, version.segments_read)
        assert snapshot is not None and snapshot.segments_read == version.segments_read
        state = load_snapshot(snapshot.data, model.config, model.fingerprint)
        found[document.title] = state.associations
    return found


def test_side_by_side_each_document_gets_the_memory_that_it_gets_alone(tmp_path, model):
    corpus = written(tmp_path / "corpus", a=120, b=3, c=60, d=1, e=25)
    with Library(tmp_path / "one") as one, Library(tmp_path / "many") as many:
        alone = {Path(r.path).name: r for r in ingest_paths([corpus], one, model)}
        beside = {Path(r.path).name: r for r in ingest_paths([corpus], many, model, at_once=3)}
        assert {n: r.outcome for n, r in beside.items()} == dict.fromkeys(alone, "added")
        segments = {n: r.segments_read for n, r in beside.items()}
        assert segments == {n: r.segments_read for n, r in alone.items()}
        assert max(segments.values()) > 8 and min(segments.values()) == 1
        expected, got = memories(one, model), memories(many, model)
        assert set(expected) == set(got) and len(got) == 5
        for title, memory in expected.items():
            assert memory.abs().max() > 0.1
            assert torch.allclose(got[title], memory, atol=1e-3, rtol=1e-3), title
        for document in many.documents():
            snapshot = many.snapshot_at_or_before(document.version_id, 1_000)
            assert snapshot is not None and snapshot.conditions.endswith(", up to 3 documents")


def test_the_same_bytes_twice_side_by_side_are_one_document_with_two_aliases(tmp_path, model):
    corpus = written(tmp_path / "corpus", a=30, b=5)
    (corpus / "copy.txt").write_bytes((corpus / "a.txt").read_bytes())
    with Library(tmp_path / "library") as library:
        reports = list(ingest_paths([corpus], library, model, at_once=3))
        assert sorted(r.outcome for r in reports) == ["added", "added", "skipped"]
        assert sorted(len(d.aliases) for d in library.documents()) == [1, 2]


def test_a_file_that_fails_does_not_hold_up_those_beside_it(tmp_path, model):
    corpus = written(tmp_path / "corpus", a=30, b=30)
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.4 nothing else")
    (corpus / "empty.txt").write_bytes(b"")
    with Library(tmp_path / "library") as library:
        reports = {Path(r.path).name: r for r in ingest_paths([corpus], library, model, at_once=4)}
        outcomes = {name: report.outcome for name, report in reports.items()}
        assert outcomes == {
            "a.txt": "added", "b.txt": "added", "broken.pdf": "failed", "empty.txt": "failed",
        }  # fmt: skip


def test_an_error_of_the_model_fails_the_documents_of_its_batch_and_no_thread_hangs(
    tmp_path, model, monkeypatch
):
    corpus = written(tmp_path / "corpus", a=30, b=30)

    def broken(*_: object) -> None:
        raise ModelError("The device is out of memory.")

    monkeypatch.setattr(SideBySide, "read_segments", broken)
    with Library(tmp_path / "library") as library:
        reports = list(ingest_paths([corpus], library, model, at_once=2))
        assert [r.outcome for r in reports] == ["failed", "failed"]
        assert all("out of memory" in (r.reason or "") for r in reports)


def test_a_reading_that_nobody_waits_for_stops_and_goes_on_from_its_checkpoint(tmp_path, model):
    corpus = written(tmp_path / "corpus", a=400, b=400)

    class Interrupt(Exception):
        pass

    def show(path: Path, done: int, total: int) -> None:
        if done == 20:
            raise Interrupt

    with Library(tmp_path / "library") as library:
        with pytest.raises(Interrupt):
            list(ingest_paths([corpus], library, model, progress=show, at_once=2))
        reports = list(ingest_paths([corpus], library, model, at_once=2))
        assert [r.outcome for r in reports] == ["continued", "continued"]
        total = library.version(library.documents()[0].version_id).segments_read
        assert total > 20 and all(r.segments_read == total - 16 for r in reports)


def test_on_a_cpu_documents_are_read_one_at_a_time(model):
    assert documents_at_once(model) == 1
    assert SideBySide.of(model, 1).conditions == model.conditions


def test_progress_is_called_in_the_context_of_the_caller(tmp_path, model):
    """As the page's progress bar needs it."""
    asked: ContextVar[str] = ContextVar("asked")
    asked.set("by the page")
    seen = []
    corpus = written(tmp_path / "corpus", a=30, b=30)
    with Library(tmp_path / "library") as library:
        progress = lambda path, done, total: seen.append((asked.get(), done, total))  # noqa: E731
        list(ingest_paths([corpus], library, model, progress=progress, at_once=2))
    total = seen[0][2]
    assert sorted(seen) == sorted(2 * [("by the page", n, total) for n in range(total + 1)])
