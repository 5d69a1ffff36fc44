"""One tokenizer for several threads."""

from threading import Lock
from typing import Any


class OneAtATime:
    """A tokenizer that encodes for one thread at a time; all else is the tokenizer's own.

    Those of `transformers` keep truncation and padding as state that each call sets before it
    encodes, so that a question asked while a document is read would change how that is cut.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self._lock = tokenizer, Lock()

    def __call__(self, *texts: Any, **settings: Any) -> Any:
        with self._lock:
            return self._tokenizer(*texts, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)
