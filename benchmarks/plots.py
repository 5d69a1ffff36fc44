"""Figures of the pages in docs: lines, drawn the same way everywhere."""

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
    """lines: by their names, each its points (x, y). marks: where an upright line stands."""

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    log_x: bool = False
    log_y: bool = False
    marks: Sequence[float] = field(default=())


def draw(name: str, panels: Sequence[Panel], folder: Path = FIGURES) -> Path:
    """Writes NAME.svg with the panels side by side, two in a row, and returns its path."""
    rows = (len(panels) + 1) // 2
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(9.0, 3.2 * rows), layout="constrained")
        for axes, panel in zip(figure.subplots(rows, 2, squeeze=False).flat, panels, strict=False):
            # Lines that lie on each other are seen by their dashes.
            for (label, (x, y)), style in zip(panel.lines.items(), cycle(_STYLES), strict=False):
                axes.plot(x, y, style, label=label, linewidth=1.4)
            for mark in panel.marks:
                axes.axvline(mark, color="0.7", linewidth=0.8, zorder=0)
            axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            if panel.log_x:
                axes.set_xscale("log", base=2)
            if panel.log_y:
                axes.set_yscale("log")
            axes.grid(color="0.92")
            axes.legend(frameon=False)
        for spare in figure.axes[len(panels) :]:
            spare.set_axis_off()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path
