"""Where a memory starts from before it is trained.

All memory tokens begin as one: [MASK], which stands at the middle of its stretch, so that what is
learned for one stretch is learned for all. W_k and W_q begin as the same random numbers: what is
alike has like keys. Two of their rows are along what all keys have in common; DPFP makes of them a
feature that no key is without, so that z . q is never near nothing (docs/decisions.md).

Axes: L layers, N texts, T tokens, M memory tokens, D width.
"""

import random

import torch
from torch import Tensor

from armt_core.adapters import Context
from armt_core.apart import through
from armt_core.masks import attention_bias, positions
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.rows import Words
from training.text import Texts

#: Texts to learn from what keys have in common, and most tokens of each with [CLS] and [SEP].
TEXTS, LENGTH = 32, 128
#: W_v begins as this much of the identity: what is read is then about as long as what reads.
_VALUE = 0.4
#: What the two shared rows of W_k and W_q make of what all have in common.
_SHARED = 0.7


def has_fresh_memory(model: ArmtModel) -> bool:
    """Whether nothing was learned yet: W_v is zero in every layer."""
    return not bool(model.associative.value.any())


@torch.no_grad()
def begin(model: ArmtModel, words: Words, texts: Texts, number: int = TEXTS, seed: int = 0) -> None:
    """Makes the memory tokens "apart" and alike, and gives all projections their start."""
    model.eval()
    model.config.memory_tokens, model.config.sentence_ends = "apart", words.ends()
    device, memory, width = model.device, model.associative, model.config.hidden_size
    model.memory_tokens.copy_(model.adapter.tokens(torch.tensor([words.mask], device=device)))
    memory.value.copy_(_VALUE * torch.eye(width).expand_as(memory.value))
    memory.beta_weight.zero_()
    memory.beta_bias.fill_(-torch.inf)  # there are no keys yet to read in order with
    random_numbers = torch.Generator().manual_seed(seed)
    start = torch.randn(memory.key.shape, generator=random_numbers) * width**-0.5

    ids, mask = _texts(model, words, texts, number, random.Random(seed))
    _, made = through(model, ids, mask, model.empty_memory(number))  # (L, N, M, D)
    asked = _inputs(model, ids, mask)
    for layer in range(model.config.num_hidden_layers):
        common = made[layer].flatten(0, 1).mean(0)
        memory.key[layer] = _sharing(start[layer].to(device), common)
        memory.query[layer] = _sharing(start[layer].to(device), asked[layer][mask].mean(0))
    memory.beta_bias.fill_(1.0)


def _sharing(weight: Tensor, common: Tensor) -> Tensor:
    """weight (d_mem, D), its first two rows along `common` (D,) and the others across it."""
    unit = common / common.norm()
    weight = weight - torch.outer(weight @ unit, unit)
    weight[:2] = _SHARED * unit / common.norm()
    return weight


def _inputs(model: ArmtModel, ids: Tensor, mask: Tensor) -> list[Tensor]:
    """The hidden states (N, T, D) of text that go into each of the L layers."""
    adapter, T = model.adapter, ids.shape[1]
    places = positions(mask, T)
    text = adapter.place(adapter.tokens(ids), places)
    context = Context(attention_bias(mask, T, 0, None, False, False, text.dtype), places)
    inputs = []
    for index in range(model.config.num_hidden_layers):
        inputs.append(text)
        text = adapter.layer(index, text, context)
    return inputs


def _texts(
    model: ArmtModel, words: Words, texts: Texts, number: int, draw: random.Random
) -> tuple[Tensor, Tensor]:
    """ids and mask (N, T) of texts of different lengths."""
    rows = []
    for _ in range(number):
        tokens: list[int] = []
        most = draw.randint(LENGTH // 4, LENGTH - 2)
        for sentence in texts.sentences(draw):
            tokens += sentence
            if len(tokens) >= most:
                break
        rows.append(words.segment(tokens[:most]))
    ids, mask = pad_rows(rows, words.pad)
    return ids.to(model.device), mask.bool().to(model.device)
