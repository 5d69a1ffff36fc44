"""Conversations and their messages."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from armt_core.errors import UnknownConversation
from storage.records import Conversation, Message
from storage.store import Store, moment, now, storable
from storage.tables import ConversationRow, MessageRow


class Conversations(Store):
    """What was asked and answered. An unknown id raises UnknownConversation."""

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
        return self.add_messages(conversation_id, [(role, content)])[0]

    def add_messages(
        self,
        conversation_id: str,
        turns: Sequence[tuple[str, dict[str, Any]]],
        instead_of: int | None = None,
    ) -> list[Message]:
        """Add turns, (role, content) each, that stand together; `instead_of` another one (id)."""
        with self._writing() as session:
            conversation = _existing(session, conversation_id)
            conversation.updated_at = time = now()
            if instead_of is not None:
                session.execute(delete(MessageRow).where(MessageRow.id == instead_of))
            rows = [
                MessageRow(
                    conversation_id=conversation_id, role=role, content=content, created_at=time
                )
                for role, content in turns
            ]
            for row in rows:  # one by one: their ids are in this order
                session.add(row)
                session.flush()
            return [_message(row) for row in rows]

    def remove_message(self, message_id: int) -> None:
        """Take a turn back; one that is gone already may be gone."""
        with self._writing() as session:
            session.execute(delete(MessageRow).where(MessageRow.id == message_id))

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
        raise UnknownConversation(
            f"There is no conversation {conversation_id!r}; it may have been deleted meanwhile. "
            "Begin a new one."
        )
    return row


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(row.id, row.title, moment(row.created_at), moment(row.updated_at))


def _message(row: MessageRow) -> Message:
    return Message(row.id, row.conversation_id, row.role, row.content, moment(row.created_at))
