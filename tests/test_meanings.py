"""What questions and facts mean: the two losses by hand, and what they teach."""

import math

import pytest
import torch
from torch import Tensor

from training.objectives.meanings import key_loss, question_loss

NORTH, SOUTH = "What is north of the kitchen?", "What is south of the kitchen?"


def layers(*vectors: list[float]) -> Tensor:
    """These vectors in each of three layers, of which the first does not count."""
    found = torch.tensor(vectors).expand(3, -1, -1).clone()
    found[0] = torch.rand_like(found[0])
    return found


def test_a_question_is_drawn_to_others_that_mean_the_same_and_stand_in_other_rows():
    queries = layers([2.0, 0.0], [0.6, 0.8], [0.8, 0.6])
    meanings, rows = [NORTH, NORTH, SOUTH], torch.tensor([0, 1, 1])
    # Cosines with what means the same: 0.6; with the other meaning: 0.8 and 0.96. In tenths.
    expected = [math.log(1 + math.exp(2.0)), math.log(1 + math.exp(3.6))]
    loss, right = question_loss(queries, meanings, rows)
    assert float(loss) == pytest.approx(sum(expected) / 2, rel=1e-4) and right == 0
    # In one row they are no pair: a row says the same of itself twice.
    loss, right = question_loss(queries, meanings, torch.tensor([1, 1, 0]))
    assert float(loss) == 0 and right == 0
    found = question_loss(layers([2.0, 0.0], [0.8, 0.6], [0.0, 1.0]), meanings, rows)[1]
    assert found == 1


def test_a_key_is_drawn_to_every_question_that_its_fact_answers():
    # Two questions of one meaning, whose mean is along the first axis, and one of another.
    queries = layers([0.8, 0.6], [0.8, -0.6], [0.0, 3.0])
    keys = torch.zeros(3, 1, 1, 2, 2)
    keys[:, 0, 0, 0] = torch.tensor([0.6, 0.8])
    held = {(0, 0, 0): {NORTH, "What is east of the garden?"}}
    loss, right = key_loss(keys, held, queries, [NORTH, NORTH, SOUTH])
    # 0.6 with its own, 0.8 with the other one; of the garden nobody asks.
    assert float(loss) == pytest.approx(math.log(1 + math.exp(2.0)), rel=1e-4) and right == 0
    # A fact that answers both has no rival left.
    loss, right = key_loss(keys, {(0, 0, 0): {NORTH, SOUTH}}, queries, [NORTH, NORTH, SOUTH])
    assert float(loss) == pytest.approx(0, abs=1e-6) and right == 1
    loss, right = key_loss(keys, {(0, 0, 1): {"What is that?"}}, queries, [NORTH, NORTH, SOUTH])
    assert float(loss) == 0 and right == 0


def test_both_sides_of_a_fact_count_the_worse_one_too():
    queries = layers([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    meanings = [NORTH, SOUTH, "What is east of the kitchen?"]
    keys = torch.zeros(3, 1, 1, 1, 3)
    keys[..., :] = torch.tensor([0.9, 0.0, 0.3])
    _, right = key_loss(keys, {(0, 0, 0): {NORTH, SOUTH}}, queries, meanings)
    assert right == 0.5  # its north is found, its south is farther than a question of the east


def test_the_losses_leave_the_first_third_of_the_layers_to_themselves():
    queries = layers([2.0, 0.0], [0.6, 0.8], [0.8, 0.6]).requires_grad_()
    loss, _ = question_loss(queries, [NORTH, NORTH, SOUTH], torch.tensor([0, 1, 1]))
    (found,) = torch.autograd.grad(loss, queries)
    assert not found[0].any() and bool(found[1].any()) and bool(found[2].any())
