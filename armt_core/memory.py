"""The memory of documents as a value: state in, state out.

Axes: L layers, B documents, K key features, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from armt_core.batched import BatchedMemory
from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch


@dataclass(frozen=True)
class MemoryState(BatchedMemory):
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

    def check(self, config: ArmtConfig) -> None:
        """Raises MemoryMismatch when this memory does not fit a model of `config`."""
        expected = (config.num_hidden_layers, config.key_features, config.hidden_size)
        L, _, K, D = self.associations.shape
        if expected != (L, K, D):
            raise MemoryMismatch(
                f"The memory has (layers, key features, width) = {(L, K, D)}, the model has "
                f"{expected}. Read the document again with this model."
            )
