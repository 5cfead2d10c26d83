"""recurring expenses can have an end date."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.add_column("recurring_expense", sa.Column("end_date", sa.Date(), nullable=True))


def downgrade() -> None:
    """Go back to the former revision; what was over is stopped."""
    op.execute("UPDATE recurring_expense SET stopped = true WHERE next_date > end_date")
    op.drop_column("recurring_expense", "end_date")
