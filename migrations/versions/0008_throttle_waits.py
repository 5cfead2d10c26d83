"""throttle waits: each wait is longer than the one before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("throttle", sa.Column("waits", sa.Integer(), server_default="0", nullable=False))
    op.add_column("throttle", sa.Column("expires_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(op.f("ix_throttle_expires_at"), "throttle", ["expires_at"], unique=False)


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_index(op.f("ix_throttle_expires_at"), table_name="throttle")
    with op.batch_alter_table("throttle") as batch_op:
        batch_op.drop_column("expires_at")
        batch_op.drop_column("waits")
