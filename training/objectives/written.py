"""How strongly segments are written: what should be and what should not.

A layer that no answer uses yet gets no gradient from answers; if only silence is asked of it, it
falls silent for facts too and stays so. Then one layer alone remembers, and no question can look
up twice (docs/decisions.md). So facts have to be written wherever they are to be looked up.

Axes: L layers, B documents, S segments, M memory tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.traced import Trace

#: The logit of a beta that is as good as none: 6 in a million.
_NOTHING = 12.0
#: And of one that overwrites: 0.95. Of what was stored, a write leaves the rest of beta to one.
_MOST = 3.0


def written_loss(trace: Trace, seen: Sequence[Sequence[Tensor | None]]) -> dict[str, Tensor]:
    """Two losses of what segments write:

    - loud: of memory tokens that see no fact whole, how far from nothing, as (logit + 12) / 12
      where above 0: at -12 a million tokens write less than one fact; and -ln(1 - beta), for the
      one in a thousand that is taken for a fact. One that sees a part of a fact would overwrite
      what the token beside it wrote of all of it;
    - faint: of those that see one, how far from all, as (3 - logit) / 12 where above 0, in the
      layers that are looked up: all but the first third.

    seen: of each document's facts, as of `who_sees`.
    """
    logits = trace.logits
    told = torch.zeros(logits.shape[1:], dtype=torch.bool)
    for b, of in enumerate(seen):
        for which in of:
            if which is not None:
                told[b] |= which.cpu()
    told = told.to(logits.device)
    nothing = logits.sum() * 0
    found = {
        "loud": (((logits + _NOTHING) / _NOTHING).relu() + functional.softplus(logits))[:, ~told],
        "faint": ((_MOST - logits) / _NOTHING).relu()[len(logits) // 3 :, told],
    }
    return {name: part.mean() if part.numel() else nothing for name, part in found.items()}
