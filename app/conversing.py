"""Conversations as they are kept in the library: what was asked, and the whole answer."""

from dataclasses import asdict, dataclass
from typing import Any

from app.results import Answer, Citation, MemoryAnswer, Place
from storage.library import Library

#: Characters of a question that name its conversation.
_TITLE = 80


@dataclass(frozen=True)
class Turn:
    """answer: None if it quoted a document that was deleted since."""

    question: str
    answer: Answer | None


def keep(library: Library, conversation_id: str | None, answer: Answer) -> str:
    """Adds a question and its answer to a conversation (None: a new one, named by the question);
    its id. Raises LibraryError for a conversation that is gone."""
    if conversation_id is None:
        title = " ".join(answer.question.split())
        conversation_id = library.create_conversation(title[:_TITLE]).id
    library.add_message(conversation_id, "user", {"question": answer.question})
    library.add_message(conversation_id, "assistant", asdict(answer))
    return conversation_id


def turns(library: Library, conversation_id: str) -> list[Turn]:
    """What was said in a conversation, in order. Raises LibraryError if it is gone."""
    found: list[Turn] = []
    for message in library.messages(conversation_id):
        if message.role == "user":
            found.append(Turn(message.content["question"], None))
        elif found:
            found[-1] = Turn(found[-1].question, _answer(message.content))
    return found


def _answer(content: dict[str, Any]) -> Answer:
    said = content["memory_answer"]
    return Answer(
        **{
            **content,
            "citations": tuple(map(_citation, content["citations"])),
            "nearest": tuple(map(_citation, content["nearest"])),
            "memory_answer": MemoryAnswer(**said) if said else None,
        }
    )


def _citation(content: dict[str, Any]) -> Citation:
    # What was kept before copies were named has no "also".
    also = tuple(Place(**place) for place in content.get("also", ()))
    return Citation(**{**content, "also": also})
