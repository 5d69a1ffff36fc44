"""Memory tokens that go through the layers together with the text, as in the paper.

Text and memory tokens read the memory before each layer; the memory tokens come after the text
("own": vectors of their own, "inline": embeddings at the next positions).

Axes: L layers, B rows, T tokens, M memory tokens, D width.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import Cache

from armt_core.adapters import Context
from armt_core.lowrank import Role
from armt_core.masks import attention_bias, memory_positions, positions
from armt_core.memory import MemoryState
from armt_core.reads import LayerReads

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


def run_together(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    memory: MemoryState,
    write: bool,
    prefix: Tensor | None,
    cache: Cache | None,
    role: Role | None,
) -> tuple[Tensor, Tensor | None]:
    """`ArmtModel.through` for memory tokens "own" and "inline", or (`write` is not set) for text
    alone; shapes as there."""
    adapter, delta = model.adapter, model.delta(role)
    B, T = input_ids.shape
    M = model.config.num_memory_tokens if write else 0
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
    reads = LayerReads(memory, model.associative.query, hidden.dtype)
    written: list[Tensor] = []
    for index in range(model.config.num_hidden_layers):
        hidden = adapter.layer(index, reads(index, hidden), context, delta[index])
        if M:
            written.append(hidden[:, T:])
    return adapter.finish(hidden[:, :T]), torch.stack(written) if M else None
