"""Associative retrieval of all systems: a table of each task, and a picture.

    python -m benchmarks.associative

Shows what `python -m training associative` wrote into results.json, copied to
benchmarks/results/associative-*.json, with the most pairs up to which a system stays at 90 % or
more, and of "rewrite" what is right where few keys come often; puts the tables into docs/paper.md
and draws docs/figures/associative.svg. "no keys" is what is right for who does not tell keys apart
and says the value that most of them have (counted anew here).
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import Panel, draw
from benchmarks.results import RESULTS, publish, trained
from training.associative import exact_match_without_keys

#: A system holds as many pairs as it remembers to this share.
HOLDS = 0.9
#: Who does not tell keys apart and says the value that most of them have, and the questions that
#: this is counted of.
NO_KEYS, QUESTIONS = "no keys", 1000
#: Columns that say which training a row is of.
SETTING = ("trained on", "system", "seed", "steps")


def main(arguments: list[str] | None = None, results: Path = RESULTS) -> int:
    """Prints and draws all results that are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.associative").parse_args(arguments)
    found = trained(("associative",), results)
    found += without_keys(found)
    found.sort(key=lambda one: (one["told"], one["pairs"], one["system"], one.get("seed")))
    for task in sorted({one["told"] for one in found}):
        of = [one for one in found if one["told"] == task]
        lengths = sorted({int(n) for one in of for n in one["exact_match"]})
        publish(task, [*SETTING, *map(str, lengths), "holds"], [_row(one, lengths) for one in of])
    if few := [one for one in found if one.get("exact_match_of_few_keys")]:
        kinds = list(few[0]["exact_match_of_few_keys"])
        publish(
            "few keys", [*SETTING, *kinds], [[*_setting(one), *_few(one, kinds)] for one in few]
        )
    draw("associative", panels(found))
    return 0


def without_keys(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is right without telling keys apart, of each task and number of pairs of the results,
    and in their form."""
    floors = []
    for told, pairs in sorted({(one["told"], one["pairs"]) for one in found}):
        draw = random.Random(f"{told}, {pairs}")
        of = [one for one in found if (one["told"], one["pairs"]) == (told, pairs)]
        lengths = sorted({int(n) for one in of for n in one["exact_match"]})
        few: dict[str, Any] = {}
        for one in of:
            few |= one.get("exact_match_of_few_keys", {})
        floor = {
            "exact_match": {
                str(n): exact_match_without_keys(told, n, QUESTIONS, draw) for n in lengths
            },
            "exact_match_of_few_keys": {
                kind: exact_match_without_keys(told, n, QUESTIONS, draw, keys)
                for kind, (n, keys) in ((kind, map(int, kind.split(" of "))) for kind in few)
            },
        }
        floors.append({"told": told, "pairs": pairs, "system": NO_KEYS, **floor})
    return floors


def panels(results: list[dict[str, Any]]) -> list[Panel]:
    """One for each task and number of pairs trained on, with a line for each system and seed."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for one in results:
        lines = found.setdefault((one["told"], one["pairs"]), {})
        lengths = sorted(map(int, one["exact_match"]))
        shares = [100 * one["exact_match"][str(n)] for n in lengths]
        name = one["system"]
        if name != NO_KEYS:
            name += f", seed {one['seed']}, {one['steps']:,} steps"
        lines[name] = lengths, shares
    return [
        Panel(
            f"{task}, up to {pairs} pairs",
            "pairs",
            "exact match, %",
            lines,
            log_x=True,
            marks=[pairs],
            shares=True,
        )
        for (task, pairs), lines in sorted(found.items())
    ]


def _row(one: dict[str, Any], lengths: list[int]) -> list[str]:
    shares = (one["exact_match"].get(str(n)) for n in lengths)
    cells = ("" if share is None else f"{share:.1%}" for share in shares)
    return [*_setting(one), *cells, str(holds(one["exact_match"]))]


def _setting(one: dict[str, Any]) -> list[str]:
    trained_on = f"{one['pairs']} pairs"
    training = ["", ""] if one["system"] == NO_KEYS else [str(one["seed"]), f"{one['steps']:,}"]
    return [trained_on, one["system"], *training]


def _few(one: dict[str, Any], kinds: list[str]) -> list[str]:
    shares = one["exact_match_of_few_keys"]
    return [f"{shares[kind]:.1%}" if kind in shares else "" for kind in kinds]


def holds(shares: Mapping[str, float]) -> int:
    """The most pairs that were measured up to which the share stays at 90 % or more; 0: none."""
    most = 0
    for pairs in sorted(map(int, shares)):
        if shares[str(pairs)] < HOLDS:
            break
        most = pairs
    return most


if __name__ == "__main__":
    sys.exit(main())
