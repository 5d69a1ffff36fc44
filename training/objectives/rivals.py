"""Which facts a question must not be mistaken about: the loss of rivals.

A document has few facts that are easily mistaken for each other, and a batch of documents has
many. So a query is compared with the keys of all of them, and with the other queries.

Axes: L layers, B documents, S segments, M memory tokens, T tokens, K key features, N questions,
P memory tokens that see a fact.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.rows import Answers
from training.worlds import Asked, answered_by, leads_to, meaning

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

    Shapes and layers as in `training.objectives.addresses`: the first third is left to itself, the
    second looks up the first fact that the answer follows from, the third the last one. There
    the query of "Where is the milk?" should be that of "Where is John?", if he has it. Only
    questions count of which a sentence alone answers that. facts: the sentences of each document.
    """
    L, losses = len(keys), []
    with torch.autocast(keys.device.type, enabled=False):
        for last, layers in ((False, range(L // 3, 2 * L // 3)), (True, range(2 * L // 3, L))):
            held = held_by(seen, facts, last)
            looked = _looked_up(answers, asked, seen, facts, held, last)
            if looked is None:
                continue
            rows, means, hit = looked
            hit = hit.to(keys.device)  # (N, P)
            right = hit.new_tensor([[mean in of for of in held.values()] for mean in means])
            same = hit.new_tensor([[mean == other for other in means] for mean in means])
            itself = torch.eye(len(rows), dtype=torch.bool, device=keys.device)
            b, s, m = torch.tensor(list(held), device=keys.device).T
            for layer in layers:
                query = queries[layer, answers.row[rows], answers.place[rows]].float()  # (N, K)
                query = functional.normalize(query, dim=-1)
                key = functional.normalize(keys[layer, b, s, m].float(), dim=-1)  # (P, K)
                among_facts = share(query @ key.T, hit, ~right & ~hit)
                losses.append(among_facts + share(query @ query.T, same & ~itself, ~same))
    return torch.stack(losses).mean() if losses else queries.sum() * 0


#: What each memory token (b, s, m) that sees a fact answers, as `meaning` words it.
Held = Mapping[tuple[int, int, int], set[str]]


def held_by(
    seen: Sequence[Sequence[Tensor | None]], facts: Sequence[Sequence[str]], last: bool = True
) -> Held:
    """What each memory token that sees a fact holds; last: as of `holds`."""
    held: dict[tuple[int, int, int], set[str]] = {}
    for b, tokens in enumerate(seen):
        for sentence, which in zip(facts[b], tokens, strict=True):
            means = {meaning(question) for question in holds(sentence, last)}
            for s, m in which.nonzero().tolist() if which is not None else []:
                held.setdefault((b, s, m), set()).update(means)
    return held


def holds(sentence: str, last: bool) -> frozenset[str]:
    """The questions that a fact answers; where it is not the last one that is looked up, also those
    of which it says where to look next."""
    return answered_by(sentence) | (frozenset() if last else leads_to(sentence))


def _looked_up(
    answers: Answers,
    asked: Sequence[Sequence[Asked]],
    seen: Sequence[Sequence[Tensor | None]],
    facts: Sequence[Sequence[str]],
    held: Held,
    last: bool,
) -> tuple[list[int], list[str], Tensor] | None:
    """Of N questions that look something up here: the number of the prediction, what is looked up,
    as `meaning` words it, and which of the P tokens of `held` it is found at, (N, P) bool."""
    place, first = {token: n for n, token in enumerate(held)}, answers.first()
    rows, means, own = [], [], []
    for number, (b, a) in enumerate((b, a) for b, of in enumerate(asked) for a in of):
        if not a.slots or any(seen[b][fact] is None for fact in a.facts):
            continue
        slot = a.slots[-1 if last else 0]
        sentence = facts[b][slot[-1]]
        wanted = holds(sentence, last)
        if not last or len(a.slots) == 1:
            wanted &= {a.sought}
        if len(wanted) != 1:
            continue
        hit = torch.zeros(len(place), dtype=torch.bool)
        for s, m in any_of(seen[b], slot).nonzero().tolist():
            hit[place[b, s, m]] = True
        rows.append(first[number])
        means.append(meaning(next(iter(wanted))))
        own.append(hit)
    return (rows, means, torch.stack(own)) if rows else None


def share(cosines: Tensor, hit: Tensor, rival: Tensor) -> Tensor:
    """Mean of -ln of the share of hits (N, P) in a softmax over them and the rivals (N, P)."""
    counts = hit.any(-1)
    if not bool(counts.any()):
        return cosines.sum() * 0
    hit, rival, logits = hit[counts], rival[counts], cosines[counts] / _TEMPERATURE
    found = logits.masked_fill(~hit, -torch.inf).logsumexp(-1)
    every = logits.masked_fill(~(hit | rival), -torch.inf).logsumexp(-1)
    return (every - found).mean()


def any_of(seen: Sequence[Tensor | None], slot: Sequence[int]) -> Tensor:
    """The memory tokens (S, M) that see any sentence of a slot; its last one is among `seen`."""
    found = [tokens for i in slot if (tokens := seen[i]) is not None]
    return torch.stack(found).any(0)
