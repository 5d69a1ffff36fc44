"""Where a memory starts from before it is trained: the text itself, and addresses that fit it.

Started at random, keys say next to nothing of what a memory token has seen, queries nothing of
what is looked for, and training stands still until both have come about by chance. Here both
start as what a memory token and a text token around the same place have in common
(docs/decisions.md, with what was measured).

Axes: L layers, N texts, T tokens, M memory tokens, D width, d_mem numbers of a key.
"""

import random

import torch
from torch import Tensor

from armt_core.masks import stretches
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from training.objectives.recall import whole_words
from training.rows import Words
from training.text import Texts

#: Texts to learn addresses from, and tokens of each with [CLS] and [SEP].
TEXTS, LENGTH = 600, 64
#: How much of a value is read at first, as a share of the spread of the text's own numbers.
_SHARE = 0.3
#: Added to the eigenvalues of a covariance, as a share of their mean, before it is inverted.
_RIDGE = 0.1


def has_fresh_memory(model: ArmtModel) -> bool:
    """Whether nothing was learned yet: W_v is zero in every layer."""
    return not bool(model.associative.value.any())


@torch.no_grad()
def spread(model: ArmtModel) -> None:
    """Lets each memory token begin as the mean of its stretch of the text and nothing else."""
    model.config.memory_tokens = "spread"
    model.memory_tokens.zero_()


@torch.no_grad()
def align(model: ArmtModel, words: Words, texts: Texts, number: int = TEXTS, seed: int = 0) -> None:
    """Sets W_q, W_k and W_v of every layer from how the model reads `number` texts.

    Each text is read as a segment, and again elsewhere, after other words and with holes. W_q
    and W_k are the first d_mem canonical correlations between the rarest word of a stretch in
    the second reading and the memory token of that stretch in the first (Hotelling 1936). W_v
    hands on what differs between texts and leaves out what a memory token always is.
    """
    draw = random.Random(seed)
    told, again, shifts = _pairs(words, texts, number, draw)
    mask = torch.ones_like(told)
    _, memory_tokens = _states(model, told, mask, write=True)  # (L, N, M, D)
    text, _ = _states(model, *again, write=False)  # (L, N, T', D)
    _, held = stretches(mask.bool(), model.config.num_memory_tokens)  # (N, M, LENGTH)
    # Vocabularies are ordered by how often a token is met: questions are about rare ones.
    visible = again[0].gather(1, torch.arange(LENGTH)[None] + shifts[:, None])  # (N, LENGTH)
    rarity = torch.where(visible == words.mask, -1, visible)[:, None].expand_as(held)
    places = rarity.masked_fill(held == 0, -2).argmax(-1) + shifts[:, None]  # (N, M)
    for layer, (m, t) in enumerate(zip(memory_tokens, text, strict=True)):
        x = t.gather(1, places[..., None].expand(-1, -1, t.shape[-1])).double()  # (N, M, D)
        y = m.double()
        # Neither may lean on what every text has in common.
        common = torch.cat([y.mean(0), x.mean((0, 1))[None]])  # (M + 1, D)
        basis, _ = torch.linalg.qr(common.T)
        rest = torch.eye(y.shape[-1], dtype=y.dtype) - basis @ basis.T  # (D, D)
        # What differs inside a text is what tells its memory tokens apart.
        x_in = ((x - x.mean(1, keepdim=True)) @ rest).flatten(0, 1)
        y_in = ((y - y.mean(1, keepdim=True)) @ rest).flatten(0, 1)
        query, key = _canonical(x_in, y_in, model.associative.key.shape[1])
        y_all = (y - y.mean(0)) @ rest
        scale = _SHARE * t.std().double() / y_all.std()
        for weight, value in (
            (model.associative.query, rest @ query / (x_in @ query).std()),
            (model.associative.key, rest @ key / (y_in @ key).std()),
            (model.associative.value, scale * rest),
        ):
            weight[layer].copy_(value.T)


def _canonical(x: Tensor, y: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The first directions (D, most) each in which x and y (n, D) correlate best."""
    n = x.shape[0]
    of_x, of_y = _inverse_root(x.T @ x / n), _inverse_root(y.T @ y / n)
    left, _, right = torch.linalg.svd(of_x @ (x.T @ y / n) @ of_y)
    return of_x @ left[:, :most], of_y @ right[:most].T


def _inverse_root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * (values.clamp_min(0) + _RIDGE * values.mean()).rsqrt() @ vectors.T


def _pairs(
    words: Words, texts: Texts, number: int, draw: random.Random
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Texts as segments (N, LENGTH), the same elsewhere as ids and mask, and by how much later
    each of their tokens stands there: (N,)."""
    told: list[list[int]] = []
    while len(told) < number:
        tokens: list[int] = []
        for sentence in texts.sentences(draw):
            tokens += sentence
            if len(tokens) >= LENGTH - 2:
                break
        told.append(words.segment(tokens[: LENGTH - 2]))
    again, shifts = [], []
    for n, row in enumerate(told):
        holes = set(whole_words(words, row, 0.4, draw))
        before = told[n - 1][1 : 1 + draw.randrange(LENGTH // 2)]
        holed = [words.mask if i in holes else token for i, token in enumerate(row)]
        again.append([words.cls, *before, *holed[1:]])
        shifts.append(len(before))
    return torch.tensor(told), pad_rows(again, words.pad), torch.tensor(shifts)


def _states(
    model: ArmtModel, ids: Tensor, mask: Tensor, write: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """What every layer is given (text) and what it makes of the memory tokens: L of (N, ., D)."""
    T, given, made = ids.shape[1], [], []
    layers = model.adapter.layers

    def note(_: object, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given.append(inputs[0][:, :T].cpu())
        made.append(output[:, T:].cpu())

    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        model.eval()
        for at in range(0, len(ids), 50):
            part = slice(at, at + 50)
            model.run(ids[part].to(model.device), mask[part].to(model.device), write=write)
    finally:
        for hook in hooks:
            hook.remove()
    L = len(layers)
    return [torch.cat(given[i::L]) for i in range(L)], [torch.cat(made[i::L]) for i in range(L)]
