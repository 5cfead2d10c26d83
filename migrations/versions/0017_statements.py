"""statements: bank statements and other exports that are imported, and their lines."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "statement",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("file_hash", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.String(length=32), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("balances_agree", sa.Boolean(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("start_date", sa.Date(), nullable=True),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=True),
        sa.Column("undone_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "undone_at IS NULL OR added_at IS NOT NULL", name=op.f("ck_statement_undone_after_added")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_statement_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_statement")),
    )
    op.create_index(op.f("ix_statement_author_id_signature"), "statement", ["author_id", "signature"])

    op.create_table(
        "statement_line",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("text_key", sa.String(length=400), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("bank_id", sa.String(length=100), nullable=False),
        sa.Column("payee", sa.String(length=200), nullable=False),
        sa.Column("payee_key", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("duplicate", sa.String(length=8), nullable=False),
        sa.Column("expense_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "duplicate IN ('', 'same', 'same_id', 'reworded', 'deleted', 'seen', 'typed')",
            name=op.f("ck_statement_line_duplicate_known"),
        ),
        sa.CheckConstraint(
            "state IN ('add', 'skip', 'added', 'pending', 'left_out', 'bad')",
            name=op.f("ck_statement_line_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('add', 'skip', 'added') OR (date IS NOT NULL AND amount <> 0)",
            name=op.f("ck_statement_line_bookings_have_date_and_amount"),
        ),
        sa.CheckConstraint(
            "amount BETWEEN -999999999999 AND 999999999999", name=op.f("ck_statement_line_amount_within_bounds")
        ),
        sa.CheckConstraint("length(digest) = 16", name=op.f("ck_statement_line_digest_length")),
        sa.ForeignKeyConstraint(
            ["author_id", "statement_id"],
            ["statement.author_id", "statement.id"],
            name=op.f("fk_statement_line_author_id_statement_id_statement"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_statement_line_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_statement_line")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_statement_line_author_id_date"), "statement_line", ["author_id", "date"])
    op.create_index(op.f("ix_statement_line_author_id_payee_key"), "statement_line", ["author_id", "payee_key"])
    op.create_index(
        op.f("ix_statement_line_author_id_statement_id_payee_key"),
        "statement_line",
        ["author_id", "statement_id", "payee_key"],
    )


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_table("statement_line")
    op.drop_table("statement")
