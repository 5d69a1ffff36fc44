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
from torch.nn import functional

from training.rows import Answers
from training.worlds import Asked, answered_by, meaning

#: Of the cosines of queries and keys.
_TEMPERATURE = 0.1


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
    first: dict[int, int] = {}  # of each question, its first prediction
    for n, question in enumerate(answers.question.tolist()):
        first.setdefault(question, n)
    flat = [(b, a) for b, questions in enumerate(asked) for a in questions]
    wanted: list[tuple[int, int, Tensor, Tensor]] = []
    for number, (b, a) in enumerate(flat):
        if not a.slots or any(seen[b][i] is None for i in a.facts):
            continue
        begin, end = (_any(seen[b], slot) for slot in (a.slots[0], a.slots[-1]))
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

    A document has few facts that are easily mistaken for each other, a batch has many. As
    `address_loss`, of questions that one sentence alone answers. facts: the sentences of each
    document.
    """
    L = keys.shape[0]
    held: dict[tuple[int, int, int], set[str]] = {}  # what each memory token (b, s, m) answers
    for b, tokens in enumerate(seen):
        for sentence, which in zip(facts[b], tokens, strict=True):
            means = {meaning(question) for question in answered_by(sentence)}
            for s, m in which.nonzero().tolist() if which is not None else []:
                held.setdefault((b, s, m), set()).update(means)
    place = {at: n for n, at in enumerate(held)}
    first: dict[int, int] = {}  # of each question, its first prediction
    for n, question in enumerate(answers.question.tolist()):
        first.setdefault(question, n)
    rows, means_of, own = [], [], []
    for number, (b, a) in enumerate((b, a) for b, of in enumerate(asked) for a in of):
        if len(a.slots) != 1 or seen[b][a.facts[0]] is None:
            continue
        if a.question not in answered_by(facts[b][a.facts[0]]):
            continue
        hit = torch.zeros(len(place), dtype=torch.bool)
        for s, m in _any(seen[b], a.slots[0]).nonzero().tolist():
            hit[place[b, s, m]] = True
        rows.append(first[number])
        means_of.append(meaning(a.question))
        own.append(hit)
    if not rows:
        return queries.sum() * 0
    device = keys.device
    hit = torch.stack(own).to(device)  # (N, P)
    right = torch.tensor([[mean in held[at] for at in held] for mean in means_of], device=device)
    same = torch.tensor([[mean == other for other in means_of] for mean in means_of], device=device)
    itself = torch.eye(len(rows), dtype=torch.bool, device=device)
    b, s, m = torch.tensor(list(place), device=device).T
    losses = []
    with torch.autocast(device.type, enabled=False):
        for layer in range(L // 3, L):
            query = queries[layer, answers.row[rows], answers.place[rows]].float()  # (N, K)
            query = functional.normalize(query, dim=-1)
            key = functional.normalize(keys[layer, b, s, m].float(), dim=-1)  # (P, K)
            losses.append(_share(query @ key.T, hit, ~right & ~hit))
            losses.append(_share(query @ query.T, same & ~itself, ~same))
    return 2 * torch.stack(losses).mean()


def _share(cosines: Tensor, hit: Tensor, rival: Tensor) -> Tensor:
    """Mean of -ln of the share of hits (N, P) in a softmax over them and the rivals (N, P)."""
    counts = hit.any(-1)
    if not bool(counts.any()):
        return cosines.sum() * 0
    hit, rival, logits = hit[counts], rival[counts], cosines[counts] / _TEMPERATURE
    found = logits.masked_fill(~hit, -torch.inf).logsumexp(-1)
    every = logits.masked_fill(~(hit | rival), -torch.inf).logsumexp(-1)
    return (every - found).mean()


def _any(seen: Sequence[Tensor | None], slot: Sequence[int]) -> Tensor:
    """The memory tokens (S, M) that see any sentence of a slot; its last one is among `seen`."""
    found = [tokens for i in slot if (tokens := seen[i]) is not None]
    return torch.stack(found).any(0)
