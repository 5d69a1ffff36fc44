"""Which passages a question leads to: words, vectors, both; one document, a page, all."""

from pathlib import Path

import numpy as np
import pytest

from app import searching
from app.answering import Answerer
from app.conversing import Turn, begin, keep, turns
from app.searching import SENTENCE_SHARE, Searcher, fuse
from app.support import load_calibration
from armt_core.document_model import DocumentModel
from armt_core.errors import UsageError
from ingest.pipeline import ingest_paths
from ingest.sentences import sentence_spans
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.fakes import CALIBRATION

FIRST = "The zeppelin lands at noon.\fA cat sleeps on the warm stove.\fRain fell on the harbour."
SECOND = "The airship captain eats herring.\fIn autumn the kittens are given away."


@pytest.fixture(scope="module")
def pets(tmp_path_factory, reader):
    """Two documents, a sentence a page."""
    folder: Path = tmp_path_factory.mktemp("pets")
    (folder / "first.txt").write_text(FIRST, encoding="utf-8")
    (folder / "second.txt").write_text(SECOND, encoding="utf-8")
    with Library(folder / "library") as library:
        paths = [folder / "first.txt", folder / "second.txt"]
        assert [r.outcome for r in ingest_paths(paths, library, reader)] == ["added"] * 2
        yield library


@pytest.fixture(scope="module")
def answerer(pets, reader) -> Answerer:
    return Answerer(pets, reader, CALIBRATION)


def test_words_find_only_passages_that_have_one(answerer):
    found = answerer.search("zeppelins at noon", method="words")
    assert [(p.title, p.page) for p in found] == [("first", 0)]
    assert found[0].score > 0
    assert answerer.search("xylophone", method="words") == []


def test_vectors_find_what_is_meant_without_a_common_word(answerer):
    found = answerer.search("feline pets", method="vectors")
    assert len(found) == 5 and {(p.title, p.page) for p in found[:2]} == {
        ("first", 1), ("second", 1),
    }  # fmt: skip
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_vector_scores_are_cosines_of_passage_and_best_sentence(answerer, pets, reader):
    query, empty = reader.vector("feline pets"), reader.model.empty_memory()
    found = answerer.search("feline pets", method="vectors")
    for passage in found:
        vectors = reader.read(passage.text, empty, sentence_spans(passage.text))[0].vectors
        own, *sentences = (vectors @ query).tolist()
        expected = (1 - SENTENCE_SHARE) * own + SENTENCE_SHARE * max(sentences)
        assert passage.score == pytest.approx(expected, abs=2e-3)
        page = pets.page(passage.document_id, passage.page).text
        assert page[passage.start : passage.end] == passage.text
    plain = Answerer(pets, reader, CALIBRATION, ["sentence-vectors"])
    for passage in plain.search("feline pets", method="vectors"):
        own = reader.vector(passage.text)
        assert passage.score == pytest.approx(float(own @ query), abs=2e-3)


def test_hybrid_is_the_fusion_of_both(answerer, pets, reader):
    question = "Where does the zeppelin land?"
    searcher = Searcher(pets, reader)
    words, cosines = searcher.scores(question, searcher.scopes(question))
    assert len(words) == 1 and len(cosines) == 5
    expected = fuse(words, cosines)
    found = answerer.search(question)
    assert {p.passage_id: p.score for p in found} == expected
    assert (found[0].title, found[0].page) == ("first", 0)


def test_fuse_by_hand():
    fused = fuse({1: 8.0, 2: 2.0}, {2: 0.5, 3: -0.25}, share=0.25)
    # Of passage 1 no vector is known, of passage 3 no word.
    assert fused == {1: 0.25, 2: 0.25 * 0.25 + 0.75 * 0.5, 3: 0.75 * -0.25}
    assert fuse({}, {7: 0.5}, share=0.4) == {7: 0.3}
    assert fuse({}, {}) == {}


def test_fuse_takes_only_the_nearest_vectors_but_every_word():
    cosines = {number: 1.0 - number / 1000 for number in range(300)}
    fused = fuse({299: 1.0}, cosines, share=0.5)
    assert set(fused) == {*range(200), 299}
    assert fused[299] == pytest.approx(0.5 + 0.5 * 0.701)


def test_k_the_named_document_and_the_page_limit_what_is_found(answerer):
    every = answerer.search("cat", method="vectors")
    assert [p.passage_id for p in answerer.search("cat", method="vectors", k=2)] == [
        p.passage_id for p in every[:2]
    ]
    named = answerer.search("cat", documents=["SECOND"], method="vectors")
    assert {p.title for p in named} == {"second"} and len(named) == 2
    for method in ("hybrid", "words", "vectors"):
        early = answerer.search("zeppelin cat kittens", as_of_page=0, method=method)
        assert early and {p.page for p in early} == {0}
    # A shorter document is searched as a whole.
    late = answerer.search("kittens", as_of_page=2, method="vectors")
    assert {(p.title, p.page) for p in late} >= {("second", 1), ("first", 2)}


def test_a_question_to_more_documents_than_are_asked_is_read_once(pets, reader, monkeypatch):
    monkeypatch.setattr(searching, "DOCUMENTS", 1)
    question, real, read = "Who gives the kittens away?", DocumentModel.vector, []

    def spy(self, text, *memory):
        read.append(text)
        return real(self, text, *memory)

    monkeypatch.setattr(DocumentModel, "vector", spy)
    (scope,) = Searcher(pets, reader).scopes(question)
    assert scope.document.title == "second" and read == [question]
    assert np.array_equal(scope.query, real(reader, question))


