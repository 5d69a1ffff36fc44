"""How near each document comes to a question: the best cosine among its passages' vectors.

The vectors are kept in memory once they were loaded, 768 bytes a passage with the default
model, so that a question to a library of many documents reads none from disk.

Axes: n passages, V versions, D width.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from storage.library import Library
from storage.passages import Kind
from storage.records import PassageVectors

log = logging.getLogger(__name__)

#: Bytes of vectors that are kept, 1.4 million passages of 384 numbers; what a library has
#: beyond them is read from disk for each question.
KEPT_AT_MOST = 1 << 30
#: How far a cosine in 16 bits may be above or below the exact one: the query is rounded (2^-11 of
#: it), and so is the result (2^-12 of 1).
_ROUGH = 0.00075


@dataclass(frozen=True)
class _Block:
    """Vectors (n, D) on pages (n,); those of versions[v] begin at starts[v], both (V,)."""

    versions: NDArray[np.int64]
    starts: NDArray[np.int64]
    pages: NDArray[np.int64]
    vectors: Tensor

    @classmethod
    def of(cls, loaded: PassageVectors) -> "_Block":
        versions, starts = np.unique(loaded.versions, return_index=True)
        return cls(versions, starts, loaded.pages, torch.from_numpy(loaded.vectors))

    def only(self, wanted: NDArray[np.int64]) -> "_Block":
        """Without the versions that are not wanted."""
        if np.isin(self.versions, wanted).all():
            return self
        of = np.repeat(self.versions, np.diff(self.starts, append=len(self.pages)))
        stays = np.isin(of, wanted)
        return _Block.of(PassageVectors(of[stays], self.pages[stays], self.vectors.numpy()[stays]))

    def nearest(self, query: Tensor, upto_page: int | None) -> NDArray[np.float32]:
        """The best cosine of each version (V,); -inf where no passage counts."""
        # All of them in 16 bits, which takes half as long; then exactly those that may be the best
        # of their version.
        rough = torch.mv(self.vectors, query.half()).float().numpy()
        if upto_page is not None:
            rough[self.pages > upto_page] = -np.inf
        most = np.maximum.reduceat(rough, self.starts)
        least = np.repeat(most - 2 * _ROUGH, np.diff(self.starts, append=len(rough)))
        close = np.flatnonzero((rough >= least) & (rough > -np.inf))
        found = np.full(len(rough), -np.inf, dtype=np.float32)
        found[close] = torch.mv(self.vectors[torch.from_numpy(close)].float(), query).numpy()
        best: NDArray[np.float32] = np.maximum.reduceat(found, self.starts)
        return best


class Nearest:
    """Keeps the vectors of one library; one call at a time."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._blocks: dict[Kind, list[_Block]] = {"memory": [], "plain": []}

    @property
    def bytes_kept(self) -> int:
        """Bytes of the vectors in memory."""
        return sum(block.vectors.nbytes for kept in self._blocks.values() for block in kept)

    def best(
        self,
        query: NDArray[np.float32],
        version_ids: Sequence[int],
        kind: Kind = "memory",
        upto_page: int | None = None,
    ) -> dict[int, float]:
        """The best cosine of each version with the query (D,), both of length 1.

        version_ids: of ready versions, whose passages never change. Left out are those without
        vectors of this width, or without any up to and with `upto_page`.
        """
        found: dict[int, float] = {}
        asked = torch.from_numpy(query)
        for block in self._of(np.array(version_ids, dtype=np.int64), kind, len(query)):
            cosines = block.nearest(asked, upto_page)
            counts = cosines > -np.inf
            found |= zip(block.versions[counts].tolist(), cosines[counts].tolist(), strict=True)
        return found

    def _of(self, wanted: NDArray[np.int64], kind: Kind, width: int) -> Iterator[_Block]:
        """The kept ones first; then what is new, kept as far as there is room."""
        kept = [block.only(wanted) for block in self._blocks[kind]]
        kept = self._blocks[kind] = [block for block in kept if len(block.versions)]
        yield from kept
        known = np.concatenate([block.versions for block in kept]) if kept else wanted[:0]
        new = np.setdiff1d(wanted, known).tolist()
        for loaded in self._library.vectors_of(new, width, kind):
            if not len(loaded.versions):
                continue
            block = _Block.of(loaded)
            if self.bytes_kept + block.vectors.nbytes <= KEPT_AT_MOST:
                kept.append(block)
            else:
                log.warning("Vectors beyond %d bytes are read from disk", KEPT_AT_MOST)
            yield block
