"""user: the time at which a deleted account is removed."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("user", sa.Column("delete_at", sa.DateTime()))


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_column("user", "delete_at")
