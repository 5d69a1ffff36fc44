"""Which memory tokens a question has to find: the loss of what is looked up.

What a question reads is a mean of what was written, weighted by query and key. Without a loss of
its own that weight is found late or not at all (docs/log.md): a mean of all facts says which
places were named, and hides that the weight says nothing yet. Whose segments were made here, the
memory tokens that stood on the fact are known.

Axes: L layers, B documents, S segments, M memory tokens, T tokens, K key features, N questions,
n = S M writes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.rows import Answers
from training.traced import Trace
from training.worlds import Asked


def address_loss(
    queries: Tensor,
    trace: Trace,
    answers: Answers,
    asked: Sequence[Sequence[Asked]],
    seen: Sequence[Sequence[Tensor | None]],
) -> tuple[Tensor, float]:
    """Mean of -ln of the share that a question's fact has in what is read (`parts`), and the mean
    of the share.

    queries: (L, B R, T, K), of R rows of each document. seen: of each document's facts, the memory
    tokens (S, M) that see it. The first third of the layers is left to itself; the second
    looks up the first fact that the answer follows from, the third the last one. What was
    said of the same before does not count as found: it has to be overwritten, or not to be written.
    Questions about facts that are not among `seen` do not count.
    """
    L, B = trace.keys.shape[:2]
    rows = queries.shape[1] // B
    first = answers.first()
    flat = [(b, a) for b, questions in enumerate(asked) for a in questions]
    wanted: list[tuple[int, int, Tensor, Tensor]] = []
    for number, (b, a) in enumerate(flat):
        hops = [seen[b][i] for i in a.facts]
        if not hops or any(which is None for which in hops):
            continue
        n = first[number]
        wanted.append((int(answers.row[n]), int(answers.place[n]), hops[0], hops[-1]))  # type: ignore[arg-type]
    if not wanted:
        return queries.sum() * 0, 0.0
    row, place = (torch.tensor([w[i] for w in wanted], device=queries.device) for i in (0, 1))
    found = [torch.stack([w[i].flatten() for w in wanted]) for i in (2, 3)]  # type: ignore[union-attr]
    losses, shares = [], []
    with torch.autocast(queries.device.type, enabled=False):
        for layer in range(L // 3, L):
            hop = found[int(layer >= 2 * L // 3)].to(queries.device)  # (N, n)
            part = parts(trace, layer, queries[layer, row, place].float(), row // rows)
            share = (part * hop).sum(-1).relu() / (part.abs().sum(-1) + 1e-12)
            losses.append(-(share + 1e-4).log().mean())
            shares.append(share.detach().mean())
    return torch.stack(losses).mean(), float(torch.stack(shares).mean())


def parts(trace: Trace, layer: int, queries: Tensor, documents: Tensor) -> Tensor:
    """With which factor each value that was written goes into what is read: (N, n), up to one for
    each question.

    The change that write i brings is c_i = beta_i (share_i v_i - sum_j (k_i . k_j) c_j / divisor_i)
    (`armt_core.associative.Met`), over the writes j that it sees: those of earlier segments, or all
    before it where tokens are written in order. So c = (1 + N)^-1 (beta share v), N lower
    triangular, and a query reads (q . k)^T (1 + N)^-1 beta share of each v, divided by z . q.
    queries: (N, K). documents: (N,).
    """
    B, S, M = trace.keys.shape[1:4]
    keys = trace.keys[layer].flatten(1, 2).float()  # (B, n, K)
    beta = trace.logits[layer].flatten(1).float().sigmoid()  # (B, n)
    share, divisor = (part[layer].flatten(1).float() for part in (trace.shares, trace.divisors))
    when = torch.arange(S * M, device=keys.device) // (1 if trace.in_order else M)
    earlier = (when[:, None] > when).float()
    stored = (keys @ keys.transpose(1, 2)) * earlier  # (B, n, n)
    stored = stored * (beta / divisor).unsqueeze(-1)
    one = torch.eye(S * M, device=keys.device)
    inverse = torch.linalg.solve_triangular(one + stored, one.expand(B, -1, -1), upper=False)
    out = torch.zeros(len(queries), S * M, device=keys.device)
    for b in range(B):
        which = (documents == b).nonzero().squeeze(-1)
        out = out.index_add(0, which, queries[which] @ keys[b].T @ inverse[b] * (beta * share)[b])
    return out
