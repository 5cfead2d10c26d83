"""renames in pieces: the last expense that has the new name of its category."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("operation", sa.Column("last_renamed", sa.Uuid()))


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_column("operation", "last_renamed")
