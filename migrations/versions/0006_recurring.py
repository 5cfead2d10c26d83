"""recurring expenses."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BOUND = 999999999999


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "recurring_expense",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("every", sa.String(length=9), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("next_day", sa.Date(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_recurring_expense_amount_not_zero")),
        sa.CheckConstraint(
            f"amount BETWEEN -{BOUND} AND {BOUND}", name=op.f("ck_recurring_expense_amount_within_bounds")
        ),
        sa.CheckConstraint("length(category) BETWEEN 1 AND 64", name=op.f("ck_recurring_expense_category_length")),
        sa.CheckConstraint("length(description) <= 200", name=op.f("ck_recurring_expense_description_length")),
        sa.CheckConstraint(
            "every IN ('week', 'two-weeks', 'month', 'quarter', 'year')",
            name=op.f("ck_recurring_expense_every_known"),
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_recurring_expense_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_recurring_expense")),
    )
    op.create_table(
        "recurring_day",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("recurring_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expense_id", sa.Uuid(), nullable=True),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("done_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id", "recurring_id"],
            ["recurring_expense.author_id", "recurring_expense.id"],
            name=op.f("fk_recurring_day_author_id_recurring_id_recurring_expense"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_recurring_day_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "recurring_id", "day", name=op.f("pk_recurring_day")),
    )
    op.create_index(
        op.f("ix_recurring_day_author_id_batch"), "recurring_day", ["author_id", "batch"], unique=False
    )
    op.create_index(
        op.f("ix_recurring_day_author_id_expense_id"), "recurring_day", ["author_id", "expense_id"], unique=False
    )


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_table("recurring_day")
    op.drop_table("recurring_expense")
