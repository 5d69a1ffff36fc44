"""What memory alone says."""

from dataclasses import replace

import pytest

from app.remembered import remembered
from app.searching import Searcher
from app.support import load_calibration
from armt_core.document_model import DocumentModel, Said
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.test_default_model import AROUND

QUESTION = "Where is John?"


@pytest.fixture(scope="module")
def library(tmp_path_factory, reader):
    """A story, and a text of gardens."""
    folder = tmp_path_factory.mktemp("remembered")
    story = f"{AROUND}John moved to the hallway. {AROUND}"
    (folder / "story.txt").write_text(story, encoding="utf-8")
    (folder / "other.txt").write_text("The garden is old. It has a wall.", encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "story.txt", folder / "other.txt"], library, reader))
        yield library


def test_the_surest_memory_says_what_it_holds(library, reader):
    memory = load_calibration(DEFAULT_MODEL).memory
    scopes = Searcher(library, reader).scopes(QUESTION)
    for order in (scopes, scopes[::-1]):
        said = remembered(QUESTION, order, reader, memory)
        assert said is not None and said.text == "hallway" and said.confidence >= memory.threshold
        assert said.document_id == library.document("story").id
    even = remembered(QUESTION, scopes, reader, replace(memory, chance=0.0, urgency=0.0, bias=0.0))
    assert even is not None and even.confidence == 0.5


def test_where_no_memory_says_anything_there_is_no_answer(library, reader, monkeypatch):
    memory = load_calibration(DEFAULT_MODEL).memory
    scopes = Searcher(library, reader).scopes(QUESTION)
    assert remembered(QUESTION, [], reader, memory) is None
    for text, expected in ((" ", None), (" inn ", "inn")):
        said = [Said("", 0.0, 9.0), Said(text, 0.01, 0.0)]
        monkeypatch.setattr(DocumentModel, "answers", lambda self, question, memory, s=said: s)
        told = remembered(QUESTION, scopes, reader, memory)
        assert (told and told.text) == expected
