"""What the page needs of library, model and files; knows no Gradio."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.answering import Answerer
from app.conversing import Asked, Turn, begin, keep, turns, withdraw
from app.handing_over import exported, import_memory, title_to_hand_over
from app.requests import check_length
from app.results import Answer, Citation, FoundPassage, Memory, Sides
from armt_core.errors import (
    ParseError,
    PasswordNeeded,
    QuoteNotSeen,
    ReadAnew,
    RecollectError,
    UsageError,
)
from ingest.child import ParserPool
from ingest.limits import ParseLimits
from ingest.ocr import find_ocr
from ingest.pipeline import ingest_paths, reread_document
from ingest.reports import FileReport, Outcome, report_of
from storage.records import Conversation, Document, Page

log = logging.getLogger(__name__)

#: Why a page of a PDF is not drawn, by the error.
_NO_PICTURE: dict[type[ParseError], str] = {
    PasswordNeeded: "its file asks for a password, which is never kept",
    QuoteNotSeen: "the quote is not to be seen on it: white, covered or off the page",
}
#: Pixels a point of a drawn page (72 points an inch).
SCALE = 1.6


class Service:
    """One library and one model behind the page; safe to use from several threads."""

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.library = answerer.library
        self._pool = ParserPool(1, ParseLimits())

    def __enter__(self) -> "Service":
        self._pool.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.__exit__(None, None, None)

    @property
    def model(self) -> str:
        """The fingerprint of the model that answers."""
        return self.answerer.model.fingerprint

    def documents(self) -> list[Document]:
        """Everything in the library, by title."""
        return self.library.documents()

    def revision(self) -> str:
        """Another text once the library has changed, by whatever process."""
        return self.library.revision()

    def add(
        self,
        files: Sequence[Path],
        progress: Callable[[Path, int, int], None],
        passwords: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> Iterator[FileReport]:
        """Reads dropped files into the library; a report for each as it is done. languages: of
        scanned pages, which are read by OCR (none: they are not). Raises as `find_ocr`."""
        return ingest_paths(
            files,
            self.library,
            self.answerer.model,
            passwords=passwords,
            retry_failed=True,
            ocr=find_ocr("+".join(languages)) if languages else None,
            progress=progress,
        )

    def go_on(self, progress: Callable[[Path, int, int], None]) -> Iterator[FileReport]:
        """Reads on what was interrupted, from its last checkpoint, and again what another model
        read; a report for each."""
        for document in [d for d in self.documents() if d.to_be_read(self.model)]:
            name, started = Path(document.title), time.perf_counter()
            try:
                version = reread_document(
                    document, self.library, self.answerer.model, partial(progress, name)
                )
            except RecollectError as error:
                yield FileReport(str(name), "failed", title=document.title, reason=str(error))
            else:
                kind: Outcome = "continued" if document.interrupted else "reread"
                report = report_of(name, kind, version)
                yield replace(report, seconds=time.perf_counter() - started)

    def export(self, document_id: str) -> tuple[str, bytes]:
        """A name for a file with the memory of a document, and its bytes; nothing is written.

        Raises as `app.handing_over.exported`."""
        document, data = exported(self.library, document_id)
        title = title_to_hand_over(document.title)
        name = re.sub(r"[^\w -]+", "_", title).strip()[:80] or "memory"
        return f"{name}.safetensors", data

    def take_in(self, file: Path) -> tuple[Document, bool]:
        """The document of a memory that was exported, and whether it is new. Raises as
        `app.handing_over.import_memory`."""
        return import_memory(self.library, self.answerer.model, file)

    def load(self, documents: Sequence[str]) -> tuple[int, int]:
        """Opens the memories of documents (ids) ahead; segments they have read, and bytes."""
        chosen = [self.library.document(name) for name in documents]
        states = [self.answerer.memories.of(document) for document in chosen]
        size = sum(
            s.associations.numel() * s.associations.element_size()
            + s.normalizer.numel() * s.normalizer.element_size()
            for s in states
        )
        return sum(document.segments_read for document in chosen), size

    def steps(
        self,
        question: str,
        documents: Sequence[str] | None,
        as_of_page: int | None,
        memory: Memory,
    ) -> Iterator[list[FoundPassage] | Answer]:
        """As Answerer.steps, but a page that is not there is named as people count, from 1, and
        no question may be too long."""
        check_length(question)
        for name in documents or ():
            document = self.library.document(name)
            if as_of_page is not None and as_of_page >= document.pages > 0:
                raise UsageError(
                    f'"{document.title}" has pages 1 to {document.pages}; there is no page '
                    f"{as_of_page + 1}."
                )
        yield from self.answerer.steps(
            question, documents=documents or None, as_of_page=as_of_page, memory=memory
        )

    def ask(
        self,
        question: str,
        documents: Sequence[str] | None,
        as_of_page: int | None,
        memory: Memory,
    ) -> Answer:
        """The last of `steps`."""
        *_, answer = self.steps(question, documents, as_of_page, memory)
        assert isinstance(answer, Answer)
        return answer

    def compare(
        self, question: str, documents: Sequence[str] | None, as_of_page: int | None
    ) -> tuple[Sides, Sides]:
        """The answers with the memory as read and with an emptied one. Raises as `ask`."""

        def sides(memory: Memory) -> Sides:
            steps = self.steps(question, documents, as_of_page, memory)
            answers = [step for step in steps if isinstance(step, Answer)]
            return Sides(answers[0], answers[-1])

        return sides("final"), sides("empty")

    def begin(self, conversation_id: str | None, question: str) -> Asked:
        """Keeps a question that is about to be answered. See `app.conversing.begin`."""
        check_length(question)
        return begin(self.library, conversation_id, question)

    def remember(self, asked: Asked, answer: Answer, as_of_page: int | None = None) -> Asked:
        """Keeps its answer. See `app.conversing.keep`."""
        return keep(self.library, asked, answer, as_of_page)

    def withdraw(self, asked: Asked) -> None:
        """Takes a question back that cannot be answered."""
        withdraw(self.library, asked)

    def conversations(self) -> list[Conversation]:
        """Those that were kept, the one last used first."""
        return self.library.conversations()

    def turns(self, conversation_id: str) -> list[Turn]:
        """What was said in a conversation."""
        return turns(self.library, conversation_id)

    def titles(self) -> dict[str, str]:
        """The titles of all documents, by id."""
        return self.library.titles()

    def page(self, citation: Citation) -> Page:
        """The cited page as stored. Raises ReadAnew if its document was read anew since, and the
        quote does not stand there any more."""
        page = self.library.page(citation.document_id, citation.page)
        stands = page.text[citation.start : citation.end] == citation.quote
        if not stands and not self._serves(citation):
            raise ReadAnew(
                f'"{citation.title}" was read anew since, and what was quoted does not stand there '
                "any more. Ask again."
            )
        return page

    def _serves(self, citation: Citation) -> bool:
        """Whether its passage is of what answers now (a whole passage is quoted as it was read, not
        as it stands)."""
        try:
            passage = self.library.passage(citation.passage_id)
        except ReadAnew:
            return False
        return passage.version_id == self.library.document(citation.document_id).version_id

    def drawn(self, citation: Citation) -> tuple[bytes | None, str]:
        """The cited page of a PDF as PNG, the quote marked; or None and, of a PDF, why there is
        none. Raises as `page`."""
        document = self.library.document(citation.document_id)
        # Where OCR read a page there is no telling where on it a word stands.
        by_ocr = self.page(citation).by_ocr
        original = self.library.original_path(document.sha256)
        if document.format != "pdf":
            return None, ""
        if original is None:
            return None, "no copy of its file was kept"
        try:
            png = self._pool.draw(
                original,
                citation.page,
                boxes_for=None if by_ocr else (citation.start, citation.end),
                scale=SCALE,
            ).result()
        except ParseError as error:
            log.warning("%s, page %d cannot be drawn: %s", document.title, citation.page, error)
            return None, _NO_PICTURE.get(type(error), "its file is damaged there")
        return png, ""
