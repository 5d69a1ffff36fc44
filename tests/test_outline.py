"""What a memory found new, and what tells two versions of a document apart."""

import numpy as np
import pytest

from app.outline import PAGES, differences, outline
from armt_core.document_model import DocumentModel
from ingest.pipeline import ingest_paths
from ingest.settings import open_reader
from storage.library import Library
from storage.records import PassageNote
from tests.fakes import write_all

FIRST = "The bridge is iron.\fIt was built in May.\fNobody pays a toll."
SECOND = "The bridge is iron.\fIt was built in June.\fNobody pays a toll. It is painted green."


@pytest.fixture(scope="module")
def reader() -> DocumentModel:
    """The model that ships, which writes what it reads."""
    opened = open_reader()
    write_all(opened.model)
    return opened


@pytest.fixture(scope="module")
def bridges(tmp_path_factory, reader):
    """Two versions of a text as two documents of one library."""
    folder = tmp_path_factory.mktemp("bridges")
    for name, text in (("first", FIRST), ("second", SECOND)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    with Library(folder / "library") as library:
        paths = [folder / "first.txt", folder / "second.txt"]
        assert [r.outcome for r in ingest_paths(paths, library, reader)] == ["added"] * 2
        yield library


def test_each_passage_is_noted_as_it_met_the_memory(bridges, reader):
    document = bridges.document("first")
    notes = bridges.notes(document.id)
    assert [note.page for note in notes] == [0, 1, 2]
    memory = reader.model.empty_memory()
    for note, passage in zip(notes, bridges.passages(document.id), strict=True):
        before = memory.associations.clone()
        noted, memory = reader.read(passage.text, memory)
        change = (memory.associations - before).flatten(2).norm(dim=-1).mean()
        assert note.passage_id == passage.id and note.change == pytest.approx(float(change))
        assert (note.beta, note.gamma) == pytest.approx((noted.beta, noted.gamma))
        assert 0 < note.beta < 1 and note.change > 0
    # Memory tokens of one segment meet each other, so not even the first passage is all new.
    assert all(0 <= note.gamma < notes[0].gamma <= 1 for note in notes[1:])


def test_an_outline_has_the_passages_that_changed_the_memory_most_one_a_page(bridges):
    document = bridges.document("second")
    notes = bridges.notes(document.id)
    listed = outline(document, notes, bridges)
    assert [c.page for c in listed] == [1, 2]  # not the first: all is new to an empty memory
    usual = float(np.median([note.change for note in notes]))
    assert [c.score for c in listed] == pytest.approx([n.change / usual for n in notes[1:]])
    assert listed[1].quote == "Nobody pays a toll. It is painted green."
    assert outline(document, notes[:1], bridges) == outline(document, [], bridges) == []


def test_an_outline_is_short_and_takes_the_largest_changes():
    class Passages:
        def passages_by_id(self, ids):
            self.asked = ids
            return []

    asked = Passages()
    notes = [PassageNote(n, n // 2, None, 0, 1, 0.5, 0.5, float(n % 7)) for n in range(100)]
    outline(None, notes, asked)  # type: ignore[arg-type]
    assert len(asked.asked) == PAGES and asked.asked == sorted(asked.asked)
    assert {n % 7 for n in asked.asked} == {6}


def test_sentences_of_one_version_alone_are_found_with_their_pages(bridges):
    first, second = bridges.document("first"), bridges.document("second")
    found = [(c.kind, c.page, c.text) for c in differences(bridges, first, second)[0]]
    assert found == [
        ("only here", 1, "It was built in May."),
        ("only there", 1, "It was built in June."),
        ("only there", 2, "It is painted green."),
    ]
    assert differences(bridges, first, second)[1] > 0.1
    assert differences(bridges, first, first) == ([], 1.0)
