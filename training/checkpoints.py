"""A training on disk: whole or not at all, and gone on with exactly where it stopped."""

import os
from pathlib import Path
from typing import Any

import torch

from armt_core.errors import RecollectError


class CheckpointError(RecollectError):
    """A checkpoint cannot be gone on with."""

    code = "bad_checkpoint"


_NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replaces the checkpoint in `folder`; a crash in between leaves the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_NAME}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / _NAME)


def exists(folder: Path) -> bool:
    """Whether there is a training in `folder` to go on with."""
    return (folder / _NAME).is_file()


def load(folder: Path) -> dict[str, Any] | None:
    """The checkpoint in `folder`, or None where there is none. Holds tensors and plain values
    only; anything else in the file is refused."""
    path = folder / _NAME
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}. Delete it to begin again, or restore a copy."
        ) from error
