"""Small models from random weights, one for each system: how they learn a task and are measured.

Four layers of width 128 with d_mem 64, as in arXiv 2407.04841.
"""

import json
import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, Mamba2Config

from armt_core.config import ArmtConfig, System
from armt_core.errors import UsageError
from armt_core.model import ArmtModel
from armt_core.systems import SystemModel, new_system
from training import checkpoints
from training.objectives.base import Objective
from training.recipe import Recipe, Stage
from training.stamp import stamp
from training.trainer import train

LAYERS, WIDTH, HEADS = 4, 128, 4
#: d_mem of an ARMT; memory tokens of a segment, in an ARMT where a task says nothing else.
MEMORY_DIM, MEMORY_TOKENS = 64, 8
RATE = 1e-3

log = logging.getLogger(__name__)

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class SmallTask:
    """What a small model learns.

    name: of the objective. vocabulary: how many tokens there are. segment_tokens: of a segment.
    stages: settings of the objective, one after the other. shares: of the steps, one for each
    stage; none: all have the same.
    objective: makes it from such settings. measure: figures of a trained model, drawn from what it
    is given. described: what else says which task it is. writes: memory tokens of an ARMT, each of
    which writes once a segment; RMT and PRMT hand theirs on and nothing else, so they keep theirs.
    rate: the learning rate. decay: over what share of the steps, the last ones, it falls to zero.
    """

    name: str
    vocabulary: int
    segment_tokens: int
    stages: Sequence[Settings]
    objective: Callable[..., Objective]
    measure: Callable[[SystemModel, random.Random], Settings]
    described: Settings
    writes: int = MEMORY_TOKENS
    shares: Sequence[float] = ()
    rate: float = RATE
    decay: float = 0.1


def learn(task: SmallTask, system: System, seed: int, steps: int, output: Path) -> dict[str, Any]:
    """`train_small`, then what the task measures: into `results.json` in the folder `output`, and
    returned."""
    model = train_small(task, system, seed, steps, output)
    log.info("measuring, which may take minutes")
    with torch.no_grad():
        measured = task.measure(model, random.Random(f"{seed}/measured"))
    found = {
        "task": task.name,
        **task.described,
        "system": system,
        "seed": seed,
        "steps": steps,
        "rate": task.rate,
        "decay": task.decay,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "processor_minutes": _minutes(output),
        **measured,
    }
    text = json.dumps({**stamp(), **found}, indent=2)
    (output / "results.json").write_text(text + "\n", encoding="utf-8")
    return found


def _minutes(output: Path) -> float | None:
    """Processor time of the training in `output`; None if it began before that was counted."""
    seconds = float((checkpoints.load(output) or {}).get("processor_seconds", math.nan))
    return None if math.isnan(seconds) else round(seconds / 60, 3)


def train_small(
    task: SmallTask,
    system: System,
    seed: int,
    steps: int,
    output: Path,
    stop_after: int | None = None,
) -> SystemModel:
    """A system that has learned the task, its checkpoint in `output`.

    steps: of the optimiser in all. A training that was stopped goes on with the same arguments.
    stop_after: at most so many steps in this call. Raises UsageError for fewer steps than stages
    and for a rate that is not above 0, CheckpointError if `output` holds another training.
    """
    if not 0 < task.rate < math.inf:
        raise UsageError(f"--rate must be a learning rate above 0, as 3e-4, not {task.rate:g}.")
    if steps < len(task.stages):
        raise UsageError(
            f"--steps must be at least {len(task.stages)}, one for each stage of {task.name}, "
            f"not {steps}."
        )
    ends = _ends(steps, task.shares or [1] * len(task.stages))
    of = f"{system}, {task.name} {json.dumps(task.described)}"
    recipe = Recipe(
        seed=seed,
        learning_rate=task.rate,
        fresh_learning_rate=task.rate,
        emptied=0.0,
        warmup=min(50, steps // 10),
        decay=int(steps * task.decay),
        stages=tuple(
            # Its name says whose checkpoint it is: the trainer compares recipes.
            Stage(f"{of}, stage {i + 1}", end - begin, {task.name: 1.0}, {task.name: s})
            for i, (s, begin, end) in enumerate(zip(task.stages, ends, ends[1:], strict=False))
        ),
    )
    torch.manual_seed(seed)
    model = small_model(system, task.vocabulary, task.segment_tokens, task.writes)
    if torch.cuda.is_available():
        model.to("cuda")

    def objectives(stage: Stage) -> Mapping[str, Objective]:
        return {name: task.objective(**settings) for name, settings in stage.settings.items()}

    return train(model, recipe, objectives, output, stop_after=stop_after, precision="no")


def _ends(steps: int, shares: Sequence[float]) -> list[int]:
    """0, and after how many steps each stage ends; each has one at least."""
    ends, upto = [0], 0.0
    for left, share in zip(reversed(range(len(shares))), shares, strict=True):
        upto += share
        end = int(steps * upto / sum(shares) + 1e-9)
        ends.append(min(max(end, ends[-1] + 1), steps - left))
    return ends


def small_model(
    system: System, vocabulary: int, segment_tokens: int, writes: int = MEMORY_TOKENS
) -> SystemModel:
    """The model of a system, of about a million parameters beside the embedding.

    Positions are rotary, so that a system may read as far as it likes. A layer of Mamba has about
    half the weights of one with attention, so there are twice as many. The sliding window reaches
    as far back as a segment is long. writes: memory tokens of an ARMT.
    """
    special = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
    if system == "mamba":
        backbone: Any = Mamba2Config(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            num_hidden_layers=2 * LAYERS,
            num_heads=8,
            head_dim=2 * WIDTH // 8,
            state_size=64,
            n_groups=1,
            # About what is fastest on a CPU, in rows of 25 to 250 tokens; not what is computed.
            chunk_size=25,
            initializer_range=0.02,
            tie_word_embeddings=True,
            **special,
        )
    else:
        backbone = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            # Of the three matrices as many weights as the usual two of 4 times the width have.
            intermediate_size=8 * WIDTH // 3,
            tie_word_embeddings=True,
            **special,
        )
    config = ArmtConfig(
        backbone=backbone,
        num_memory_tokens=writes if system in ArmtModel.systems else MEMORY_TOKENS,
        memory_dim=MEMORY_DIM,
        segment_tokens=segment_tokens,
        system=system,
        window=segment_tokens if system == "sliding-window" else None,
    )
    return new_system(config)
