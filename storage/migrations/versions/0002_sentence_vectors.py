"""Passages keep the vectors of their sentences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Passages that were read before have none; they are found by their own vector alone."""
    op.add_column("passage", sa.Column("sentence_vectors", sa.LargeBinary))
