"""A version says what its memories take, so that a list of documents looks at none of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Counted from the memories that there are."""
    op.add_column(
        "version",
        sa.Column("snapshot_bytes", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("version", sa.Column("snapshot_sha256", sa.String))
    # With max(), SQLite takes the hash from that row.
    op.execute(
        "UPDATE version SET (snapshot_bytes, snapshot_sha256) = ("
        "SELECT total, sha256 FROM (SELECT sum(length(data)) AS total, sha256, max(segments_read) "
        "FROM snapshot WHERE version_id = version.id)) "
        "WHERE id IN (SELECT version_id FROM snapshot)"
    )
