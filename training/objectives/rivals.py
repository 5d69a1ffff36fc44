"""Which facts a question must not be mistaken about: the loss of rivals.

A document has few facts that are easily mistaken for each other, and a batch of documents has
many. So a query is compared with the keys of all of them, and with the other queries.

Axes: L layers, B documents, S segments, M memory tokens, T tokens, K key features, N questions,
P memory tokens that see a fact.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.objectives.addresses import any_of
from training.rows import Answers
from training.worlds import Asked, answered_by, meaning

#: Of the cosines of queries and keys.
_TEMPERATURE = 0.1


def rival_loss(
    queries: Tensor,
    keys: Tensor,
    answers: Answers,
    asked: Sequence[Sequence[Asked]],
    seen: Sequence[Sequence[Tensor | None]],
    facts: Sequence[Sequence[str]],
) -> Tensor:
    """Whether a question's query is nearer to the key of its fact than to those of all facts of the
    batch that do not answer it, and nearer to queries that mean the same than to others: two
    contrastive losses of cosines, summed.

    Shapes as in `training.objectives.addresses`; the first third of the layers is left to itself
    here, too. Only questions count that one sentence alone answers. facts: the sentences of each
    document.
    """
    held = held_by(seen, facts)
    place = {token: n for n, token in enumerate(held)}
    first = answers.first()
    rows, means, own = [], [], []
    for number, (b, a) in enumerate((b, a) for b, of in enumerate(asked) for a in of):
        if len(a.slots) != 1 or seen[b][a.facts[0]] is None:
            continue
        if a.question not in answered_by(facts[b][a.facts[0]]):
            continue
        hit = torch.zeros(len(place), dtype=torch.bool)
        for s, m in any_of(seen[b], a.slots[0]).nonzero().tolist():
            hit[place[b, s, m]] = True
        rows.append(first[number])
        means.append(meaning(a.question))
        own.append(hit)
    if not rows:
        return queries.sum() * 0
    device = keys.device
    hit = torch.stack(own).to(device)  # (N, P)
    right = torch.tensor([[mean in of for of in held.values()] for mean in means], device=device)
    same = torch.tensor([[mean == other for other in means] for mean in means], device=device)
    itself = torch.eye(len(rows), dtype=torch.bool, device=device)
    b, s, m = torch.tensor(list(place), device=device).T
    losses = []
    with torch.autocast(device.type, enabled=False):
        for layer in range(len(keys) // 3, len(keys)):
            query = queries[layer, answers.row[rows], answers.place[rows]].float()  # (N, K)
            query = functional.normalize(query, dim=-1)
            key = functional.normalize(keys[layer, b, s, m].float(), dim=-1)  # (P, K)
            among_facts = share(query @ key.T, hit, ~right & ~hit)
            losses.append(among_facts + share(query @ query.T, same & ~itself, ~same))
    return torch.stack(losses).mean()


def held_by(
    seen: Sequence[Sequence[Tensor | None]], facts: Sequence[Sequence[str]]
) -> dict[tuple[int, int, int], set[str]]:
    """What each memory token (b, s, m) that sees a fact answers, as `meaning` words it."""
    held: dict[tuple[int, int, int], set[str]] = {}
    for b, tokens in enumerate(seen):
        for sentence, which in zip(facts[b], tokens, strict=True):
            means = {meaning(question) for question in answered_by(sentence)}
            for s, m in which.nonzero().tolist() if which is not None else []:
                held.setdefault((b, s, m), set()).update(means)
    return held


def share(cosines: Tensor, hit: Tensor, rival: Tensor) -> Tensor:
    """Mean of -ln of the share of hits (N, P) in a softmax over them and the rivals (N, P)."""
    counts = hit.any(-1)
    if not bool(counts.any()):
        return cosines.sum() * 0
    hit, rival, logits = hit[counts], rival[counts], cosines[counts] / _TEMPERATURE
    found = logits.masked_fill(~hit, -torch.inf).logsumexp(-1)
    every = logits.masked_fill(~(hit | rival), -torch.inf).logsumexp(-1)
    return (every - found).mean()
