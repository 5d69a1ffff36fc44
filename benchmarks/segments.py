"""Time series and language of all systems, by the segment: a table each, and a picture.

    python -m benchmarks.segments

Shows what `python -m training series` and `lm` wrote into results.json, copied to
benchmarks/results/series-*.json and lm-*.json, puts the tables into docs/paper.md and draws
docs/figures/segments.svg. Low is good: the error of the next value as a share of the spread, the
loss in nats a byte. Columns are means over segments: the first one, the others of the trained
length, the same with a memory that is emptied before each segment, and those beyond up to 2, 4 and
8 times as many.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import Panel, draw
from benchmarks.results import MINUTES, RESULTS, cost, publish, run, trained

BEYOND = ["to 2x", "to 4x", "to 8x"]
HEADER = ["trained on", "system", "first", "trained", "emptied", *BEYOND, MINUTES]

#: What is measured of a task in each segment.
MEASURED = {"series": "error_by_segment", "lm": "loss_by_segment"}
_UNITS = {"series": "error, share of the spread", "lm": "nats a byte"}


def main(arguments: list[str] | None = None, results: Path = RESULTS) -> int:
    """Prints and draws all results that are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.segments").parse_args(arguments)
    found = trained(tuple(MEASURED), results)
    found.sort(key=lambda one: (one["task"], one["segments"], name(one)))
    tasks = dict.fromkeys(one["task"] for one in found)
    publish({task: (HEADER, [row(one) for one in found if one["task"] == task]) for task in tasks})
    draw("segments", panels(found))
    return 0


def name(one: dict[str, Any]) -> str:
    """Which training it is, beside its task and length."""
    how = f", {one['strategy']}" if one["task"] == "lm" else ""
    return f"{one['system']}{how}, seed {one['seed']}, {one['steps']:,} steps"


def row(one: dict[str, Any]) -> list[str]:
    """What the table says of a training."""
    measured, long = MEASURED[one["task"]], one["segments"]
    values, emptied = one[measured], one[f"{measured}_emptied"]
    parts = [values[:1], values[1:long], emptied[1:long]]
    parts += [values[n * long : 2 * n * long] for n in (1, 2, 4)]
    cells = [f"{_mean(part):.3f}" if part else "" for part in parts]
    return [f"{long} segments", name(one), *cells, cost([one.get("processor_minutes")])]


def panels(results: Sequence[dict[str, Any]]) -> list[Panel]:
    """One for each task and length trained on, with a line for each training."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for one in results:
        values = one[MEASURED[one["task"]]]
        lines = found.setdefault((one["task"], one["segments"]), {})
        lines[name(one)] = list(range(1, 1 + len(values))), values
    return [
        Panel(f"{task}, up to {n} segments", "segment", _UNITS[task], lines, True, marks=[n])
        for (task, n), lines in sorted(found.items())
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    run(main)
