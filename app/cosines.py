"""Cosines of a question with stored vectors.

Axes: n passages or sentences, D width.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.library import Library


def best_sentences(
    library: Library, passages: Sequence[int], query: NDArray[np.float32]
) -> dict[int, float]:
    """The best cosine of the sentences of each passage (id) that has some."""
    held = {n: v for n, v in library.sentence_vectors(passages).items() if len(v)}
    if not held:
        return {}
    starts = np.cumsum([0, *map(len, held.values())][:-1])
    cosines = np.array(products(np.concatenate(list(held.values())), query))
    return dict(zip(held, np.maximum.reduceat(cosines, starts).tolist(), strict=True))


def products(vectors: NDArray[np.float16], query: NDArray[np.float32]) -> list[float]:
    """The cosines of vectors (n, D) with a query (D,), all of length 1."""
    found: list[float] = (vectors.astype(np.float32) @ query).tolist()
    return found
