"""Conversations as they are kept in the library: what was asked, and the whole answer."""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.results import Answer, Citation, MemoryAnswer, Place
from armt_core.errors import UnknownConversation
from storage.library import Library

#: Characters of a question that name its conversation.
_TITLE = 80


@dataclass(frozen=True)
class Turn:
    """answer: None if it quoted a document that was deleted since, or is not there yet (pending).
    as_of_page: the last page that counted, from 0."""

    question: str
    answer: Answer | None
    pending: bool = False
    as_of_page: int | None = None


@dataclass(frozen=True)
class Asked:
    """A question that is kept, before it is answered and after: its conversation, its message
    there, and whether the conversation began with it."""

    conversation_id: str
    message_id: int
    new: bool


def begin(library: Library, conversation_id: str | None, question: str) -> Asked:
    """Keeps a question that is about to be answered: a page that is closed before the answer
    comes leaves it there. In a conversation, or in a new one named by it (None, or one that is
    gone)."""
    content = {"question": question, "pending": True}
    if conversation_id is not None:
        with suppress(UnknownConversation):
            message = library.add_message(conversation_id, "user", content)
            return Asked(conversation_id, message.id, new=False)
    title = " ".join(question.split())
    conversation_id = library.create_conversation(title[:_TITLE]).id
    return Asked(conversation_id, library.add_message(conversation_id, "user", content).id, True)


def keep(library: Library, asked: Asked, answer: Answer, as_of_page: int | None = None) -> Asked:
    """Keeps the answer, behind its question. If the conversation was deleted meanwhile, both are
    kept in a new one."""
    turn = [
        ("user", {"question": answer.question, "as_of_page": as_of_page}),
        ("assistant", asdict(answer)),
    ]
    try:
        added = library.add_messages(asked.conversation_id, turn, instead_of=asked.message_id)
    except UnknownConversation:
        asked = begin(library, None, answer.question)
        added = library.add_messages(asked.conversation_id, turn, instead_of=asked.message_id)
    return Asked(asked.conversation_id, added[0].id, asked.new)


def withdraw(library: Library, asked: Asked) -> None:
    """Takes a question back that cannot be answered, and the conversation that began with it."""
    with suppress(UnknownConversation):  # deleted meanwhile
        if asked.new and len(library.messages(asked.conversation_id)) == 1:
            library.delete_conversation(asked.conversation_id)
        else:
            library.remove_message(asked.message_id)


def turns(library: Library, conversation_id: str) -> list[Turn]:
    """What was said in a conversation, in order. Raises UnknownConversation if it is gone."""
    found: list[Turn] = []
    for message in library.messages(conversation_id):
        content = message.content
        if message.role == "user":
            found.append(
                Turn(
                    content["question"],
                    None,
                    content.get("pending", False),  # none of these in what older versions kept
                    content.get("as_of_page"),
                )
            )
        elif found:
            found[-1] = replace(found[-1], answer=_answer(content))
    return found


def _answer(content: dict[str, Any]) -> Answer:
    said, since = content["memory_answer"], content.get("since")  # older versions kept none
    return Answer(
        **{
            **content,
            "citations": tuple(map(_citation, content["citations"])),
            "nearest": tuple(map(_citation, content["nearest"])),
            "memory_answer": MemoryAnswer(**said) if said else None,
            "since": _citation(since) if since else None,
        }
    )


def _citation(content: dict[str, Any]) -> Citation:
    # What was kept before copies were named has no "also".
    also = tuple(Place(**place) for place in content.get("also", ()))
    return Citation(**{**content, "also": also})
