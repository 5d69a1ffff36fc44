"""How often an answer from memory alone is right, by what the model says of it.

Stories of bAbI hidden in books and articles, all kept apart from training, are read; their
questions, and of stories some that they do not tell of, are answered from memory. Used by
`python -m benchmarks.calibrate`.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from app.support import MemoryCalibration, logit
from armt_core.document_model import DocumentModel, Said
from armt_core.memory import MemoryState
from benchmarks.articles import ArticleQuestion, kept_apart
from benchmarks.fitting import logistic, matrix, threshold
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
    answers = [(said, hit, False) for said, hit in told_of if said.chance]
    others = strange + _articles(model, articles, asked)
    answers += [(said, hit, True) for said, hit in others if said.chance]
    random.Random(0).shuffle(answers)
    fitted, held_out = answers[::2], answers[1::2]
    rows = matrix([(logit(said.chance), said.urgency) for said, _, _ in fitted])
    right = torch.tensor([float(hit) for _, hit, _ in fitted], dtype=torch.float64)
    (chance, urgency), bias = logistic(rows, right)
    free = MemoryCalibration(chance, urgency, bias, 0.0)
    line = threshold([(True, hit, free.confidence(said)) for said, hit, _ in fitted])
    # Other documents and questions than of stories are what people have: surer than at any wrong
    # answer to those.
    line = max([line, *(free.confidence(said) for said, hit, article in answers if article > hit)])
    told = [(free.confidence(said), hit) for said, hit, _ in held_out]
    given = [hit for said, hit, article in answers if free.confidence(said) > line and not article]
    values = {"chance": chance, "urgency": urgency, "bias": bias, "threshold": line}
    return {name: round(value, 4) for name, value in values.items()}, {
        "n": len(told),
        "right": sum(hit for _, hit in told) / len(told),
        "stories": sum(not article for _, _, article in answers),
        "stories_right": sum(hit for _, hit, article in answers if not article),
        "stories_given": len(given),
        "stories_given_right": sum(given),
        "auroc": auroc([c for c, hit in told if hit], [c for c, hit in told if not hit]),
        "calibration_error": calibration_error([c for c, _ in told], [hit for _, hit in told]),
    }


#: An answer, and whether it is right.
_Judged = tuple[Said, bool]


def _stories(
    model: DocumentModel, data: Path, other: Sequence[str]
) -> tuple[list[_Judged], list[_Judged]]:
    """Answers to the question of each story, and to `STRANGE` of `other`, of which it tells
    nothing."""
    words, draw = Words.of(model.tokenizer), random.Random(0)
    answers: list[_Judged] = []
    strange: list[_Judged] = []
    texts, most = Texts(files.books(data, "dev"), words), model.text_tokens
    for task in TASKS:
        stories = [q for q in files.babi(data, task, "dev") if fits(q.facts, min(SEGMENTS), most)]
        for question in draw.sample(stories, STORIES):
            length = draw.choice(SEGMENTS)
            story = hide(words, question.facts, texts, length, most, draw)
            memory = read_documents(model.model, [[words.segment(s) for s in story]], words.pad)
            said = model.answer(question.question, memory)
            answers.append((said, said.text.strip() == question.answer))
            strange += [(model.answer(q, memory), False) for q in draw.sample(other, STRANGE)]
    return answers, strange


def _articles(
    model: DocumentModel,
    articles: Mapping[str, Sequence[str]],
    questions: Sequence[ArticleQuestion],
) -> list[_Judged]:
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
        answers.append((said, right))
    return answers
