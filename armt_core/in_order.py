"""What memory tokens read of their own segment: what those before them in it write.

A segment tells more than one fact, and one may say what another needs: where John was when he
dropped the milk. So a layer makes the memory tokens twice: first of what the memory held before the
segment, then once more, each after what those before it write when they are made at first. Twice
is exact where nobody waits for somebody who waits (docs/memory.md).

Axes: B documents, M memory tokens, K key features, D width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.associative import Projections, Write, features, recall, write
from armt_core.config import System

#: A memory token of a larger beta writes; what those of smaller ones leave is next to nothing.
WRITES = 0.5


def read_in_order(
    tokens: Tensor,
    made: Tensor,
    associations: Tensor,
    normalizer: Tensor,
    of: Projections,
    system: System,
) -> Tensor:
    """`read` of a layer's memory tokens (B, M, D), each after what those before it write.

    made: (B, M, D), what the layer makes of the tokens that did not read each other. associations:
    (B, K, D); normalizer: (B, K). What they write is computed in the state's type, and no gradient
    goes into it.
    """
    with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
        first = torch.zeros(1, len(made), dtype=torch.bool, device=made.device)
        put = write(  # of one layer
            made[None],
            associations[None],
            normalizer[None],
            first,
            of.key[None],
            of.value[None],
            of.beta_weight[None],
            of.beta_bias[None],
            system,
        )
        put = Write(put.keys[0], put.change[0], put.beta[0], put.gamma[0], put.counted[0])
    query = features(functional.linear(tokens, of.query.to(tokens.dtype)), system)  # (B, M, K)
    return recall(tokens, query, associations, normalizer, system, found(query, put))


def found(query: Tensor, written: Write) -> tuple[Tensor, Tensor]:
    """What each memory token finds of those before it in its segment: what is added to A^T q and to
    z . q of its query q_i (B, M, K), where one layer writes this (B, M, ...),

        sum_j (k_j . q_i) c_j  (B, M, D)     sum_j (k_j . q_i) counted_j  (B, M, 1)     j < i

    Nothing where no token of a document writes: then no fact was told, and it is as if it were
    alone in the batch.
    """
    told = (written.beta > WRITES).any(-1).view(-1, 1, 1)  # (B, 1, 1)
    with torch.autocast(query.device.type, enabled=False):
        near = (query.to(written.keys.dtype) @ written.keys.mT).tril(-1)  # (B, M, M)
        near = torch.where(told, near, 0)
        return near @ written.change, near @ written.counted.unsqueeze(-1)


def writes_any(made: Tensor, of: Projections) -> bool:
    """Whether any of these memory tokens (B, M, D) writes. Whoever asks waits for the device."""
    logits = made.to(of.beta_weight.dtype) @ of.beta_weight + of.beta_bias  # (B, M)
    return bool((torch.sigmoid(logits) > WRITES).any())
