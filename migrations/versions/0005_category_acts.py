"""category acts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "changed_category",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=True),
        sa.Column("monthly_budget", sa.BigInteger(), nullable=True),
        sa.Column("new_name", sa.String(length=64), nullable=True),
        sa.Column("new_position", sa.Integer(), nullable=True),
        sa.Column("new_archived", sa.Boolean(), nullable=True),
        sa.Column("new_monthly_budget", sa.BigInteger(), nullable=True),
        sa.Column("renamed", sa.Integer(), nullable=False),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_changed_category_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "batch", "id", name=op.f("pk_changed_category")),
    )
    op.create_index("ix_changed_category_changed_at", "changed_category", ["changed_at"])


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_table("changed_category")
