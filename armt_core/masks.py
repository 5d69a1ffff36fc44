"""Who attends to whom in a segment: text, padding and memory tokens.

Axes: B documents, T tokens of this call, S tokens with those cached before them
(S >= T), M memory tokens.
"""

import torch
from torch import Tensor


def attention_bias(
    text_mask: Tensor,
    tokens: int,
    memory_tokens: int,
    prefix: Tensor | None,
    text_sees_memory: bool,
    causal_memory: bool,
    dtype: torch.dtype,
) -> Tensor:
    """What is added to attention scores, (B, 1, T + M, S + M): 0 or the lowest number.

    text_mask: (B, S) bool, false at padding. tokens: T. prefix: (B,), the first
    `prefix` positions are seen by all (0 in a causal model, the question's length when
    an answer is written after it) and a later one from itself on; None: all see all.
    Memory tokens come after the text and see all of it; among themselves each sees
    all, or in a causal model those up to itself. Text sees them only if `text_sees_memory`;
    they then see nothing that comes after the prefix, or it would be seen through them.
    """
    batch, total = text_mask.shape
    device = text_mask.device
    hidden = unseen_score(dtype)
    bias = torch.zeros(
        batch, tokens + memory_tokens, total + memory_tokens, dtype=dtype, device=device
    )
    bias[:, :, :total].masked_fill_(~text_mask[:, None, :], hidden)
    if prefix is not None:
        keys = torch.arange(total, device=device)
        later = keys[None, :] > keys[total - tokens :, None]  # (T, S)
        unseen = later[None] & (keys[None, None, :] >= prefix.view(-1, 1, 1))  # (B or 1, T, S)
        bias[:, :tokens, :total].masked_fill_(unseen, hidden)
        if memory_tokens and text_sees_memory:
            after = keys[None, None, :] >= prefix.view(-1, 1, 1)  # (B or 1, 1, S)
            bias[:, tokens:, :total].masked_fill_(after, hidden)
    if memory_tokens and not text_sees_memory:
        bias[:, :tokens, total:] = hidden
    if memory_tokens and causal_memory:
        square = torch.ones(memory_tokens, memory_tokens, dtype=torch.bool, device=device)
        bias[:, tokens:, total:].masked_fill_(square.triu(1), hidden)
    return bias.unsqueeze(1)


def unseen_score(dtype: torch.dtype) -> float:
    """What is added to the score of what is not seen: the lowest finite number, not -inf, because
    a row of padding alone must not give NaN. float32 goes lower than bfloat16, into which autocast
    turns it."""
    return max(torch.finfo(dtype).min, torch.finfo(torch.bfloat16).min)


def positions(text_mask: Tensor, tokens: int) -> Tensor:
    """The position of each of the last T tokens among the unpadded ones: (B, T) int64."""
    return (text_mask.long().cumsum(-1) - 1).clamp_min(0)[:, -tokens:]


def memory_positions(text_mask: Tensor, memory_tokens: int) -> Tensor:
    """Positions of the memory tokens, those that follow the unpadded text: (B, M) int64."""
    lengths = text_mask.long().sum(-1, keepdim=True)
    return lengths + torch.arange(memory_tokens, device=text_mask.device)
