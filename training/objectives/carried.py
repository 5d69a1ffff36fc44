"""What memory tokens have to look up themselves: of an object that is left, where the person is.

"John dropped the milk." says where the milk is only to a memory token that reads where John is.
Asked later, John may be elsewhere, and his place then is overwritten. So the token's own query has
to find the key of where he went, as the query of "Where is John?" does.

Axes: L layers, B documents, S segments, M memory tokens, K key features, N tokens that look up,
P memory tokens that see a fact.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.objectives.rivals import held_by, share
from training.traced import Trace
from training.worlds import left_where


def carried_loss(
    trace: Trace,
    seen: Sequence[Sequence[Tensor | None]],
    facts: Sequence[Sequence[str]],
    reads_in_order: bool = False,
    moves: bool = False,
) -> Tensor:
    """Whether the query of each memory token that sees an object left is nearer to the key of where
    the one who left it went than to those of all facts of the batch that do not say so: as
    `rival_loss`, in all layers but the first third.

    What was told in the same segment is not in memory yet, and does not count, but in a model that
    reads in order, where it is if a memory token before this one tells it. seen: as of `who_sees`.
    facts: the sentences of each document. moves: what a token looks up that sees somebody go
    elsewhere counts, too: where they were.
    """
    keys, held = trace.keys, held_by(seen, facts)
    place = {token: n for n, token in enumerate(held)}
    looking: list[tuple[int, int, int]] = []
    hits, rights = [], []
    for b, sentences in enumerate(facts):
        for left, went, question in left_where(sentences, moves):
            at, there = seen[b][left], seen[b][went]
            if at is None or there is None:
                continue
            told = there.nonzero().tolist()
            for s, m in at.nonzero().tolist():
                known = [(b, *by) for by in told if by[0] < s or (reads_in_order and by < [s, m])]
                if known:
                    looking.append((b, s, m))
                    hits.append([place[token] for token in known])
                    rights.append([question in means for means in held.values()])
    if not looking:
        return trace.queries.sum() * 0
    hit = torch.zeros(len(looking), len(held), dtype=torch.bool, device=keys.device)
    for row, which in enumerate(hits):
        hit[row, which] = True
    right = torch.tensor(rights, device=keys.device)
    of, by = torch.tensor(list(held)).T.unbind(), torch.tensor(looking).T.unbind()
    losses = []
    with torch.autocast(keys.device.type, enabled=False):
        for layer in range(len(keys) // 3, len(keys)):
            query = functional.normalize(trace.queries[layer][by].float(), dim=-1)  # (N, K)
            key = functional.normalize(keys[layer][of].float(), dim=-1)  # (P, K)
            losses.append(share(query @ key.T, hit, ~right & ~hit))
    return torch.stack(losses).mean()
