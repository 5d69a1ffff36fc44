"""Memory tokens as the one door to the memory: they read it, they write it, text does neither.

While a segment is read, text sees text, so its vectors are those of the backbone whatever was
read before, and its rows need no gradient where the backbone is not trained. The memory tokens
see the text and, before each layer, read what they wrote after it. What is asked of a memory
(role "answer") is put beside memory tokens that read it: the question attends to them, they to
the question, and nobody to the memory itself.

Read and write are those of `armt_core.associative` (arXiv 2407.04841), at the memory tokens.

Axes: L layers, B rows, T tokens, M memory tokens, D width.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from armt_core.adapters import Context
from armt_core.associative import read
from armt_core.errors import ModelError
from armt_core.lowrank import Role
from armt_core.masks import attention_bias, positions
from armt_core.memory import MemoryState

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


def run_apart(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    memory: MemoryState,
    write: bool,
    prefix: Tensor | None,
    role: Role | None,
) -> tuple[Tensor, MemoryState]:
    """`ArmtModel.run` for memory tokens that are apart; shapes as there.

    Raises ModelError for a role that writes: what is asked is no part of a document.
    """
    if write and role is not None:
        raise ModelError(f'Only text that is read is written, not what is asked as "{role}".')
    if write or role == "answer":
        hidden, made = through(model, input_ids, mask, memory, prefix, role)
        return hidden, model.write(made, memory, mask.any(-1)) if write else memory
    adapter, delta = model.adapter, model.delta(role)
    T = input_ids.shape[1]
    places = positions(mask, T)
    text = adapter.place(adapter.tokens(input_ids), places)
    context = Context(attention_bias(mask, T, 0, prefix, False, False, text.dtype), places)
    for index in range(model.config.num_hidden_layers):
        text = adapter.layer(index, text, context, delta and delta[index])
    return adapter.finish(text), memory


def through(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    memory: MemoryState,
    prefix: Tensor | None,
    role: Role | None,
) -> tuple[Tensor, Tensor]:
    """Text with memory tokens beside it through all layers: hidden states of the text (B, T, D),
    and the memory tokens as they leave each layer, (L, B, M, D). Nothing is written.

    role: None for text that is read, "answer" for what is asked.
    """
    adapter, asks = model.adapter, role is not None
    delta = model.delta(role or "memory")
    B, T = input_ids.shape
    M = model.config.num_memory_tokens
    places = positions(mask, T)
    text = adapter.place(adapter.tokens(input_ids), places)
    context = Context(attention_bias(mask, T, M, prefix, asks, False, text.dtype), places)
    tokens = model.memory_tokens.to(text.dtype).expand(B, -1, -1)  # (B, M, D)
    told = bool((memory.segments_read > 0).any())
    # `unbind`, because the gradient of each `A[index]` would be as large as all of A.
    A = memory.associations.to(text.dtype).unbind()  # L of (B, K, D)
    z = memory.normalizer.to(text.dtype).unbind()  # L of (B, K)
    w_query = model.associative.query.to(text.dtype).unbind()  # L of (d_mem, D)
    made: list[Tensor] = []
    for index in range(model.config.num_hidden_layers):
        here = delta and delta[index]
        if told:
            # The rows of one document are read as one long row: its memory is not copied.
            beside = tokens.reshape(memory.batch, -1, tokens.shape[-1])
            tokens = read(beside, A[index], z[index], w_query[index]).view_as(tokens)
        if asks:
            rows = adapter.layer(index, torch.cat([text, tokens], dim=1), context, here)
            text, tokens = rows[:, :T], rows[:, T:]
        else:
            text, tokens = adapter.layer_apart(index, text, tokens, context, here)
        made.append(tokens)
    return adapter.finish(text), torch.stack(made)
