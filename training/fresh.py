"""Where a memory starts from before it is trained: a place of its own for every memory token.

Keys that overlap make a memory that only grows: gamma is 0, and what is taken back is a part of
what was written (docs/log.md). So W_k and W_q start as what sends memory token i to two numbers
of its own, of which DPFP makes one feature: the M keys are then nearly orthogonal, each memory
token reads back what it wrote, a write replaces, and the memory keeps its size however long a
document is. Whatever else keys may say is learned from there.

Axes: L layers, N texts, T tokens, M memory tokens, D width, d_mem numbers of a key.
"""

import random

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.apart import placed, through
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.rows import Words
from training.text import Texts

#: Texts to learn the places from, and most tokens of each with [CLS] and [SEP].
TEXTS, LENGTH = 192, 64
#: Added to the eigenvalues of a covariance, as a share of their mean, before it is inverted.
_RIDGE = 1e-3
#: How memory tokens begin: as these words, in this order.
_WORDS = (
    "who what where when why how which whose first last before after name place thing number "
    "person part reason time year group kind way point end start home work state case fact"
)


def has_fresh_memory(model: ArmtModel) -> bool:
    """Whether nothing was learned yet: W_v is zero in every layer."""
    return not bool(model.associative.value.any())


@torch.no_grad()
def begin(model: ArmtModel, words: Words, texts: Texts, number: int = TEXTS, seed: int = 0) -> None:
    """Makes the memory tokens "apart" and words, W_k and W_q their places, and W_v the identity.

    The places are fitted three times (`fit_places`), each from the reads of the one before.
    """
    M = model.config.num_memory_tokens
    model.eval()
    model.config.memory_tokens = "apart"
    (found,) = words.encode([_WORDS])
    ids = torch.tensor([found[i % len(found)] for i in range(M)], device=model.device)
    memory = model.associative
    model.memory_tokens.copy_(model.adapter.tokens(ids[None])[0])
    memory.value.copy_(torch.eye(model.config.hidden_size).expand_as(memory.value))
    memory.beta_weight.zero_()
    memory.beta_bias.fill_(1.0)

    wanted = places(M, model.config.memory_dim).to(model.device)
    for layer in range(model.config.num_hidden_layers):  # any place, until the first fit
        memory.key[layer] = memory.query[layer] = _fit(model.memory_tokens[None], wanted)
    for _ in range(3):
        fit_places(model, words, texts, number, random.Random(seed))


@torch.no_grad()
def fit_places(
    model: ArmtModel, words: Words, texts: Texts, number: int, draw: random.Random
) -> None:
    """W_k and W_q anew, so that every memory token has its place in how the model reads now.

    Fitted to `number` texts of each kind: the first of a document, those after another, and
    questions; `draw` decides which. What is read back depends on W_k and W_q as they were.
    """
    training, memory = model.training, model.associative
    model.eval()
    told, after, asked = (_texts(model, words, texts, number, draw) for _ in range(3))
    wanted = places(model.config.num_memory_tokens, model.config.memory_dim).to(model.device)
    empty = model.empty_memory(number)
    _, first = through(model, *told, empty, None, None)  # (L, N, M, D)
    filled = model.write(first, empty, told[1].any(-1))
    _, second = through(model, *after, filled, None, None)
    _, question = through(model, *asked, filled, None, "answer")
    outputs = torch.cat([first, second, question], dim=1).float()
    starts = [
        placed(model, mask, asks)
        for (_, mask), asks in ((told, False), (after, False), (asked, True))
    ]
    inputs = torch.cat([torch.cat(starts)[None], outputs[:-1]])
    for layer in range(model.config.num_hidden_layers):
        memory.key[layer] = _fit(outputs[layer], wanted)
        memory.query[layer] = _fit(inputs[layer], wanted)
    model.train(training)


def places(M: int, d_mem: int) -> Tensor:
    """What W_k sends memory token i to, (M, d_mem): two neighbouring numbers that are 1, or -1 for
    the second half of the memory tokens. Of more than d_mem memory tokens some share a place."""
    pairs = d_mem // 2
    found = torch.zeros(M, d_mem)
    for i in range(M):
        pair, sign = i % pairs, 1.0 - 2.0 * (i // pairs % 2)
        found[i, 2 * pair : 2 * pair + 2] = sign
    return found


def _fit(rows: Tensor, wanted: Tensor) -> Tensor:
    """W (d_mem, D) that sends rows (N, M, D) to `wanted` (M, d_mem) with the least squares."""
    x = rows.double().flatten(0, 1)
    y = wanted.double().expand(rows.shape[0], -1, -1).flatten(0, 1)
    covariance = x.T @ x
    ridge = _RIDGE * covariance.diagonal().mean() * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(covariance + ridge.to(x.device), x.T @ y).T.to(rows.dtype)


def _texts(
    model: ArmtModel, words: Words, texts: Texts, number: int, draw: random.Random
) -> tuple[Tensor, Tensor]:
    """ids and mask (N, LENGTH) of texts of different lengths."""
    rows = []
    for _ in range(number):
        tokens: list[int] = []
        most = draw.randint(LENGTH // 8, LENGTH - 2)
        for sentence in texts.sentences(draw):
            tokens += sentence
            if len(tokens) >= most:
                break
        rows.append(words.segment(tokens[:most]))
    ids, mask = pad_rows(rows, words.pad)
    missing = (0, LENGTH - ids.shape[1])
    return (
        functional.pad(ids, missing, value=words.pad).to(model.device),
        functional.pad(mask, missing).bool().to(model.device),
    )
