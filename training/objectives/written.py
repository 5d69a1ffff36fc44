"""How strongly and under which keys segments are written: what should be and what should not.

A layer that no answer uses yet gets no gradient from answers; if only silence is asked of it, it
falls silent for facts too and stays so. Then one layer alone remembers, and no question can look
up twice (docs/decisions.md). So facts have to be written wherever they are to be looked up.
All of a segment is written at once, so nothing overwrites what came before in it: what is out of
date by its end should not be written. And what is stored is read with z: where z . k is a multiple
of |k|^2, because much else overlaps with k, it comes back that much smaller, and the rest of it is
never overwritten.

Axes: L layers, B documents, S segments, M memory tokens, K key features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from armt_core.associative import EPS
from training.hiding import Place
from training.objectives.rivals import holds
from training.traced import Trace

#: The logit of a beta that is as good as none: 6 in a million.
_NOTHING = 12.0
#: And of one that is small beside that of a fact: 0.02.
_LITTLE = 4.0
#: And of one that overwrites: 0.95. Of what was stored, a write leaves the rest of beta to one.
_MOST = 3.0


def written_loss(
    trace: Trace,
    facts: Sequence[Sequence[str]],
    places: Sequence[Sequence[Place]],
    seen: Sequence[Sequence[Tensor | None]],
    outside: int = 0,
) -> dict[str, Tensor]:
    """Four losses of what the segments after `outside` others write:

    - loud: of segments without a fact, how far from nothing, as (logit + 12) / 12 where above 0: at
      -12 a million tokens write less than one fact;
    - stale: of memory tokens that see facts which are out of date and none in force, how far from
      little, as (logit + 4) / 12 where above 0;
    - faint: of memory tokens that see facts in force, how far from all, as (3 - logit) / 12 where
      above 0, in the layers that are looked up: all but the first third;
    - crowded: of the same there, ln(z . k / |k|^2) where above 0.

    facts, places: of each document. seen: as of `who_sees`.
    """
    logits, keys = trace.logits, trace.keys
    told = torch.zeros(logits.shape[1:3], dtype=torch.bool)
    true, old = (torch.zeros(logits.shape[1:], dtype=torch.bool) for _ in range(2))
    for b, of in enumerate(facts):
        for now, place, which in zip(in_force(of, places[b]), places[b], seen[b], strict=True):
            if which is not None:
                told[b, place.segment - outside] = True
                (true if now else old)[b] |= which.cpu()
    told, true, old = (mask.to(logits.device) for mask in (told, true, old))
    nothing = logits.sum() * 0
    with torch.autocast(keys.device.type, enabled=False):
        covered = (keys * trace.normalizers.unsqueeze(3)).sum(-1)  # (L, B, S, M)
        crowded = (covered / (keys.square().sum(-1) + EPS) + EPS).log().relu()
    found = {
        "loud": ((logits + _NOTHING) / _NOTHING).relu()[:, ~told],
        "stale": ((logits + _LITTLE) / _NOTHING).relu()[:, old & ~true],
        "faint": ((_MOST - logits) / _NOTHING).relu()[len(logits) // 3 :, true],
        "crowded": crowded[len(logits) // 3 :, true],
    }
    return {name: part.mean() if part.numel() else nothing for name, part in found.items()}


def in_force(facts: Sequence[str], places: Sequence[Place]) -> list[bool]:
    """Of each fact, whether it says something that no later one of its segment says anew."""
    later: dict[int, set[str]] = {}
    found = []
    for fact, place in zip(reversed(facts), reversed(places), strict=True):
        told = later.setdefault(place.segment, set())
        said = holds(fact, last=False)
        found.append(not said <= told)
        told |= said
    return found[::-1]
