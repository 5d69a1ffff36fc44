"""Which passages a question leads to: words (BM25) and vectors, fused.

Axes: n passages, D width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from app.askable import askable
from app.copies import distinct, places
from app.cosines import best_sentences, products
from app.memories import Memories
from app.nearest import Nearest
from app.results import Memory, Place
from armt_core.document_model import DocumentModel
from armt_core.errors import LibraryError, UsageError
from armt_core.memory import MemoryState
from ingest.reports import MOST_UNKNOWN
from storage.library import Library
from storage.passages import Kind
from storage.records import Askable, Document, Passage
from storage.search import words_of

Method = Literal["hybrid", "words", "vectors"]

#: Most documents whose memories one question opens.
DOCUMENTS = 8
#: Passages that each of words and vectors bring to the fusion.
POOL = 200
#: Share of the words in a fused score; the rest is the vectors'. Both shares are checked by
#: `python -m training evaluate --only retrieval`.
WORDS_SHARE = 0.3
#: Share of a passage's best sentence in its cosine; the rest is that of the whole passage.
SENTENCE_SHARE = 0.7


@dataclass(frozen=True)
class Scope:
    """A document to search: the memory to ask with, the vector (D,) of the question read with it,
    and the last page that counts (None: all)."""

    document: Document
    memory: MemoryState
    query: NDArray[np.float32]
    upto_page: int | None


@dataclass(frozen=True)
class Scored:
    """A passage's fused score, and the cosine of its vector with the question's; also: where its
    copies are."""

    passage_id: int
    score: float
    cosine: float
    also: tuple[Place, ...] = ()


class Searcher:
    """Searches the ready documents of a library."""

    def __init__(self, library: Library, model: DocumentModel, sentences: bool = True) -> None:
        """sentences: passages are ranked by their best sentence too, where the vectors of text do
        not depend on the memory (there would have to be two kinds of these)."""
        self.library, self._model = library, model
        self._sentences = sentences and not model.vectors_read_memory
        self.memories = Memories(library, model)
        self._nearest = Nearest(library)

    def scopes(
        self,
        question: str,
        documents: Sequence[str] | None = None,
        as_of_page: int | None = None,
        memory: Memory = "final",
    ) -> list[Scope]:
        """At most 8 documents to ask, their memories opened.

        documents: ids or titles; None: all, the most promising by words and vectors if
        there are more than 8 (memories alone come last then: they have neither; they are
        asked by name; what another model read is left out). Raises EmptyLibrary, OtherModel,
        UnknownDocument, AmbiguousName, LibraryError for a document that is not ready, UsageError
        for a page that a named document does not have or for more than 8 names.
        """
        if not question.strip():
            raise UsageError("The question is empty.")
        try:
            question.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"The question is not Unicode text: {error.reason}.") from error
        if not words_of(question):
            raise UsageError("The question holds no word.")
        if memory not in ("final", "empty"):
            raise UsageError(f'memory must be "final" or "empty", not {memory!r}.')
        if documents is not None:
            chosen = list({d.id: d for d in map(self.library.document, documents)}.values())
            for document in chosen:
                if document.state != "ready":
                    raise LibraryError(
                        f'"{document.title}" cannot be asked: it is {document.state}'
                        + (f" ({document.reason})." if document.reason else ".")
                    )
            if not chosen:
                raise UsageError("No document is named; leave documents out to ask all of them.")
            if len(chosen) > DOCUMENTS:
                raise UsageError(f"At most {DOCUMENTS} documents at a time, not {len(chosen)}.")
            return self._scopes(question, [(d, as_of_page) for d in chosen], memory)
        ready = askable(self.library, self._model.fingerprint)
        if as_of_page is not None:
            # Of an imported memory only the end is known.
            ready = [d for d in ready if not d.memory_alone]
            if not ready:
                raise UsageError(
                    "Every document here was imported as a memory alone, which holds no page: "
                    "ask without a page."
                )
            # A shorter document is asked as a whole.
            as_of_page = min(as_of_page, max(d.pages for d in ready) - 1)
        alone = self._model.vector(question) if len(ready) > DOCUMENTS else None
        if alone is not None:
            ready = self._promising(question, alone, ready, as_of_page, memory)
        found = self.library.documents_by_id([d.id for d in ready])
        upto = [None if as_of_page is None else min(as_of_page, d.pages - 1) for d in found]
        return self._scopes(question, list(zip(found, upto, strict=True)), memory, alone)

    def search(
        self,
        question: str,
        scopes: Sequence[Scope],
        k: int,
        method: Method = "hybrid",
        plain: bool = False,
    ) -> list[tuple[Passage, Scored]]:
        """The best k passages of the scopes, the best first; of those with the same text, as
        copies of a document have them, the best one alone, with the places of the others in other
        documents (where vectors read the memory, copies that score otherwise are not found).

        "words": BM25. "vectors": cosine of the passage's vector with the question's, read
        with that document's memory. "hybrid": both, each from 0 to 1 (BM25 by its best).
        plain: vectors of question and passages read without memory, whatever the scopes hold.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}.")
        if method not in get_args(Method):
            raise UsageError(f"method must be one of {get_args(Method)}, not {method!r}.")
        words, cosines = self.scores(question, scopes, plain)
        if method == "words":
            scores = words
        elif method == "vectors":
            scores = cosines
        else:
            scores = fuse(words, cosines)
        found = []
        for same in distinct(self.library, scores, k):
            best = same[0]
            cosine = cosines.get(best.id, 0.0)
            found.append((best, Scored(best.id, scores[best.id], cosine, places(same))))
        return found

    def sentence_vectors(self, passages: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """The vectors (n, D) of the n sentences of passages (ids), by id; those without are left
        out, and all where sentences have no part in the search."""
        return self.library.sentence_vectors(passages) if self._sentences else {}

    def scores(
        self, question: str, scopes: Sequence[Scope], plain: bool = False
    ) -> tuple[dict[int, float], dict[int, float]]:
        """BM25 of the passages that have its words, and the cosine of every passage, by id."""
        if plain:
            empty = self._model.model.empty_memory()
            (query,) = self._model.question_vectors(question, [empty])
            scopes = [replace(scope, memory=empty, query=query) for scope in scopes]
            for scope in scopes:
                self._fill_plain(scope.document.id)
        words = self._words(question, scopes)
        return words, self._cosines(scopes, words)

    def _scopes(
        self,
        question: str,
        chosen: Sequence[tuple[Document, int | None]],
        memory: Memory,
        alone: NDArray[np.float32] | None = None,
    ) -> list[Scope]:
        """Documents, each with the last page that counts. alone: the question's vector, or None."""
        states = [self.memories.of(document, memory, upto) for document, upto in chosen]
        if memory == "empty":
            for document, _ in chosen:
                self._fill_plain(document.id)
        queries = self._model.question_vectors(question, states, alone)
        return [
            Scope(document, state, query, upto)
            for (document, upto), state, query in zip(chosen, states, queries, strict=True)
        ]

    def _fill_plain(self, document_id: str) -> None:
        """Computes the vectors of a document's passages alone where they are missing, and keeps
        them."""
        if not self._model.vectors_read_memory:
            return  # those that reading has left are the same
        missing = self.library.missing_plain(document_id)
        if missing:
            empty = self._model.model.empty_memory()
            # `read`, not `vector`: the memory tokens are there in both readings, so that a
            # memory that changes nothing gives the same bits.
            vectors = np.stack([self._model.read(p.text, empty)[0].vectors[0] for p in missing])
            self.library.set_plain_vectors(
                document_id, [p.id for p in missing], vectors.astype(np.float16)
            )

    def _kind(self, emptied: bool) -> Kind:
        """Which vectors of the passages go with a memory."""
        return "plain" if emptied and self._model.vectors_read_memory else "memory"

    def _promising(
        self,
        question: str,
        vector: NDArray[np.float32],
        ready: list[Askable],
        upto_page: int | None,
        memory: Memory,
    ) -> list[Askable]:
        """The 8 documents with the best passages, by words and by the question's vector (D,).

        With an emptied memory by the vectors of the passages alone; else by those that
        reading has left, for no document's memory is open yet.
        """
        best: dict[str, float] = {}
        found = self.library.search_words(question, POOL, upto_page=upto_page)
        if found:
            top = found[0][1]
            passages = self.library.passages_by_id([number for number, _ in found])
            for passage, (_, score) in zip(passages, found, strict=True):
                key = passage.document_id
                best[key] = max(best.get(key, 0.0), WORDS_SHARE * score / top)
        readable = [d for d in ready if d.unknown_ratio <= MOST_UNKNOWN and not d.memory_alone]
        if memory == "empty":
            for document in readable:
                self._fill_plain(document.id)
        cosines = self._nearest.best(
            vector,
            [d.version_id for d in readable],
            self._kind(memory == "empty"),
            upto_page,
        )
        for document in readable:
            if document.version_id in cosines:
                share = (1 - WORDS_SHARE) * cosines[document.version_id]
                best[document.id] = best.get(document.id, 0.0) + share
        return sorted(ready, key=lambda d: (d.memory_alone, -best.get(d.id, 0.0)))[:DOCUMENTS]

    def _words(self, question: str, scopes: Sequence[Scope]) -> dict[int, float]:
        found: dict[int, float] = {}
        for page in {scope.upto_page for scope in scopes}:
            ids = [scope.document.id for scope in scopes if scope.upto_page == page]
            found.update(self.library.search_words(question, POOL, ids, page))
        return found

    def _cosines(self, scopes: Sequence[Scope], words: Iterable[int]) -> dict[int, float]:
        """The cosine of every passage, and in that of the nearest and of those that have the
        question's words the share of their best sentence."""
        found: dict[int, float] = {}
        for scope in scopes:
            if scope.document.unknown_ratio > MOST_UNKNOWN:
                continue  # its vectors are those of unknown tokens; words still find it
            kind = self._kind(int(scope.memory.segments_read[0]) == 0)
            ids, vectors = self.library.vectors(scope.document.id, kind, scope.upto_page)
            if not len(ids):
                continue
            cosines = dict(zip(ids.tolist(), products(vectors, scope.query), strict=True))
            if self._sentences:
                near = sorted(cosines, key=lambda number: -cosines[number])[:POOL]
                close = list({*near, *(number for number in words if number in cosines)})
                for number, best in best_sentences(self.library, close, scope.query).items():
                    cosines[number] += SENTENCE_SHARE * (best - cosines[number])
            found |= cosines
        return found


def fuse(
    words: dict[int, float], cosines: dict[int, float], share: float = WORDS_SHARE
) -> dict[int, float]:
    """One score a passage: `share` of its BM25 over the best BM25, and the rest its cosine.

    Both scales are those of the question alone, so scores of one question compare.
    """
    top = max(words.values(), default=1.0)
    nearest = sorted(cosines, key=lambda number: -cosines[number])[:POOL]
    return {
        number: share * words.get(number, 0.0) / top + (1 - share) * cosines.get(number, 0.0)
        for number in {*words, *nearest}
    }
