"""The LangChain retriever: exact text of the page, filters, and no event loop that waits."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.runnables import RunnablePassthrough
from langchain_tests.integration_tests import RetrieversIntegrationTests
from pydantic import ValidationError

from app.answering import Answerer
from app.retriever import MemoryRetriever, _source
from armt_core.errors import EmptyLibrary, UnknownDocument, UsageError
from ingest.pipeline import ingest_paths, reread_document
from storage.library import Library

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "The lighthouse on Vessel Rock\nis kept by Henrike Aalto.",
    "The ferry leaves for Tarn Island\nat twenty past seven.",
    "The glass hive in the school holds forty thou-\nsand bees.",
    "On Sundays the ferry does not leave at all.",
)


@pytest.fixture(scope="module")
def answerer(tmp_path_factory, reader):
    """Over a text of four pages and one of a single page."""
    folder = tmp_path_factory.mktemp("retriever")
    (folder / "island.txt").write_text("\f".join(PAGES), encoding="utf-8")
    (folder / "boats.txt").write_text("A ferry is a boat that goes to and fro.", encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "island.txt", folder / "boats.txt"], library, reader))
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr("app.answering.open_reader", lambda model: reader)
        yield Answerer.open(library)
        monkeypatch.undo()


class TestStandard(RetrieversIntegrationTests):
    """What LangChain asks of every retriever."""

    @pytest.fixture(autouse=True)
    def over_a_library(self, answerer):
        type(self).answerer = answerer

    @property
    def retriever_constructor(self):
        return MemoryRetriever

    @property
    def retriever_constructor_params(self):
        return {"answerer": self.answerer}

    @property
    def retriever_query_example(self):
        return "When does the ferry leave?"


def test_what_is_read_anew_between_searching_and_quoting_is_searched_again(answerer, monkeypatch):
    retriever, library = MemoryRetriever(answerer=answerer, k=2), answerer.library
    asked, real = [], Answerer.search

    def then_read_anew(self, query, **settings):
        found = real(self, query, **settings)
        asked.append(query)
        if len(asked) == 1:
            reread_document(library.document("island"), library, answerer.model)
        return found

    monkeypatch.setattr(Answerer, "search", then_read_anew)
    found = retriever.invoke("How many bees does the glass hive hold?")
    assert len(asked) == 2 and found[0].page_content == PAGES[2]
    assert library.passage(found[0].metadata["passage_id"]).page == 2


def test_the_source_is_a_file_that_is_still_there_else_the_title(answerer, tmp_path):
    retriever, library = MemoryRetriever(answerer=answerer, k=1), answerer.library
    kept = library.document("island").aliases
    gone, there = tmp_path / "a.txt", tmp_path / "b.txt"
    there.write_text("x")
    for path, expected in ((gone, kept[0]), (there, str(there))):
        stored = replace(library.document("island"), aliases=(str(path), *kept))
        assert _source(stored) == expected
    assert _source(replace(stored, aliases=(str(gone),))) == "island"
    [found] = retriever.invoke("How many bees does the glass hive hold?")
    assert found.metadata["source"] == kept[0]


def test_a_document_is_the_stored_text_of_its_page_and_says_where_it_stands(answerer):
    retriever = MemoryRetriever(answerer=answerer, k=5)
    found = retriever.invoke("How many bees does the glass hive hold?")
    first, stored = found[0], answerer.library.document("island")
    assert first.page_content == PAGES[2]  # as it stands there, line end and hyphen included
    assert first.metadata == {
        "source": stored.aliases[0],
        "title": "island",
        "page": 2,
        "page_label": None,
        "start": 0,
        "end": len(PAGES[2]),
        "score": first.metadata["score"],
        "document_id": stored.id,
        "passage_id": int(first.id),
        "also": [],
    }
    for document in found:
        where = document.metadata
        page = answerer.library.page(where["document_id"], where["page"]).text
        assert page[where["start"] : where["end"]] == document.page_content


def test_it_finds_what_search_finds_in_that_order(answerer):
    question = "When does the ferry leave?"
    searched = answerer.search(question, k=4)
    found = MemoryRetriever(answerer=answerer, k=4).invoke(question)
    assert [(d.metadata["passage_id"], d.metadata["score"]) for d in found] == [
        (passage.passage_id, passage.score) for passage in searched
    ]


def test_documents_are_chosen_by_title_or_id(answerer):
    boats = answerer.library.document("boats").id
    for name in ("Boats", boats):
        retriever = MemoryRetriever(answerer=answerer, documents=[name])
        assert {d.metadata["title"] for d in retriever.invoke("the ferry")} == {"boats"}
    both = MemoryRetriever(answerer=answerer, documents=[boats, "island"]).invoke("the ferry")
    assert {d.metadata["title"] for d in both} == {"boats", "island"}


def test_as_of_a_page_nothing_later_is_found(answerer):
    retriever = MemoryRetriever(answerer=answerer, k=9, documents=["island"], as_of_page=1)
    found = retriever.invoke("Does the ferry leave on Sundays?")
    assert {d.metadata["page"] for d in found} == {0, 1}
    later = retriever.invoke("Does the ferry leave on Sundays?", as_of_page=3)
    assert later[0].metadata["page"] == 3


def test_as_of_a_page_is_asked_with_the_memory_then(tmp_path, remembering):
    """With vectors that depend on memory: the score is that of the shorter document."""
    from tests.fakes import CALIBRATION

    (tmp_path / "long.txt").write_text("\f".join(PAGES), encoding="utf-8")
    (tmp_path / "short.txt").write_text("\f".join(PAGES[:2]), encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "long.txt", tmp_path / "short.txt"], library, remembering))
        asked = Answerer(library, remembering, CALIBRATION)
        then = MemoryRetriever(answerer=asked, documents=["long"], as_of_page=1)
        whole = MemoryRetriever(answerer=asked, documents=["short"])
        (a, b), (c, d) = then.invoke("ferry"), whole.invoke("ferry")
    assert (a.page_content, b.page_content) == (c.page_content, d.page_content)
    assert a.metadata["score"] == pytest.approx(c.metadata["score"], abs=2e-3)
    assert b.metadata["score"] == pytest.approx(d.metadata["score"], abs=2e-3)


def test_what_cannot_be_found_is_an_error_with_words(answerer, tmp_path, reader):
    retriever = MemoryRetriever(answerer=answerer)
    with pytest.raises(UnknownDocument, match="'mainland'"):
        retriever.invoke("Who?", documents=["mainland"])
    with pytest.raises(UsageError, match="has pages 0 to 3"):
        retriever.invoke("Who?", documents=["island"], as_of_page=4)
    with pytest.raises(UsageError, match="empty"):
        asyncio.run(retriever.ainvoke(" "))
    with pytest.raises(UsageError, match="'documents' has the wrong type: 'island'"):
        retriever.invoke("Who?", documents="island")
    with pytest.raises(TypeError, match="'top'"):
        retriever.invoke("Who?", top=3)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        MemoryRetriever(answerer=answerer, k=0)
    with Library(tmp_path / "new") as library:
        empty = MemoryRetriever(answerer=Answerer.open(library))
        with pytest.raises(EmptyLibrary, match="python -m ingest"):
            empty.invoke("Who?")


def test_the_event_loop_goes_on_while_a_search_runs(answerer, monkeypatch):
    ticked = threading.Event()
    real = answerer.search

    def search(*arguments, **options):
        assert ticked.wait(30), "the event loop stood still during the search"
        return real(*arguments, **options)

    monkeypatch.setattr(answerer, "search", search)

    async def both():
        asked = asyncio.create_task(MemoryRetriever(answerer=answerer, k=1).ainvoke("the bees"))
        await asyncio.sleep(0.05)
        ticked.set()
        return await asked

    (document,) = asyncio.run(both())
    assert document.page_content == PAGES[2]


def test_it_stands_in_a_chain_and_asks_several_questions_at_once(answerer):
    retriever = MemoryRetriever(answerer=answerer, k=1)
    chain = {"found": retriever, "question": RunnablePassthrough()} | RunnablePassthrough()
    results = asyncio.run(chain.abatch(["the lighthouse", "the glass hive"]))
    assert [r["found"][0].metadata["page"] for r in results] == [0, 2]


def test_the_example_chain_answers_with_pages():
    done = subprocess.run(
        [sys.executable, "-m", "examples.chain"],
        cwd=ROOT, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "640 fathoms" in done.stdout and "[sanderling-logbook, page 3]" in done.stdout
    log = (ROOT / "examples/corpus/sanderling-logbook.txt").read_text(encoding="utf-8")
    for passage in done.stdout.split("\n[sanderling-logbook, page ")[:1]:
        assert passage in log
