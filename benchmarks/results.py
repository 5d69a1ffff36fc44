"""How benchmarks report: a table for people, and a JSON file with machine, date and commit."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from armt_core.errors import RecollectError, UsageError
from training.stamp import stamp

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
#: What the paper says beside what is seen here.
PAGE = ROOT / "docs" / "paper.md"
#: The column of `cost`.
MINUTES = "minutes"


def run(main: Callable[[], int]) -> NoReturn:
    """Ends the process as `main` does; an error that says what to do is a line, not a traceback."""
    try:
        sys.exit(main())
    except RecollectError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


def write_result(name: str, values: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json and returns its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**stamp(), **values}, indent=2) + "\n", encoding="utf-8")
    return path


def trained(tasks: Sequence[str], results: Path = RESULTS) -> list[dict[str, Any]]:
    """What `python -m training TASK` wrote into results.json, of all TASK-*.json in the folder.

    Raises UsageError if there are none.
    """
    paths = sorted(path for task in tasks for path in results.glob(f"{task}-*.json"))
    if not paths:
        raise UsageError(
            f"There are no results in {results}: copy results.json of a training's output there, "
            f"as {tasks[0]}-NAME.json."
        )
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def cost(minutes: Sequence[float | None]) -> str:
    """Processor time of a training, the mean of several; nothing where one was not counted."""
    counted = [one for one in minutes if one is not None]
    return f"{sum(counted) / len(counted):.0f}" if counted and len(counted) == len(minutes) else ""


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A Markdown table on standard output."""
    print(table(header, rows))


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table. A column in which no row has anything is left out."""
    filled = [i for i in range(len(header)) if not rows or any(row[i] for row in rows)]
    header, *rows = ([row[i] for i in filled] for row in (header, *rows))
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def publish(tables: Mapping[str, tuple[list[str], list[list[str]]]]) -> None:
    """Prints tables, header and rows by name, and puts each where docs/paper.md has
    `<!-- NAME -->`, in place of what stands there up to `<!-- end -->`.

    Raises UsageError if one has no such place; nothing is written then.
    """
    page = PAGE.read_text(encoding="utf-8")
    for name, (header, rows) in tables.items():
        print(f"\n{name}\n\n{table(header, rows)}")
        place = rf"(<!-- {re.escape(name)} -->\n)(?:(?!<!--).*\n)*(<!-- end -->)"
        parts = re.split(place, page)
        if len(parts) != 4:
            raise UsageError(
                f"{PAGE} has {len(parts) // 3} places for the table {name!r}, not one: write the "
                f"lines <!-- {name} --> and <!-- end --> where it belongs."
            )
        before, begin, end, after = parts
        page = f"{before}{begin}{table(header, rows)}\n{end}{after}"
    PAGE.write_text(page, encoding="utf-8")
