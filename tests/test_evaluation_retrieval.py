"""The table of retrieval: its vectors, its words, how it ranks, and what it counts."""

import random

import pytest
import torch
from transformers import AutoTokenizer

from armt_core.document_model import DocumentModel
from armt_core.padding import pad_segments
from armt_core.pooling import mean_pool
from armt_core.reading import read_sequential
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.test_training import small_model
from training.data.articles import Article, articles_of
from training.data.files import Question, Span
from training.evaluation.ranking import Asked, best_share, fused, recall_at
from training.evaluation.retrieval import (
    Collection,
    RetrievalRow,
    cosines_alone,
    cosines_with_memory,
    retrieval,
)
from training.evaluation.vectors import ask_vectors, read_passages
from training.evaluation.wordsearch import WordSearch
from training.rows import Words

PLACES = ["Lindholm", "Ostend", "Riga", "Turku", "Faro", "Bergen", "Genoa", "Cork", "Split"]
TITLES = ["Able", "Baker", "Carol"]  # a share is chosen on the first and third


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))


def paragraph(i: int) -> str:
    return f"Ships from {PLACES[i]} bring {'salt ' * (i + 1)}and wool to number {i}."


def three_articles(asked: dict[int, str] | None = None) -> list[Article]:
    """Three paragraphs each; every paragraph is asked for in its own words, those in `asked` in
    others, and there is a question to each that it does not answer."""
    rows = []
    for i in range(9):
        text = paragraph(i)
        answer = Span(PLACES[i], text.index(PLACES[i]))
        rows.append(Question(TITLES[i // 3], text, (asked or {}).get(i, text), (answer,)))
        rows.append(Question(TITLES[i // 3], text, "Who built the bridge?", ()))
    return articles_of(rows)


def without_values(model):
    with torch.no_grad():
        model.associative.value.zero_()
    return model


def table(rows: list[RetrievalRow]) -> dict[tuple, tuple[float, float]]:
    return {(r.scope, r.method, r.vectors, r.articles): (r.first, r.five) for r in rows}


# Vectors


def test_passages_read_side_by_side_have_the_vectors_and_memories_of_reading_them_one_by_one(words):
    model = small_model(words).eval()
    draw = random.Random(0)
    documents = [
        [[draw.randrange(2000, 3000) for _ in range(draw.randint(3, 20))] for _ in range(n)]
        for n in (3, 1, 5, 2, 4, 1, 3, 6, 2, 1, 2, 4, 3)  # more than go side by side
    ]
    found = {i: (vectors, memory) for i, vectors, memory in read_passages(model, words, documents)}
    assert sorted(found) == list(range(len(documents)))
    for i, document in enumerate(documents):
        ids, mask = pad_segments([document], words.pad)
        with torch.no_grad():
            reading = read_sequential(model, ids, mask)
        expected = mean_pool(reading.hidden[0], mask[0])
        vectors, memory = found[i]
        assert torch.allclose(vectors, expected, atol=1e-5)
        assert torch.allclose(memory.associations, reading.memory.associations, atol=1e-4)
        assert memory.segments_read.tolist() == [len(document)]
    # What came before matters, or the comparison would show nothing.
    ((_, alone, _),) = read_passages(model, words, [documents[0][-1:]])
    assert float((alone[0] - found[0][0][-1]).abs().max()) > 1e-3


def test_questions_keep_their_order_and_have_the_vectors_of_asking_one_by_one(words):
    model = small_model(words).eval()
    draw = random.Random(1)
    questions = [[draw.randrange(2000, 3000) for _ in range(n)] for n in (9, 2, 14, 5, 14, 3)]
    ((_, _, memory),) = read_passages(model, words, [[questions[2], questions[0]]])
    for state in (None, memory):
        with torch.no_grad():
            one_by_one = [
                mean_pool(model.run(torch.tensor([q]), None, state)[0]) for q in questions
            ]
        vectors = ask_vectors(model, words, questions, state)
        assert torch.allclose(vectors, torch.cat(one_by_one), atol=1e-5)
    plain = ask_vectors(model, words, questions)
    assert float((plain - vectors).abs().max()) > 1e-3


def test_cosines_are_those_that_the_app_computes(words):
    """Passages in order with the running memory, questions with each article's final memory."""
    model = small_model(words).eval()
    found = Collection.of(three_articles(), words, 254)
    app = DocumentModel(model, words.tokenizer, "small")
    plain = [app.vector(question) for question in found.questions]
    with_memory, alone = torch.empty(9, 9), torch.empty(9, 9)
    for number, document in enumerate(found.documents):
        memory = model.empty_memory()
        vectors = []
        for n, passage in enumerate(document):
            (vector,), _ = app.read(passage.text, model.empty_memory())
            for q in range(9):
                alone[q, 3 * number + n] = float(plain[q] @ vector)
            (vector,), memory = app.read(passage.text, memory)
            vectors.append(vector)
        for q, question in enumerate(found.questions):
            asked = app.vector(question, memory)
            for n, vector in enumerate(vectors):
                with_memory[q, 3 * number + n] = float(asked @ vector)
    assert torch.allclose(cosines_alone(model, words, found), alone, atol=1e-5)
    assert torch.allclose(cosines_with_memory(model, words, found), with_memory, atol=1e-5)
    assert float((alone - with_memory).abs().max()) > 1e-3


# Words


def test_words_are_searched_as_in_the_app_inside_a_document_and_across(tmp_path):
    documents = [["A ship sails.", "The sea."], ["Nothing here."], ["Two ships.", "Sailing on."]]
    with Library(tmp_path) as library:
        search = WordSearch(documents, library)
        assert set(search.scores("Which ships?")) == {0, 3}  # stemmed, numbered throughout
        assert set(search.scores("Who is sailing?", 2)) == {4}
        assert search.scores("sea", 2) == {} and search.scores("?") == {}
        everywhere, inside = search.scores("ships sailing"), search.scores("ships sailing", 0)
        assert inside == {0: everywhere[0]} and everywhere[0] > everywhere[3] > 0


# Ranking


def asked(right: set[int], words: dict[int, float], cosines: dict[int, float]) -> Asked:
    return Asked("one", frozenset(right), words, cosines)


def test_recall_counts_the_first_and_the_first_k_by_hand():
    some = [
        asked({3}, {3: 2.0, 1: 1.0}, {}),
        asked({1}, {3: 2.0, 1: 1.0}, {}),
        asked({4, 5}, {1: 1.0, 2: 1.0, 5: 1.0}, {}),  # of equals the earlier comes first
        asked({6}, {1: 1.0}, {}),  # not found at all
    ]
    shares = [recall_at(k, some, lambda one: one.words) for k in (1, 2, 3)]
    assert shares == [1 / 4, 2 / 4, 3 / 4]
    assert recall_at(1, [], lambda one: one.words) == 0.0


def test_the_share_of_words_is_the_lowest_of_the_best_by_hand():
    # Fused with share s: 1 s + 0.2 (1 - s) for the right one, 0.5 s + 0.6 (1 - s) for the other;
    # the right one is ahead from s = 4 / 9 on.
    one = asked({0}, {0: 4.0, 1: 2.0}, {0: 0.2, 1: 0.6})
    assert best_share([one]) == 0.45
    assert fused(0.45)(one)[0] == pytest.approx(0.45 + 0.55 * 0.2)
    # And up to 0.6 for one whose words mislead: 0.5 s + 0.8 (1 - s) against s + 0.05 (1 - s).
    other = asked({0}, {1: 2.0, 0: 1.0}, {0: 0.8, 1: 0.05})
    assert best_share([one, other, other]) == 0.45
    assert recall_at(1, [one, other], fused(0.55)) == 1.0
    assert recall_at(1, [one, other], fused(0.65)) == 0.5


# The table


def test_a_passage_is_right_if_it_is_part_of_the_paragraph(words):
    contexts = ["One two three. Four five six seven. Eight nine.", "Ten eleven."]
    rows = [Question("T", text, "What?", (Span("x", 0),)) for text in contexts]
    found = Collection.of(articles_of(rows) + articles_of([rows[1]]), words, 9)
    assert found.right == [frozenset({0, 1}), frozenset({2}), frozenset({3})]
    assert found.places() == [range(0, 3), range(3, 4)] and found.article == [0, 0, 1]


def test_questions_in_the_words_of_their_paragraph_all_find_it(words):
    model = without_values(small_model(words).eval())
    other = small_model(words, seed=5).eval(), words
    rows = retrieval(model, words, three_articles(), other)
    assert len(rows) == 2 * (1 + 3 + 3 * 3)
    assert {(r.first, r.five) for r in rows} == {(1.0, 1.0)}
    # Two ask for a paragraph of another article, one for another one of its own: all in vain.
    wrong = {0: paragraph(4), 4: paragraph(8), 3: paragraph(5)}
    found = table(retrieval(model, words, three_articles(wrong)))
    for method, vectors in (("words", ""), ("vectors", "empty"), ("hybrid", "final")):
        assert found["across", method, vectors, "all"][0] == pytest.approx(6 / 9)
    # Two of the three in the article on which no share was chosen.
    assert found["across", "hybrid", "final", "others"][0] == pytest.approx(1 / 3)


def test_inside_ranks_only_the_passages_of_the_article(words):
    """Asked for a paragraph of another article, each of its own three may come first; five hold."""
    model = without_values(small_model(words).eval())
    wrong = {i: paragraph((i + 3) % 9) for i in range(9)}
    found = table(retrieval(model, words, three_articles(wrong)))
    for method, vectors in (("vectors", "final"), ("words", ""), ("hybrid", "final")):
        assert found["across", method, vectors, "all"][0] == 0.0
        assert found["across", method, vectors, "all"][1] < 1.0
        assert found["inside", method, vectors, "all"][1] == 1.0


def test_every_answerable_question_counts_once_and_half_of_the_articles_report(words):
    model = small_model(words).eval()
    rows = retrieval(model, words, three_articles())
    assert {(r.articles, r.n) for r in rows} == {("all", 9), ("others", 3)}
    others = [r for r in rows if r.articles == "others"]
    assert next(r.share for r in others if (r.scope, r.vectors) == ("inside", "final")) == 0.3
    assert not any(r.vectors == "original" for r in rows)
    one = retrieval(model, words, three_articles()[:1])
    assert {(r.articles, r.n) for r in one} == {("all", 3)}


def test_a_memory_that_changes_nothing_gives_the_numbers_of_an_emptied_one(words):
    shuffled = {i: f"What do {PLACES[i]} and {PLACES[-i]} have?" for i in range(9)}
    model = small_model(words).eval()
    found = Collection.of(three_articles(shuffled), words, 254)
    with_memory = cosines_with_memory(model, words, found)
    assert float((with_memory - cosines_alone(model, words, found)).abs().max()) > 1e-3
    same = without_values(model)
    with_memory = cosines_with_memory(same, words, found)
    assert torch.allclose(with_memory, cosines_alone(same, words, found), atol=1e-5)
    rows = table(retrieval(same, words, three_articles(shuffled)))
    for (scope, method, vectors, articles), values in rows.items():
        if vectors == "final":
            assert values == rows[scope, method, "empty", articles]
