"""Reading short segments while a memory is learned, and asking it: `read_sequential` and `run` for
memory tokens that go through the layers with the text, with lists of writes instead of A.

The numbers are those of `ArmtModel.run`, to rounding; one token a segment and a matrix of
memory_dim x D a layer make the matrix the dearest part of it.

Axes: L layers, B documents, S segments, T tokens, R rows of each document, D width.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from armt_core.errors import ModelError
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.together import enter
from training.dual import Writes, projections


@dataclass(frozen=True)
class Listed:
    """The memory of B documents while it is learned: what was written in each of L layers."""

    layers: tuple[Writes, ...]
    segments: int

    def sum(self) -> MemoryState:
        """The same as the state that is handed on."""
        z = torch.stack([layer.normalizer for layer in self.layers])
        read = torch.full((z.shape[1],), self.segments, device=z.device)
        return MemoryState(torch.stack([layer.sum() for layer in self.layers]), z, read)


def read_listed(model: ArmtModel, ids: Tensor) -> Listed:
    """The memory of B documents of S whole segments; ids: (B, S, T). Raises ModelError for memory
    tokens that are "apart"."""
    if model.config.memory_tokens == "apart":
        raise ModelError('Memory tokens that are "apart" are read by training.traced.')
    of, B = projections(model.associative), len(ids)
    empty = model.empty_memory(B)
    pairs = zip(empty.associations.unbind(), empty.normalizer.unbind(), strict=True)
    layers = [Writes.after(A, z) for A, z in pairs]
    alive = torch.ones(B, dtype=torch.bool, device=ids.device)
    for number, segment in enumerate(ids.unbind(1)):
        rows = enter(model, segment, torch.ones_like(segment).bool(), True, None, None)
        after = []
        for index, layer in enumerate(layers):
            rows = rows.layer(
                model.adapter, index, partial(layer.read, w_query=of[index].query), None
            )
            first = ~alive if number else alive
            # What is written is not read before the next segment.
            after.append(
                layer.write(rows.tokens, first, alive, of[index], model.associative.system)[0]
            )
        layers = after
    return Listed(tuple(layers), ids.shape[1])


def ask_listed(model: ArmtModel, ids: Tensor, memory: Listed) -> Tensor:
    """Hidden states (B * R, T, D) of R neighbouring rows of each document; ids: (B * R, T)."""
    rows = enter(model, ids, torch.ones_like(ids).bool(), False, None, None)
    B = len(memory.layers[0].normalizer)
    for index, layer in enumerate(memory.layers):
        query = model.associative.query[index]
        beside = rows.hidden.reshape(B, -1, rows.hidden.shape[-1])
        hidden = layer.read(beside, query).view_as(rows.hidden)
        rows = replace(rows, hidden=hidden).layer(model.adapter, index, _unchanged, None)
    return rows.finish(model.adapter)


def _unchanged(hidden: Tensor) -> Tensor:
    return hidden
