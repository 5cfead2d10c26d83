"""own categories and settings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# As text, so that a column comes with its check and SQLite need not recreate the table.
COLUMNS = {
    "locale": "VARCHAR(32) DEFAULT '' NOT NULL",
    "first_day_of_month": "INTEGER DEFAULT '1' NOT NULL CONSTRAINT ck_user_first_day_of_month_in_every_month "
    "CHECK (first_day_of_month BETWEEN 1 AND 28)",
    "monthly_budget": "BIGINT CONSTRAINT ck_user_monthly_budget_within_bounds "
    "CHECK (monthly_budget BETWEEN 0 AND 999999999999)",
}


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "category",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", sa.String(length=256), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("monthly_budget", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name=op.f("ck_category_name_length")),
        sa.CheckConstraint(
            "monthly_budget BETWEEN 0 AND 999999999999", name=op.f("ck_category_monthly_budget_within_bounds")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_category_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_category")),
        sa.UniqueConstraint("author_id", "name_key", name=op.f("uq_category_author_id_name_key")),
    )
    for name, definition in COLUMNS.items():
        op.execute(f'ALTER TABLE "user" ADD COLUMN {name} {definition}')


def downgrade() -> None:
    """Go back to the former revision."""
    with op.batch_alter_table("user") as batch_op:
        batch_op.drop_constraint(op.f("ck_user_first_day_of_month_in_every_month"), type_="check")
        batch_op.drop_constraint(op.f("ck_user_monthly_budget_within_bounds"), type_="check")
        for name in COLUMNS:
            batch_op.drop_column(name)
    op.drop_table("category")
