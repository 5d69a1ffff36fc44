"""The memory's confidence: what it is fitted on, what is judged, and where the line is."""

import random
from pathlib import Path

import pytest

from app.support import MemoryCalibration
from armt_core.document_model import Said
from benchmarks import memory_answers
from benchmarks.memory_answers import Judged, Kind, fitted, memory_calibration, surest


def judged(kind: Kind, right: bool, chance: float, urgency: float = 1.0) -> Judged:
    return Judged(Said("garden" if chance else "", chance, urgency), right, kind)


def drawn(n: int) -> list[Judged]:
    """Answers that are right as often as the model's own chance says."""
    draw = random.Random(0)
    chances = [draw.uniform(0.02, 0.98) for _ in range(n)]
    return [judged("stories", draw.random() < p, p, draw.random()) for p in chances]


def test_a_chance_that_is_right_already_is_left_as_it_is():
    found = fitted(drawn(4000))
    for chance in (0.1, 0.5, 0.9):
        assert found.confidence(Said("", chance, 0.5)) == pytest.approx(chance, abs=0.03)


def test_one_wrong_answer_in_five_hundred_does_not_move_the_line():
    wrong = [0.3, 0.97, 0.6, 0.9]
    assert [surest(wrong, asked) for asked in (499, 500, 999, 1000, 2000)] == [
        0.97, 0.9, 0.9, 0.6, 0.0,
    ]  # fmt: skip
    assert surest([], 10) == 0


def test_the_line_lies_above_wrong_answers_about_articles_and_every_kind_is_counted(
    monkeypatch,
):
    articles = [judged("articles", False, 0.9), judged("articles", False, 0.3)]
    others = [judged("untold", False, 0.95), judged("decoys", False, 0.0)]
    others += [judged("wordings", True, 0.97), judged("wordings", True, 0.2)]
    monkeypatch.setattr(memory_answers, "kept_apart", lambda path, calibrates: ({}, []))
    told = [*drawn(400), *others]
    monkeypatch.setattr(memory_answers, "_stories", lambda model, data, other: told)
    monkeypatch.setattr(memory_answers, "_articles", lambda model, texts, asked: articles)
    values, figures = memory_calibration(None, Path())  # type: ignore[arg-type]
    sure = MemoryCalibration(**values).confidence
    assert values["threshold"] == pytest.approx(sure(articles[0].said), abs=1e-3)
    assert figures["n"] == 400 + 2 + 3  # where nothing is said is left out
    assert 0.7 < figures["auroc"] < 0.95 and figures["calibration_error"] < 0.1
    assert (figures["articles"], figures["articles_given"]) == (2, 0)
    assert (figures["untold"], figures["untold_given"], figures["untold_right"]) == (1, 1, 0)
    assert (figures["decoys"], figures["decoys_given"]) == (1, 0)
    kinds = ("wordings", "wordings_right", "wordings_given", "wordings_given_right")
    assert [figures[name] for name in kinds] == [2, 2, 1, 1]
