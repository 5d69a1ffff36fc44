"""The app's own word search (BM25) over passages that are in no library yet."""

import hashlib
from collections.abc import Sequence

import numpy as np

from app.searching import POOL
from storage.claims import Claim
from storage.library import Library
from storage.records import NewPassage, NewSnapshot, Page

#: In place of a model's fingerprint: nothing here was read by one.
_NO_MODEL = "words"


class WordSearch:
    """Passages of documents, numbered 0, 1, 2, ... through all documents in turn.

    They go into `library`, an empty one, so that words are split, stemmed, weighed and limited
    exactly as when somebody asks.
    """

    def __init__(self, documents: Sequence[Sequence[str]], library: Library) -> None:
        self._library = library
        self._documents: list[str] = []
        self._numbers: dict[int, int] = {}
        for passages in documents:
            id = self._add(passages)
            self._documents.append(id)
            for passage in self._library.passages(id):
                self._numbers[passage.id] = len(self._numbers)

    def scores(self, question: str, document: int | None = None) -> dict[int, float]:
        """BM25 of the best passages that have a word of the question, of one document or of all.

        How rare a word is always counts over all documents.
        """
        within = None if document is None else [self._documents[document]]
        found = self._library.search_words(question, POOL, within)
        return {self._numbers[id]: score for id, score in found}

    def _add(self, texts: Sequence[str]) -> str:
        """Each passage becomes a page of its own; their vectors and the memory are left empty."""
        name, claim = f"document {len(self._documents)}", Claim.new()
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        version = self._library.begin_reading(name, sha256, _NO_MODEL, name, "text", 0, claim)
        pages = [Page(i, None, text) for i, text in enumerate(texts)]
        self._library.set_parsed(version.id, claim, name, pages, len(pages), 0.0)
        nothing = np.zeros(1, dtype=np.float16)
        passages = [
            NewPassage(i, i, 0, len(text), text, ((0, 0, len(text)),), 0, nothing)
            for i, text in enumerate(texts)
        ]
        snapshot = NewSnapshot(len(passages), _NO_MODEL, b"")
        self._library.checkpoint(version.id, claim, passages, snapshot)
        self._library.finish(version.id, claim)
        return version.document_id
