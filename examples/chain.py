"""A LangChain chain over Recollect: passages are found, a chat model answers with their pages.

    python -m examples.chain
    python -m examples.chain "What did the trawler leave at the landing place?"

It reads one example document into a library that is gone afterwards. The chat model is
LangChain's own fake, which says back the last message that it gets; any other takes its place.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import ParrotFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough

from app.answering import Answerer
from app.retriever import MemoryRetriever
from ingest import ingest_paths
from storage import Library

CORPUS = Path(__file__).with_name("corpus")
QUESTION = "How deep was the deepest cast of the voyage?"

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from these passages alone, and name the page. Question: {question}"),
        ("human", "{passages}"),
    ]
)


def with_pages(documents: list[Document]) -> str:
    """The passages as a chat model gets them: each with its title and page, counted from 1."""
    return "\n\n".join(
        f"{d.page_content}\n[{d.metadata['title']}, page {_printed(d)}]" for d in documents
    )


def _printed(document: Document) -> str:
    label = document.metadata["page_label"]
    return label if label is not None else str(document.metadata["page"] + 1)


def chain(retriever: BaseRetriever, chat_model: BaseChatModel) -> Runnable[str, str]:
    """From a question to an answer."""
    found = {"passages": retriever | with_pages, "question": RunnablePassthrough()}
    return found | PROMPT | chat_model | StrOutputParser()


def main(arguments: list[str] | None = None) -> int:
    """Prints what the chain answers."""
    parser = argparse.ArgumentParser(description="A LangChain chain over one example document.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    question = parser.parse_args(arguments).question
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        answerer = Answerer.open(library)
        for report in ingest_paths([CORPUS / "sanderling-logbook.txt"], library, answerer.model):
            print(f"{report.outcome}: {report.title}, {report.pages} pages", file=sys.stderr)
        retriever = MemoryRetriever(answerer=answerer, k=2)
        print(chain(retriever, ParrotFakeChatModel()).invoke(question))
    return 0


if __name__ == "__main__":
    sys.exit(main())
