"""Pages say whether they cannot be drawn, versions how many; such a page does not need OCR."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of the pages that were read before none is known: they turn up when OCR is tried."""
    none = sa.text("0")
    op.add_column("page", sa.Column("no_picture", sa.Boolean, nullable=False, server_default=none))
    op.add_column(
        "version", sa.Column("pages_no_picture", sa.Integer, nullable=False, server_default=none)
    )
