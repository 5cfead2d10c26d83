"""Totals per user, month and category, maintained by triggers (SQLite only)."""

import sqlalchemy as sa

from database.types import Money

# With these few rows the total takes the same time for any number of expenses. Triggers maintain them, so that
# no way of writing expenses can forget to. The table is derived data and therefore not a model. Other databases do
# not have it; see docs/decisions/0001-month-totals.md.
month_total = sa.table(
    "month_total",
    sa.column("author_id", sa.Integer),
    sa.column("month", sa.Date),
    sa.column("category", sa.String),
    sa.column("number", sa.Integer),
    sa.column("amount", Money),
)
_ADD_SQL = """
    INSERT INTO month_total VALUES (NEW.author_id, substr(NEW.date, 1, 7) || '-01', NEW.category, 1, NEW.amount)
    ON CONFLICT (author_id, month, category)
    DO UPDATE SET number = number + 1, amount = amount + excluded.amount;
"""
_REMOVE_SQL = """
    UPDATE month_total SET number = number - 1, amount = amount - OLD.amount
    WHERE (author_id, month, category) = (OLD.author_id, substr(OLD.date, 1, 7) || '-01', OLD.category);
    DELETE FROM month_total
    WHERE (author_id, month, category) = (OLD.author_id, substr(OLD.date, 1, 7) || '-01', OLD.category)
    AND number = 0;
"""
# A migration that recreates the table `expense` must recreate the triggers as well.
MONTH_TOTALS = (
    """CREATE TABLE month_total (
    author_id INTEGER NOT NULL, month DATE NOT NULL, category VARCHAR(64) NOT NULL,
    number INTEGER NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (author_id, month, category)
) WITHOUT ROWID""",
    f"CREATE TRIGGER expense_added AFTER INSERT ON expense BEGIN{_ADD_SQL}END",
    f"CREATE TRIGGER expense_removed AFTER DELETE ON expense BEGIN{_REMOVE_SQL}END",
    "CREATE TRIGGER expense_changed AFTER UPDATE OF author_id, date, category, amount ON expense "
    f"BEGIN{_REMOVE_SQL}{_ADD_SQL}END",
)


def keep_month_totals(expense_table: sa.FromClause) -> None:
    """Create and drop the totals together with the table `expense`."""
    for event, statements in (
        ("after_create", MONTH_TOTALS),
        ("after_drop", ["DROP TABLE IF EXISTS month_total"]),
    ):
        for statement in statements:
            ddl = sa.DDL(statement)  # type: ignore[no-untyped-call]
            sa.event.listen(expense_table, event, ddl.execute_if(dialect="sqlite"))
