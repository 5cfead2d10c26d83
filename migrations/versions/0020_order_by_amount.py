"""expense: an index for sorting by amount."""

from alembic import op

revision = "0020"
down_revision = "0019"

COLUMNS = ["author_id", "amount", "id"]
NAME = f"ix_expense_{'_'.join(COLUMNS)}"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_index(NAME, "expense", COLUMNS)


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_index(NAME, "expense")
