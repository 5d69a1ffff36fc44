"""Which page a question leads to: words, vectors and both, with memory and without.

    python -m benchmarks.retrieval --data FOLDER

FOLDER holds qa/squad-articles.jsonl.gz. Each article becomes a document whose pages are
its paragraphs; a question is right if the first passage (or one of the first five) is on
its paragraph. The share of words in the fusion is chosen on every second article
(choosing) and reported on the others (report).
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from app.results import Memory
from app.searching import WORDS_SHARE, Searcher
from benchmarks.articles import ArticleQuestion, ingest_articles, load_articles
from benchmarks.results import print_table, write_result
from ingest.settings import open_reader
from storage.library import Library
from training.evaluation.ranking import Asked, Score, best_share, fused, recall_at


def main(arguments: list[str] | None = None) -> int:
    """0 when the tables are printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--questions", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    articles, questions = load_articles(options.data / "qa" / "squad-articles.jsonl.gz")
    questions = [asked for asked in questions if asked.answers]
    random.Random(options.seed).shuffle(questions)
    questions = questions[: options.questions]
    choosing = set(sorted(articles)[::2])

    model = open_reader()
    values: dict[str, object] = {"questions": len(questions), "articles": len(articles)}
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library")) as library:
        ids = ingest_articles(articles, Path(folder), library, model)
        for scope in ("inside", "across"):
            memories: tuple[Memory, ...] = ("final", "empty")
            for memory in memories:
                inside = scope == "inside"
                own = _ask(questions, ids, Searcher(library, model, False), memory, inside)
                asked = _ask(questions, ids, Searcher(library, model), memory, inside)
                chosen = [a for a in asked if a.article in choosing]
                report = [a for a in asked if a.article not in choosing]
                share = best_share(chosen)
                whole = [a for a in own if a.article not in choosing]
                rows = _rows(report, whole, share)
                print(f"\n{scope} documents, {memory} memory, n = {len(report)}")
                print_table(["method", "recall@1", "recall@5"], rows)
                values[f"{scope}, {memory}"] = {
                    "n": len(report),
                    "best_share_of_words_when_choosing": share,
                    **{row[0]: {"recall@1": row[1], "recall@5": row[2]} for row in rows},
                }
    write_result("retrieval", values)
    return 0


def _ask(
    questions: list[ArticleQuestion],
    ids: dict[str, str],
    searcher: Searcher,
    memory: Memory,
    inside: bool,
) -> list[Asked]:
    library = searcher.library
    on_page: dict[tuple[str, int], set[int]] = {}
    for document_id in ids.values():
        for passage in library.passages(document_id):
            on_page.setdefault((document_id, passage.page), set()).add(passage.id)
    asked = []
    for item in questions:
        document_id = ids[item.article]
        scopes = searcher.scopes(item.question, [document_id] if inside else None, None, memory)
        words, cosines = searcher.scores(item.question, scopes)
        right = frozenset(on_page.get((document_id, item.paragraph), set()))
        asked.append(Asked(item.article, right, words, cosines))
    return asked


def _reciprocal_ranks(item: Asked) -> dict[int, float]:
    """Plain reciprocal rank fusion, for comparison."""
    scores: dict[int, float] = {}
    for source in (item.words, item.cosines):
        ranked = sorted(source, key=lambda number: -source[number])
        for rank, number in enumerate(ranked, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (60 + rank)
    return scores


def _rows(report: list[Asked], whole: list[Asked], chosen: float) -> list[list[str]]:
    """report: the questions with the vectors as shipped; whole: with those of passages alone."""
    methods: list[tuple[str, list[Asked], Score]] = [
        ("words (BM25)", report, lambda a: a.words),
        ("vectors of whole passages", whole, lambda a: a.cosines),
        ("vectors of passages and best sentences", report, lambda a: a.cosines),
        ("reciprocal ranks of words and vectors", report, _reciprocal_ranks),
        (f"hybrid as shipped (words {WORDS_SHARE:.2f})", report, fused(WORDS_SHARE)),
        (f"hybrid, share chosen ({chosen:.2f})", report, fused(chosen)),
    ]
    return [
        [name, *(f"{100 * recall_at(k, part, how):.1f}" for k in (1, 5))]
        for name, part, how in methods
    ]


if __name__ == "__main__":
    sys.exit(main())
