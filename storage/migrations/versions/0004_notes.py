"""Passages keep how they met the memory."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of passages that were read before, nothing is known."""
    for name in ("beta", "gamma", "change"):
        op.add_column("passage", sa.Column(name, sa.Float))
