"""users can choose the language of the pages."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("user", sa.Column("language", sa.String(16), server_default="", nullable=False))


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_column("user", "language")
