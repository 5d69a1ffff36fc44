"""Language modelling over long stretches of books, a byte a token.

Axes: B documents, S segments, T bytes of a segment.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from armt_core.errors import RecollectError
from armt_core.systems import SystemModel
from training.objectives.base import Learned, Objective
from training.objectives.next_token import next_losses

#: The vocabulary: all bytes of UTF-8.
VOCABULARY = 256
#: T.
SEGMENT = 128


class TooShort(RecollectError):
    """No text is as long as what is to be read of it."""

    code = "too_short"


class Books:
    """The bytes of several texts, to draw stretches from."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = [torch.frombuffer(bytearray(t.encode()), dtype=torch.uint8) for t in texts]
        whole = hashlib.sha256()
        for text in texts:
            whole.update(text.encode())
        #: What tells these texts from others.
        self.digest = whole.hexdigest()[:16]

    def draw(self, draw: random.Random, segments: int, documents: int) -> Tensor:
        """(B, S * T + 1): so many stretches of so many segments, and the byte after them.

        A text is drawn as often as its length says. Raises TooShort where none is long enough.
        """
        length = segments * SEGMENT + 1
        places = [max(0, len(text) - length + 1) for text in self.texts]
        if not any(places):
            raise TooShort(
                f"None of {len(self.texts)} texts has the {length:,} bytes of {segments} segments."
            )
        rows = []
        for text in draw.choices(self.texts, places, k=documents):
            begin = draw.randrange(len(text) - length + 1)
            rows.append(text[begin : begin + length])
        return torch.stack(rows).long()


class LongText(Objective):
    """Stretches of so many segments, and the cross-entropy of each next byte."""

    name: ClassVar[str] = "lm"

    def __init__(self, books: Books, segments: int, documents: int, forgets: float) -> None:
        """documents: in a batch. forgets: the chance that a document begins a segment with an
        emptied memory."""
        self.books, self.segments, self.documents = books, segments, documents
        self.forgets = forgets

    def learn(self, model: SystemModel, draw: random.Random, empty: bool) -> Learned:
        read = self.books.draw(draw, self.segments, self.documents)
        chance = 1.0 if empty else self.forgets
        forget = None
        if chance:
            places = range(self.documents * self.segments)
            drawn = torch.tensor([draw.random() < chance for _ in places])
            forget = drawn.view(self.documents, self.segments)
        losses = next_losses(model, read, SEGMENT, forget)  # (B, S, T)
        last = float(losses[:, -1].detach().mean())
        return Learned(losses.mean(), {"last_segment": last, "segments": float(self.segments)})
