"""month totals, on SQLite only; an index that covers a search."""

from alembic import op

revision = "0002"
down_revision = "0001"

COUNT_IN = """
    INSERT INTO month_total VALUES (NEW.author_id, substr(NEW.date, 1, 7) || '-01', NEW.category, 1, NEW.amount)
    ON CONFLICT (author_id, month, category)
    DO UPDATE SET number = number + 1, amount = amount + excluded.amount;
"""
COUNT_OUT = """
    UPDATE month_total SET number = number - 1, amount = amount - OLD.amount
    WHERE (author_id, month, category) = (OLD.author_id, substr(OLD.date, 1, 7) || '-01', OLD.category);
    DELETE FROM month_total
    WHERE (author_id, month, category) = (OLD.author_id, substr(OLD.date, 1, 7) || '-01', OLD.category)
    AND number = 0;
"""


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.drop_index("ix_expense_author_id_description_key_date_id", "expense")
    columns = ["author_id", "description_key", "date", "id", "category", "amount"]
    op.create_index(f"ix_expense_{'_'.join(columns)}", "expense", columns)
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("""CREATE TABLE month_total (
    author_id INTEGER NOT NULL, month DATE NOT NULL, category VARCHAR(64) NOT NULL,
    number INTEGER NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (author_id, month, category)
) WITHOUT ROWID""")
    op.execute(f"CREATE TRIGGER expense_added AFTER INSERT ON expense BEGIN{COUNT_IN}END")
    op.execute(f"CREATE TRIGGER expense_removed AFTER DELETE ON expense BEGIN{COUNT_OUT}END")
    op.execute(
        "CREATE TRIGGER expense_changed AFTER UPDATE OF author_id, date, category, amount ON expense "
        f"BEGIN{COUNT_OUT}{COUNT_IN}END"
    )
    op.execute("""INSERT INTO month_total
        SELECT author_id, substr(date, 1, 7) || '-01', category, count(*), sum(amount)
        FROM expense GROUP BY 1, 2, 3""")


def downgrade() -> None:
    """Go back to the former revision."""
    columns = ["author_id", "description_key", "date", "id"]
    op.drop_index("ix_expense_author_id_description_key_date_id_category_amount", "expense")
    op.create_index(f"ix_expense_{'_'.join(columns)}", "expense", columns)
    if op.get_bind().dialect.name != "sqlite":
        return
    for trigger in ("expense_added", "expense_removed", "expense_changed"):
        op.execute(f"DROP TRIGGER {trigger}")
    op.execute("DROP TABLE month_total")
