"""Where memory tokens start from: embedded words, so that the layers take them for text.

Axes: M memory tokens, D width.
"""

import itertools
from typing import Any

import torch

from armt_core.model import ArmtModel

# What a document may be asked about; repeated if there are more memory tokens.
_WORDS = "who where what when why how which name place time thing number day year work group"


@torch.no_grad()
def start_near_text(model: ArmtModel, tokenizer: Any) -> None:
    """Sets the memory tokens (M, D) of a BERT to words embedded at the positions 1 to M.

    Not at position 0: there a BERT expects its [CLS], and all-MiniLM-L6-v2 turns whatever it
    finds there into one and the same vector, which tells neither the tokens apart nor the
    documents (docs/decisions.md).
    """
    model.eval()
    words = tokenizer(_WORDS, add_special_tokens=False)["input_ids"]
    ids = list(itertools.islice(itertools.cycle(words), model.config.num_memory_tokens))
    device = model.device
    embedded = model.backbone.bert.embeddings(
        input_ids=torch.tensor(ids, device=device)[:, None],
        position_ids=torch.arange(1, len(ids) + 1, device=device)[:, None],
    )  # (M, 1, D)
    model.memory_tokens.copy_(embedded[:, 0])


def has_fresh_memory(model: ArmtModel) -> bool:
    """Whether nothing was learned yet: W_v is zero in every layer."""
    return not bool(model.associative.value.any())
