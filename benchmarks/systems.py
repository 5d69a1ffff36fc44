"""Tokens a second, peak memory and size of the state against length, for every system.

    python -m benchmarks.systems
    python -m benchmarks.systems --lengths 1024 65536 --systems armt mamba

Each row is read by a program of its own (`benchmarks/systems_row.py`), so that its peak memory is
its own. One that takes longer than `--minutes` or more than `--gigabytes` stops, and its row says
so; longer documents are then not read by that system. A run of all systems and lengths writes
benchmarks/results/systems.json and a figure; one of some prints them alone.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psutil

from benchmarks.plots import Panel, draw
from benchmarks.results import ROOT, print_table, run, write_result
from benchmarks.systems_row import SEGMENT
from training.__main__ import SYSTEMS

#: 1 k to 1 M tokens.
LENGTHS = tuple(4**power for power in range(5, 11))

Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, draws."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, metavar="N")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, metavar="S")
    parser.add_argument("--minutes", type=float, default=10.0, help="most that a row may take")
    half = round(psutil.virtual_memory().total / 2**31, 1)
    parser.add_argument("--gigabytes", type=float, default=half, help="of memory, the same")
    options = parser.parse_args(arguments)
    if wrong := [n for n in options.lengths if n < SEGMENT or n % SEGMENT]:
        parser.error(
            f"--lengths are read in segments of {SEGMENT}: {wrong[0]} is no multiple of it."
        )

    rows: list[Row] = []
    for length in sorted(options.lengths):
        for system in options.systems:
            stopped = [r for r in rows if r["system"] == system and "ended" in r]
            if stopped:
                why = f"not read, for it stopped at {stopped[0]['tokens']:,}"
                rows.append({"system": system, "tokens": length, "ended": why})
            else:
                rows.append(row(system, length, options.minutes, options.gigabytes))
            print(json.dumps(rows[-1]), file=sys.stderr)
    header = [
        "system",
        "tokens",
        "tokens/s",
        "of the processor",
        "peak MB",
        "reading MB",
        "state KB",
    ]
    print_table(header, [_cells(row) for row in rows])
    if set(options.lengths) < set(LENGTHS) or set(options.systems) < set(SYSTEMS):
        return 0
    limits = {"minutes": options.minutes, "gigabytes": options.gigabytes}
    write_result("systems", {"segment_tokens": SEGMENT, **limits, "rows": rows})
    draw("systems", panels(rows))
    return 0


def row(system: str, length: int, minutes: float, gigabytes: float) -> Row:
    """What reading so many tokens took, in a program of its own. Raises CalledProcessError if that
    failed otherwise than by reaching a limit; what it said is then on standard error."""
    call = ["-m", "benchmarks.systems_row", system, str(length), str(minutes), str(gigabytes)]
    done = subprocess.run(
        [sys.executable, *call], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Speed, peak memory and state against length; rows that reached a limit are left out."""
    read = [row for row in rows if "ended" not in row]
    kinds = list(dict.fromkeys(row["system"] for row in read))
    shown = {
        "tokens_per_processor_second": ("reading speed", "tokens a second of the processor"),
        "reading_megabytes": ("peak memory that reading adds", "MB"),
        "state_kilobytes": ("what is handed on", "KB"),
    }
    found = []
    for name, (title, unit) in shown.items():
        lines = {}
        for kind in kinds:
            points = [(row["tokens"], row[name]) for row in read if row["system"] == kind]
            lines[kind] = [x for x, _ in points], [y for _, y in points]
        found.append(Panel(title, "tokens read", unit, lines, log_x=True, log_y=True))
    return found


#: What a row measured, in the order of the table.
_FIGURES = (
    "tokens_per_second",
    "tokens_per_processor_second",
    "peak_megabytes",
    "reading_megabytes",
    "state_kilobytes",
)


def _cells(row: Row) -> list[str]:
    begin = [row["system"], f"{row['tokens']:,}"]
    if "ended" in row:
        return [*begin, f"ended: {row['ended']}", "", "", "", ""]
    return begin + [f"{row[figure]:,.0f}" for figure in _FIGURES]


if __name__ == "__main__":
    run(main)
