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
    """Draws batches and scores them; it keeps nothing between two of them.

    All randomness of a batch comes from the `draw` it is given, so that a training which is
    cut off goes on with the batches that it would have had.
    """

    name: ClassVar[str]

    @abstractmethod
    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        """The loss of one batch. empty: the same with an emptied memory, so that what the
        model knows without memory is learned as well, and can be told apart."""
