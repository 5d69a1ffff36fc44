"""The memory a question is asked with: final, as of a page (bit for bit), empty."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.memories import OPEN_AT_MOST, Memories
from armt_core import ArmtModel, MemoryState
from armt_core.document_model import DocumentModel
from armt_core.errors import OtherModel, UsageError
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library

NAMES = ["Orla", "Matis", "Henrike", "Joris", "Wilma", "Tobin", "Sanna"]


def page_text(page: int, days: int = 16) -> str:
    """About two segments."""
    return "\n".join(
        f"Day {page * days + day}: {NAMES[(page + day) % 7]} counted {page * 31 + day * 37 % 101} "
        f"boats and wrote {day * 53 % 89} letters to the office at quay {day % 13}."
        for day in range(days)
    )


def equal(one: MemoryState, other: MemoryState) -> bool:
    return (
        one.associations.equal(other.associations)
        and one.normalizer.equal(other.normalizer)
        and one.segments_read.equal(other.segments_read)
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> DocumentModel:
    """The model that ships with a W_v that is not zero, so that memories differ."""
    folder = tmp_path_factory.mktemp("model")
    model = ArmtModel.from_pretrained(DEFAULT_MODEL, dtype=torch.float32, local_files_only=True)
    torch.manual_seed(3)
    with torch.no_grad():
        model.associative.value.normal_(std=0.05)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "answering.json"):
        shutil.copy(DEFAULT_MODEL / name, folder)
    return open_reader(folder)


@pytest.fixture(scope="module")
def library(tmp_path_factory, model):
    """A diary of 12 pages, two segments each, so that most pages lie between checkpoints."""
    folder: Path = tmp_path_factory.mktemp("diary")
    text = "\f".join(page_text(page) for page in range(12))
    (folder / "diary.txt").write_text(text, encoding="utf-8")
    with Library(folder / "library") as opened:
        (report,) = ingest_paths([folder / "diary.txt"], opened, model)
        assert report.outcome == "added" and report.pages == 12
        yield opened


@pytest.mark.parametrize("page", [0, 4, 8, 11])
def test_as_of_a_page_is_bit_for_bit_the_memory_of_reading_only_so_far(
    tmp_path, library, model, page
):
    document = library.document("diary")
    as_of = Memories(library, model).of(document, as_of_page=page)
    text = "\f".join(page_text(number) for number in range(page + 1))
    (tmp_path / "short.txt").write_text(text, encoding="utf-8")
    with Library(tmp_path / "library") as other:
        list(ingest_paths([tmp_path / "short.txt"], other, model))
        shorter = other.document("short")
        assert equal(as_of, Memories(other, model).of(shorter))
        assert int(as_of.segments_read[0]) == shorter.segments_read > 0
    final = Memories(library, model).of(document)
    assert equal(as_of, final) == (page == 11)


def test_between_checkpoints_the_text_is_read_again_from_the_nearest_earlier_one(
    library, model, monkeypatch
):
    document = library.document("diary")
    kept = {s.segments_read for s in library.snapshots(document.version_id)}
    assert len(kept) < document.segments_read
    page = next(
        p
        for p in range(1, 12)
        if library.segments_upto_page(document.id, p) not in kept
        and any(s < library.segments_upto_page(document.id, p) for s in kept)
    )
    segments = library.segments_upto_page(document.id, page)
    nearest = max(s for s in kept if s < segments)
    read: list[str] = []

    def counted(self, text, memory):
        read.append(text)
        return real(self, text, memory)

    real = DocumentModel.read
    monkeypatch.setattr(DocumentModel, "read", counted)
    memories = Memories(library, model)
    first = memories.of(document, as_of_page=page)
    passages = library.passages(document.id)
    assert read == [p.text for p in passages[nearest:segments]] != []
    # The second time it is open already, and asking for another page does not change it.
    memories.of(document)
    assert memories.of(document, as_of_page=page) is first and len(read) == segments - nearest


def test_the_empty_memory_has_nothing_written(library, model):
    empty = Memories(library, model).of(library.document("diary"), "empty")
    assert equal(empty, model.model.empty_memory())
    assert not Memories(library, model).of(library.document("diary")).associations.eq(0).all()


def test_a_page_that_is_not_there_is_refused(library, model):
    memories, document = Memories(library, model), library.document("diary")
    for page in (-1, 12):
        for memory in ("final", "empty"):
            with pytest.raises(UsageError, match=f"pages 0 to 11; .* as of page {page}"):
                memories.of(document, memory, page)


def test_a_page_before_any_text_leaves_the_memory_empty(tmp_path, model):
    (tmp_path / "late.txt").write_text("\f\fOnly here something is said.", encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "late.txt"], library, model))
        memories, document = Memories(library, model), library.document("late")
        assert equal(memories.of(document, as_of_page=1), model.model.empty_memory())
        assert int(memories.of(document, as_of_page=2).segments_read[0]) == 1


def test_another_model_is_refused(library, model):
    other = replace(model, fingerprint="0" * 64)
    with pytest.raises(OtherModel, match=f"{model.fingerprint[:12]}.*000000000000"):
        Memories(library, other).of(library.document("diary"))


def test_only_so_many_memories_stay_open_and_the_oldest_goes_first(library, model, monkeypatch):
    monkeypatch.setattr("app.memories.OPEN_AT_MOST", 2)
    assert OPEN_AT_MOST >= 8  # all documents of one question fit
    memories, document = Memories(library, model), library.document("diary")
    final, first = memories.of(document), memories.of(document, as_of_page=0)
    assert memories.of(document) is final
    memories.of(document, as_of_page=11)  # the same as final: no third
    assert memories.of(document, as_of_page=0) is first
    memories.of(document, as_of_page=1)  # final was used longest ago
    assert memories.of(document, as_of_page=0) is first
    assert memories.of(document) is not final and equal(memories.of(document), final)
