"""Masked words of an earlier segment, filled in from memory: dense practice in holding text.

Axes: B documents, S segments, T tokens, N masked tokens, V vocabulary.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows, pad_segments
from training.depth import read_to_learn
from training.objectives.base import Learned, Objective
from training.rows import Words, pack
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
        again = [document[-1 - ago] for document in documents]
        holes = Holes.of(self.words, again, size.masked, draw).to(device)
        memory = None
        if not empty:
            ids, mask = (t.to(device) for t in pad_segments(documents, self.words.pad))
            _, memory = read_to_learn(model, ids, mask, size.depth, size.recompute)
        logits = holes.logits(model, memory)
        right = float((logits.argmax(-1) == holes.target).float().mean())
        kind = "empty" if empty else f"right {ago} ago"
        return Learned(functional.cross_entropy(logits, holes.target), {kind: right})


@dataclass(frozen=True)
class Holes:
    """B segments with some of their words masked.

    ids, mask: (B, T). row, place: (N,), where the masked tokens are, those of a segment
    together; target: (N,), what they were.
    """

    ids: Tensor
    mask: Tensor
    row: Tensor
    place: Tensor
    target: Tensor

    @staticmethod
    def of(
        words: Words, segments: Sequence[list[int]], share: float, draw: random.Random
    ) -> "Holes":
        """segments: their tokens. share: of the words of each, at least one."""
        holed, row, place, target = [], [], [], []
        for b, tokens in enumerate(segments):
            gaps = whole_words(words, tokens, share, draw)
            holed.append([words.mask if i in gaps else t for i, t in enumerate(tokens)])
            row += [b] * len(gaps)
            place += gaps
            target += [tokens[i] for i in gaps]
        return Holes(*pad_rows(holed, words.pad), *map(torch.tensor, (row, place, target)))

    def to(self, device: torch.device) -> "Holes":
        """The same on another device."""
        return Holes(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def logits(self, model: ArmtModel, memory: MemoryState | None) -> Tensor:
        """What the language-model head says at each hole: (N, V) float32.

        memory: of the B documents, or of each B / its batch neighbours; None: an empty one.
        """
        hidden, _ = model.run(self.ids, self.mask, memory, role="answer")
        return model.adapter.logits(hidden[self.row, self.place][None])[0].float()


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
