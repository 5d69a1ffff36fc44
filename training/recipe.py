"""A recipe: what is trained, on what, for how long. Read from a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from armt_core.config import System
from armt_core.errors import RecollectError
from armt_core.model import ArmtModel


class RecipeError(RecollectError):
    """A recipe asks for something that does not exist."""

    code = "bad_recipe"


@dataclass(frozen=True)
class Stage:
    """steps: optimiser steps. shares: how often each objective is drawn. settings: of each."""

    name: str
    steps: int
    shares: Mapping[str, float]
    settings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """learning_rate: of the backbone; fresh_learning_rate: of memory and heads, which start
    from random numbers. emptied: share of batches with an emptied memory. decay: over how
    many of the last steps the rates fall to zero. trained: beginnings of the names of weights that
    are trained ("deltas.reader"), the others stay as they are; none: all are. deltas: the rank of
    what roles change of the backbone; deltas of another rank are brought to it. begin_as: the
    role whose deltas another's begin as, by its name. system: how memory is written from here on,
    a system of `ArmtModel` ("armt-exact"); none: as what the training starts from. reads_in_order:
    whether memory tokens read what those before them in their segment write; none: likewise."""

    seed: int = 0
    learning_rate: float = 1e-4
    fresh_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 50
    decay: int = 0
    clip: float = 1.0
    emptied: float = 0.2
    dropout: float = 0.0
    trained: tuple[str, ...] = ()
    deltas: Mapping[str, int] = field(default_factory=dict)
    begin_as: Mapping[str, str] = field(default_factory=dict)
    system: System | None = None
    reads_in_order: bool | None = None
    stages: tuple[Stage, ...] = field(default=())

    @property
    def steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that step number `step`, counted from 0, belongs to."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        raise IndexError("The recipe has fewer steps.")

    def rate_at(self, step: int) -> float:
        """What the learning rates are multiplied with: up over `warmup`, down over `decay`."""
        up = (step + 1) / self.warmup if step < self.warmup else 1.0
        left = self.steps - step
        down = left / self.decay if left < self.decay else 1.0
        return min(up, down)


def load_recipe(path: Path) -> Recipe:
    """Raises RecipeError for an unknown setting, an unknown objective or no stages."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}.") from error
    stages = values.pop("stage", [])
    known = {f.name for f in fields(Recipe)} - {"stages"}
    if unknown := sorted(set(values) - known):
        raise RecipeError(f"{path} has unknown settings {unknown}; known are {sorted(known)}.")
    if not stages:
        raise RecipeError(f"{path} has no [[stage]].")
    if (system := values.get("system")) not in (None, *ArmtModel.systems):
        raise RecipeError(f"{path}: system {system!r} is none of {ArmtModel.systems}.")
    values["trained"] = tuple(values.get("trained", ()))
    return Recipe(**values, stages=tuple(_stage(path, stage) for stage in stages))


def _stage(path: Path, values: dict[str, Any]) -> Stage:
    name, steps = values.pop("name", "stage"), values.pop("steps", 0)
    if not isinstance(steps, int) or steps < 1:
        raise RecipeError(f"{path}: stage {name!r} needs a number of steps, not {steps!r}.")
    settings = {key: dict(value) for key, value in values.items()}
    if not settings:
        raise RecipeError(f"{path}: stage {name!r} names no objective.")
    shares = {key: float(value.pop("share", 1.0)) for key, value in settings.items()}
    return Stage(name, steps, shares, settings)
