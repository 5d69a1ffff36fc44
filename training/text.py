"""Stretches of books and documents as tokenised sentences: filler, and what recall is about."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ingest.sentences import sentence_spans
from training.rows import Words

#: Characters taken at once; some 2,000 tokens.
_STRETCH = 8000


class Encodes(Protocol):
    """A vocabulary."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""


class Tells(Protocol):
    """Text to draw sentences from."""

    def sentences(self, draw: random.Random) -> Iterator[list[int]]:
        """Sentences as tokens, from a random place on, without end."""


class Texts:
    """Running text to draw from; every draw is decided by the `random.Random` it is given."""

    def __init__(
        self,
        texts: Sequence[str],
        words: Words,
        change: Callable[[str, random.Random], str] | None = None,
    ) -> None:
        """change: what becomes of each sentence before it is tokenised; None: nothing."""
        self.texts = [text for text in texts if len(text) > _STRETCH]
        self.words, self.change = words, change
        if not self.texts:
            raise ValueError(f"No text is longer than {_STRETCH} characters.")

    def sentences(self, draw: random.Random) -> Iterator[list[int]]:
        """Sentences of one text from a random place on, as tokens; without end: after the last
        one of a text comes the start of another."""
        text = draw.choice(self.texts)
        at = draw.randrange(len(text) - _STRETCH)
        while True:
            spans = sentence_spans(text[at : at + _STRETCH])
            # The first and the last sentence of a stretch may be cut.
            whole = spans[1:-1] or spans
            told = [text[at + a : at + b] for a, b in whole]
            if self.change:
                told = [self.change(sentence, draw) for sentence in told]
            yield from self.words.encode(told)
            at += spans[-1][0] if len(spans) > 1 else _STRETCH
            if at >= len(text) - _STRETCH:
                text, at = draw.choice(self.texts), 0
