"""Passages keep how they met the memory."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of passages that were read before, nothing is known."""
    op.add_column("passage", sa.Column("strength", sa.Float))
    op.add_column("passage", sa.Column("novelty", sa.Float))
