"""How near each document comes to a question, from vectors kept in memory."""

import numpy as np
import pytest
import torch

from app import nearest
from app.nearest import Nearest
from storage import Library
from storage.records import PassageVectors
from tests.test_library_reading import WIDTH, open_library, read


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def query():
    return unit(np.random.default_rng(3).standard_normal(WIDTH))


def fill(library: Library, count: int) -> None:
    """Documents of 1 to 5 passages, a page each, with random vectors."""
    random = np.random.default_rng(5)
    for number in range(count):
        version = read(
            library, f"/{number}", [f"Line {n} of {number}." for n in range(number % 5 + 1)]
        )
        with library._writing() as session:
            for row in (
                session.connection()
                .exec_driver_sql("SELECT id FROM passage WHERE version_id = ?", (version.id,))
                .fetchall()
            ):
                vector = unit(random.standard_normal(WIDTH)).astype("<f2").tobytes()
                session.connection().exec_driver_sql(
                    "UPDATE passage SET memory_vector = ? WHERE id = ?", (vector, row[0])
                )


def unit(vector):
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def plainly(library, query, upto_page=None):
    """The same, a document at a time."""
    found = {}
    for document in library.askable():
        _, vectors = library.vectors(document.id, upto_page=upto_page)
        if len(vectors):
            found[document.version_id] = float((vectors.astype(np.float32) @ query).max())
    return found


def ids(library):
    return [document.version_id for document in library.askable()]


@pytest.mark.parametrize("upto_page", [None, 0, 2])
def test_the_best_of_each_document_is_that_of_a_plain_computation(library, query, upto_page):
    fill(library, 23)
    kept = Nearest(library)
    for _ in range(2):  # as loaded, and as kept
        found = kept.best(query, ids(library), upto_page=upto_page)
        assert found == pytest.approx(plainly(library, query, upto_page), abs=1e-5)
    assert len(found) == 23
    assert kept.bytes_kept == 2 * WIDTH * library.passage_count()


def test_documents_that_come_and_go_are_followed_and_only_new_ones_are_loaded(
    library, query, monkeypatch
):
    fill(library, 7)
    kept = Nearest(library)
    kept.best(query, ids(library))
    library.delete(library.askable()[3].id)
    version = read(library, "/new", ["One line.", "Another."])
    loaded = []
    real = library.vectors_of

    def spy(version_ids, *rest):
        loaded.extend(version_ids)
        return real(version_ids, *rest)

    monkeypatch.setattr(library, "vectors_of", spy)
    assert kept.best(query, ids(library)) == pytest.approx(plainly(library, query), abs=1e-5)
    assert loaded == [version.id]
    assert kept.bytes_kept == 2 * WIDTH * library.passage_count()


def test_what_there_is_no_room_for_counts_too(library, query, monkeypatch):
    fill(library, 9)
    monkeypatch.setattr(nearest, "KEPT_AT_MOST", 5 * 2 * WIDTH)
    monkeypatch.setattr("storage.passages._BATCH", 2)
    kept = Nearest(library)
    for _ in range(2):
        assert kept.best(query, ids(library)) == pytest.approx(plainly(library, query), abs=1e-5)
    assert 0 < kept.bytes_kept <= 5 * 2 * WIDTH


def test_documents_of_a_model_of_another_width_have_no_cosine(library):
    fill(library, 3)
    assert Nearest(library).best(np.ones(WIDTH + 1, np.float32), ids(library)) == {}


def test_passages_that_16_bits_cannot_tell_apart_are_told_apart(query):
    random = np.random.default_rng(9)
    vectors = np.stack([unit(query + 1e-3 * random.standard_normal(WIDTH)) for _ in range(1000)])
    versions, held = np.repeat(np.arange(10), 100), vectors.astype(np.float16)
    block = nearest._Block.of(PassageVectors(versions, np.zeros(1000, np.int64), held))
    exact = (held.astype(np.float32) @ query).reshape(10, 100)
    rough = torch.mv(torch.from_numpy(held), torch.from_numpy(query).half()).numpy()
    assert (rough.reshape(10, 100).argmax(1) != exact.argmax(1)).any()
    found = block.nearest(torch.from_numpy(query), None)
    assert found == pytest.approx(exact.max(1), abs=1e-6)
