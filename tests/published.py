"""What a benchmark of trained systems puts into the pages, without touching them."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.plots import Panel

Tables = dict[str, tuple[list[str], list[list[str]]]]


def published(
    module: ModuleType, results: Mapping[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tables, list[Panel]]:
    """Header and rows of each table by its name, and the panels, of results by their file names."""
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result))
    tables: Tables = {}
    drawn: list[list[Panel]] = []

    monkeypatch.setattr(module, "publish", tables.update)
    monkeypatch.setattr(module, "draw", lambda name, panels: drawn.append(panels))
    assert module.main([], folder) == 0
    [panels] = drawn
    return tables, panels
