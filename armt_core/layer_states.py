"""The memory of a Mamba-2: the state of each layer, as a value.

Axes: L layers, B documents, C channels of the convolution, W its width, H heads, E width of a head,
N numbers of a state.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from armt_core.batched import BatchedMemory
from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch


@dataclass(frozen=True)
class LayerStates(BatchedMemory):
    """What has been read, for B documents side by side.

    conv: (L, B, C, W), what went into the convolution last. recurrent: (L, B, H, E, N), the state.
        Both are zero before anything is read.
    segments_read: (B,) int64.
    """

    conv: Tensor
    recurrent: Tensor
    segments_read: Tensor

    def __post_init__(self) -> None:
        batch = self.segments_read.shape
        if self.conv.ndim != 4 or self.recurrent.ndim != 5 or len(batch) != 1:
            raise MemoryMismatch(
                f"conv must be (L, B, C, W), recurrent (L, B, H, E, N) and segments_read (B,), got "
                f"{tuple(self.conv.shape)}, {tuple(self.recurrent.shape)} and {tuple(batch)}."
            )
        if self.conv.shape[:2] != self.recurrent.shape[:2] or self.conv.shape[1:2] != batch:
            raise MemoryMismatch(
                f"conv, recurrent and segments_read are of {self.conv.shape[1]}, "
                f"{self.recurrent.shape[1]} and {batch[0]} documents."
            )

    @staticmethod
    def empty(
        config: ArmtConfig,
        batch: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "LayerStates":
        """A memory of `batch` documents of which nothing was read."""
        L, conv, recurrent = _sizes(config)
        return LayerStates(
            torch.zeros(L, batch, *conv, device=device, dtype=dtype),
            torch.zeros(L, batch, *recurrent, device=device, dtype=dtype),
            torch.zeros(batch, device=device, dtype=torch.int64),
        )

    def check(self, config: ArmtConfig) -> None:
        """Raises MemoryMismatch when this memory does not fit a model of `config`."""
        found = self.conv.shape[0], tuple(self.conv.shape[2:]), tuple(self.recurrent.shape[2:])
        if found != _sizes(config):
            raise MemoryMismatch(
                f"The memory has (layers, convolution, state) = {found}, the model has "
                f"{_sizes(config)}. Read the document again with this model."
            )


def _sizes(config: ArmtConfig) -> tuple[int, tuple[int, int], tuple[int, int, int]]:
    """L, (C, W) and (H, E, N) of a model."""
    mamba = config.backbone
    inner = mamba.num_heads * mamba.head_dim
    channels = inner + 2 * mamba.n_groups * mamba.state_size
    conv, state = mamba.conv_kernel, (mamba.num_heads, mamba.head_dim, mamba.state_size)
    return config.num_hidden_layers, (channels, conv), state
