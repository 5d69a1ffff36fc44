"""The training loop: one objective a step, a checkpoint now and then, the same after a restart."""

import dataclasses
import json
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.attention import sdpa_kernel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from armt_core.opening import faster_dtype
from armt_core.systems import SystemModel
from training import checkpoints
from training.attention import with_gradients
from training.interruption import interruption
from training.objectives.base import Learned, Objective
from training.recipe import Recipe, RecipeError, Stage

log = logging.getLogger(__name__)

#: What the backbone was trained without, and so learns faster.
_FRESH = ("memory_tokens", "associative.", "span.", "cls.predictions.", "deltas.")

System = TypeVar("System", bound=SystemModel)
Objectives = Callable[[Stage], Mapping[str, Objective]]


class _Losses(nn.Module):
    """All objectives as one module, whose `forward` is what `accelerate` may wrap."""

    def __init__(self, model: SystemModel) -> None:
        super().__init__()
        self.model: Any = model  # an objective says which systems it is for

    def forward(self, objective: Objective, draw: random.Random, empty: bool) -> Learned:
        return objective.learn(self.model, draw, empty)


def train(
    model: System,
    recipe: Recipe,
    objectives: Objectives,
    folder: Path,
    checkpoint_minutes: float = 5.0,
    stop_after: int | None = None,
    precision: str | None = None,
) -> System:
    """Trains `model` in place by `recipe`; goes on where the checkpoint in `folder` stands.

    objectives: those of a stage, by name, made when the stage begins. stop_after: at most so
    many steps in this call. precision: "no" (float32) or "bf16"; None: that of the checkpoint,
    else `faster_dtype` of the device. Every batch is drawn from the seed and its
    step alone, so a training in pieces sees the batches of one that was never stopped.
    TensorBoard files and the checkpoint are written into `folder`; it says how much processor time
    the steps took, of all threads and all calls.
    Raises CheckpointError if the checkpoint is of another training; after Ctrl-C KeyboardInterrupt,
    when the step is done and the checkpoint written.
    """
    described = json.loads(json.dumps(dataclasses.asdict(recipe)))
    state = _checkpoint(folder, described)
    precision = precision or (state["precision"] if state else _precision(model))
    # Not `mixed_precision=` of accelerate, which is one for the whole process.
    accelerator = Accelerator()
    autocast = torch.autocast(
        accelerator.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"
    )
    _set_dropout(model, recipe.dropout)
    _freeze(model, recipe.trained)
    losses, optimizer = accelerator.prepare(_Losses(model), _optimizer(model, recipe))
    begun, spent = 0, 0.0
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        begun = int(state["step"])
        # A checkpoint of before it was counted does not say it, and so neither does what follows.
        spent = float(state.get("processor_seconds", math.nan))
    last = recipe.steps if stop_after is None else min(recipe.steps, begun + stop_after)
    writer, saved = SummaryWriter(str(folder / "log")), time.monotonic()
    since = time.process_time()
    stage: Stage | None = None
    here: Mapping[str, Objective] = {}
    model.train()
    with interruption() as interrupted:
        for step in tqdm(range(begun, last), initial=begun, total=recipe.steps, unit="step"):
            if stage is not (stage := recipe.stage_at(step)):
                here = objectives(stage)
                log.info("step %d: stage %s", step, stage.name)
            draw = random.Random(f"{recipe.seed}/{step}")
            name = draw.choices(list(stage.shares), list(stage.shares.values()))[0]
            torch.manual_seed(draw.getrandbits(32))
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * recipe.rate_at(step)
            started = time.monotonic()
            here[name].at(step)
            with autocast, sdpa_kernel(with_gradients(accelerator.device)):
                learned = losses(here[name], draw, draw.random() < recipe.emptied)
            accelerator.backward(learned.loss)
            norm = accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            optimizer.zero_grad()
            _report(writer, step, name, learned, float(norm), time.monotonic() - started)
            ends = step + 1 == last or interrupted()
            if ends or time.monotonic() - saved > 60 * checkpoint_minutes:
                if accelerator.is_main_process:
                    kept = {"recipe": described, "precision": precision, "step": step + 1}
                    kept |= {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                    kept["processor_seconds"] = spent + time.process_time() - since
                    checkpoints.save(folder, kept)
                saved = time.monotonic()
            if interrupted():
                writer.close()
                raise KeyboardInterrupt
    writer.close()
    return model.eval()


def _precision(model: SystemModel) -> str:
    """ "bf16" where products in bfloat16 are faster on this device, else "no"."""
    return "bf16" if faster_dtype(model.device) == torch.bfloat16 else "no"


def _set_dropout(model: nn.Module, share: float) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def _freeze(model: nn.Module, trained: Sequence[str]) -> None:
    """Only weights whose names begin with one of these are trained; none given: all. Raises
    RecipeError for a beginning that no weight has."""
    names = [name for name, _ in model.named_parameters()]
    for part in trained:
        if not any(name.startswith(part) for name in names):
            raise RecipeError(f"No weight of this model has a name that begins with {part!r}.")
    for name, weight in model.named_parameters():
        weight.requires_grad_(not trained or name.startswith(tuple(trained)))


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with two rates; biases and norms are not decayed."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        fresh = any(part in name for part in _FRESH) and "decoder" not in name
        rate = recipe.fresh_learning_rate if fresh else recipe.learning_rate
        decay = recipe.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "lr": rate, "highest": rate, "weight_decay": decay}
            for (rate, decay), weights in groups.items()
        ],
        # The gradients of a memory have rare peaks; 0.999 remembers them for too long.
        betas=(0.9, 0.98),
        fused=True,
    )


def _report(
    writer: SummaryWriter, step: int, name: str, learned: Learned, norm: float, seconds: float
) -> None:
    figures = {"loss": float(learned.loss.detach()), **learned.figures}
    for key, value in figures.items():
        writer.add_scalar(f"{name}/{key}", value, step)
    writer.add_scalar("gradient_norm", norm, step)
    writer.add_scalar("seconds", seconds, step)
    shown = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
    log.info("step %d %s: %s (%.1f s)", step, name, shown, seconds)


def _checkpoint(folder: Path, described: dict[str, object]) -> dict[str, Any] | None:
    """The checkpoint to go on with; None where there is none."""
    state = checkpoints.load(folder)
    if state is None:
        return None
    # What recipes did not have yet when the checkpoint was written is None in one that leaves it.
    before = state["recipe"]
    other = [name for name in {**before, **described} if before.get(name) != described.get(name)]
    if other:
        raise checkpoints.CheckpointError(
            f"The checkpoint in {folder} is of another training ({', '.join(other)}). Use another "
            f"--output; `training train` can begin from its weights with --start."
        )
    return state
