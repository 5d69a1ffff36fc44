"""Memory tokens apart from the text: what is read is not told what came before, what is asked is.

While a segment is read, text sees text, so its vectors are those of the backbone whatever was
read before, and its rows need no gradient where the backbone is not trained. Each of the memory
tokens sees a stretch of the text, in which sentences that have tokens of their own are left to
them, and, before each layer, reads what they wrote after it. What is asked of a memory (role
"answer") reads it before each layer at every position.

Read and write are those of `armt_core.associative` (arXiv 2407.04841).

Axes: L layers, B rows, T tokens, M memory tokens, D width.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from armt_core.adapters import BackboneAdapter, Context
from armt_core.errors import ModelError
from armt_core.lowrank import LayerDelta, Role
from armt_core.masks import attention_bias, positions, unseen_score
from armt_core.memory import MemoryState
from armt_core.reads import LayerReads, TokensRead

if TYPE_CHECKING:
    from armt_core.model import ArmtModel

#: Tokens of the shortest stretch: a memory token then sees about a short sentence.
_SHORTEST = 4


@dataclass(frozen=True)
class Apart:
    """A segment on its way through the layers, and who sees whom in it.

    text: (B, T, D). tokens: (B, M, D), the memory tokens. of_text and of_tokens: as in
    `BackboneAdapter.layer_apart`.
    """

    text: Tensor
    tokens: Tensor
    of_text: Tensor
    of_tokens: Tensor

    def layer(
        self, adapter: BackboneAdapter, index: int, read: TokensRead, delta: LayerDelta | None
    ) -> "Apart":
        """After layer `index`, whose memory `read` adds to the memory tokens."""
        text, tokens = adapter.layer_apart(
            index, self.text, read(self.tokens), self.of_text, self.of_tokens, delta
        )
        told = None if read.again is None else read.again(self.tokens, tokens)
        if told is not None:
            seen = adapter.seen(index, self.text)
            tokens = adapter.tokens_apart(index, seen, told, self.of_tokens, delta)
        return replace(self, text=text, tokens=tokens)

    def finish(self, adapter: BackboneAdapter) -> Tensor:
        """The text after the last layer, (B, T, D)."""
        return adapter.finish(self.text)

    @property
    def moving(self) -> tuple[Tensor, ...]:
        """What a layer changes."""
        return self.text, self.tokens

    @property
    def fixed(self) -> tuple[Tensor, ...]:
        """What all layers see alike."""
        return self.of_text, self.of_tokens

    def holding(self, moving: tuple[Tensor, ...], fixed: tuple[Tensor, ...]) -> "Apart":
        """The same with other `moving` and `fixed`."""
        return Apart(*moving, *fixed)


def run_apart(
    model: "ArmtModel",
    input_ids: Tensor,
    mask: Tensor,
    reads: LayerReads,
    write: bool,
    prefix: Tensor | None,
    role: Role | None,
) -> tuple[Tensor, Tensor | None]:
    """`ArmtModel.through` for memory tokens that are apart, or (`write` is not set) for text alone;
    shapes as there.

    Raises ModelError for a role that writes: what is asked is no part of a document.
    """
    if write and role is not None:
        raise ModelError(f'Only text that is read is written, not what is asked as "{role}".')
    if write:
        return _beside(model, input_ids, mask, reads)
    adapter, delta = model.adapter, model.delta(role)
    T = input_ids.shape[1]
    places = positions(mask, T)
    text = adapter.place(adapter.tokens(input_ids), places)
    context = Context(attention_bias(mask, T, 0, prefix, False, False, text.dtype), places)
    for index in range(model.config.num_hidden_layers):
        told = reads(index, text) if role == "answer" else text
        text = adapter.layer(index, told, context, delta[index])
    return adapter.finish(text), None


def through(
    model: "ArmtModel", input_ids: Tensor, mask: Tensor, memory: MemoryState
) -> tuple[Tensor, Tensor]:
    """A segment with memory tokens beside it through all layers: hidden states of the text
    (B, T, D), and the memory tokens as they leave each layer, (L, B, M, D). Nothing is written."""
    return _beside(model, input_ids, mask, LayerReads.of(model, memory))


def _beside(
    model: "ArmtModel", input_ids: Tensor, mask: Tensor, reads: LayerReads
) -> tuple[Tensor, Tensor]:
    adapter, delta = model.adapter, model.delta("memory")
    segment, in_order = enter(model, input_ids, mask), model.config.reads_in_order
    made: list[Tensor] = []
    for index in range(model.config.num_hidden_layers):
        again = partial(reads.again, index) if in_order else None
        read = TokensRead(partial(reads, index), again)
        segment = segment.layer(adapter, index, read, delta[index])
        made.append(segment.tokens)
    return segment.finish(adapter), torch.stack(made)


def enter(model: "ArmtModel", input_ids: Tensor, mask: Tensor) -> Apart:
    """A segment as it goes into the first layer; input_ids and mask: (B, T)."""
    adapter, T = model.adapter, input_ids.shape[1]
    text = adapter.place(adapter.tokens(input_ids), positions(mask, T))
    told = sentences(model, input_ids, mask)
    return Apart(
        text,
        placed(model, told),
        attention_bias(mask, T, 0, None, False, False, text.dtype),
        sees(told, model.config.num_memory_tokens, text.dtype),
    )


def sentences(model: "ArmtModel", input_ids: Tensor, mask: Tensor) -> Tensor:
    """Which sentence of its text each token is of, from 1, and 0 at padding: (B, T) int64.

    input_ids and mask: (B, T), text and then padding. A token of `sentence_ends` is the last of its
    sentence; a model without such has one sentence a text.
    """
    ends = torch.tensor(model.config.sentence_ends, dtype=torch.int64, device=input_ids.device)
    last = torch.isin(input_ids, ends).long()
    return (last.cumsum(-1) - last + 1) * mask


def placed(model: "ArmtModel", told: Tensor) -> Tensor:
    """The memory tokens as they go into the first layer, (B, M, D): each with the position of the
    middle of its stretch of a text with these `sentences` (B, T), or it would attend elsewhere."""
    tokens = model.memory_tokens.to(model.backbone.dtype).expand(len(told), -1, -1)
    return model.adapter.place(tokens, middles(told, model.config.num_memory_tokens).long())


def sees(told: Tensor, memory_tokens: int, dtype: torch.dtype) -> Tensor:
    """What is added to the attention scores of memory tokens beside a text with these `sentences`
    (B, T): (B, 1, M, T + M). Each sees its stretch of the text, and all memory tokens."""
    B, T = told.shape
    bias = torch.zeros(B, 1, memory_tokens, T + memory_tokens, dtype=dtype, device=told.device)
    unseen = ~(stretches(told, memory_tokens) & (told > 0)[:, None])
    bias[:, 0, :, :T].masked_fill_(unseen, unseen_score(dtype))
    return bias


def stretches(told: Tensor, memory_tokens: int) -> Tensor:
    """What each memory token sees of a text with these `sentences` (B, T): (B, M, T) bool.

    The text is cut into M stretches, or into fewer where they would be shorter than `_SHORTEST`.
    A memory token sees its own, half of each neighbour's, and the first token ([CLS]). Memory
    tokens that all see the same hold the same, and a question cannot tell them apart
    (docs/decisions.md). But of the sentences in which a stretch has its middle each is seen by the
    tokens of these stretches alone, or who does what in one is bound to what the next one tells.
    """
    at = torch.arange(told.shape[1], device=told.device).view(1, 1, -1)
    middle, length = middles(told, memory_tokens), _tokens(told)
    near = (at - middle[..., None]).abs() <= _length(told, memory_tokens)[..., None]  # (B, M, T)
    own = told.gather(1, middle.long().minimum((length - 1).clamp_min(0)))  # (B, M)
    same = told[:, None] == own[..., None]  # (B, M, T)
    taken = (same & (middle < length)[..., None]).any(1, keepdim=True)  # (B, 1, T)
    return near & (same | ~taken) | (at == 0)


def _tokens(told: Tensor) -> Tensor:
    """Tokens of a text with these `sentences` (B, T), without padding: (B, 1)."""
    return (told > 0).sum(-1, keepdim=True)


def _length(told: Tensor, memory_tokens: int) -> Tensor:
    """Tokens in a stretch of a text with these `sentences` (B, T): (B, 1)."""
    return (_tokens(told) / memory_tokens).clamp_min(_SHORTEST)


def middles(told: Tensor, memory_tokens: int) -> Tensor:
    """Where the M stretches of a text with these `sentences` (B, T) have their middles: (B, M)."""
    numbers = torch.arange(memory_tokens, device=told.device) + 0.5
    return _length(told, memory_tokens) * numbers
