"""The tables, as the newest migration leaves them. Rows never leave this package.

Times are seconds since 1970 (UTC). Vectors are float16, little-endian. The words of
passages are indexed by the FTS5 table `passage_words`, kept in step by triggers; see
`migrations/versions/0001_first.py`.
"""

from typing import Any, ClassVar

from sqlalchemy import JSON, Float, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Float()}


class DocumentRow(Base):
    """What stays the same while the bytes of a file change."""

    __tablename__ = "document"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    updated_at: Mapped[float]


class VersionRow(Base):
    """One reading of one content. `begun` orders the readings of a document: the last begun
    supersedes the others once it is ready. At most one version a document is current.
    `snapshot_bytes` are those of all its memories, `snapshot_sha256` is the last one's."""

    __tablename__ = "version"
    __table_args__ = (
        Index("version_document", "document_id", "begun"),
        Index("version_content", "sha256", "fingerprint"),
        Index("version_title", "title_folded"),
        Index("version_current", "document_id", unique=True, sqlite_where=text("is_current")),
        # An id that was ever handed out is never given to something else.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    sha256: Mapped[str]
    fingerprint: Mapped[str]
    begun: Mapped[int]
    is_current: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str]
    reason: Mapped[str | None]
    reason_code: Mapped[str | None]
    title: Mapped[str]
    title_folded: Mapped[str]
    format: Mapped[str]
    size_bytes: Mapped[int]
    pages: Mapped[int] = mapped_column(default=0)
    pages_without_text: Mapped[int] = mapped_column(default=0)
    pages_need_ocr: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    pages_by_ocr: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    pages_no_picture: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    ocr: Mapped[str | None]
    page_bytes: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    passage_bytes: Mapped[int] = mapped_column(default=0)
    snapshot_bytes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    snapshot_sha256: Mapped[str | None]
    segments_read: Mapped[int] = mapped_column(default=0)
    segments_total: Mapped[int | None]
    unknown_ratio: Mapped[float] = mapped_column(default=0.0)
    claim_token: Mapped[str | None]
    claim_host: Mapped[str | None]
    claim_boot: Mapped[str | None]
    claim_pid: Mapped[int | None]
    claim_started: Mapped[float | None]
    heartbeat_at: Mapped[float | None]


class AliasRow(Base):
    """A path at which a document was seen, and the bytes that were there."""

    __tablename__ = "alias"
    __table_args__ = (Index("alias_document", "document_id"),)

    path: Mapped[str] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    sha256: Mapped[str]


class PageRow(Base):
    """The stored text of a page: every offset counts characters of it."""

    __tablename__ = "page"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("version.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    text: Mapped[str]
    needs_ocr: Mapped[bool] = mapped_column(default=False)
    by_ocr: Mapped[bool] = mapped_column(default=False, server_default=false())
    no_picture: Mapped[bool] = mapped_column(default=False, server_default=false())


class PassageRow(Base):
    """`runs` is compact JSON: [[start in text, start in page, length], ...]."""

    __tablename__ = "passage"
    __table_args__ = (
        UniqueConstraint("version_id", "ordinal", name="passage_place"),
        Index("passage_page", "page", "version_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    page: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    tokens: Mapped[int]
    text: Mapped[str]
    runs: Mapped[str]
    memory_vector: Mapped[bytes]
    plain_vector: Mapped[bytes | None]
    sentence_vectors: Mapped[bytes | None]
    beta: Mapped[float | None]
    gamma: Mapped[float | None]
    change: Mapped[float | None]


class SnapshotRow(Base):
    """A memory after `segments_read` segments, and what it was computed with."""

    __tablename__ = "snapshot"
    __table_args__ = (UniqueConstraint("version_id", "segments_read", name="snapshot_place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id", ondelete="CASCADE"))
    segments_read: Mapped[int]
    sha256: Mapped[str]
    fingerprint: Mapped[str]
    conditions: Mapped[str]
    data: Mapped[bytes]


class ConversationRow(Base):
    """A conversation; its messages go with it."""

    __tablename__ = "conversation"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    created_at: Mapped[float]
    updated_at: Mapped[float]


class MessageRow(Base):
    """One turn of a conversation, in order of id."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_conversation", "conversation_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    role: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]
