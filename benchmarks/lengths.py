"""Algorithmic problems and BABILong of small models, by length: a table each, and a picture.

    python -m benchmarks.lengths

Shows what `python -m training algorithmic` and `babilong` wrote into results.json, copied to
benchmarks/results/algorithmic-*.json and babilong-*.json, puts the tables into docs/paper.md and
draws docs/figures/lengths.svg. Columns are shares that are right at so many times the trained
length, and with an emptied memory at the trained one: of symbols, with whole answers in brackets,
and of stories' questions. "told last" is what is right of these questions for who answers with the
place or thing that was told last, whoever is asked about.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plots import Panel, draw
from benchmarks.results import MINUTES, RESULTS, cost, publish, run, trained

HEADER = ["trained on", "system", "1x", "2x", "4x", "8x", "emptied", "told last", MINUTES]


@dataclass(frozen=True)
class Curve:
    """One task of a training, up to `trained` segments. right, whole: shares by the number of
    segments; emptied, told_last: at the trained one. minutes: of a processor, of the whole
    training."""

    task: str
    trained: int
    system: str
    right: dict[int, float]
    emptied: float
    whole: dict[int, float] | None = None
    told_last: float | None = None
    minutes: float | None = None


def main(arguments: list[str] | None = None, results: Path = RESULTS) -> int:
    """Prints and draws all results that are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.lengths").parse_args(arguments)
    found = [c for one in trained(("algorithmic", "babilong"), results) for c in curves(one)]
    found.sort(key=lambda curve: (curve.task, curve.trained, curve.system))
    tasks = dict.fromkeys(curve.task for curve in found)
    publish({task: (HEADER, [row(c) for c in found if c.task == task]) for task in tasks})
    draw("lengths", panels(found))
    return 0


def curves(one: dict[str, Any]) -> Iterator[Curve]:
    """What a training's results say of each of its tasks; nothing of one of which no story fits."""
    system = f"{one['system']}, seed {one['seed']}, {one['steps']:,} steps"
    long: int = one["segments"]
    minutes = one.get("processor_minutes")
    if one["task"] == "algorithmic":
        shares = {int(n): s for n, s in one["right"].items()}
        yield Curve(
            one["problem"],
            long,
            system,
            {n: s["symbols"] for n, s in shares.items()},
            one["right_emptied"][str(long)]["symbols"],
            {n: s["exact"] for n, s in shares.items()},
            minutes=minutes,
        )
        return
    for task in (f"qa{n}" for n in one["tasks"]):
        of = {int(n): s for n, s in one[task].items() if s["n"]}
        if of:
            right = {n: s["right"] for n, s in of.items()}
            at = of[long]
            last = at.get("told_last")
            yield Curve(task, long, system, right, at["right_emptied"], None, last, minutes)


def row(curve: Curve) -> list[str]:
    """What the table says of a curve."""
    cells = []
    for n in (curve.trained * times for times in (1, 2, 4, 8)):
        cell = f"{curve.right[n]:.1%}" if n in curve.right else ""
        cells.append(f"{cell} ({curve.whole[n]:.1%})" if curve.whole and cell else cell)
    cells.append(f"{curve.emptied:.1%}")
    cells.append("" if curve.told_last is None else f"{curve.told_last:.1%}")
    return [f"{curve.trained} segments", curve.system, *cells, cost([curve.minutes])]


def panels(found: Sequence[Curve]) -> list[Panel]:
    """One for each task and length trained on, with a line for each training, and last what is
    right for who says what was told last."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    for curve in found:
        of = lines.setdefault((curve.task, curve.trained), {})
        of[curve.system] = list(curve.right), [100 * share for share in curve.right.values()]
    for curve in found:
        if curve.told_last is not None:
            share = 100 * curve.told_last
            of = lines[curve.task, curve.trained]
            of["told last"] = list(curve.right), [share] * len(curve.right)
    return [
        Panel(
            f"{task}, up to {n} segments",
            "segments",
            "right, %",
            of,
            log_x=True,
            marks=[n],
            shares=True,
        )
        for (task, n), of in sorted(lines.items())
    ]


if __name__ == "__main__":
    run(main)
