"""Associative retrieval of all systems: a table of each task, and a picture.

    python -m benchmarks.associative

Shows what `python -m training associative` wrote into results.json, copied to
benchmarks/results/associative-*.json, with the most pairs up to which a system stays at 90 % or
more, of "rewrite" what is right where few keys come often, and of `BY_FIFTH` pairs when those were
told that are still known; puts the tables into docs/paper.md
and draws docs/figures/associative.svg. A row is the mean of all seeds, with the lowest and the
highest; the lines are means. "no keys" is what is right for who looks at no key and says the value
told most often, or the one told last if that is right more often (counted anew here).
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from armt_core.errors import UsageError
from benchmarks.plots import Panel, draw
from benchmarks.results import MINUTES, RESULTS, cost, publish, run, trained
from training.associative import exact_match_without_keys
from training.objectives.associative import Task

#: A system holds as many pairs as it remembers to this share.
HOLDS = 0.9
#: Who looks at no key, and the questions that are counted for that.
NO_KEYS, QUESTIONS = "no keys", 4000
#: Columns that say which trainings a row is of.
SETTING = ["trained on", "system", "seeds", "steps", "rate"]
#: Of so many pairs it is shown what is right by the fifth of the document in which it was told.
BY_FIFTH = 200
_FIFTHS = ["first fifth", "second", "third", "fourth", "last"]
#: Of results that do not say it: the rate, and over which share of the steps it falls to zero.
_RATE, _DECAY = 1e-3, 0.1


@dataclass(frozen=True)
class Line:
    """Trainings that differ in their seed alone, or "no keys", which is none. rate: the learning
    rate, decay: over which share of the steps, the last ones, it falls to zero. exact, few: what is
    right by the number of pairs, and by how few keys share how many: a share of each seed. fifths:
    of `BY_FIFTH` pairs, by when they were told. minutes: of a processor that each training took,
    where that was counted."""

    told: Task
    pairs: int
    system: str
    steps: int
    rate: float = 0.0
    decay: float = 0.0
    seeds: list[int] = field(default_factory=list)
    exact: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    few: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    fifths: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    minutes: list[float | None] = field(default_factory=list)

    @property
    def setting(self) -> list[str]:
        """What stands under `SETTING`."""
        how = [f"{self.steps:,}", f"{self.rate:g} ({self.decay:.0%})"] if self.steps else ["", ""]
        return [f"{self.pairs} pairs", self.system, ", ".join(map(str, self.seeds)), *how]


def main(arguments: list[str] | None = None, results: Path = RESULTS) -> int:
    """Prints and draws all results that are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.associative").parse_args(arguments)
    found = with_floors(lines(trained(("associative",), results)))
    tables = {}
    for task in dict.fromkeys(line.told for line in found):
        of = [line for line in found if line.told == task]
        lengths = sorted({n for line in of for n in line.exact})
        cells = [
            [*line.setting, *_cells(line.exact, lengths), holds(line.exact), cost(line.minutes)]
            for line in of
        ]
        tables[str(task)] = [*SETTING, *map(str, lengths), "holds", MINUTES], cells
    if few := [line for line in found if line.few]:
        kinds = list(dict.fromkeys(kind for line in few for kind in line.few))
        cells = [[*line.setting, *_cells(line.few, kinds)] for line in few]
        tables["few keys"] = [*SETTING, *kinds], cells
    if early := [line for line in found if line.fifths]:
        cells = [[line.told, *line.setting, *_cells(line.fifths, _FIFTHS)] for line in early]
        tables["by fifth"] = ["task", *SETTING, *_FIFTHS], cells
    publish(tables)
    draw("associative", panels(found))
    return 0


def lines(results: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The results, those that differ in their seed alone together, and of them what all measured.

    Raises UsageError if two are of the same training.
    """
    found: dict[tuple[Any, ...], Line] = {}
    for one in sorted(results, key=lambda one: int(one["seed"])):
        rate = one.get("rate", _RATE), one.get("decay", _DECAY)
        key = (one["told"], one["pairs"], one["system"], one["steps"], *rate)
        line = found.setdefault(key, Line(*key))
        if one["seed"] in line.seeds:
            raise UsageError(f"Two results are of {key} with seed {one['seed']}: leave one out.")
        line.seeds.append(one["seed"])
        line.minutes.append(one.get("processor_minutes"))
        for n, share in one["exact_match"].items():
            line.exact[int(n)].append(share)
        for kind, share in one.get("exact_match_of_few_keys", {}).items():
            line.few[kind].append(share)
        by_fifth = one.get("exact_match_by_fifth", {}).get(str(BY_FIFTH)) or [None] * len(_FIFTHS)
        for fifth, share in zip(_FIFTHS, by_fifth, strict=True):
            if share is not None:  # null: nothing was asked about it
                line.fifths[fifth].append(share)
    for line in found.values():
        _drop_incomplete(line.exact, len(line.seeds))
        _drop_incomplete(line.few, len(line.seeds))
        _drop_incomplete(line.fifths, len(line.seeds))
    return list(found.values())


def _drop_incomplete(shares: dict[Any, list[float]], seeds: int) -> None:
    """A mean is of all seeds: a length that one of them has not measured has none."""
    for key in [key for key, of in shares.items() if len(of) < seeds]:
        del shares[key]


def with_floors(found: Sequence[Line]) -> list[Line]:
    """In order, with what is right without looking at keys after each task and number of pairs that
    was trained on."""
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
        return line.told, line.pairs, line.system == NO_KEYS, line.system, line.steps, line.rate

    return sorted([*found, *floors], key=place)


@cache  # what is trained on makes no difference to it
def _without_keys(task: Task, pairs: int, keys: int | None = None) -> float:
    draw = random.Random(f"{task}, {pairs} pairs, {keys} keys")
    return exact_match_without_keys(task, pairs, QUESTIONS, draw, keys)


def panels(found: Sequence[Line]) -> list[Panel]:
    """One for each task and number of pairs trained on; the mean of all seeds is drawn."""
    drawn: dict[tuple[str, int], dict[str, Any]] = {}
    for line in found:
        lengths = sorted(line.exact)
        rate = f", {line.rate:g}" if line.rate != _RATE else ""
        name = f"{line.system}, {line.steps:,} steps{rate}" if line.steps else line.system
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


def holds(shares: Mapping[int, Sequence[float]]) -> str:
    """The most pairs that were measured up to which the mean stays at 90 % or more, and where it
    was measured to be less: "20 to 30"."""
    most = 0
    for pairs in sorted(shares):
        if _mean(shares[pairs]) < HOLDS:
            return f"{most} to {pairs}"
        most = pairs
    return f"{most} or more"


def _cells(shares: Mapping[Any, Sequence[float]], keys: Sequence[Any]) -> list[str]:
    return [_cell(shares[key]) if key in shares else "" for key in keys]


def _cell(shares: Sequence[float]) -> str:
    """The mean in percent, of several with the lowest and the highest."""
    mean = f"{100 * _mean(shares):.1f}"
    if len(shares) == 1:
        return mean
    return f"{mean} ({100 * min(shares):.1f} to {100 * max(shares):.1f})"


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


if __name__ == "__main__":
    run(main)
