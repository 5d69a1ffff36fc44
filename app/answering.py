"""From a question to an answer with its citations: the service behind every interface."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np

from app.memories import Memories
from app.results import Answer, Citation, FoundPassage, Memory, MemoryAnswer
from app.searching import Method, Scope, Scored, Searcher, found_passage
from app.support import Calibration, QuestionWords, best_sentence, features, load_calibration
from armt_core.document_model import DocumentModel
from armt_core.errors import DamagedSnapshot, UsageError
from ingest.runs import to_page_span
from ingest.sentences import sentence_spans
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library
from storage.records import Passage

log = logging.getLogger(__name__)

#: Passages read again for an answer, unless asked otherwise.
PASSAGES = 5


@dataclass(frozen=True)
class Candidate:
    """A passage with its best sentence: what an answer is made of.

    features: see app.support. text: the sentence as the model read it.
    """

    citation: Citation
    text: str
    features: tuple[float, ...]


class Answerer:
    """Answers questions about a library with one model; safe to use from several threads."""

    def __init__(self, library: Library, model: DocumentModel, calibration: Calibration) -> None:
        self.library, self.model = library, model
        self._calibration = calibration
        self._searcher = Searcher(library, model)
        self._lock = Lock()  # one forward pass at a time: two would only slow each other

    @classmethod
    def open(cls, library: Library, model_folder: Path | str | None = None) -> "Answerer":
        """With the model in `model_folder` (None: the one that ships) and its calibration.

        Raises ModelError for a folder that is no model or has no answering.json.
        """
        folder = Path(model_folder or DEFAULT_MODEL)
        return cls(library, open_reader(folder), load_calibration(folder))

    @property
    def memories(self) -> Memories:
        """The opened memories, shared by everything that asks through this answerer."""
        return self._searcher.memories

    @property
    def answers_from_memory(self) -> bool:
        """Whether the model was trained to answer from memory alone."""
        return self.model.config.answers_from_memory

    def search(
        self,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        as_of_page: int | None = None,
        memory: Memory = "final",
        k: int = 10,
        method: Method = "hybrid",
    ) -> list[FoundPassage]:
        """The k passages that fit the question best. Raises as `ask`."""
        with self._lock:
            scopes = self._searcher.scopes(question, documents, as_of_page, memory)
            found = self._searcher.search(question, scopes, k, method)
        return [found_passage(passage, scored.score) for passage, scored in found]

    def ask(
        self,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        as_of_page: int | None = None,
        memory: Memory = "final",
        k: int = PASSAGES,
    ) -> Answer:
        """The answer: a quote from the best supported of the best k passages, or "not found".

        documents: ids or titles, at most 8; None: all. as_of_page: memory and passages up
        to and with this page (0-based). memory: "empty" reads nothing from memory, for
        comparison. Raises EmptyLibrary, UnknownDocument, AmbiguousName, OtherModel,
        DamagedSnapshot, UsageError.
        """
        if memory not in ("final", "empty"):
            raise UsageError(f'memory must be "final" or "empty", not {memory!r}.')
        timings: dict[str, float] = {}
        with self._lock, _timed(timings, "total"):
            with _timed(timings, "open"):
                scopes = self._searcher.scopes(question, documents, as_of_page, memory)
            with _timed(timings, "search"):
                found = self._searcher.search(question, scopes, k)
            with _timed(timings, "read"):
                candidates = self._candidates(question, scopes, found)
            with _timed(timings, "memory"):
                memory_answer = self._from_memory(question, scopes)
        citations = tuple(candidate.citation for candidate in candidates)
        best = candidates[0] if candidates else None
        if best is None or best.citation.score < self._calibration.threshold:
            return Answer(
                question=question,
                answer=None,
                found=False,
                confidence=best.citation.score if best else 0.0,
                source="none",
                answer_start=None,
                answer_end=None,
                citations=(),
                memory_answer=memory_answer,
                timings_ms=timings,
                nearest=citations,
            )
        return Answer(
            question=question,
            answer=best.text,
            found=True,
            confidence=best.citation.score,
            source="passage",
            answer_start=best.citation.start,
            answer_end=best.citation.end,
            citations=citations,
            memory_answer=memory_answer,
            timings_ms=timings,
        )

    def candidates(self, question: str, *, k: int = PASSAGES) -> list[Candidate]:
        """What `ask` chooses from, for calibration. Raises as `ask`."""
        with self._lock:
            scopes = self._searcher.scopes(question)
            found = self._searcher.search(question, scopes, k)
            return self._candidates(question, scopes, found)

    def _candidates(
        self, question: str, scopes: Sequence[Scope], found: Sequence[tuple[Passage, Scored]]
    ) -> list[Candidate]:
        """Each found passage with its best sentence, the most confident first."""
        words = QuestionWords.of(question, self.library)
        by_document = {scope.document.id: scope for scope in scopes}
        candidates = []
        for passage, scored in found:
            scope = by_document[passage.document_id]
            spans = sentence_spans(passage.text)
            sentences = [passage.text[start:end] for start, end in spans]
            vectors = np.stack([self.model.vector(s, scope.memory) for s in sentences])
            cosines = vectors @ self.model.vector(question, scope.memory)
            best = best_sentence(cosines, [words.coverage(s) for s in sentences])
            values = features(
                words, passage.text, sentences[best], scored.cosine, float(cosines[best])
            )
            citation = self._cite(passage, spans[best], self._calibration.confidence(values))
            candidates.append(Candidate(citation, sentences[best], values))
        return sorted(candidates, key=lambda c: -c.citation.score)

    def _cite(self, passage: Passage, span: tuple[int, int], score: float) -> Citation:
        """The sentence at `span` of the passage's cleaned text as an exact quote of its page."""
        start, end = to_page_span(passage.runs, *span)
        text = self.library.page(passage.document_id, passage.page).text
        if not passage.start <= start < end <= min(passage.end, len(text)):
            raise DamagedSnapshot(
                f'Passage {passage.id} of "{passage.title}" does not fit its page; '
                "check the library with: python -m app verify"
            )
        return Citation(
            document_id=passage.document_id,
            title=passage.title,
            page=passage.page,
            page_label=passage.page_label,
            start=start,
            end=end,
            quote=text[start:end],
            passage_id=passage.id,
            score=score,
        )

    def _from_memory(self, question: str, scopes: Sequence[Scope]) -> MemoryAnswer | None:
        """What the memory of the most confident document says; None for an untrained memory."""
        if not self.answers_from_memory:
            return None
        answers = []
        for scope in scopes:
            text, confidence = self.model.answer(question, scope.memory)
            answers.append(MemoryAnswer(text, confidence, scope.document.id))
        best = max(answers, key=lambda a: a.confidence, default=None)
        return replace(best, text=best.text.strip()) if best and best.text.strip() else None


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = round((time.perf_counter() - start) * 1000, 1)
