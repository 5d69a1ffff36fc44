"""Associative retrieval of all systems: a table of each task, and a picture.

    python -m benchmarks.associative

Shows what `python -m training associative` wrote into results.json, copied to
benchmarks/results/associative-*.json, with the most pairs up to which a system stays at 90 % or
more, and of "rewrite" what is right where few keys come often; puts the tables into docs/paper.md
and draws docs/figures/associative.svg. A row is the mean of all seeds, with the lowest and the
highest; the lines are means. "no keys" is what is right for who does not tell keys apart
and says the value that most of them have (counted anew here).
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.plots import Panel, draw
from benchmarks.results import RESULTS, publish, trained
from training.associative import exact_match_without_keys
from training.objectives.associative import Task

#: A system holds as many pairs as it remembers to this share.
HOLDS = 0.9
#: Who does not tell keys apart and says the value that most of them have, and the questions that
#: this is counted of.
NO_KEYS, QUESTIONS = "no keys", 1000
#: Columns that say which trainings a row is of.
SETTING = ["trained on", "system", "seeds", "steps"]


@dataclass(frozen=True)
class Line:
    """Trainings that differ in their seed alone, or "no keys", which is none. exact, few: what is
    right by the number of pairs, and by how few keys share how many: a share of each seed."""

    told: Task
    pairs: int
    system: str
    steps: int
    seeds: list[int] = field(default_factory=list)
    exact: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    few: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def setting(self) -> list[str]:
        """What stands under `SETTING`."""
        steps = f"{self.steps:,}" if self.steps else ""
        return [f"{self.pairs} pairs", self.system, ", ".join(map(str, self.seeds)), steps]


def main(arguments: list[str] | None = None, results: Path = RESULTS) -> int:
    """Prints and draws all results that are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.associative").parse_args(arguments)
    found = with_floors(lines(trained(("associative",), results)))
    for task in sorted({line.told for line in found}):
        of = [line for line in found if line.told == task]
        lengths = sorted({n for line in of for n in line.exact})
        rows = [
            [*line.setting, *(_cell(line.exact.get(n)) for n in lengths), str(holds(line.exact))]
            for line in of
        ]
        publish(task, [*SETTING, *map(str, lengths), "holds"], rows)
    if few := [line for line in found if line.few]:
        kinds = list(few[0].few)
        rows = [[*line.setting, *(_cell(line.few.get(kind)) for kind in kinds)] for line in few]
        publish("few keys", [*SETTING, *kinds], rows)
    draw("associative", panels(found))
    return 0


def lines(results: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The results, those that differ in their seed alone together."""
    found: dict[tuple[Any, ...], Line] = {}
    for one in sorted(results, key=lambda one: int(one["seed"])):
        key = (one["told"], one["pairs"], one["system"], one["steps"])
        line = found.setdefault(key, Line(*key))
        line.seeds.append(one["seed"])
        for n, share in one["exact_match"].items():
            line.exact[int(n)].append(share)
        for kind, share in one.get("exact_match_of_few_keys", {}).items():
            line.few[kind].append(share)
    return list(found.values())


def with_floors(found: Sequence[Line]) -> list[Line]:
    """In order, with what is right without telling keys apart after each task and number of pairs
    that was trained on."""
    floors = []
    for task, pairs in sorted({(line.told, line.pairs) for line in found}):
        floor = Line(task, pairs, NO_KEYS, 0)
        of = [line for line in found if (line.told, line.pairs) == (task, pairs)]
        for n in sorted({n for line in of for n in line.exact}):
            floor.exact[n].append(_without_keys(task, n))
        for kind in dict.fromkeys(kind for line in of for kind in line.few):
            n, keys = map(int, kind.split(" of "))
            floor.few[kind].append(_without_keys(task, n, keys))
        floors.append(floor)

    def place(line: Line) -> tuple[Any, ...]:
        return line.told, line.pairs, line.system == NO_KEYS, line.system, line.steps

    return sorted([*found, *floors], key=place)


def _without_keys(task: Task, pairs: int, keys: int | None = None) -> float:
    draw = random.Random(f"{task}, {pairs} pairs, {keys} keys")
    return exact_match_without_keys(task, pairs, QUESTIONS, draw, keys)


def panels(found: Sequence[Line]) -> list[Panel]:
    """One for each task and number of pairs trained on; the mean of all seeds is drawn."""
    drawn: dict[tuple[str, int], dict[str, Any]] = {}
    for line in found:
        lengths = sorted(line.exact)
        name = f"{line.system}, {line.steps:,} steps" if line.steps else line.system
        of = drawn.setdefault((line.told, line.pairs), {})
        of[name] = lengths, [100 * _mean(line.exact[n]) for n in lengths]
    return [
        Panel(
            f"{task}, up to {pairs} pairs",
            "pairs",
            "exact match, %",
            of,
            log_x=True,
            marks=[pairs],
            shares=True,
        )
        for (task, pairs), of in drawn.items()
    ]


def holds(shares: Mapping[int, Sequence[float]]) -> int:
    """The most pairs that were measured up to which the mean stays at 90 % or more; 0: none."""
    most = 0
    for pairs in sorted(shares):
        if _mean(shares[pairs]) < HOLDS:
            break
        most = pairs
    return most


def _cell(shares: Sequence[float] | None) -> str:
    """The mean in percent, of several with the lowest and the highest."""
    if not shares:
        return ""
    mean = f"{100 * _mean(shares):.1f}"
    if len(shares) == 1:
        return mean
    return f"{mean} ({100 * min(shares):.1f} to {100 * max(shares):.1f})"


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


if __name__ == "__main__":
    sys.exit(main())
