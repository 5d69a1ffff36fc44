"""The library: documents, their pages and passages, memories and conversations, in SQLite."""

from storage.backing_up import Backup
from storage.claims import Claim
from storage.library import Library
from storage.records import (
    Conversation,
    Document,
    Message,
    NewPassage,
    NewSnapshot,
    Page,
    Passage,
    Snapshot,
    SnapshotInfo,
    Version,
)

__all__ = [
    "Backup",
    "Claim",
    "Conversation",
    "Document",
    "Library",
    "Message",
    "NewPassage",
    "NewSnapshot",
    "Page",
    "Passage",
    "Snapshot",
    "SnapshotInfo",
    "Version",
]
