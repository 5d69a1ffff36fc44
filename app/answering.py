"""From a question to an answer with its citations: the service behind every interface."""

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import get_args

from app.evidence import Evidence, best_sentences, gather
from app.memories import Memories
from app.remembered import remembered
from app.results import Answer, Citation, FoundPassage, Memory, MemoryAnswer, Part, Place
from app.searching import Method, Scope, Scored, Searcher
from app.since import told_by
from app.support import Calibrations, QuestionWords, load_calibration
from armt_core.document_model import DocumentModel
from armt_core.errors import DamagedSnapshot, LibraryError, ReadAnew, UnknownDocument, UsageError
from ingest.runs import to_page_span
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library
from storage.records import Passage

log = logging.getLogger(__name__)

#: Passages read again for an answer, unless asked otherwise.
PASSAGES = 5
#: How often a question about all documents begins, where they are deleted meanwhile.
BEGINNINGS = 3


class Answerer:
    """Answers questions about a library with one model; safe to use from several threads."""

    def __init__(
        self,
        library: Library,
        model: DocumentModel,
        calibrations: Calibrations,
        without: Collection[Part] = (),
    ) -> None:
        """without: parts to leave out. Raises UsageError for one that does not exist or that
        this model does not have."""
        if unknown := sorted(set(without) - set(get_args(Part))):
            raise UsageError(f"without must be among {get_args(Part)}, not {unknown}.")
        if "memory-vectors" in without and not model.vectors_read_memory:
            raise UsageError(
                "The vectors of this model do not depend on its memory: there are no "
                '"memory-vectors" to leave out.'
            )
        self.library, self.model = library, model
        self._without = frozenset(without)
        reader = calibrations.reader if "reader" not in self._without else None
        self._reads = model.reads_spans and reader is not None
        self._calibration = reader if self._reads and reader else calibrations.sentences
        self._memory_calibration = calibrations.memory
        self._searcher = Searcher(library, model, "sentence-vectors" not in self._without)
        self._lock = Lock()  # one forward pass at a time: two would only slow each other

    @classmethod
    def open(
        cls,
        library: Library,
        model_folder: Path | str | None = None,
        without: Collection[Part] = (),
    ) -> "Answerer":
        """With the model in `model_folder` (None: the one that ships) and its calibrations.

        Raises ModelError for a folder that is no model or has no answering.json.
        """
        folder = Path(model_folder or DEFAULT_MODEL)
        model, calibrations = open_reader(folder), load_calibration(folder)
        for able, fitted, what in (
            (model.reads_spans, calibrations.reader, "its reader"),
            (model.config.answers_from_memory, calibrations.memory, "answers from its memory"),
        ):
            if able and fitted is None:
                log.warning(
                    "%s has no calibration for %s, which is left out; make it with: "
                    "python -m benchmarks.calibrate --model %s --data FOLDER",
                    folder / "answering.json", what, folder,
                )  # fmt: skip
        return cls(library, model, calibrations, without)

    @property
    def memories(self) -> Memories:
        """The opened memories, shared by everything that asks through this answerer."""
        return self._searcher.memories

    @property
    def answers_from_memory(self) -> bool:
        """Whether memory alone is asked: only of a model that was trained to answer from it."""
        trained = self.model.config.answers_from_memory and self._memory_calibration is not None
        return trained and "memory-answer" not in self._without

    @property
    def memory_threshold(self) -> float:
        """The confidence below which an answer from memory alone counts as nothing."""
        return self._memory_calibration.threshold if self._memory_calibration else 1.0

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
            found = self._searcher.search(question, scopes, k, method, self._plain)
        return _as_found(found)

    def ask(
        self,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        as_of_page: int | None = None,
        memory: Memory = "final",
        k: int = PASSAGES,
    ) -> Answer:
        """The answer: a quote from the best supported of the best k passages, what memory alone
        says where it is surer, or "not found".

        documents: ids or titles, at most 8; None: all. as_of_page: memory and passages up
        to and with this page (0-based). memory: "empty" reads nothing from memory, for
        comparison. Raises EmptyLibrary, UnknownDocument, AmbiguousName, OtherModel,
        DamagedSnapshot, UsageError.
        """
        *_, answer = self.steps(
            question, documents=documents, as_of_page=as_of_page, memory=memory, k=k
        )
        assert isinstance(answer, Answer)
        return answer

    def steps(
        self,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        as_of_page: int | None = None,
        memory: Memory = "final",
        k: int = PASSAGES,
    ) -> Iterator[list[FoundPassage] | Answer]:
        """What `ask` gives, and before it each part as soon as it is known: the passages that are
        read, and the answer from them, if there is one, before memory was asked and may be surer.
        Where one is read anew meanwhile, or all are asked and one is deleted, everything begins
        again."""
        for left in reversed(range(BEGINNINGS)):
            try:
                yield from self._steps(question, documents, as_of_page, memory, k)
                return
            except (UnknownDocument, ReadAnew) as error:
                deleted = isinstance(error, UnknownDocument) and documents is not None
                if deleted or not left:
                    raise

    def _steps(
        self,
        question: str,
        documents: Sequence[str] | None,
        as_of_page: int | None,
        memory: Memory,
        k: int,
    ) -> Iterator[list[FoundPassage] | Answer]:
        timings: dict[str, float] = {}
        # Others may ask between two steps: whoever takes them may be slow.
        with self._lock, _timed(timings, "open"):
            scopes = self._searcher.scopes(question, documents, as_of_page, memory)
        with self._lock, _timed(timings, "search"):
            found = self._searcher.search(question, scopes, k, plain=self._plain)
        yield _as_found(found)
        with self._lock, _timed(timings, "read"):
            best = best_sentences(self._evidence(question, scopes, found), self._calibration)
            also = {passage.id: scored.also for passage, scored in found}
            citations = tuple(
                self._cite(e.passage, e.span, score, also[e.passage.id]) for e, score in best
            )
        answer = Answer(
            question=question,
            answer=None,
            found=False,
            confidence=citations[0].score if citations else 0.0,
            source="none",
            answer_start=None,
            answer_end=None,
            citations=(),
            memory_answer=None,
            timings_ms=timings,
            nearest=citations,
        )
        enough = answer.confidence >= self._calibration.threshold or "threshold" in self._without
        if citations and enough:
            first = best[0][0]
            start, end = to_page_span(first.passage.runs, *first.answer)
            answer = replace(
                answer,
                answer=first.passage.text[slice(*first.answer)],
                found=True,
                source="passage",
                answer_start=start,
                answer_end=end,
                citations=citations,
                nearest=(),
            )
            yield answer
        with self._lock, _timed(timings, "memory"):
            calibration = self._memory_calibration if self.answers_from_memory else None
            said = remembered(question, scopes, self.model, calibration)
        answer = replace(answer, memory_answer=said)
        # A passage tells what was so when it was written, memory what is so at the end.
        surer = said is not None and (not answer.found or said.confidence > answer.confidence)
        if said is not None and surer and said.confidence >= self.memory_threshold:
            answer = answer.by_memory(said)
            if "memory-since" not in self._without:
                yield answer
                with _timed(timings, "since"):  # others may ask meanwhile
                    answer = replace(answer, since=self._since(said, question, scopes))
        timings["total"] = round(sum(timings.values()), 1)
        yield answer

    @property
    def _plain(self) -> bool:
        """Whether passages are ranked by vectors without memory."""
        return "memory-vectors" in self._without

    def evidence(self, question: str, *, as_of_page: int | None = None) -> list[Evidence]:
        """Every sentence that `ask` chooses from, for calibration. Raises as `ask`."""
        with self._lock:
            scopes = self._searcher.scopes(question, as_of_page=as_of_page)
            found = self._searcher.search(question, scopes, PASSAGES, plain=self._plain)
            return self._evidence(question, scopes, found)

    def _evidence(
        self, question: str, scopes: Sequence[Scope], found: Sequence[tuple[Passage, Scored]]
    ) -> list[Evidence]:
        words = QuestionWords.of(question, self.library)
        kept = self._searcher.sentence_vectors([passage.id for passage, _ in found])
        return gather(question, words, scopes, found, self.model, self._reads, kept)

    def _since(self, said: MemoryAnswer, question: str, scopes: Sequence[Scope]) -> Citation | None:
        """What told the memory its answer."""
        (scope,) = (scope for scope in scopes if scope.document.id == said.document_id)
        try:
            told = told_by(said.text, question, scope, self.library, self.model, self._lock)
        except LibraryError:
            if self.library.document(said.document_id).version_id == scope.document.version_id:
                raise
            return None  # read anew meanwhile: what told it is not there any more
        return None if told is None else self._cite(told.passage, told.span, said.confidence)

    def _cite(
        self, passage: Passage, span: tuple[int, int], score: float, also: tuple[Place, ...] = ()
    ) -> Citation:
        """What stands in a span of a passage, as an exact quote of its page's stored text."""
        start, end = to_page_span(passage.runs, *span)
        text = self.library.page_of(passage.version_id, passage.page).text
        if not passage.start <= start < end <= min(passage.end, len(text)):
            raise DamagedSnapshot(
                f'Passage {passage.id} of "{passage.title}" does not fit its page.', "verify"
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
            also=also,
        )


def _as_found(found: Sequence[tuple[Passage, Scored]]) -> list[FoundPassage]:
    return [FoundPassage.of(passage, scored.score, scored.also) for passage, scored in found]


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = round((time.perf_counter() - start) * 1000, 1)
