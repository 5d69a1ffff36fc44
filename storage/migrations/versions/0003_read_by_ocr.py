"""Pages say whether a program read them from a picture, versions how many, and which program."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No page that was read before was read by OCR."""
    none = sa.text("0")
    op.add_column("page", sa.Column("by_ocr", sa.Boolean, nullable=False, server_default=none))
    for name in ("pages_need_ocr", "pages_by_ocr"):
        op.add_column("version", sa.Column(name, sa.Integer, nullable=False, server_default=none))
    op.add_column("version", sa.Column("ocr", sa.String))
    op.execute(
        "UPDATE version SET pages_need_ocr = (SELECT count(*) FROM page"
        " WHERE page.version_id = version.id AND page.needs_ocr)"
    )
