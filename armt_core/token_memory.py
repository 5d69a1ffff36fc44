"""The memory of systems that hand memory tokens on, as a value: state in, state out.

Axes: H places where tokens are handed over (RMT 1, PRMT one a layer), B documents, M memory
tokens, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from armt_core.batched import BatchedMemory
from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch


@dataclass(frozen=True)
class TokenMemory(BatchedMemory):
    """What has been read, for B documents side by side.

    tokens: (H, B, M, D), as the segment before left them; nothing reads those of a document
        that has read no segment.
    segments_read: (B,) int64.
    """

    tokens: Tensor
    segments_read: Tensor

    def __post_init__(self) -> None:
        if self.tokens.ndim != 4 or self.segments_read.shape != self.tokens.shape[1:2]:
            raise MemoryMismatch(
                f"tokens must be (H, B, M, D) and segments_read (B,), got "
                f"{tuple(self.tokens.shape)} and {tuple(self.segments_read.shape)}."
            )

    @staticmethod
    def empty(
        config: ArmtConfig,
        batch: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "TokenMemory":
        """A memory of `batch` documents of which nothing was read."""
        H, M, D = _sizes(config)
        return TokenMemory(
            torch.zeros(H, batch, M, D, device=device, dtype=dtype),
            torch.zeros(batch, device=device, dtype=torch.int64),
        )

    def check(self, config: ArmtConfig) -> None:
        """Raises MemoryMismatch when this memory does not fit a model of `config`."""
        H, _, M, D = self.tokens.shape
        if _sizes(config) != (H, M, D):
            raise MemoryMismatch(
                f"The memory has (places, memory tokens, width) = {(H, M, D)}, the model has "
                f"{_sizes(config)}. Read the document again with this model."
            )


def _sizes(config: ArmtConfig) -> tuple[int, int, int]:
    """H, M and D of a model."""
    places = config.num_hidden_layers if config.system == "prmt" else 1
    return places, config.num_memory_tokens, config.hidden_size
