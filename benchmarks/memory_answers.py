"""How often an answer from memory alone is right, by what the model says of it.

Stories of bAbI hidden in books and articles, all kept apart from training, are read; their
questions, and of stories some that they do not tell of, are answered from memory. Used by
`python -m benchmarks.calibrate`.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from app.support import MemoryCalibration
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from benchmarks.articles import ArticleQuestion, kept_apart
from benchmarks.fitting import logistic, threshold
from training.data import files
from training.depth import read_documents
from training.evaluation.metrics import auroc, calibration_error, exact_match
from training.hiding import fits, hide
from training.rows import Words
from training.text import Texts

TASKS, SEGMENTS, STORIES, STRANGE, QUESTIONS = (1, 2, 3, 4, 5), (4, 16), 24, 4, 160


def memory_calibration(
    model: DocumentModel, data: Path
) -> tuple[dict[str, float], dict[str, float | int]]:
    """What answering.json says of memory, and how well that holds: the confidence is fitted on one
    half of the answers and reported on the other; the threshold looks at wrong ones of both."""
    # Where nothing is said there is nothing to be sure of.
    articles, asked = kept_apart(data / "qa" / "squad-articles.jsonl.gz", calibrates=True)
    told_of, strange = _stories(model, data, [q.question for q in asked if q.answers])
    answers = [(raw, hit, False) for raw, hit in told_of if raw]
    others = strange + _articles(model, articles, asked)
    answers += [(raw, hit, True) for raw, hit in others if raw]
    random.Random(0).shuffle(answers)
    fitted, held_out = answers[::2], answers[1::2]
    rows = torch.tensor([[_logit(raw)] for raw, _, _ in fitted], dtype=torch.float64)
    right = torch.tensor([float(hit) for _, hit, _ in fitted], dtype=torch.float64)
    (slope,), bias = logistic(rows, right)
    free = MemoryCalibration(slope, bias, 0.0)
    line = threshold([(True, hit, free.confidence(raw)) for raw, hit, _ in fitted])
    # Other documents and questions than of stories are what people have: surer than at any wrong
    # answer to those.
    line = max([line, *(free.confidence(raw) for raw, hit, article in answers if article > hit)])
    told = [(free.confidence(raw), hit) for raw, hit, _ in held_out]
    return {"slope": round(slope, 4), "bias": round(bias, 4), "threshold": round(line, 4)}, {
        "n": len(told),
        "right": sum(hit for _, hit in told) / len(told),
        "auroc": auroc([c for c, hit in told if hit], [c for c, hit in told if not hit]),
        "calibration_error": calibration_error([c for c, _ in told], [hit for _, hit in told]),
    }


def _logit(raw: float) -> float:
    raw = min(max(raw, 1e-6), 1 - 1e-6)
    return float(torch.logit(torch.tensor(raw, dtype=torch.float64)))


#: Raw confidence of an answer, and whether it is right.
_Said = tuple[float, bool]


def _stories(
    model: DocumentModel, data: Path, other: Sequence[str]
) -> tuple[list[_Said], list[_Said]]:
    """Answers to the question of each story, and to `STRANGE` of `other`, of which it tells
    nothing."""
    words, draw = Words.of(model.tokenizer), random.Random(0)
    answers: list[_Said] = []
    strange: list[_Said] = []
    texts, most = Texts(files.books(data, "dev"), words), model.text_tokens
    for task in TASKS:
        stories = [q for q in files.babi(data, task, "dev") if fits(q.facts, min(SEGMENTS), most)]
        for question in draw.sample(stories, STORIES):
            length = draw.choice(SEGMENTS)
            story = hide(words, question.facts, texts, length, most, draw)
            memory = read_documents(model.model, [[words.segment(s) for s in story]], words.pad)
            said, raw = model.answer(question.question, memory)
            answers.append((raw, said.strip() == question.answer))
            strange += [(model.answer(q, memory)[1], False) for q in draw.sample(other, STRANGE)]
    return answers, strange


def _articles(
    model: DocumentModel,
    articles: Mapping[str, Sequence[str]],
    questions: Sequence[ArticleQuestion],
) -> list[_Said]:
    memories: dict[str, MemoryState] = {}
    for title, paragraphs in articles.items():
        memory = model.model.empty_memory()
        for paragraph in paragraphs:
            _, memory = model.read(paragraph, memory)
        memories[title] = memory
    answers = []
    for question in questions[:QUESTIONS]:
        said, raw = model.answer(question.question, memories[question.article])
        right = bool(question.answers) and exact_match(said, question.answers) > 0
        answers.append((raw, right))
    return answers
