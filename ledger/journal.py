"""The journal: the changes of expenses that operations have recorded, and applying or reverting them."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from database import db
from database.statements import OWNER_ID, built_once, fetch_all
from ledger.spending import VALUES, ExpenseValues
from models import Expense, ExpenseChange, Operation, User

# A statement may change thousands of expenses, none of which the session has loaded.
NO_SESSION_SYNC = {"synchronize_session": False}
EXPENSE = Expense.__table__.c
CHANGE = ExpenseChange.__table__.c
# Written out, not as a parameter: otherwise no database would use the index that has this condition.
IS_DELETION = CHANGE.change == sa.literal_column("'deleted'")
# The columns of an expense that are recorded; those of VALUES decide whether it is as an operation left it.
RECORDED_COLUMNS = (*VALUES, "description_key", "created_at")
OPPOSITES = {"added": "deleted", "changed": "changed", "deleted": "added"}


def changes_of(operation: Operation, *changes: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the expense changes of `operation`, or only of the ones that are `changes`.

    While a large operation is running, only those of the current piece.
    """
    conditions = [CHANGE.author_id == operation.author_id, CHANGE.operation_id == operation.id]
    if operation.piece is not None:
        # Its ids are sorted, and every recorded id between the first and the last is in the piece.
        conditions.append(CHANGE.id.between(operation.piece[0], operation.piece[-1]))
    return [*conditions, CHANGE.change.in_(changes)] if changes else conditions


def row_count(statement: sa.Executable) -> int:
    """Execute a statement that writes, and return how many rows it wrote."""
    # SQLAlchemy keeps the row count of an INSERT only if it is asked to.
    result = db.session.execute(statement, execution_options={**NO_SESSION_SYNC, "preserve_rowcount": True})
    assert isinstance(result, sa.CursorResult)
    return result.rowcount


def touched_columns(recorded: Iterable[sa.ColumnElement[bool]]) -> list[str]:
    """Return the columns to which the `recorded` changes give another value."""
    counts = (sa.func.count(CHANGE[f"new_{name}"]) for name in VALUES)
    return named_columns(db.session.execute(sa.select(*counts).where(*recorded)).one())


def named_columns(counts: Iterable[int]) -> list[str]:
    """Return the columns that get a new value, given how many expenses get one in each of VALUES."""
    names = [name for name, count in zip(VALUES, counts, strict=True) if count]
    return [*names, "description_key"] if "description" in names else names


def write_changes(
    author_id: int, change: str, recorded: Iterable[sa.ColumnElement[bool]], names: Sequence[str], backwards: bool
) -> None:
    """Make the expenses of `recorded` changes, which are all the same `change`, as they were after it.

    With `backwards`, make them as they were before. `names` are the columns that it changed: writing any other
    column would update its indexes for nothing.
    """
    prefix = "" if backwards else "new_"
    change = OPPOSITES[change] if backwards else change
    if change == "added":
        query = sa.select(CHANGE.author_id, CHANGE.id, *(CHANGE[prefix + name] for name in RECORDED_COLUMNS))
        columns = ["author_id", "id", *RECORDED_COLUMNS]
        db.session.execute(sa.insert(Expense).from_select(columns, query.where(*recorded)))
        return
    of_owner = EXPENSE.author_id == author_id, EXPENSE.id.in_(sa.select(CHANGE.id).where(*recorded))
    if change == "deleted":
        row_count(sa.delete(Expense).where(*of_owner))
    elif names:
        values: dict[str, Any] = {name: sa.func.coalesce(CHANGE[prefix + name], EXPENSE[name]) for name in names}
        row_count(sa.update(Expense).where(*of_owner, *recorded, EXPENSE.id == CHANGE.id).values(**values))


def known_expenses(
    user: User, ids: Collection[uuid.UUID]
) -> tuple[dict[uuid.UUID, ExpenseValues], dict[uuid.UUID, ExpenseValues]]:
    """Return the values of these expenses by their ids: those that they have, and those at their last deletion.

    It is one statement.
    """
    current: dict[uuid.UUID, ExpenseValues] = {}
    deleted: dict[uuid.UUID, ExpenseValues] = {}
    if ids:
        own = sa.select(sa.null(), EXPENSE.id, *(EXPENSE[name] for name in VALUES))
        own = own.where(EXPENSE.author_id == user.id, EXPENSE.id.in_(ids))
        for deletion, row_id, *values in db.session.execute(
            sa.union_all(_deleted_query(user, ids), own).order_by("operation_id")
        ):
            (current if deletion is None else deleted)[row_id] = ExpenseValues(*values)
    return current, deleted


def deleted_expenses(user: User, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ExpenseValues]:
    """Return the values that these expenses had when they were deleted last, by their ids."""
    if not ids:
        return {}
    rows = db.session.execute(_deleted_query(user, ids).order_by(CHANGE.operation_id))
    return {row.id: ExpenseValues(*row[2:]) for row in rows}


def _deleted_query(
    user: User, ids: Collection[uuid.UUID]
) -> sa.Select[uuid.UUID, uuid.UUID, Decimal, str, str, date]:
    """Return the Select of the operations that deleted these expenses, with the values that these had."""
    return sa.select(CHANGE.operation_id, CHANGE.id, *(CHANGE[name] for name in VALUES)).where(
        CHANGE.author_id == user.id, CHANGE.id.in_(ids), IS_DELETION
    )


def was_deleted(author_id: int, expense_id: uuid.UUID) -> bool:
    """Tell whether an operation has deleted the expense."""
    return bool(fetch_all(_deletion_query(), owner_id=author_id, expense_id=expense_id))


@built_once
def _deletion_query() -> sa.Select[uuid.UUID]:
    """Return the Select that yields the id of an owner's expense if it was deleted."""
    expense_id = sa.bindparam("expense_id", type_=sa.Uuid)
    return sa.select(CHANGE.id).where(CHANGE.author_id == OWNER_ID, CHANGE.id == expense_id, IS_DELETION).limit(1)
