"""One layer of a BERT in two steps, so that roles can have deltas and rows can see other rows.

The weights are those of the `transformers` layer; without a delta the two steps are that layer.

Axes: B documents, T tokens, M memory tokens, Q rows that look, S rows that are seen, H heads,
E width of a head, D width.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.adapters.base import Seen
from armt_core.lowrank import LayerDelta, project


def seen(layer: Any, rows: Tensor, delta: LayerDelta | None, since: int = 0) -> Seen:
    """What other rows find at `rows` (B, S, D), of which those from `since` on have the delta."""
    attention = layer.attention.self
    return Seen(
        _heads(project(attention.key, rows, delta, "key", since), attention),
        _heads(project(attention.value, rows, delta, "value", since), attention),
    )


def look(layer: Any, rows: Tensor, at: Seen, bias: Tensor, delta: LayerDelta | None) -> Tensor:
    """The layer's output for `rows` (B, Q, D), which attend to `at`; bias: (B, 1, Q, S)."""
    attention = layer.attention.self
    query = _heads(project(attention.query, rows, delta, "query"), attention)
    return _after(layer, rows, _find(layer, query, at, bias), delta, 0)


def look_apart(
    layer: Any,
    rows: Tensor,
    since: int,
    of_text: Tensor,
    of_tokens: Tensor,
    delta: LayerDelta | None,
) -> Tensor:
    """The layer's output for text and, from `since` on, memory tokens with their delta, in one row:
    (B, T + M, D). It is `look` of the text alone and of the tokens at both, and faster, for the
    weights go through the processor once."""
    attention = layer.attention.self
    at = seen(layer, rows, delta, since)
    text = Seen(at.keys[:, :, :since], at.values[:, :, :since])
    query = _heads(project(attention.query, rows, delta, "query", since), attention)
    found = [
        _find(layer, query[:, :, :since], text, of_text),
        _find(layer, query[:, :, since:], at, of_tokens),
    ]
    return _after(layer, rows, torch.cat(found, dim=1), delta, since)


def _find(layer: Any, query: Tensor, at: Seen, bias: Tensor) -> Tensor:
    """What attention finds: query (B, H, Q, E) to (B, Q, D)."""
    dropped = layer.attention.self.dropout.p if layer.training else 0.0
    found = functional.scaled_dot_product_attention(
        query, at.keys, at.values, attn_mask=bias.to(query.dtype), dropout_p=dropped
    )  # (B, H, Q, E)
    return found.transpose(1, 2).flatten(2)


def _after(layer: Any, rows: Tensor, found: Tensor, delta: LayerDelta | None, since: int) -> Tensor:
    """The layer's output for `rows` (B, Q, D) that found this (B, Q, D) by attention."""
    after = layer.attention.output
    attended = project(after.dense, found, delta, "attended", since)
    attended = after.LayerNorm(after.dropout(attended) + rows)
    inner = project(layer.intermediate.dense, attended, delta, "widen", since)
    inner = layer.intermediate.intermediate_act_fn(inner)
    narrow = project(layer.output.dense, inner, delta, "narrow", since)
    return layer.output.LayerNorm(layer.output.dropout(narrow) + attended)


def _heads(x: Tensor, attention: Any) -> Tensor:
    """(B, S, D) to (B, H, S, E)."""
    B, S, _ = x.shape
    return x.view(B, S, -1, attention.attention_head_size).transpose(1, 2)
