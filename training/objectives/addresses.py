"""Which memory tokens a question has to find: the loss of what is looked up.

What a question reads is a mean of what was written, weighted by query and key. Without a loss of
its own that weight is found late or not at all (docs/log.md): a mean of all facts says which
places were named, and hides that the weight says nothing yet. Whose segments were made here, the
memory tokens that stood on the fact are known.

Axes: L layers, B documents, S segments, M memory tokens, T tokens, K key features, N questions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from armt_core.apart import stretches
from armt_core.model import ArmtModel
from training.hiding import Place
from training.rows import Answers
from training.worlds import Asked


def address_loss(
    queries: Tensor,
    keys: Tensor,
    answers: Answers,
    asked: Sequence[Sequence[Asked]],
    seen: Sequence[Sequence[Tensor | None]],
) -> tuple[Tensor, float]:
    """Mean of -ln of the share of weight that a question's fact has, and the mean of the share.

    queries: (L, B R, T, K), of R rows of each document; keys: (L, B, S, M, K). seen: of each
    document's facts, the memory tokens (S, M) that see it. The first third of the layers is left
    to itself; the second looks up the first fact that the answer follows from, the third the
    last one. What was said of the same before counts as found too: it has the same key, and was
    overwritten there. Questions about facts that are not among `seen` do not count.
    """
    L, B = keys.shape[:2]
    rows = queries.shape[1] // B
    first = answers.first()
    flat = [(b, a) for b, questions in enumerate(asked) for a in questions]
    wanted: list[tuple[int, int, Tensor, Tensor]] = []
    for number, (b, a) in enumerate(flat):
        if not a.slots or any(seen[b][i] is None for i in a.facts):
            continue
        begin, end = (any_of(seen[b], slot) for slot in (a.slots[0], a.slots[-1]))
        n = first[number]
        wanted.append((int(answers.row[n]), int(answers.place[n]), begin, end))
    if not wanted:
        return queries.sum() * 0, 0.0
    row, place = (torch.tensor([w[i] for w in wanted], device=keys.device) for i in (0, 1))
    hops = [torch.stack([w[i].flatten() for w in wanted]) for i in (2, 3)]  # type: ignore[union-attr]
    losses, shares = [], []
    with torch.autocast(keys.device.type, enabled=False):
        for layer in range(L // 3, L):
            hop = hops[int(layer >= 2 * L // 3)]
            query = queries[layer, row, place].float()  # (N, K)
            key = keys[layer].flatten(1, 2)[row // rows]  # (N, S M, K)
            weight = (key @ query.unsqueeze(-1)).squeeze(-1)  # (N, S M)
            share = (weight * hop).sum(-1) / (weight.sum(-1) + 1e-6)
            losses.append(-(share + 1e-4).log().mean())
            shares.append(share.detach().mean())
    return torch.stack(losses).mean(), float(torch.stack(shares).mean())


def any_of(seen: Sequence[Tensor | None], slot: Sequence[int]) -> Tensor:
    """The memory tokens (S, M) that see any sentence of a slot; its last one is among `seen`."""
    found = [tokens for i in slot if (tokens := seen[i]) is not None]
    return torch.stack(found).any(0)


def who_sees(
    places: Sequence[Sequence[Place]], masks: Sequence[Tensor], outside: int, model: ArmtModel
) -> list[list[Tensor | None]]:
    """Of each fact of each document, which of the S x M memory tokens see all of it: (S, M) bool.

    masks: (B, T) of each of the S segments that count, `outside` segments come before them; None
    for a fact in one of those.
    """
    M = model.config.num_memory_tokens
    views = torch.stack([stretches(mask, M) & mask[:, None] for mask in masks])  # (S, B, M, T)
    found: list[list[Tensor | None]] = []
    for b, of in enumerate(places):
        found.append([])
        for place in of:
            s = place.segment - outside
            if s < 0:
                found[-1].append(None)
                continue
            # Its full stop need not be seen.
            count = views[s, b, :, place.first : place.last].sum(-1)
            which = torch.zeros(len(masks), M, dtype=torch.bool, device=count.device)
            which[s] = count == count.max()
            found[-1].append(which)
    return found
