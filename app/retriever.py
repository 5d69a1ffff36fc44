"""The library as a LangChain retriever: passages of documents, each with its page."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import Field

from app.answering import BEGINNINGS, Answerer
from app.requests import check_request
from app.results import FoundPassage
from armt_core.errors import ReadAnew
from storage.records import Document as StoredDocument


class MemoryRetriever(BaseRetriever):
    """The k passages that fit a question best, by the same search as `python -m app search`.

    answerer: whom to ask (`Answerer.open(library)`); it stays the caller's, as does its library.
    k: passages a question. documents: ids or titles, at most 8 (None: all). as_of_page: memory
    and passages up to and including this page, counted from 0 (None: all pages).

    Each of these but `answerer` can be given to `invoke` and `ainvoke` too, for one question.
    `page_content` is the text of the page as it is stored, from `start` to `end`. The metadata
    has `source` (the path that the document was read from, or its title), `title`, `page` (from
    0), `page_label`, `start`, `end`, `score` (higher is better), `document_id`, `passage_id` and
    `also`: where the passage stands in other documents, word for word (`document_id`, `title`,
    `page` and `page_label` of each).

    Raises what `Answerer.search` raises: EmptyLibrary, UnknownDocument, AmbiguousName,
    OtherModel, UsageError, ...
    """

    answerer: Answerer = Field(repr=False, exclude=True)
    k: int = Field(default=5, ge=1)
    documents: list[str] | None = None
    as_of_page: int | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        return self._search(query, **given)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        # A search computes on every core there is; on the event loop all others would wait.
        return await run_in_executor(None, self._search, query, **given)

    def _search(self, query: str, **given: Any) -> list[Document]:
        if unknown := sorted(set(given) - {"k", "documents", "as_of_page"}):
            raise TypeError(
                f"{unknown} cannot be given with a question; k, documents and as_of_page can."
            )
        asked = {"k": self.k, "documents": self.documents, "as_of_page": self.as_of_page, **given}
        check_request({"question": query, "memory": "final", **asked})
        for _ in range(BEGINNINGS - 1):
            with suppress(ReadAnew):
                return self._found(self.answerer.search(query, **asked))
        return self._found(self.answerer.search(query, **asked))

    def _found(self, found: Sequence[FoundPassage]) -> list[Document]:
        library = self.answerer.library
        versions = [p.version_id for p in library.passages_by_id([p.passage_id for p in found])]
        stored = {name: library.document(name) for name in {p.document_id for p in found}}
        return [
            self._document(passage, stored[passage.document_id], version)
            for passage, version in zip(found, versions, strict=True)
        ]

    def _document(self, passage: FoundPassage, stored: StoredDocument, version_id: int) -> Document:
        page = self.answerer.library.page_of(version_id, passage.page)
        return Document(
            id=str(passage.passage_id),
            page_content=page.text[passage.start : passage.end],
            metadata={
                "source": _source(stored),
                "title": passage.title,
                "page": passage.page,
                "page_label": passage.page_label,
                "start": passage.start,
                "end": passage.end,
                "score": passage.score,
                "document_id": passage.document_id,
                "passage_id": passage.passage_id,
                "also": [asdict(place) for place in passage.also],
            },
        )


def _source(stored: StoredDocument) -> str:
    """The path of the file, if it is still there (what was dropped on the page is not), else the
    title."""
    return next((path for path in stored.aliases if Path(path).exists()), stored.title)
