"""How long calls take, so that a slow moment of the machine falls on all of them."""

import statistics
import time
from collections.abc import Callable, Sequence

import torch


def interleaved(what: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """The median seconds of each call, taken in turn; the first round is not counted."""
    times: list[list[float]] = [[] for _ in what]
    for run in range(runs + 1):
        for index, call in enumerate(what):
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if run:
                times[index].append(time.perf_counter() - start)
    return [statistics.median(t) for t in times]
