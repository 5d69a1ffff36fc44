"""What the trainer knows of an objective."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from armt_core.model import ArmtModel


@dataclass(frozen=True)
class Learned:
    """One batch: loss (scalar, with its graph) and what to log, by name."""

    loss: Tensor
    figures: Mapping[str, float]


class Objective(ABC):
    """Draws batches and scores them.

    All randomness of a batch comes from the `draw` it is given, and what is kept between two of
    them follows from the number of the step, so that a training which is cut off goes on with the
    batches that it would have had.
    """

    name: ClassVar[str]

    def at(self, step: int) -> None:  # noqa: B027 - most objectives keep nothing
        """Told before each batch which step of the training it is for."""

    @abstractmethod
    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        """The loss of one batch. empty: the same with an emptied memory, so that what the
        model knows without memory is learned as well, and can be told apart."""
