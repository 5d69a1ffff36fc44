"""Conversations and their messages."""

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError
from storage.records import Conversation, Message
from storage.store import Store, moment, now, storable
from storage.tables import ConversationRow, MessageRow


class Conversations(Store):
    """What was asked and answered. An unknown id raises LibraryError."""

    def create_conversation(self, title: str) -> Conversation:
        """Begin a conversation."""
        with self._writing() as session:
            time = now()
            row = ConversationRow(
                id=uuid.uuid4().hex, title=storable(title), created_at=time, updated_at=time
            )
            session.add(row)
            return _conversation(row)

    def add_message(self, conversation_id: str, role: str, content: dict[str, Any]) -> Message:
        """Add a turn; `content` is any JSON object."""
        with self._writing() as session:
            conversation = _existing(session, conversation_id)
            conversation.updated_at = now()
            row = MessageRow(
                conversation_id=conversation_id,
                role=role,
                content=content,
                created_at=conversation.updated_at,
            )
            session.add(row)
            session.flush()
            return _message(row)

    def conversations(self) -> list[Conversation]:
        """All of them, the one last used first."""
        with self._reading() as session:
            rows = session.scalars(
                select(ConversationRow).order_by(
                    ConversationRow.updated_at.desc(), ConversationRow.id
                )
            )
            return [_conversation(row) for row in rows]

    def messages(self, conversation_id: str) -> list[Message]:
        """The turns of a conversation, in order."""
        with self._reading() as session:
            _existing(session, conversation_id)
            rows = session.scalars(
                select(MessageRow)
                .where(MessageRow.conversation_id == conversation_id)
                .order_by(MessageRow.id)
            )
            return [_message(row) for row in rows]

    def delete_conversation(self, conversation_id: str) -> None:
        """Remove a conversation with its messages from the files."""
        with self._writing() as session:
            session.delete(_existing(session, conversation_id))
        self._flush_log()


def _existing(session: Session, conversation_id: str) -> ConversationRow:
    row = session.get(ConversationRow, conversation_id)
    if row is None:
        raise LibraryError(f"There is no conversation {conversation_id!r}")
    return row


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(row.id, row.title, moment(row.created_at), moment(row.updated_at))


def _message(row: MessageRow) -> Message:
    return Message(row.id, row.conversation_id, row.role, row.content, moment(row.created_at))
