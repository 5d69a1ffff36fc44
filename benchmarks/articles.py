"""Articles with questions, as documents whose pages are their paragraphs."""

import gzip
import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from training.data.splits import split_of


@dataclass(frozen=True)
class ArticleQuestion:
    """A question on a paragraph of an article; no answers: the article does not answer it."""

    question: str
    article: str
    paragraph: int
    answers: tuple[str, ...]


def kept_apart(path: Path, calibrates: bool) -> tuple[dict[str, list[str]], list[ArticleQuestion]]:
    """Paragraphs and shuffled questions of the articles that were never trained on.

    calibrates: of the questions the half that calibration may see; else the half it never does.
    """
    articles, questions = load_articles(path)
    articles = {name: text for name, text in articles.items() if split_of(name) == "dev"}
    chosen = [
        q
        for q in questions
        if q.article in articles
        and calibrates == (hashlib.sha256(q.question.encode()).digest()[0] % 2 == 0)
    ]
    random.Random(0).shuffle(chosen)
    return articles, chosen


def load_articles(path: Path) -> tuple[dict[str, list[str]], list[ArticleQuestion]]:
    """Paragraphs by article, and the questions, of a .jsonl.gz with title, context, answers."""
    articles: dict[str, list[str]] = {}
    places: dict[str, tuple[str, int]] = {}
    questions = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            # As a file name, which becomes the document's title.
            title, context = row["title"].replace("/", "_"), row["context"].strip()
            if context not in places:
                places[context] = (title, len(articles.setdefault(title, [])))
                articles[title].append(context)
            answers = tuple(answer["text"] for answer in row["answers"])
            questions.append(ArticleQuestion(row["question"], *places[context], answers))
    return articles, questions
