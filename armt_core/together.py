"""Memory tokens that go through the layers together with the text, as in the paper.

Text and memory tokens read the memory before each layer; the memory tokens come after the text
("own": vectors of their own, "inline": embeddings at the next positions).

Axes: L layers, B rows, T tokens, M memory tokens, D width.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import Cache

from armt_core.adapters import BackboneAdapter, Context
from armt_core.lowrank import LayerDelta, Role
from armt_core.masks import attention_bias, memory_positions, positions
from armt_core.reads import LayerReads, Read

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


@dataclass(frozen=True)
class Together:
    """Rows on their way through the layers, and what every layer is told of them.

    hidden: (B, T + M, D), text and after it M memory tokens.
    """

    hidden: Tensor
    context: Context
    memory_tokens: int

    def layer(
        self, adapter: BackboneAdapter, index: int, read: Read, delta: LayerDelta | None
    ) -> "Together":
        """After layer `index`, whose memory `read` adds."""
        return replace(self, hidden=adapter.layer(index, read(self.hidden), self.context, delta))

    @property
    def tokens(self) -> Tensor:
        """The memory tokens, (B, M, D)."""
        return self.hidden[:, self.hidden.shape[1] - self.memory_tokens :]

    def finish(self, adapter: BackboneAdapter) -> Tensor:
        """The text after the last layer, (B, T, D)."""
        return adapter.finish(self.hidden[:, : self.hidden.shape[1] - self.memory_tokens])

    @property
    def moving(self) -> tuple[Tensor, ...]:
        """What a layer changes."""
        return (self.hidden,)

    @property
    def fixed(self) -> tuple[Tensor, ...]:
        """What all layers see alike."""
        return (self.context.bias, self.context.position_ids, *(self.context.rotary or ()))

    def holding(self, moving: tuple[Tensor, ...], fixed: tuple[Tensor, ...]) -> "Together":
        """The same with other `moving` and `fixed`."""
        bias, position_ids, *rotary = fixed
        context = Context(bias, position_ids, (rotary[0], rotary[1]) if rotary else None)
        return replace(self, hidden=moving[0], context=context)


def run_together(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    reads: LayerReads,
    write: bool,
    prefix: Tensor | None,
    cache: Cache | None,
    role: Role | None,
) -> tuple[Tensor, Tensor | None]:
    """`ArmtModel.through` for memory tokens "own" and "inline", or (`write` is not set) for text
    alone; shapes as there."""
    adapter, delta = model.adapter, model.delta(role)
    rows = enter(model, input_ids, mask, write, prefix, cache)
    made: list[Tensor] = []
    for index in range(model.config.num_hidden_layers):
        rows = rows.layer(adapter, index, partial(reads, index), delta[index])
        if write:
            made.append(rows.tokens)
    return rows.finish(adapter), torch.stack(made) if write else None


def enter(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    write: bool,
    prefix: Tensor | None,
    cache: Cache | None,
) -> Together:
    """Text and (`write`) memory tokens as they go into the first layer; shapes as in `run`."""
    adapter = model.adapter
    B, T = input_ids.shape
    M = model.config.num_memory_tokens if write else 0
    if prefix is None and adapter.causal:
        prefix = torch.zeros(1, dtype=torch.int64, device=mask.device)
    inline = model.config.memory_tokens == "inline"
    places = positions(mask, T)  # (B, T)
    embeddings = adapter.tokens(input_ids)
    if M:
        tokens = model.memory_tokens.to(embeddings.dtype).expand(B, -1, -1)  # (B, M, D)
        all_places = torch.cat([places, memory_positions(mask, M)], dim=1)
        if inline:
            hidden = adapter.place(torch.cat([embeddings, tokens], dim=1), all_places)
        else:
            hidden = torch.cat([adapter.place(embeddings, places), tokens], dim=1)
        places = all_places  # of hidden, (B, T + M, D)
    else:
        hidden = adapter.place(embeddings, places)
    sees = inline and not adapter.causal
    context = Context(
        bias=attention_bias(mask, T, M, prefix, sees, adapter.causal, hidden.dtype),
        position_ids=places,
        rotary=adapter.rotary(hidden, places),
        cache=cache,
    )
    return Together(hidden, context, M)
