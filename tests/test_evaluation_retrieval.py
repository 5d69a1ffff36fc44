"""The table of retrieval: how it ranks, what it counts, and that it searches as the app does."""

import pytest
import torch
from transformers import AutoTokenizer

from app.searching import SENTENCE_SHARE
from armt_core.document_model import DocumentModel
from ingest.settings import DEFAULT_MODEL
from tests.test_training import small_model
from training.data.articles import Article, articles_of
from training.data.files import Question, Span
from training.evaluation.ranking import Asked, best_share, fused, recall_at
from training.evaluation.retrieval import RetrievalRow, retrieval
from training.rows import Words

PLACES = ["Lindholm", "Ostend", "Riga", "Turku", "Faro", "Bergen", "Genoa", "Cork", "Split"]
TITLES = ["Able", "Baker", "A/B"]  # a share is chosen on the first and third by name


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


def a_model(memory_tokens: str = "apart") -> DocumentModel:
    words = Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))
    model = small_model(words).eval()
    model.config.memory_tokens = memory_tokens
    with torch.no_grad():
        model.associative.value.normal_(std=2.0)
    model.config.answers_from_memory = True
    return DocumentModel(model, words.tokenizer, "small")


def table(rows: list[RetrievalRow]) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    return {(r.scope, r.memory, r.method, r.articles): (r.first, r.five) for r in rows}


VECTORS, BEST = "vectors of whole passages", "vectors of passages and best sentences"


def test_questions_in_the_words_of_their_paragraph_all_find_it():
    rows = retrieval(a_model(), three_articles())
    assert {(r.first, r.five) for r in rows} == {(1.0, 1.0)}
    assert {(r.articles, r.n) for r in rows} == {("all", 9), ("others", 3)}
    # Two ask for a paragraph of another article, one for another one of its own: all in vain.
    wrong = {0: paragraph(4), 4: paragraph(8), 3: paragraph(5)}
    found = table(retrieval(a_model(), three_articles(wrong)))
    for method in ("words (BM25)", VECTORS, BEST, "hybrid, words 0.30"):
        assert found["across", "final", method, "all"][0] == pytest.approx(6 / 9)


def test_inside_ranks_only_the_passages_of_the_article():
    """Asked for a paragraph of another article, each of its own three may come first; five hold."""
    wrong = {i: paragraph((i + 3) % 9) for i in range(9)}
    found = table(retrieval(a_model(), three_articles(wrong)))
    for method in ("words (BM25)", VECTORS, "hybrid, words 0.30"):
        assert found["across", "final", method, "all"][0] == 0.0
        assert found["across", "final", method, "all"][1] < 1.0
        assert found["inside", "final", method, "all"][1] == 1.0


def test_one_article_alone_has_none_to_report_a_chosen_share_on():
    rows = retrieval(a_model(), three_articles()[:1])
    assert {(r.articles, r.n) for r in rows} == {("all", 3)}


def test_an_emptied_memory_has_rows_of_its_own_where_vectors_depend_on_it():
    vague = {i: f"What do {PLACES[i]} and {PLACES[-i]} have?" for i in range(9)}
    rows = table(retrieval(a_model("own"), three_articles(vague)))
    assert {memory for _, memory, _, _ in rows} == {"final", "empty"}
    final = {key: v for key, v in rows.items() if key[1] == "final" and key[2] == VECTORS}
    assert final != {key: v for key, v in rows.items() if key[1] == "empty" and key[2] == VECTORS}
    assert {m for _, m, _, _ in table(retrieval(a_model(), three_articles(vague)))} == {"final"}
    assert 0 < SENTENCE_SHARE < 1


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
