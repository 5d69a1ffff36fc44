"""What the memories of all systems have in common: values that hold several documents."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from armt_core.errors import MemoryMismatch


class BatchedMemory:
    """A frozen dataclass of nothing but tensors, for B documents side by side.

    A tensor of one axis says something of each document, (B,). Every other has the documents on
    its second axis, (places, B, ...), where places are layers or wherever memory is kept.
    """

    segments_read: Tensor

    @property
    def batch(self) -> int:
        """B, the number of documents."""
        return self.segments_read.shape[0]

    @property
    def numbers(self) -> int:
        """How many numbers are kept of one document."""
        return sum(tensor[:, 0].numel() for tensor in self._tensors() if tensor.ndim > 1)

    @classmethod
    def stack(cls, memories: Sequence[Self]) -> Self:
        """Several memories side by side, in order; they are never mixed."""
        if not memories:
            raise MemoryMismatch("stack needs at least one memory.")
        each = zip(*(memory._tensors() for memory in memories), strict=True)
        return cls._of(torch.cat(tensors, dim=_axis(tensors[0])) for tensors in each)

    def select(self, index: int) -> Self:
        """The memory of one document of the batch, itself a batch of one."""
        at = range(self.batch)[index]
        return self._each(lambda tensor: tensor.narrow(_axis(tensor), at, 1))

    def take(self, documents: Sequence[int] | Tensor) -> Self:
        """The memories of these documents of the batch, in this order; one may come again."""
        index = torch.as_tensor(documents, device=self.segments_read.device)
        return self._each(lambda tensor: tensor.index_select(_axis(tensor), index))

    def detach(self) -> Self:
        """The same numbers outside the graph: the cut of truncated back-propagation."""
        return self._each(Tensor.detach)

    def to(self, device: torch.device | str) -> Self:
        """The same memory on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def check_rows(self, rows: int) -> None:
        """Raises MemoryMismatch unless there is one document for each row of tokens."""
        if self.batch != rows:
            raise MemoryMismatch(
                f"The memory holds {self.batch} documents, the tokens are of {rows} rows."
            )

    def _tensors(self) -> list[Tensor]:
        return list(vars(self).values())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return self._of(change(tensor) for tensor in self._tensors())

    @classmethod
    def _of(cls, tensors: Any) -> Self:
        kind: Any = cls  # a dataclass, with a field for each tensor
        return kind(*tensors)


def _axis(tensor: Tensor) -> int:
    """The axis of the documents."""
    return 0 if tensor.ndim == 1 else 1
