"""The time series of Mackey and Glass (Science 197, 1977), integrated here.

    dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t),        tau = 17: chaotic

Runge-Kutta of the fourth order with a fixed step; x(t - tau) in the middle of a step is a cubic
through the four values around it. Half the step changes values by some 2e-7 (a series has kinks at
multiples of tau, so it is less exact than the order says).

Axes: B series, N values.
"""

import numpy as np
from numpy.typing import NDArray

TAU, STEP = 17.0, 0.1
#: Units of time before the first value, in which a series forgets how it began.
SETTLES = 300.0

Values = NDArray[np.float64]


def mackey_glass(
    history: Values, values: int, every: float, settles: float = SETTLES, step: float = STEP
) -> Values:
    """(B, N): so many values of each series, `every` so many units of time, after `settles`.

    history: (B,), what x was at all times up to 0. tau, every and settles must be whole
    numbers of steps.
    """
    lag, stride, first = (_steps(time, step) for time in (TAU, every, settles))
    x = np.empty((lag + first + (values - 1) * stride + 1, len(history)))
    x[: lag + 1] = history
    for now in range(lag, len(x) - 1):
        before = x[now - lag : now - lag + 2]  # at the begin and the end of the step, tau ago
        # The cubic in the middle; next to x(0), where the series has a kink, a straight line.
        if now - lag < lag + 1:
            middle = before.mean(0)
        else:
            middle = (9 * before.sum(0) - x[now - lag - 1] - x[now - lag + 2]) / 16
        k1 = _change(x[now], before[0])
        k2 = _change(x[now] + step / 2 * k1, middle)
        k3 = _change(x[now] + step / 2 * k2, middle)
        k4 = _change(x[now] + step * k3, before[1])
        x[now + 1] = x[now] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x[lag + first :: stride].T.copy()


def _change(x: Values, delayed: Values) -> Values:
    """dx/dt."""
    return 0.2 * delayed / (1 + delayed**10) - 0.1 * x


def _steps(time: float, step: float) -> int:
    steps = round(time / step)
    if abs(steps * step - time) > 1e-9:
        raise ValueError(f"{time} is not a whole number of steps of {step}.")
    return steps
