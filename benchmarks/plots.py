"""Figures of the pages in docs: lines, drawn the same way everywhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.results import ROOT

FIGURES = ROOT / "docs" / "figures"

#: The same numbers give the same bytes; letters stay letters, in the fonts of whoever looks.
_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "recollect", "svg.fonttype": "none", "font.size": 9}
_STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Panel:
    """lines: by their names, each its points (x, y). marks: where an upright line stands. shares: y
    is in percent, and drawn from 0 to 100 whatever was measured."""

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    log_x: bool = False
    log_y: bool = False
    marks: Sequence[float] = field(default=())
    shares: bool = False


def _labels(names: Sequence[str]) -> tuple[list[str], str]:
    """The names of lines without what all of them end with that have more than one part, and that:
    "seed 0, 600 steps"."""
    parts, shared = [name.split(", ") for name in names], list[str]()
    longer = [part for part in parts if len(part) > 1]
    while all(len(part) > 1 for part in longer) and len({part[-1] for part in longer}) == 1:
        shared.insert(0, longer[0][-1])
        for part in longer:
            part.pop()
    return [", ".join(part) for part in parts], ", ".join(shared)


def _ticks(values: Sequence[float]) -> list[float]:
    """Of the values the powers of two, or some that stand far enough from each other."""
    powers = sorted({value for value in values if value > 0 and math.log2(value).is_integer()})
    if len(powers) > 2:
        return powers
    kept: list[float] = []
    for value in sorted(set(values)):
        if not kept or value >= 1.4 * kept[-1]:
            kept.append(value)
    return kept


def _tick(value: float) -> str:
    for unit, name in ((2**20, " M"), (2**10, " k")):
        if value >= unit and value % unit == 0:
            return f"{value / unit:.0f}{name}"
    return f"{value:g}"


def draw(name: str, panels: Sequence[Panel], folder: Path = FIGURES) -> Path:
    """Writes NAME.svg with the panels side by side, two in a row, and returns its path."""
    rows = (len(panels) + 1) // 2
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(9.0, 3.8 * rows), layout="constrained")
        for axes, panel in zip(figure.subplots(rows, 2, squeeze=False).flat, panels, strict=False):
            # Lines that lie on each other are seen by their dashes.
            labels, shared = _labels(list(panel.lines))
            lines = zip(labels, panel.lines.values(), cycle(_STYLES), strict=False)
            for label, (x, y), style in lines:
                axes.plot(x, y, style, label=label, linewidth=1.4)
            for mark in panel.marks:
                axes.axvline(mark, color="0.55", linewidth=1.2, zorder=1.7)  # above the grid
            title = "; ".join(part for part in (panel.title, shared) if part)
            axes.set(title=title, xlabel=panel.x, ylabel=panel.y)
            if panel.log_x:
                axes.set_xscale("log", base=2)
                ticks = _ticks([x for xs, _ in panel.lines.values() for x in xs])
                axes.set_xticks(ticks, [_tick(x) for x in ticks])
            if panel.log_y:
                axes.set_yscale("log")
            if panel.shares:
                axes.set_ylim(-2, 102)
            axes.grid(color="0.92")
            # Below the lines, which it would hide.
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
            axes.legend(frameon=False, ncols=2, handlelength=1.8, columnspacing=1.0, **below)
        for spare in figure.axes[len(panels) :]:
            spare.set_axis_off()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path
