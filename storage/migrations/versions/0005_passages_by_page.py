"""Passages are found by their page."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """For questions as of an early page of a library of many documents."""
    op.create_index("passage_page", "passage", ["page", "version_id"])
