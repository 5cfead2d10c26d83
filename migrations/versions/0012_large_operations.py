"""large operations: they are made in pieces, and are found again if their process was killed."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("user", sa.Column("running_operation", sa.Uuid()))
    op.add_column("operation", sa.Column("running_until", sa.DateTime()))


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_column("operation", "running_until")
    op.drop_column("user", "running_operation")
