"""no category has the name of the choice of a new one."""

import unicodedata
import uuid
from collections.abc import Iterable
from itertools import chain, count
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# Recurring expenses could get this choice of the dropdown as their category, and pass it on to their expenses.
# The forms have always refused every other spelling of it.
RESERVED = "New …"


def columns_of(table_name: str, *names: str) -> list[sa.ColumnClause[Any]]:
    """Return columns of a table whose rows have an owner and an id."""
    table = sa.table(table_name, sa.column("author_id"), sa.column("id", sa.Uuid), *map(sa.column, names))
    return [table.c[name] for name in names]


FOUNDING = [*columns_of("expense", "category"), *columns_of("deleted_expense", "category")]
(RECURRING,) = columns_of("recurring_expense", "category")
EXPENSES = [*FOUNDING, *columns_of("changed_expense", "category", "new_category"), RECURRING]
NAMES = [
    *EXPENSES,
    *columns_of("category", "name"),
    *columns_of("changed_category", "name", "new_name", "merged_into"),
]
DAYS = sa.table(
    "recurring_day", sa.column("author_id"), sa.column("recurring_id", sa.Uuid), sa.column("expense_id", sa.Uuid)
)


def upgrade() -> None:
    """Go from the former revision to this one."""
    connection = op.get_bind()
    named = [sa.select(column.table.c.author_id).where(column == RESERVED) for column in NAMES]
    for author_id in connection.scalars(sa.union(*named)).all():
        for recurring_id, category in first_categories(author_id).items():
            rename(EXPENSES, author_id, category, recurring_id)
        name = free_name(author_id)
        rename(NAMES, author_id, name)
        key = sa.text("UPDATE category SET name_key = :key WHERE author_id = :author_id AND name = :name")
        connection.execute(key, {"key": key_of(name), "author_id": author_id, "name": name})


def downgrade() -> None:
    """Leave the names as they are: the former revision has no need of the reserved one."""


def first_categories(author_id: int) -> dict[uuid.UUID, str]:
    """Return the categories of the expenses with which the recurring ones of the reserved name began, by id.

    Both have the same id, and the expense has the category that was typed.
    """
    recurring = RECURRING.table.c
    ids = sa.select(recurring.id).where(recurring.author_id == author_id, RECURRING == RESERVED)
    found: dict[uuid.UUID, str] = {}
    for column in FOUNDING:
        table = column.table
        query = sa.select(table.c.id, column).where(table.c.author_id == author_id, table.c.id.in_(ids))
        found.update((row.id, row.category) for row in op.get_bind().execute(query.where(column != RESERVED)))
    return found


def rename(
    columns: Iterable[sa.ColumnClause[Any]], author_id: int, name: str, recurring_id: uuid.UUID | None = None
) -> None:
    """Give another name to what has the reserved one, or only to a recurring expense and those added from it."""
    added = sa.select(DAYS.c.expense_id).where(DAYS.c.author_id == author_id, DAYS.c.recurring_id == recurring_id)
    for column in columns:
        table = column.table
        change = sa.update(table).where(table.c.author_id == author_id, column == RESERVED)
        if recurring_id is not None:
            change = change.where(sa.or_(table.c.id == recurring_id, table.c.id.in_(added)))
        op.get_bind().execute(change.values({column.name: name}))


def free_name(author_id: int) -> str:
    """Return a name that none of the user's categories has, or had."""
    used: set[str] = set()
    for column in NAMES:
        query = sa.select(column).where(column.table.c.author_id == author_id, column.is_not(None)).distinct()
        used.update(map(key_of, op.get_bind().scalars(query)))
    names = chain(["New"], (f"New {number}" for number in count(2)))
    return next(name for name in names if key_of(name) not in used)


def key_of(name: str) -> str:
    """Return the form in which names are compared."""
    folded = unicodedata.normalize("NFKC", name.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)
