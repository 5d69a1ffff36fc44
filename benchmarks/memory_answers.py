"""How often an answer from memory alone is right, by what the model says of it.

Stories of bAbI hidden in books and articles, all kept apart from training, are read; their
questions, in bAbI's words and in others, and of stories some that they do not tell of, are answered
from memory: questions about articles, questions about tales into which names of stories were put,
and what people ask to try a memory ("Why is John sad?").
Used by `python -m benchmarks.calibrate`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from app.support import MemoryCalibration, logit
from armt_core.document_model import DocumentModel, Said
from armt_core.memory import MemoryState
from benchmarks.articles import ArticleQuestion, kept_apart
from benchmarks.fitting import logistic, matrix, threshold
from training.data import files
from training.decoys import decoy_question, strange
from training.depth import read_documents
from training.evaluation.metrics import auroc, calibration_error, exact_match
from training.hiding import fits, hide
from training.rows import Words
from training.text import Texts
from training.wordings import UNTOLD_APART, WORDINGS_APART, reworded, untold

TASKS, SEGMENTS, STORIES, STRANGE, QUESTIONS = (1, 2, 3, 4, 5), (4, 16), 48, 2, 160
#: An answer is judged by what was fitted on the others of so many parts.
PARTS = 5
#: Two features: hardly any is needed. With twenty times as much, chances are drawn to the middle.
PENALTY = 0.001
#: Share of questions about articles that may be given a wrong answer. With none at all the surest
#: of 640, one alone, left 80 of 240 answers to stories where 188 stay (docs/decisions.md).
TOLERATED = 0.002
#: Sets of questions about tales and sentences.
OTHERS = ("fairytaleqa", "qamr")
Kind = Literal["stories", "wordings", "decoys", "untold", "articles"]


@dataclass(frozen=True)
class Judged:
    """An answer from memory. of: a story's own question; the same in other words; one about a tale
    with names of stories in it; one that people try a memory with; one about an article."""

    said: Said
    right: bool
    of: Kind


def memory_calibration(
    model: DocumentModel, data: Path
) -> tuple[dict[str, float], dict[str, float | int]]:
    """What answering.json says of memory, and how well that holds: each answer is judged by the fit
    of the other four parts of five; the threshold looks at wrong ones of all."""
    articles, asked = kept_apart(data / "qa" / "squad-articles.jsonl.gz", calibrates=True)
    judged = _stories(model, data, [q.question for q in asked if q.answers])
    judged += _articles(model, articles, asked)
    # Where nothing is said there is nothing to be sure of.
    answers = [answer for answer in judged if answer.said.chance]
    random.Random(0).shuffle(answers)
    parts = [fitted([a for i, a in enumerate(answers) if i % PARTS != n]) for n in range(PARTS)]
    told = [(parts[i % PARTS].confidence(a.said), a.right) for i, a in enumerate(answers)]
    whole = fitted(answers)
    sure = whole.confidence
    line = threshold([(True, a.right, sure(a.said)) for a in answers])
    # Other documents and questions than of stories are what people have: surer than at hardly any
    # wrong answer to those.
    wrong = [sure(a.said) for a in answers if a.of == "articles" and not a.right]
    line = max(line, surest(wrong, sum(a.of == "articles" for a in judged)))
    values = vars(whole) | {"threshold": line}
    figures: dict[str, float | int] = {
        "n": len(told),
        "right": sum(hit for _, hit in told) / len(told),
        "auroc": auroc([c for c, hit in told if hit], [c for c, hit in told if not hit]),
        "calibration_error": calibration_error([c for c, _ in told], [hit for _, hit in told]),
    }
    for kind in get_args(Kind):
        given = [a for a in answers if a.of == kind and sure(a.said) > line]
        figures |= {
            f"{kind}": sum(a.of == kind for a in judged),
            f"{kind}_right": sum(a.right for a in judged if a.of == kind),
            f"{kind}_given": len(given),
            f"{kind}_given_right": sum(a.right for a in given),
        }
    return {name: round(value, 4) for name, value in values.items()}, figures


def surest(wrong: Sequence[float], asked: int) -> float:
    """The highest confidence in a wrong answer, but for the `TOLERATED` share of those asked; 0
    without any. wrong: the confidences in wrong answers to so many questions."""
    return max(sorted(wrong, reverse=True)[int(TOLERATED * asked) :], default=0.0)


def fitted(answers: Sequence[Judged]) -> MemoryCalibration:
    """The confidence that says best which of these answers are right; no threshold."""
    rows = matrix([(logit(a.said.chance), a.said.urgency) for a in answers])
    right = torch.tensor([float(a.right) for a in answers], dtype=torch.float64)
    (chance, urgency), bias = logistic(rows, right, PENALTY)
    return MemoryCalibration(chance, urgency, bias, 0.0)


def _stories(model: DocumentModel, data: Path, other: Sequence[str]) -> list[Judged]:
    """Answers to the question of each story, to the same in other words, to `STRANGE` of `other`,
    and to as many of two more kinds, of which it tells nothing."""
    words, draw = Words.of(model.tokenizer), random.Random(0)
    answers: list[Judged] = []
    texts, most = Texts(files.books(data, "dev"), words), model.text_tokens
    tales = strange([q.question for name in OTHERS for q in files.questions(data, name, "dev")])
    for task in TASKS:
        stories = [q for q in files.babi(data, task, "dev") if fits(q.facts, min(SEGMENTS), most)]
        for question in draw.sample(stories, STORIES):
            length = draw.choice(SEGMENTS)
            story = hide(words, question.facts, texts, length, most, draw)
            memory = read_documents(model.model, [[words.segment(s) for s in story]], words.pad)
            other_words = reworded(question.question, draw, WORDINGS_APART)
            own: tuple[tuple[Kind, str], ...] = (
                ("stories", question.question), ("wordings", other_words)
            )  # fmt: skip
            for kind, q in own:
                said = model.answer(q, memory)
                answers.append(Judged(said, said.text.strip() == question.answer, kind))
            for q in draw.sample(other, STRANGE):
                answers.append(Judged(model.answer(q, memory), False, "articles"))
            for q in draw.sample(tales, STRANGE):
                said = model.answer(decoy_question(q, draw), memory)
                answers.append(Judged(said, False, "decoys"))
                said = model.answer(untold(draw, UNTOLD_APART), memory)
                answers.append(Judged(said, False, "untold"))
    return answers


def _articles(
    model: DocumentModel,
    articles: Mapping[str, Sequence[str]],
    questions: Sequence[ArticleQuestion],
) -> list[Judged]:
    memories: dict[str, MemoryState] = {}
    for title, paragraphs in articles.items():
        memory = model.model.empty_memory()
        for paragraph in paragraphs:
            _, memory = model.read(paragraph, memory)
        memories[title] = memory
    answers = []
    for question in questions[:QUESTIONS]:
        said = model.answer(question.question, memories[question.article])
        right = bool(question.answers) and exact_match(said.text, question.answers) > 0
        answers.append(Judged(said, right, "articles"))
    return answers
