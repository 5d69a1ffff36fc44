"""Spans and refusals on articles that were kept apart, each question with its own paragraph.

Axes: B rows, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.spans import QUESTION_TOKENS, best_span
from training.data.articles import Article, Passage, passages_of
from training.data.files import Question
from training.depth import read_documents
from training.evaluation.metrics import auroc, exact_match, f1, with_interval
from training.rows import Words, beside


@dataclass(frozen=True)
class SpanRow:
    """answerable, unanswerable: n of each. exact, overlap: of the answerable when a span must be
    given. mixed: F1 over as many unanswerable as answerable questions, at the threshold that
    refuses at most 10 % of the answerable. roc: area under the curve of the no-answer score."""

    memory: str
    answerable: int
    unanswerable: int
    exact: float
    overlap: float
    mixed: float
    roc: float

    columns: ClassVar = (
        "spans, memory", "n", "EM", "F1", "F1 with unanswerable 1:1", "AUROC of not found",
    )  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        """What stands under `columns`."""
        n = f"{self.answerable} + {self.unanswerable}"
        exact, overlap = with_interval(self.exact, self.answerable), f"{self.overlap:.1%}"
        return self.memory, n, exact, overlap, f"{self.mixed:.1%}", f"{self.roc:.3f}"


@torch.inference_mode()
def spans(
    model: ArmtModel, words: Words, articles: Sequence[Article], most: int, memory: bool
) -> SpanRow:
    """At most `most` questions of each kind. memory: read each article first, all of it."""
    given: list[tuple[Question, str, float]] = []
    left = {True: most, False: most}
    for article in articles:
        split = passages_of(article.contexts, words.tokenizer, model.config.segment_tokens - 2)
        document = [words.segment(p.tokens) for passages in split for p in passages]
        state = read_documents(model, [document], words.pad) if memory else None
        for passages, questions in zip(split, article.questions, strict=True):
            wanted = []
            for question in questions:
                if left[bool(question.answers)] > 0:
                    left[bool(question.answers)] -= 1
                    wanted.append(question)
            given += [(q, *_answer(model, words, q.question, passages, state)) for q in wanted]
    answered = [(f1(text, [a.text for a in q.answers]), q, text, m) for q, text, m in given]
    yes = [row for row in answered if row[1].answers]
    no = [row for row in answered if not row[1].answers]
    margins = sorted(row[3] for row in yes)
    threshold = margins[len(margins) // 10] if margins else 0.0
    kept = [row[0] if row[3] >= threshold else 0.0 for row in yes]
    refused = [float(row[3] < threshold) for row in no]
    mixed = (_mean(kept) + _mean(refused)) / 2
    return SpanRow(
        "final" if memory else "empty",
        len(yes),
        len(no),
        _mean([exact_match(row[2], [a.text for a in row[1].answers]) for row in yes]),
        _mean([row[0] for row in yes]),
        mixed,
        auroc([row[3] for row in yes], [row[3] for row in no]),
    )


def _answer(
    model: ArmtModel,
    words: Words,
    question: str,
    passages: list[Passage],
    memory: MemoryState | None,
) -> tuple[str, float]:
    """The best span of the passages of a context and its margin."""
    assert model.span is not None
    (asked,) = words.encode([question])
    asked = asked[:QUESTION_TOKENS]
    laid = beside(words, [asked] * len(passages), [p.tokens for p in passages])
    ids, mask, inside = (t.to(model.device) for t in laid)
    before = len(asked) + 2
    hidden, _ = model.run(ids, mask, memory, role="reader")
    first, last = model.span(hidden, inside)
    best = ("", -torch.inf)
    for b, passage in enumerate(passages):
        start, end, margin = best_span(first[b], last[b])
        if margin > best[1]:
            a, z = passage.offsets[start - before][0], passage.offsets[end - before][1]
            shift = passage.offsets[0][0]
            best = (passage.text[a - shift : z - shift], margin)
    return best


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
