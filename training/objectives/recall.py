"""Masked words of an earlier segment, filled in from memory: dense practice in holding text.

Axes: B documents, S segments, T tokens, N masked tokens.
"""

import random
from dataclasses import dataclass

import torch
from torch.nn import functional

from armt_core.model import ArmtModel
from armt_core.reading import pad_segments
from training.depth import read_to_learn
from training.objectives.base import Learned, Objective
from training.rows import Words, pack, pad
from training.text import Texts


@dataclass(frozen=True)
class RecallSettings:
    """batch: B. segments: S is drawn from these. segment_tokens: most tokens of a segment, as
    many are drawn from. masked: share of the words. depth, recompute: as in `read_to_learn`."""

    batch: int = 16
    segments: tuple[int, ...] = (1, 2, 3)
    segment_tokens: tuple[int, ...] = (64, 128)
    masked: float = 0.4
    depth: int | None = None
    recompute: bool = False


class Recall(Objective):
    """Reads running text, then one of its segments again with holes."""

    name = "recall"

    def __init__(self, settings: RecallSettings, words: Words, texts: Texts) -> None:
        self.settings, self.words, self.texts = settings, words, texts

    def learn(self, model: ArmtModel, draw: random.Random, empty: bool) -> Learned:
        size, device = self.settings, model.device
        S, most = draw.choice(size.segments), draw.choice(size.segment_tokens)
        documents = [stretch(self.words, self.texts, S, most, draw) for _ in range(size.batch)]
        ago = draw.randrange(S)
        holed, row, place, target = [], [], [], []
        for b, document in enumerate(documents):
            tokens = document[-1 - ago]
            gaps = whole_words(self.words, tokens, size.masked, draw)
            holed.append([self.words.mask if i in gaps else t for i, t in enumerate(tokens)])
            row += [b] * len(gaps)
            place += gaps
            target += [tokens[i] for i in gaps]
        memory = None
        if not empty:
            ids, mask = (t.to(device) for t in pad_segments(documents, self.words.pad))
            _, memory = read_to_learn(model, ids, mask, size.depth, size.recompute)
        ids, mask = (t.to(device) for t in pad(holed, self.words.pad))
        hidden, _ = model.run(ids, mask, memory)
        picked = hidden[torch.tensor(row, device=device), torch.tensor(place, device=device)]
        logits = model.adapter.logits(picked[None])[0].float()  # (N, V)
        wanted = torch.tensor(target, device=device)
        right = float((logits.argmax(-1) == wanted).float().mean())
        kind = "empty" if empty else f"right {ago} ago"
        return Learned(functional.cross_entropy(logits, wanted), {kind: right})


def stretch(
    words: Words, texts: Texts, segments: int, most: int, draw: random.Random
) -> list[list[int]]:
    """`segments` segments of running text, [CLS] and [SEP] included, at most `most` tokens."""
    room, sentences = segments * (most - 2), []
    for sentence in texts.sentences(draw):
        sentences.append(sentence)
        room -= len(sentence)
        if room < -most:
            break
    return [words.segment(part) for part in pack(sentences, most - 2)[:segments]]


def whole_words(words: Words, tokens: list[int], share: float, draw: random.Random) -> list[int]:
    """The places of about `share` of the words, all pieces of each; at least one word."""
    pieces = words.tokenizer.convert_ids_to_tokens(tokens)
    groups: list[list[int]] = []
    for i, piece in enumerate(pieces):
        if tokens[i] in (words.cls, words.sep):
            continue
        if piece.startswith("##") and groups and groups[-1][-1] == i - 1:
            groups[-1].append(i)
        else:
            groups.append([i])
    chosen = draw.sample(groups, max(1, round(share * len(groups))))
    return sorted(i for group in chosen for i in group)
