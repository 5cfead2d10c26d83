"""The rows of one account: which tables have them, and how they are deleted a piece at a time."""

from typing import Any, cast

import sqlalchemy as sa

from database import Base
from database.citus import owner_column
from ledger.journal import row_count
from models import (
    Budget,
    Category,
    Expense,
    ExpenseChange,
    Occurrence,
    Operation,
    RecurringExpense,
    RowChange,
    Statement,
    StatementLine,
)

# The most rows that are deleted in one transaction.
ROWS_AT_ONCE = 2_000
# What a user has entered, with its history: each table after those that it refers to.
DATA_TABLES = [
    cast("sa.Table", model.__table__)
    for model in (
        *(Category, Budget, Expense, RecurringExpense, Occurrence, Statement, StatementLine),
        *(Operation, ExpenseChange, RowChange),
    )
]


def owned_tables() -> list[sa.Table]:
    """Return every table that has rows of users, each before those that it refers to."""
    return [table for table in reversed(Base.metadata.sorted_tables) if owner_column(table) is not None]


def delete_some(table: sa.Table, user_id: int, number: int, *conditions: sa.ColumnElement[bool]) -> bool:
    """Delete up to `number` rows of a user, and tell whether there were any; the caller commits."""
    owner, *others = table.primary_key.columns
    own: list[sa.ColumnElement[bool]] = [owner == user_id, *conditions]
    if others:
        key: Any = sa.tuple_(*others) if len(others) > 1 else others[0]
        own = [owner == user_id, key.in_(sa.select(*others).where(*own).limit(number))]
    return row_count(sa.delete(table).where(*own)) > 0
