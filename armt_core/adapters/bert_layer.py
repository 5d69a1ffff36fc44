"""One layer of a BERT in two steps, so that roles can have deltas and rows can see other rows.

The weights are those of the `transformers` layer; without a delta the two steps are that layer.

Axes: B documents, Q rows that look, S rows that are seen, H heads, E width of a head, D width.
"""

from typing import Any

from torch import Tensor
from torch.nn import functional

from armt_core.adapters.base import Seen
from armt_core.lowrank import LayerDelta, project


def seen(layer: Any, rows: Tensor, delta: LayerDelta | None) -> Seen:
    """What other rows find at `rows` (B, S, D)."""
    attention = layer.attention.self
    return Seen(
        _heads(project(attention.key, rows, delta, "key"), attention),
        _heads(project(attention.value, rows, delta, "value"), attention),
    )


def look(layer: Any, rows: Tensor, at: Seen, bias: Tensor, delta: LayerDelta | None) -> Tensor:
    """The layer's output for `rows` (B, Q, D), which attend to `at`; bias: (B, 1, Q, S)."""
    attention = layer.attention.self
    query = _heads(project(attention.query, rows, delta, "query"), attention)
    dropped = attention.dropout.p if layer.training else 0.0
    found = functional.scaled_dot_product_attention(
        query, at.keys, at.values, attn_mask=bias.to(query.dtype), dropout_p=dropped
    )  # (B, H, Q, E)
    found = found.transpose(1, 2).flatten(2)  # (B, Q, D)
    after = layer.attention.output
    attended = project(after.dense, found, delta, "attended")
    attended = after.LayerNorm(after.dropout(attended) + rows)
    inner = project(layer.intermediate.dense, attended, delta, "widen")
    inner = layer.intermediate.intermediate_act_fn(inner)
    narrow = project(layer.output.dense, inner, delta, "narrow")
    return layer.output.LayerNorm(layer.output.dropout(narrow) + attended)


def _heads(x: Tensor, attention: Any) -> Tensor:
    """(B, S, D) to (B, H, S, E)."""
    B, S, _ = x.shape
    return x.view(B, S, -1, attention.attention_head_size).transpose(1, 2)
