"""statement_line: a line is added with its statement, and has a separate state only if it was undone."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Go from the former revision to this one."""
    _allow("'add', 'skip', 'added', 'undone', 'pending', 'left_out', 'bad'", "'add', 'skip', 'added', 'undone'")
    op.execute("UPDATE statement_line SET state = 'undone' WHERE state = 'added' AND expense_id IS NULL")
    op.execute("UPDATE statement_line SET state = 'add', expense_id = NULL WHERE state = 'added'")
    _allow("'add', 'skip', 'undone', 'pending', 'left_out', 'bad'", "'add', 'skip', 'undone'")


def downgrade() -> None:
    """Go back to the former revision."""
    _allow("'add', 'skip', 'added', 'undone', 'pending', 'left_out', 'bad'", "'add', 'skip', 'added', 'undone'")
    op.execute(
        "UPDATE statement_line SET state = 'added', expense_id = id WHERE state = 'add' AND EXISTS (SELECT 1 FROM "
        "statement WHERE statement.author_id = statement_line.author_id AND statement.id = "
        "statement_line.statement_id AND statement.added_at IS NOT NULL)"
    )
    op.execute("UPDATE statement_line SET state = 'added', expense_id = NULL WHERE state = 'undone'")
    _allow("'add', 'skip', 'added', 'pending', 'left_out', 'bad'", "'add', 'skip', 'added'")


def _allow(states: str, booked: str) -> None:
    """Let lines have these states; those of bookings have a date and an amount."""
    checks = {
        "state_known": f"state IN ({states})",
        "bookings_have_date_and_amount": f"state NOT IN ({booked}) OR (date IS NOT NULL AND amount <> 0)",
    }
    with op.batch_alter_table("statement_line", table_kwargs={"sqlite_with_rowid": False}) as batch:
        for name, check in checks.items():
            batch.drop_constraint(op.f(f"ck_statement_line_{name}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_statement_line_{name}"), sa.text(check))
