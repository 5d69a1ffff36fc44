"""The first schema: documents, versions, pages, passages, snapshots, conversations."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, and the word index with the triggers that keep it in step."""
    op.create_table(
        "document",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    _create_versions()
    op.create_table(
        "alias",
        sa.Column("path", sa.String, primary_key=True),
        _parent("document_id", "document.id", sa.String),
        sa.Column("sha256", sa.String, nullable=False),
    )
    op.create_index("alias_document", "alias", ["document_id"])
    op.create_table(
        "page",
        _parent("version_id", "version.id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("label", sa.String),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("needs_ocr", sa.Boolean, nullable=False),
    )
    _create_passages()
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer, primary_key=True),
        _parent("version_id", "version.id", sa.Integer),
        sa.Column("segments_read", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("conditions", sa.String, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("version_id", "segments_read", name="snapshot_place"),
    )
    op.create_table(
        "conversation",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer, primary_key=True),
        _parent("conversation_id", "conversation.id", sa.String),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("message_conversation", "message", ["conversation_id", "id"])


def _parent(
    name: str, target: str, kind: type[sa.String] | type[sa.Integer], primary_key: bool = False
) -> sa.Column[Any]:
    return sa.Column(
        name,
        kind,
        sa.ForeignKey(target, ondelete="CASCADE"),
        nullable=False,
        primary_key=primary_key,
    )


def _create_versions() -> None:
    op.create_table(
        "version",
        sa.Column("id", sa.Integer, primary_key=True),
        _parent("document_id", "document.id", sa.String),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("begun", sa.Integer, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("reason_code", sa.String),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("title_folded", sa.String, nullable=False),
        sa.Column("format", sa.String, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("pages", sa.Integer, nullable=False),
        sa.Column("pages_without_text", sa.Integer, nullable=False),
        sa.Column("page_bytes", sa.Integer, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("passage_bytes", sa.Integer, nullable=False),
        sa.Column("segments_read", sa.Integer, nullable=False),
        sa.Column("segments_total", sa.Integer),
        sa.Column("unknown_ratio", sa.Float, nullable=False),
        sa.Column("claim_token", sa.String),
        sa.Column("claim_host", sa.String),
        sa.Column("claim_boot", sa.String),
        sa.Column("claim_pid", sa.Integer),
        sa.Column("claim_started", sa.Float),
        sa.Column("heartbeat_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("version_document", "version", ["document_id", "begun"])
    op.create_index("version_content", "version", ["sha256", "fingerprint"])
    op.create_index("version_title", "version", ["title_folded"])
    op.create_index(
        "version_current",
        "version",
        ["document_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
    )


def _create_passages() -> None:
    op.create_table(
        "passage",
        sa.Column("id", sa.Integer, primary_key=True),
        _parent("version_id", "version.id", sa.Integer),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("runs", sa.String, nullable=False),
        sa.Column("memory_vector", sa.LargeBinary, nullable=False),
        sa.Column("plain_vector", sa.LargeBinary),
        sa.UniqueConstraint("version_id", "ordinal", name="passage_place"),
        sqlite_autoincrement=True,
    )
    # External content: the text is stored once, in `passage`; the index holds words only.
    op.execute(
        "CREATE VIRTUAL TABLE passage_words USING fts5(text, content='passage', "
        "content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')"
    )
    forget = (
        "INSERT INTO passage_words(passage_words, rowid, text) VALUES('delete', old.id, old.text);"
    )
    learn = "INSERT INTO passage_words(rowid, text) VALUES(new.id, new.text);"
    op.execute(f"CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN {learn} END")
    op.execute(f"CREATE TRIGGER passage_removed AFTER DELETE ON passage BEGIN {forget} END")
    op.execute(
        f"CREATE TRIGGER passage_changed AFTER UPDATE OF id, text ON passage "
        f"BEGIN {forget} {learn} END"
    )
