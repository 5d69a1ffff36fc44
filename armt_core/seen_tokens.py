"""The memory of attention: keys and values of tokens that were read, as a value.

Axes: L layers, B documents, H heads of keys and values, S tokens that are kept, E width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.batched import BatchedMemory
from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch


@dataclass(frozen=True)
class SeenTokens(BatchedMemory):
    """The last S tokens of each document, the newest at the end.

    keys, values: (L, B, H, S, E); zero in front where fewer than S tokens were read. With a window
        S is that window from the beginning; without one it is the most that a document of the
        batch has read, and grows.
    tokens_read: (B,) int64. segments_read: (B,) int64.
    """

    keys: Tensor
    values: Tensor
    tokens_read: Tensor
    segments_read: Tensor

    def __post_init__(self) -> None:
        if self.keys.ndim != 5 or self.values.shape != self.keys.shape:
            raise MemoryMismatch(
                f"keys and values must both be (L, B, H, S, E), got {tuple(self.keys.shape)} and "
                f"{tuple(self.values.shape)}."
            )
        batch = self.keys.shape[1:2]
        if self.tokens_read.shape != batch or self.segments_read.shape != batch:
            raise MemoryMismatch(
                f"tokens_read and segments_read must be {tuple(batch)}, one a document, got "
                f"{tuple(self.tokens_read.shape)} and {tuple(self.segments_read.shape)}."
            )

    @staticmethod
    def empty(
        config: ArmtConfig,
        batch: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "SeenTokens":
        """A memory of `batch` documents of which nothing was read."""
        L, H, E = _sizes(config)
        nothing = torch.zeros(L, batch, H, config.window or 0, E, device=device, dtype=dtype)
        read = torch.zeros(batch, device=device, dtype=torch.int64)
        return SeenTokens(nothing, nothing, read, read)

    @classmethod
    def stack(cls, memories: Sequence[Self]) -> Self:
        most = max((memory.keys.shape[3] for memory in memories), default=0)
        return super().stack([memory._widened(most) for memory in memories])

    def places(self) -> Tensor:
        """The position in the document of each token that is kept, (B, S); negative: there is
        none."""
        S = self.keys.shape[3]
        return self.tokens_read[:, None] + torch.arange(-S, 0, device=self.tokens_read.device)

    def after(
        self, keys: Tensor, values: Tensor, known: Tensor, mask: Tensor, window: int | None
    ) -> "SeenTokens":
        """The memory after a segment: the last `window` known tokens of each document, or all.

        keys, values: (L, B, H, S + T, E), those of this memory and then the segment's. known:
        (B, S + T) bool, false where there is no token. mask: (B, T) bool, those of the segment.
        """
        tokens_read = self.tokens_read + mask.sum(-1)
        keep = int(tokens_read.max()) if window is None else window
        if not bool(mask.all()):
            # Padding moves to the front, the order of the tokens stays.
            order = known.long().argsort(dim=-1, stable=True)  # (B, S + T)
            known = known.gather(-1, order)
            keys, values = (_sorted(tensor, order, known) for tensor in (keys, values))
        first = keys.shape[3] - keep
        return SeenTokens(
            keys[:, :, :, first:],
            values[:, :, :, first:],
            tokens_read,
            self.segments_read + mask.any(-1).long(),
        )

    def check(self, config: ArmtConfig) -> None:
        """Raises MemoryMismatch when this memory does not fit a model of `config`."""
        L, _, H, S, E = self.keys.shape
        fits = _sizes(config) == (L, H, E)
        if not fits or (config.window is not None and config.window != S):
            raise MemoryMismatch(
                f"The memory has (layers, heads, width of a head) = {(L, H, E)} and {S} tokens, "
                f"the model has {_sizes(config)} and a window of {config.window}. Read the "
                "document again with this model."
            )

    def _widened(self, tokens: int) -> Self:
        """The same with room for so many tokens."""
        front = (0, 0, tokens - self.keys.shape[3], 0)
        parts = (functional.pad(self.keys, front), functional.pad(self.values, front))
        return type(self)(*parts, self.tokens_read, self.segments_read)


def _sorted(tensor: Tensor, order: Tensor, known: Tensor) -> Tensor:
    """tensor (L, B, H, N, E) with the tokens of each document in its `order` (B, N), and zero
    where nothing is `known` (B, N, in the new order)."""
    index = order[None, :, None, :, None].expand_as(tensor)
    return tensor.gather(3, index) * known[None, :, None, :, None]


def _sizes(config: ArmtConfig) -> tuple[int, int, int]:
    """L, H and E of a model."""
    backbone = config.backbone
    heads = backbone.num_attention_heads
    width = getattr(backbone, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, getattr(backbone, "num_key_value_heads", None) or heads, width
