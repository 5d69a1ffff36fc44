"""Small fits: the least of a function, a logistic regression, and where to draw the line.

Axes: n rows, F features.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional


def logistic(x: Tensor, y: Tensor, penalty: float) -> tuple[list[float], float]:
    """Weights and bias of a logistic regression of y (n,), 0 or 1, on x (n, F).

    penalty: times the squares of weights of standardised features, so that none is spared for its
    unit. It draws chances to the middle; few rows with many features need it.
    """
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread

    def loss(weights: Tensor) -> Tensor:
        logits = z @ weights[:-1] + weights[-1]
        drawn = penalty * weights[:-1].square().sum()
        return functional.binary_cross_entropy_with_logits(logits, y) + drawn

    fitted = minimum(loss, x.shape[1] + 1)
    weights = fitted[:-1] / spread
    return weights.tolist(), float(fitted[-1] - weights @ mean)


def minimum(loss: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """Where `loss` of (size,) float64 is least, from zero."""
    at = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([at], max_iter=200, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(at)
        value.backward()
        return value

    optimizer.step(step)
    return at.detach()


def matrix(rows: Sequence[Sequence[float]]) -> Tensor:
    """Rows of numbers as (n, F) float64."""
    return torch.tensor(rows, dtype=torch.float64)


def threshold(judged: Sequence[tuple[bool, bool, float]]) -> float:
    """Where right answers outnumber wrong ones by most; the middle of the best stretch.

    judged: (answerable, right page, confidence). An answer is wrong from another page than
    the right one, or to a question that has none; a refusal counts nothing either way.
    """

    def gain(threshold: float) -> int:
        return sum(1 if a and r else -1 for a, r, c in judged if c >= threshold)

    middles = [(a + b) / 2 for a, b in pairwise(sorted({c for _, _, c in judged}))]
    best = max(map(gain, middles))
    good = [t for t in middles if gain(t) == best]
    return good[len(good) // 2]