def test_an_emptied_memory_uses_vectors_of_the_passages_alone_and_keeps_them(tmp_path, remembering):
    """Of a model whose vectors say what was read before."""
    (tmp_path / "second.txt").write_text(SECOND, encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "second.txt"], library, remembering))
        (document,) = library.documents()
        before = library.missing_plain(document.id)
        Answerer(library, remembering, CALIBRATION).search("kittens", memory="empty")
        assert library.missing_plain(document.id) == []
        ids, plain = library.vectors(document.id, "plain")
        empty = remembering.model.empty_memory()
        for number, vector in zip(ids, plain, strict=True):
            (alone,) = remembering.read(library.passage(int(number)).text, empty)[0].vectors
            assert np.array_equal(vector, alone.astype(np.float16))
        assert {p.id for p in before} == set(ids.tolist())


def test_where_vectors_do_not_read_memory_an_emptied_one_computes_none_anew(pets, answerer):
    document = pets.document("second")
    found = {
        memory: answerer.search("kittens", documents=["second"], memory=memory, method="vectors")
        for memory in ("final", "empty")
    }
    assert found["final"] == found["empty"]
    assert len(pets.missing_plain(document.id)) == 2


def test_more_documents_than_may_be_opened_are_narrowed_by_words_and_vectors(tmp_path, remembering):
    subjects = [
        "owls",
        "kites",
        "drums",
        "maps",
        "tiles",
        "ropes",
        "stamps",
        "coins",
        "boots",
        "hats",
    ]
    for word in subjects:
        (tmp_path / f"{word}.txt").write_text(f"A shelf full of {word}.", encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / f"{word}.txt" for word in subjects], library, remembering))
        searcher = Searcher(library, remembering)
        for memory in ("final", "empty"):
            scopes = searcher.scopes("owls, hats and birds of the night", memory=memory)
            chosen = [scope.document.title for scope in scopes]
            assert len(chosen) == 8 and set(chosen[:2]) == {"owls", "hats"}
            reads = {int(scope.memory.segments_read[0]) for scope in scopes}
            assert reads == ({1} if memory == "final" else {0})
            missing = [library.missing_plain(d.id) for d in library.documents()]
            # The emptied memory looks at vectors of passages alone, of every document.
            assert all(missing) if memory == "final" else not any(missing)


@pytest.mark.parametrize("question", ["   ", "???", "😀", "\ud800 harbour"])
def test_a_question_without_words_is_refused(answerer, question):
    with pytest.raises(UsageError, match="question"):
        answerer.ask(question)


def test_a_document_that_the_model_cannot_read_is_found_by_words_alone(tmp_path, reader):
    (tmp_path / "odd.txt").write_text("ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺᚾᛁᛃ zebra " * 20, encoding="utf-8")
    (tmp_path / "plain.txt").write_text("A zebra stood in the rain.", encoding="utf-8")
    with Library(tmp_path / "library") as library:
        reports = list(
            ingest_paths([tmp_path / "odd.txt", tmp_path / "plain.txt"], library, reader)
        )
        assert "not readable" in (reports[0].reason or "")
        answerer = Answerer(library, reader, CALIBRATION)
        assert {p.title for p in answerer.search("zebra", method="words")} == {"odd", "plain"}
        assert {p.title for p in answerer.search("zebra", method="vectors")} == {"plain"}


def test_copies_of_a_document_take_nothing_from_its_answer(tmp_path, reader):
    """Each copy differs from the others by its last page alone."""
    lease = (
        "The lease begins on 1 March 2021 and ends on 28 February 2026.",
        "Rent is due on the fifth day of each month.",
        "Pets other than guide dogs are forbidden in the building.",
    )
    question = "Which pets are allowed in the building?"
    said = []
    with Library(tmp_path / "library") as library:
        answerer = Answerer(library, reader, load_calibration(DEFAULT_MODEL))
        for number in range(4):
            path = tmp_path / f"lease {number}.txt"
            path.write_text("\f".join((*lease, f"Copy number {number}.")), encoding="utf-8")
            list(ingest_paths([path], library, reader))
            said.append(answerer.ask(question))
        found = answerer.search(question, k=5)
        (alone,) = answerer.search(question, k=1)
        (of_two,) = answerer.search(question, k=1, documents=["lease 3", "lease 1"])
        (early,) = answerer.search("Rent is due", k=1, as_of_page=1, method="words")
        kept = keep(library, begin(library, None, question), said[-1], as_of_page=3)
        assert turns(library, kept.conversation_id) == [Turn(question, said[-1], as_of_page=3)]
    for answer in said:
        assert answer.source == "passage" and answer.citations[0].quote == lease[2]
        quotes = [citation.quote for citation in answer.citations]
        assert len(quotes) == len(set(quotes))
    # Words that all copies hold weigh what they weighed in one; hardly anything else moves.
    assert said[-1].confidence == pytest.approx(said[0].confidence, abs=0.02)
    assert len(found) == 5 and len({passage.text for passage in found}) == 5
    # Of each text the place in one document, and in which others it stands, three at most.
    for one, others in ((said[0].citations[0], 0), (said[2].citations[0], 2), (alone, 3)):
        titles = {one.title, *(place.title for place in one.also)}
        assert len(one.also) == others and titles == {f"lease {n}" for n in range(others + 1)}
        assert {(one.page, None), *((place.page, place.page_label) for place in one.also)} == {
            (2, None)
        }
    assert {of_two.title, *(place.title for place in of_two.also)} == {"lease 3", "lease 1"}
    assert early.page == 1 and {place.page for place in early.also} == {1}
    own = [passage for passage in found if passage.text.startswith("Copy number")]
    assert own and not any(passage.also for passage in own)
