"""backups."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "backup",
        sa.Column("taken_at", sa.DateTime(), nullable=False),
        sa.Column("expenses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("taken_at", name=op.f("pk_backup")),
    )


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_table("backup")
