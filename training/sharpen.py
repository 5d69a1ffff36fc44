"""Betas of a trained memory made decisive: what is a fact is written, what is none is not.

Trained, the logits of beta of facts and of filler lie far apart, but what filler writes with a
millionth is added up over a million tokens (docs/decisions.md). Logits are drawn apart here.
"""

from pathlib import Path

import torch

from armt_core.errors import ModelError
from training import checkpoints
from training.run import open_start, save_training


def sharpen(trained: Path, by: float, at: float, output: Path) -> None:
    """Writes a training whose memory is that of `trained`, but for the logits l of its betas, which
    are by (l - at). Raises ModelError for what is no training or a factor that is not positive."""
    state = checkpoints.load(trained) if checkpoints.exists(trained) else None
    if state is None:
        raise ModelError(f"{trained} is not the output of a training.")
    if by <= 0:
        raise ModelError(f"Logits are multiplied by more than 0, not by {by}.")
    model, words = open_start(trained)
    with torch.no_grad():
        model.associative.beta_weight.mul_(by)
        model.associative.beta_bias.sub_(at).mul_(by)
    save_training(model, words, {"trained": state["recipe"]["trained"]}, output)
