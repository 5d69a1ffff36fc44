"""Reading short segments while a memory is learned, and asking it: `read_sequential` and `run` for
memory tokens that go through the layers with the text, with lists of writes instead of A.

The numbers are those of `ArmtModel.run`, to rounding. Where a segment has a few tokens, the matrix
A of each layer would be the dearest part of reading it.

Axes: L layers, B documents, S segments, T tokens, R rows of each document, D width.
"""

from functools import partial

import torch
from torch import Tensor

from armt_core.associative import projections
from armt_core.config import System
from armt_core.errors import ModelError
from armt_core.model import ArmtModel
from armt_core.together import enter
from training.dual import Writes


def read_listed(model: ArmtModel, ids: Tensor) -> list[Writes]:
    """What was written in each of L layers while B documents of S whole segments were read; ids:
    (B, S, T). Raises ModelError for memory tokens that are "apart"."""
    if model.config.memory_tokens == "apart":
        raise ModelError('Memory tokens that are "apart" are read by training.traced.')
    of, B = projections(model.associative), len(ids)
    system = model.associative.system
    empty = model.empty_memory(B)
    pairs = zip(empty.associations.unbind(), empty.normalizer.unbind(), strict=True)
    layers = [Writes.after(A, z) for A, z in pairs]
    alive = torch.ones(B, dtype=torch.bool, device=ids.device)
    for number, segment in enumerate(ids.unbind(1)):
        first = torch.full_like(alive, number == 0)
        rows = enter(model, segment, torch.ones_like(segment).bool(), True, None, None)
        after = []
        for index, layer in enumerate(layers):
            read = partial(layer.read, w_query=of[index].query, system=system)
            rows = rows.layer(model.adapter, index, read, None)
            # What is written is not read before the next segment.
            put, _ = layer.write(rows.tokens, first, alive, of[index], system)
            after.append(put)
        layers = after
    return layers


def ask_listed(model: ArmtModel, ids: Tensor, memory: list[Writes]) -> Tensor:
    """Hidden states (B * R, T, D) of R neighbouring rows of each document; ids: (B * R, T)."""
    rows = enter(model, ids, torch.ones_like(ids).bool(), False, None, None)
    system = model.associative.system
    for index, (layer, w_query) in enumerate(
        zip(memory, model.associative.query.unbind(), strict=True)
    ):
        rows = rows.layer(model.adapter, index, partial(_beside, layer, w_query, system), None)
    return rows.finish(model.adapter)


def _beside(layer: Writes, w_query: Tensor, system: System, hidden: Tensor) -> Tensor:
    """hidden (B * R, T, D) with what is read, the rows of one document as one long row."""
    long = hidden.reshape(len(layer.normalizer), -1, hidden.shape[-1])
    return layer.read(long, w_query, system).view_as(hidden)
