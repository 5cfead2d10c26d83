"""months that start on another day than the first can be named after the month in which they end."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Go from the former revision to this one."""
    column = sa.Column("named_after_end", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("user", column)


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_column("user", "named_after_end")
