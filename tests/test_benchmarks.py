"""What the benchmarks are made of: fits, where to draw the line, and which questions are whose."""

import gzip
import json

import pytest
import torch

from app.answering import Answerer
from benchmarks import library_scale
from benchmarks.articles import kept_apart
from benchmarks.fitting import logistic, matrix, minimum, threshold
from storage.library import Library
from tests.fakes import CALIBRATION


def test_the_least_of_a_function_is_found():
    wanted = torch.tensor([1.0, -2.0], dtype=torch.float64)
    assert torch.allclose(minimum(lambda at: (at - wanted).square().sum(), 2), wanted, atol=1e-6)


def test_a_logistic_regression_is_at_the_least_of_its_penalised_loss():
    x = matrix([[0.0, 3.0], [1.0, 1.0], [2.0, 4.0], [3.0, 2.0], [4.0, 5.0], [5.0, 1.0]])
    y = torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    weights, bias = logistic(x, y, 0.02)
    # By hand: residuals sum to zero (the bias has no penalty), and each weight's pull from the
    # data equals that of its penalty, 0.04 w times the feature's variance.
    chances = torch.sigmoid(x @ torch.tensor(weights, dtype=torch.float64) + bias)
    assert float((chances - y).sum()) == pytest.approx(0.0, abs=1e-5)
    spread = x.std(0) + 1e-6
    pull = ((x - x.mean(0)) / spread).T @ (chances - y) / len(y)
    penalty = 0.04 * torch.tensor(weights, dtype=torch.float64) * spread
    assert torch.allclose(pull, -penalty, atol=1e-5)
    assert weights[0] > 0


def test_the_line_is_where_right_answers_outnumber_wrong_ones_by_most():
    judged = [(True, True, 0.9), (False, False, 0.6), (True, True, 0.5), (True, False, 0.1)]
    assert threshold(judged) == pytest.approx((0.6 + 0.9) / 2)
    more = [*judged, (True, True, 0.45), (True, True, 0.4)]
    assert threshold(more) == pytest.approx((0.1 + 0.4) / 2)


def test_calibration_and_report_share_articles_kept_apart_and_no_question(tmp_path):
    path = tmp_path / "squad-articles.jsonl.gz"
    with gzip.open(path, "wt") as file:
        for title in ("Scottish Parliament", "Normans"):  # kept apart, and trained on
            for i in range(40):
                row = {"title": title, "context": f"{title} {i}", "question": f"{title} {i}?"}
                file.write(json.dumps({**row, "answers": []}) + "\n")
    halves = [kept_apart(path, calibrates) for calibrates in (True, False)]
    assert all(set(articles) == {"Scottish Parliament"} for articles, _ in halves)
    one, other = ({q.question for q in questions} for _, questions in halves)
    assert one and other and not one & other and len(one | other) == 40


def test_the_made_up_library_is_sound_and_its_questions_lead_to_their_topics(tmp_path, reader):
    with Library(tmp_path) as library:
        library_scale.build(library, reader, documents=60, passages=130)
        assert library.verify() == []
        assert (len(library.documents()), library.passage_count()) == (60, 130)
        answerer = Answerer(library, reader, CALIBRATION)
        for number, question in enumerate(library_scale.QUESTIONS):
            assert f"topic{number} " in answerer.search(question)[0].text
