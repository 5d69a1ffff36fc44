"""What asking and searching give back: frozen records, as JSON the keys of the design."""

from dataclasses import dataclass, replace
from typing import Literal

from storage.records import Passage

Memory = Literal["final", "empty"]
Source = Literal["passage", "memory", "none"]

#: What can be left out of answering, to see what it adds. "reader": the answer is a whole
#: sentence, chosen by words and vectors. "sentence-vectors": passages are ranked by their own
#: vectors alone. "memory-vectors": passages are ranked by vectors read without memory.
#: "memory-answer": nothing is answered from memory alone. "memory-since": what told the memory its
#: answer is not looked up. "threshold": the best answer is given however weak it is.
Part = Literal[
    "reader", "sentence-vectors", "memory-vectors", "memory-answer", "memory-since", "threshold"
]


#: Characters of a page's label as printed ("xiv", "A-12"); what is longer is a name of its own.
_LABEL = 8


def page_name(page: int, label: str | None) -> str:
    """What people call a page: "page 12" as printed, else by its number from 1; a chapter by its
    name."""
    name = label if label is not None else str(page + 1)
    return name if " " in name.strip() or len(name) > _LABEL else f"page {name}"


@dataclass(frozen=True)
class Place:
    """Where a passage stands once more, word for word: in another of the documents asked."""

    document_id: str
    title: str
    page: int
    page_label: str | None


@dataclass(frozen=True)
class FoundPassage:
    """A passage in a search result. start and end: offsets in the page's stored text."""

    passage_id: int
    document_id: str
    title: str
    page: int
    page_label: str | None
    start: int
    end: int
    text: str
    score: float
    also: tuple[Place, ...] = ()

    @classmethod
    def of(cls, passage: Passage, score: float, also: tuple[Place, ...]) -> "FoundPassage":
        """A stored passage with its score."""
        return cls(
            passage.id,
            passage.document_id,
            passage.title,
            passage.page,
            passage.page_label,
            passage.start,
            passage.end,
            passage.text,
            score,
            also,
        )


@dataclass(frozen=True)
class Citation:
    """A quote and where it stands: `page_text[start:end] == quote`, always. Higher scores first.

    also: where its passage stands once more.
    """

    document_id: str
    title: str
    page: int
    page_label: str | None
    start: int
    end: int
    quote: str
    passage_id: int
    score: float
    also: tuple[Place, ...] = ()


@dataclass(frozen=True)
class MemoryAnswer:
    """What one document's memory says without any passage. confidence: 0 to 1."""

    text: str
    confidence: float
    document_id: str


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    answer: cleaned text; None if nothing was found. confidence: 0 to 1, of what answers, or of the
    best citation. answer_start and answer_end: offsets of the answer in the stored text of
    citations[0]'s page. citations: the best k passages when found, else none.
    nearest: when nothing was found, or memory alone answered, where one might look. since: of an
    answer from memory, what the passage says after which memory says so.
    """

    question: str
    answer: str | None
    found: bool
    confidence: float
    source: Source
    answer_start: int | None
    answer_end: int | None
    citations: tuple[Citation, ...]
    memory_answer: MemoryAnswer | None
    timings_ms: dict[str, float]
    nearest: tuple[Citation, ...] = ()
    since: Citation | None = None

    def by_memory(self, said: MemoryAnswer) -> "Answer":
        """The same question answered by memory; the best passages are the nearest then."""
        return replace(
            self,
            answer=said.text,
            found=True,
            confidence=said.confidence,
            source="memory",
            answer_start=None,
            answer_end=None,
            citations=(),
            nearest=self.citations or self.nearest,
        )


@dataclass(frozen=True)
class Sides:
    """One question answered from passages, as far as they do, and in the end."""

    passages: Answer
    whole: Answer
