"""Several trainings of one model, each of its own weights, as one model."""

from collections.abc import Sequence
from pathlib import Path

import torch

from armt_core.errors import ModelError
from armt_core.model import ArmtModel
from training import checkpoints
from training.fresh import has_fresh_memory
from training.rows import Words
from training.run import open_start, save_training

_MEMORY = ("memory_tokens", "associative.")


def combined(trainings: Sequence[Path]) -> tuple[ArmtModel, Words]:
    """The model of the first training with what each further one trained.

    A further training must name what it trains (`trained` of its recipe) and have begun from the
    same weights; a memory that was taught nothing in it is left out. Raises ModelError where it
    does not, or where two trained the same.
    """
    model, words = open_start(trainings[0])
    taken = _trained(trainings[0])
    for path in trainings[1:]:
        other, _ = open_start(path)
        names = _trained(path)
        if not names or not taken:
            raise ModelError(f"{path} or {trainings[0]} trained all weights; export it by itself.")
        if twice := sorted(set(names) & set(taken)):
            raise ModelError(f"{path} trained {twice} as a training before it did; leave one out.")
        model = _joined(model, other, (*taken, *names), names, path)
        taken = (*taken, *names)
    return model, words


def average(trainings: Sequence[Path], output: Path) -> None:
    """Writes a training whose weights are the means of those that several have trained, one after
    the other or from one start (a "soup", arXiv 2203.05482); all else is the first one's.

    Raises ModelError where none names what it trains, or two name different weights.
    """
    kinds = {_trained(path) for path in trainings} - {()}
    if len(kinds) != 1:
        raise ModelError(f"The mean of these is that of nothing, or of different weights: {kinds}.")
    (names,) = kinds
    model, words = open_start(trainings[0])
    others = [dict(open_start(path)[0].named_parameters()) for path in trainings[1:]]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.startswith(names):
                weight.copy_(torch.stack([weight, *(other[name] for other in others)]).mean(0))
    save_training(model, words, {"trained": list(names)}, output)


def _joined(
    model: ArmtModel, other: ArmtModel, either: Sequence[str], names: Sequence[str], path: Path
) -> ArmtModel:
    config = model.config
    config.deltas = {**config.deltas, **other.config.deltas}
    if any(name.startswith("memory_tokens") for name in names):
        config.memory_tokens = other.config.memory_tokens
    # Each weight once: a tied one has a second name in the state_dict, which nothing trains.
    weights, others = dict(model.named_parameters()), dict(other.named_parameters())
    if has_fresh_memory(other):
        others = {k: v for k, v in others.items() if not k.startswith(_MEMORY)}
    for name, weight in weights.items():
        same = name in others and torch.equal(weight, others[name])
        if not same and name in others and not name.startswith(tuple(either)):
            raise ModelError(f"{path} did not begin from the same model: {name} differs.")
    weights |= {k: v for k, v in others.items() if k.startswith(tuple(names))}
    joined = ArmtModel(config)
    joined.load_state_dict({**joined.state_dict(), **weights})
    return joined


def _trained(path: Path) -> tuple[str, ...]:
    """Beginnings of the names that a training trains; none where it trains all, or is none."""
    state = checkpoints.load(path) if checkpoints.exists(path) else None
    return tuple(state["recipe"]["trained"]) if state else ()
