"""`python -m training associative`: a system learns associative retrieval and is measured.

Four layers of width 128 with d_mem 64, as in arXiv 2407.04841, from random weights.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config

from armt_core.config import ArmtConfig, System
from armt_core.errors import UsageError
from armt_core.systems import SystemModel, new_system
from training.objectives.associative import (
    MOST_PAIRS,
    PAD,
    PAIR,
    VOCABULARY,
    Associative,
    Task,
    answer,
    draw_documents,
    matches,
)
from training.objectives.base import Objective
from training.recipe import Recipe, Stage
from training.stamp import stamp
from training.trainer import train

#: Pairs of the stages; a training of N pairs goes through those below N, and then N.
CURRICULUM = (1, 2, 3, 5, 10, 20, 40, 50)
#: Pairs at which a trained system is measured.
MEASURED = (10, 50, 100, 200, 500)
#: Memory tokens of a segment, and documents of a batch.
MEMORY_TOKENS, BATCH = 8, 64
RATE = 1e-3


def learn_associative(
    system: System,
    task: Task,
    pairs: int,
    seed: int,
    steps: int,
    output: Path,
    measured: Sequence[int] = MEASURED,
    documents: int = 1000,
) -> dict[str, Any]:
    """`train_associative`, then exact match at `pairs` and at each number of `measured`, on so many
    new documents each: into `results.json` in the folder `output`, and returned."""
    model = train_associative(system, task, pairs, seed, steps, output)
    found = {
        "system": system,
        "task": task,
        "pairs": pairs,
        "seed": seed,
        "steps": steps,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "documents": documents,
        "exact_match": {
            str(n): exact_match(model, task, n, documents, random.Random(f"{seed}/measured/{n}"))
            for n in sorted({pairs, *measured})
        },
    }
    text = json.dumps({**stamp(), **found}, indent=2)
    (output / "results.json").write_text(text + "\n", encoding="utf-8")
    return found


def train_associative(
    system: System,
    task: Task,
    pairs: int,
    seed: int,
    steps: int,
    output: Path,
    stop_after: int | None = None,
) -> SystemModel:
    """A system that was trained on documents of up to so many pairs, its checkpoint in `output`.

    steps: of the optimiser in all, alike in each stage of the curriculum. A training that was
    stopped goes on with the same arguments. stop_after: at most so many steps in this call.
    Raises UsageError for numbers that make no training, CheckpointError if `output` holds another.
    """

    def objectives(stage: Stage) -> Mapping[str, Objective]:
        return {name: Associative(**settings) for name, settings in stage.settings.items()}

    recipe = _recipe(system, task, pairs, seed, steps)
    torch.manual_seed(seed)
    model = new_system(_config(system))
    if torch.cuda.is_available():
        model.to("cuda")
    return train(model, recipe, objectives, output, stop_after=stop_after, precision="no")


@torch.no_grad()
def exact_match(
    model: SystemModel, task: Task, pairs: int, documents: int, draw: random.Random
) -> float:
    """Share of so many documents of so many pairs after which the whole value is right."""
    right = 0
    for first in range(0, documents, BATCH):
        drawn = draw_documents(draw, task, pairs, min(BATCH, documents - first))
        right += int(matches(answer(model, drawn), drawn).sum())
    return right / documents


def _config(system: System) -> ArmtConfig:
    backbone = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=128,
        n_layer=4,
        n_head=4,
        n_positions=2 * MEMORY_TOKENS + PAIR,
        bos_token_id=PAD,
        eos_token_id=PAD,
        pad_token_id=PAD,
    )
    return ArmtConfig(
        backbone=backbone,
        num_memory_tokens=MEMORY_TOKENS,
        memory_dim=64,
        segment_tokens=PAIR,
        system=system,
    )


def _recipe(system: System, task: Task, pairs: int, seed: int, steps: int) -> Recipe:
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"--pairs must be from 1 to {MOST_PAIRS} (the keys), not {pairs}.")
    lengths = [n for n in CURRICULUM if n < pairs] + [pairs]
    if steps < len(lengths):
        raise UsageError(
            f"--steps must be at least {len(lengths)}, one for each of the stages {lengths}, "
            f"not {steps}."
        )
    ends = [steps * (i + 1) // len(lengths) for i in range(len(lengths))]
    return Recipe(
        seed=seed,
        learning_rate=RATE,
        fresh_learning_rate=RATE,
        emptied=0.0,
        decay=steps // 10,
        stages=tuple(
            Stage(
                # Its name says whose checkpoint it is: the trainer compares recipes.
                f"{system}: {n} pairs",
                end - begin,
                {"associative": 1.0},
                {"associative": {"task": task, "pairs": n, "documents": BATCH}},
            )
            for n, begin, end in zip(lengths, [0, *ends], ends, strict=False)
        ),
    )
