"""To which memory tokens facts belong: the matching by hand and in a text."""

import itertools
import random

import torch

from armt_core.apart import middles, stretches
from tests.fakes import tiny_model
from training.hiding import Place
from training.objectives.seeing import owners, who_sees


def cost(own: tuple[int | None, ...], away: list[list[float]]) -> tuple[int, float]:
    """How many facts have no token, and how far the others are from theirs."""
    there = [(i, m) for i, m in enumerate(own) if m is not None]
    return len(own) - len(there), sum(away[i][m] for i, m in there)


def possible(seen: list[list[bool]]) -> list[tuple[int | None, ...]]:
    """Every way to give facts tokens that see them, in order, none twice."""
    choices = [[None, *(m for m, sees in enumerate(row) if sees)] for row in seen]
    found = []
    for own in itertools.product(*choices):
        there = [m for m in own if m is not None]
        if all(one < other for one, other in itertools.pairwise(there)):
            found.append(own)
    return found


def test_facts_belong_to_tokens_as_the_best_of_all_possible_ways_has_it():
    draw = random.Random(0)
    for _ in range(50):
        seen = [[draw.random() < 0.5 for _ in range(4)] for _ in range(4)]
        away = [[draw.uniform(0, 9) for _ in range(4)] for _ in range(4)]
        best = min(possible(seen), key=lambda own: cost(own, away))
        assert owners(seen, away) == list(best)


def test_of_two_facts_side_by_side_each_has_its_own_token_and_one_alone_all_that_see_it():
    model = tiny_model(memory_tokens="apart", num_memory_tokens=4)
    mask = torch.ones(1, 32, dtype=torch.bool)  # stretches of 8 tokens, each seen with its sides
    places = [Place(0, 9, 12), Place(0, 13, 16), Place(0, 25, 28)]
    first, second, alone = who_sees([places], [mask], 0, model)[0]
    views = stretches(mask, 4)[0]
    assert middles(mask, 4).tolist() == [[4.0, 12.0, 20.0, 28.0]]
    sees = [views[:, p.first : p.last].all(-1).tolist() for p in places]
    assert sees == [
        [True, True, False, False],
        [False, True, True, False],
        [False] * 2 + [True] * 2,
    ]
    # The second token is the nearest to both, and the third, which sees the second fact alone, has
    # the other one.
    assert first.tolist() == [[True, True, False, False]]
    assert second.tolist() == [[False, False, True, False]]
    assert alone.tolist() == [[False, False, True, True]] or alone.tolist() == [
        [False] * 3 + [True]
    ]


def test_more_facts_than_tokens_share_what_sees_them_and_facts_outside_have_none():
    model = tiny_model(memory_tokens="apart", num_memory_tokens=1)
    mask = torch.ones(1, 24, dtype=torch.bool)
    places = [Place(0, 2, 6), Place(1, 2, 6), Place(1, 8, 12)]
    outside, one, other = who_sees([places], [mask], 1, model)[0]
    assert outside is None and one.tolist() == other.tolist() == [[True]]
