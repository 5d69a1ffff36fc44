"""The memory of documents as a value: state in, state out.

Axes: L layers, B documents, K key features, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch


@dataclass(frozen=True)
class MemoryState:
    """What has been read, for B documents side by side.

    associations: (L, B, K, D), the matrix A of each layer.
    normalizer: (L, B, K), the vector z of each layer; never negative.
    segments_read: (B,) int64; 0 says that nothing was written yet, which the
        first write treats on its own (gamma = 1, vbar = 0).
    """

    associations: Tensor
    normalizer: Tensor
    segments_read: Tensor

    def __post_init__(self) -> None:
        if self.associations.ndim != 4:
            raise MemoryMismatch(
                f"associations must be (L, B, K, D), got {tuple(self.associations.shape)}."
            )
        layers, batch, features, _ = self.associations.shape
        if self.normalizer.shape != (layers, batch, features):
            raise MemoryMismatch(
                f"normalizer must be {(layers, batch, features)} to go with associations of "
                f"{tuple(self.associations.shape)}, got {tuple(self.normalizer.shape)}."
            )
        if self.segments_read.shape != (batch,):
            raise MemoryMismatch(
                f"segments_read must be ({batch},), one a document, "
                f"got {tuple(self.segments_read.shape)}."
            )

    @staticmethod
    def empty(
        config: ArmtConfig,
        batch: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "MemoryState":
        """A memory of `batch` documents in which nothing is written."""
        L, K, D = config.num_hidden_layers, config.key_features, config.hidden_size
        return MemoryState(
            torch.zeros(L, batch, K, D, device=device, dtype=dtype),
            torch.zeros(L, batch, K, device=device, dtype=dtype),
            torch.zeros(batch, device=device, dtype=torch.int64),
        )

    @staticmethod
    def stack(states: Sequence["MemoryState"]) -> "MemoryState":
        """Several memories side by side, in order; they are never mixed."""
        if not states:
            raise MemoryMismatch("stack needs at least one memory.")
        return MemoryState(
            torch.cat([s.associations for s in states], dim=1),
            torch.cat([s.normalizer for s in states], dim=1),
            torch.cat([s.segments_read for s in states]),
        )

    @property
    def batch(self) -> int:
        """B, the number of documents."""
        return self.associations.shape[1]

    def select(self, index: int) -> "MemoryState":
        """The memory of one document of the batch, itself a batch of one."""
        one = slice(index, index + 1) if index != -1 else slice(-1, None)
        return MemoryState(
            self.associations[:, one], self.normalizer[:, one], self.segments_read[one]
        )

    def take(self, documents: Sequence[int]) -> "MemoryState":
        """The memories of these documents of the batch, in this order; one may come again."""
        index = torch.tensor(list(documents), device=self.segments_read.device)
        return MemoryState(
            self.associations.index_select(1, index),
            self.normalizer.index_select(1, index),
            self.segments_read.index_select(0, index),
        )

    def detach(self) -> "MemoryState":
        """The same numbers outside the graph: the cut of truncated back-propagation."""
        return replace(
            self, associations=self.associations.detach(), normalizer=self.normalizer.detach()
        )

    def to(self, device: torch.device | str) -> "MemoryState":
        """The same memory on another device."""
        return MemoryState(
            self.associations.to(device), self.normalizer.to(device), self.segments_read.to(device)
        )

    def check(self, config: ArmtConfig) -> None:
        """Raises MemoryMismatch when this memory does not fit a model of `config`."""
        expected = (config.num_hidden_layers, config.key_features, config.hidden_size)
        L, _, K, D = self.associations.shape
        if expected != (L, K, D):
            raise MemoryMismatch(
                f"The memory has (layers, key features, width) = {(L, K, D)}, the model has "
                f"{expected}. Read the document again with this model."
            )
