"""How benchmarks report: a table for people, and a JSON file with machine, date and commit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from armt_core.errors import UsageError
from training.stamp import stamp

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
#: What the paper says beside what is seen here.
PAGE = ROOT / "docs" / "paper.md"


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


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A Markdown table on standard output."""
    print(table(header, rows))


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def publish(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Prints a table under its name, and puts it where docs/paper.md has `<!-- NAME -->`, in place
    of what stands there up to `<!-- end -->`.

    Raises UsageError if it has no such place.
    """
    print(f"\n{name}\n\n{table(header, rows)}")
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not end:
        raise UsageError(
            f"{PAGE} has no place for this table: write the lines <!-- {name} --> and <!-- end --> "
            "where it belongs."
        )
    new = before + begin + table(header, rows) + "\n" + end + after
    PAGE.write_text(new, encoding="utf-8")
