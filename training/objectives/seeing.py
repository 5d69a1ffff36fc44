"""Which memory tokens see a fact, and which of them it belongs to where facts crowd.

A memory token is written under one key. Where two facts stand side by side, the same tokens see
both, and what is asked of them has to be that each writes another one: a mixture of two keys and
two values gives back neither.

Axes: B documents, S segments, M memory tokens, T tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from armt_core.apart import middles, stretches
from armt_core.model import ArmtModel
from training.hiding import Place

#: As far as this a fact may be from the token that it belongs to, before it is left to none.
_FAR = 1e6


def who_sees(
    places: Sequence[Sequence[Place]], segments: Sequence[Tensor], outside: int, model: ArmtModel
) -> list[list[Tensor | None]]:
    """Of each fact of each document, which of the S x M memory tokens see all of it and belong to
    no other fact (`owners`): (S, M) bool.

    segments: the `sentences` (B, T) of each of the S segments that count, `outside` segments come
    before them; None for a fact in one of those.
    """
    M = model.config.num_memory_tokens
    views = torch.stack(
        [stretches(one, M) & (one > 0)[:, None] for one in segments]
    )  # (S, B, M, T)
    middle = torch.stack([middles(one, M) for one in segments])  # (S, B, M)
    found: list[list[Tensor | None]] = []
    for b, of in enumerate(places):
        told: dict[int, list[tuple[int, Tensor, Tensor]]] = {}
        for number, place in enumerate(of):
            s = place.segment - outside
            if s >= 0:
                # Its full stop need not be seen.
                count = views[s, b, :, place.first : place.last].sum(-1)
                away = (middle[s, b] - (place.first + place.last) / 2).abs()
                told.setdefault(s, []).append((number, count == count.max(), away))
        which: list[Tensor | None] = [None] * len(of)
        for s, facts in told.items():
            for number, tokens in zip(*_shared_out(facts), strict=True):
                mask = torch.zeros(len(segments), M, dtype=torch.bool, device=tokens.device)
                mask[s] = tokens
                which[number] = mask
        found.append(which)
    return found


def _shared_out(
    facts: Sequence[tuple[int, Tensor, Tensor]],
) -> tuple[list[int], list[Tensor]]:
    """The numbers of the facts of one segment, and the tokens (M,) bool of each."""
    numbers, seen = [f[0] for f in facts], [f[1] for f in facts]
    crowd = torch.stack(seen)
    if not bool((crowd.sum(0) > 1).any()):
        return numbers, seen
    own = owners(crowd.tolist(), torch.stack([f[2] for f in facts]).tolist())
    for i, mine in enumerate(own):
        if mine is not None:
            others = [m for j, m in enumerate(own) if m is not None and j != i]
            seen[i] = seen[i].clone()
            seen[i][others] = False
    return numbers, seen


def owners(seen: Sequence[Sequence[bool]], away: Sequence[Sequence[float]]) -> list[int | None]:
    """To which of M tokens each of F facts belongs, both in the order of the text: to one that sees
    it and belongs to no other, as many facts as possible, and then as near as possible. None for a
    fact that is left over. seen, away: F x M."""
    F, M = len(seen), len(seen[0])
    # cost[f][m]: of the first f facts with the first m tokens. A fact that has none costs _FAR.
    cost = [[f * _FAR] * (M + 1) for f in range(F + 1)]
    for f in range(1, F + 1):
        for m in range(1, M + 1):
            belongs = cost[f - 1][m - 1] + (away[f - 1][m - 1] if seen[f - 1][m - 1] else _FAR)
            cost[f][m] = min(cost[f][m - 1], cost[f - 1][m] + _FAR, belongs)
    found: list[int | None] = [None] * F
    f, m = F, M
    while f and m:
        if cost[f][m] == cost[f][m - 1]:
            m -= 1
        elif cost[f][m] == cost[f - 1][m] + _FAR:
            f -= 1
        else:
            f, m = f - 1, m - 1
            found[f] = m
    return found
