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
    all, or in a causal model those up to itself. Text sees them only if
    `text_sees_memory`.
    """
    batch, total = text_mask.shape
    device = text_mask.device
    # The lowest finite number, not -inf: a row of padding alone must not give NaN. float32 goes
    # lower than bfloat16, into which autocast turns it.
    hidden = max(torch.finfo(dtype).min, torch.finfo(torch.bfloat16).min)
    bias = torch.zeros(
        batch, tokens + memory_tokens, total + memory_tokens, dtype=dtype, device=device
    )
    bias[:, :, :total].masked_fill_(~text_mask[:, None, :], hidden)
    if prefix is not None:
        keys = torch.arange(total, device=device)
        later = keys[None, :] > keys[total - tokens :, None]  # (T, S)
        unseen = later[None] & (keys[None, None, :] >= prefix.view(-1, 1, 1))  # (B or 1, T, S)
        bias[:, :tokens, :total].masked_fill_(unseen, hidden)
    if memory_tokens and not text_sees_memory:
        bias[:, :tokens, total:] = hidden
    if memory_tokens and causal_memory:
        square = torch.ones(memory_tokens, memory_tokens, dtype=torch.bool, device=device)
        bias[:, tokens:, total:].masked_fill_(square.triu(1), hidden)
    return bias.unsqueeze(1)


def positions(text_mask: Tensor, tokens: int) -> Tensor:
    """The position of each of the last T tokens among the unpadded ones: (B, T) int64."""
    return (text_mask.long().cumsum(-1) - 1).clamp_min(0)[:, -tokens:]


def memory_positions(text_mask: Tensor, memory_tokens: int) -> Tensor:
    """Positions of the memory tokens, those that follow the unpadded text: (B, M) int64."""
    lengths = text_mask.long().sum(-1, keepdim=True)
    return lengths + torch.arange(memory_tokens, device=text_mask.device)


def stretches(text_mask: Tensor, memory_tokens: int) -> tuple[Tensor, Tensor]:
    """The unpadded text without its first token as M stretches of equal length, in order.

    Gives their middles as positions, (B, M) int64, and which tokens they hold, as weights
    (B, M, T) float that sum to 1 over T: every stretch holds at least one token. Of a text
    of no tokens all weights are 0.
    """
    M = memory_tokens
    lengths = text_mask.long().sum(-1, keepdim=True)  # (B, 1)
    rest = (lengths - 1).clamp_min(0)
    number = torch.arange(M, device=text_mask.device)
    begins = (1 + number * rest // M).clamp_max(rest)  # (B, M)
    ends = torch.maximum(begins + 1, 1 + (number + 1) * rest // M)
    places = (text_mask.long().cumsum(-1) - 1)[:, None]  # (B, 1, T)
    held = (places >= begins[..., None]) & (places < ends[..., None]) & text_mask[:, None]
    weights = held.float() / held.sum(-1, keepdim=True).clamp_min(1)
    return (begins + ends - 1) // 2, weights
