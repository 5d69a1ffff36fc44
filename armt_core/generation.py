"""Greedy text from a bidirectional backbone: a prefix seen by all, then one token at a time.

Causal families use GenerationMixin instead.

Axes: B documents, T tokens of the question, N tokens of the answer so far, V vocabulary.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from armt_core.errors import ModelError
from armt_core.memory import MemoryState

if TYPE_CHECKING:
    from armt_core.model import ArmtModel


def generate_after_prefix(model: "ArmtModel", input_ids: Tensor, **options: Any) -> Tensor:
    """The tokens of `say_after_prefix`, which takes the same."""
    return say_after_prefix(model, input_ids, **options)[0]


@torch.no_grad()
def say_after_prefix(
    model: "ArmtModel",
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    memory: MemoryState | None = None,
    start_token_id: int | None = None,
    eos_token_id: int | None = None,
    max_new_tokens: int = 32,
) -> tuple[Tensor, Tensor]:
    """The most likely next token again and again: ids, and ln of the probability of each, both
    (B, at most max_new_tokens).

    input_ids: (B, T), the question with its special tokens, padded on the right;
    all of it is seen by every position. The answer starts at `start_token_id`
    ([CLS]), attends to what comes before it, and stops at `eos_token_id` ([SEP]);
    ids after the stop are `eos_token_id`. Neither special token is in the result
    but as that filling. Defaults come from the backbone's configuration.
    Raises ModelError where no start or stop token is known.
    """
    config = model.config.backbone
    start = start_token_id if start_token_id is not None else config.bos_token_id
    stop = eos_token_id if eos_token_id is not None else config.eos_token_id
    if not isinstance(start, int) or not isinstance(stop, int):
        raise ModelError(
            "A bidirectional backbone needs start_token_id and eos_token_id (its [CLS] and [SEP]) "
            "to generate; give them, or set bos_token_id and eos_token_id in its configuration."
        )
    B, T = input_ids.shape
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
    prefix = torch.tensor([T], device=input_ids.device)
    one = input_ids.new_ones(B, 1)
    tokens = torch.cat([input_ids, one * start], dim=1)  # (B, T + 1 + N)
    mask = torch.cat([mask, one], dim=1)
    done = torch.zeros(B, dtype=torch.bool, device=input_ids.device)
    chances = [torch.empty(B, 0, device=input_ids.device)]
    while tokens.shape[1] - T - 1 < max_new_tokens and not bool(done.all()):
        hidden, _ = model.run(tokens, mask, memory, prefix=prefix, role="answer")
        logits = model.adapter.logits(hidden[:, -1:])[:, 0].float()  # (B, V)
        best = logits.argmax(-1)  # (B,)
        best = torch.where(done, torch.full_like(best, stop), best)
        done = done | (best == stop)
        chances.append(logits.log_softmax(-1).gather(-1, best[:, None]))
        tokens = torch.cat([tokens, best[:, None]], dim=1)
        mask = torch.cat([mask, one], dim=1)
    return tokens[:, T + 1 :], torch.cat(chances, dim=1)
