"""Operations: every change of a user's data is recorded with what it changed, so that it can be undone."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from database import Base, Money, UTCDateTime, db
from ledger.errors import LedgerError
from ledger.spending import VALUES, ExpenseValues
from models import (
    Budget,
    Category,
    Expense,
    ExpenseChange,
    Occurrence,
    Operation,
    RecurringExpense,
    RowChange,
    User,
    description_key,
)

# An older operation has expired: it is not shown, cannot be undone, and is deleted by and by.
UNDO_RETENTION = timedelta(days=30)
# An operation expires earlier when later ones of the user have changed this many expenses, about 230 bytes each.
UNDO_MAX_CHANGES = 400_000
# From this size on, recording an operation lets older ones expire. Small ones are counted at the next login.
LARGE_OPERATION = 100
# How much of what has expired is deleted at once, so that nobody waits for it.
PURGE_MAX_OPERATIONS, PURGE_MAX_CHANGES = 100, 5_000
# A statement may change a hundred thousand expenses, of which the session has none in hand.
NO_SESSION_SYNC = {"synchronize_session": False}
EXPENSE = Expense.__table__.c
CHANGE = ExpenseChange.__table__.c
# Written out, not as a parameter: otherwise no database would use the index that has this condition.
IS_DELETION = CHANGE.change == sa.literal_column("'deleted'")
# The columns of an expense that are recorded; those of VALUES decide whether it is as an operation left it.
RECORDED_COLUMNS = (*VALUES, "description_key", "created_at")
# The columns that are recorded of the rows of other tables.
TRACKED_COLUMNS: dict[type[Base], tuple[str, ...]] = {
    Category: ("name", "position", "archived"),
    Budget: ("category_id", "start_date", "amount", "rollover"),
    RecurringExpense: (
        *("amount", "category", "description", "frequency", "start_date", "next_date"),
        *("end_date", "stopped", "created_at"),
    ),
    Occurrence: ("expense_id", "handled_at"),
}


class ExpenseIdUsedError(Exception):
    """A new expense has the id of one with other values, or of one that was deleted."""


class CurrencyChangedError(LedgerError):
    """The user's currency was changed after the amounts of this request were read."""


def lock_currency(user: User) -> None:
    """Let the currency stay as it is until the end of the transaction. Raises CurrencyChangedError.

    A change of the currency waits for the operations that have begun, and operations wait for it.
    SQLite lets one request write at a time, and so needs no lock.
    """
    if db.session.get_bind().dialect.name == "sqlite":
        return
    query = sa.select(User.currency).where(User.id == user.id)
    if db.session.scalar(query.with_for_update(read=True, key_share=True)) != user.currency:
        raise CurrencyChangedError("currency_changed")


@contextmanager
def record(user: User, kind: str, now: datetime, label: str | None = None) -> Iterator[Operation]:
    """Yield a new operation of one of the Operation.KINDS, for the functions that change data to be handed.

    It is stored at the end of the block, unless nothing was recorded in it. An error rolls everything back.
    The caller commits.
    """
    # Gets its id when it is stored: of two operations that wait for each other, the later one has the later id.
    operation = Operation(author_id=user.id, kind=kind, created_at=now, label=label, count=0, total=Decimal(0))
    operation.row_changes = []
    try:
        lock_currency(user)
        yield operation
    except BaseException:
        db.session.rollback()
        raise
    if not is_empty(operation):
        db.session.add(operation)
    elif sa.inspect(operation).persistent:
        db.session.delete(operation)
    db.session.flush()
    if operation.count >= LARGE_OPERATION:
        trim(user, now)


def is_empty(operation: Operation) -> bool:
    """Tell whether nothing was recorded of `operation`, which is not stored then."""
    return not operation.count and not operation.row_changes


# --- Expenses, of which one function is called once for an operation


def add_expense(operation: Operation, expense_id: uuid.UUID, values: ExpenseValues) -> None:
    """Add an expense under this id, once: when it is there already with the same values, do nothing.

    When the same form arrives twice, even at the same moment, the primary key lets one in. Raises
    ExpenseIdUsedError when the id is that of an expense with other values, or of a deleted one.
    """
    key = {"author_id": operation.author_id, "id": expense_id}
    columns = values._asdict() | {
        "description_key": description_key(values.description),
        "created_at": operation.created_at,
    }
    if not insert_unless_exists(Expense, **key, **columns):
        # Locked, so that it is still there when the caller commits.
        stored = db.session.get(Expense, tuple(key.values()), with_for_update=True, populate_existing=True)
        if stored is None or values != ExpenseValues(*(getattr(stored, name) for name in VALUES)):
            raise ExpenseIdUsedError
        return
    # Asked after the insert, which waits for a deletion of this very expense that is under way.
    if _was_deleted(operation.author_id, expense_id):
        raise ExpenseIdUsedError
    operation.count, operation.total = 1, values.amount
    store(operation)
    recorded = {f"new_{name}": value for name, value in columns.items()}
    change = sa.insert(ExpenseChange).values(**key, operation_id=operation.id, change="added", **recorded)
    db.session.execute(change)


def insert_unless_exists(model: type[Base], **values: Any) -> bool:
    """Insert a row unless another has its key, also one inserted at this very moment; tell whether it did."""
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    return row_count(dialect.insert(model).values(**values).on_conflict_do_nothing()) == 1


def _was_deleted(author_id: int, expense_id: uuid.UUID) -> bool:
    query = sa.select(CHANGE.id).where(CHANGE.author_id == author_id, CHANGE.id == expense_id, IS_DELETION)
    return db.session.scalar(query.limit(1)) is not None


def record_added_expenses(operation: Operation, chosen: sa.ColumnElement[bool]) -> None:
    """Record the user's chosen expenses as added by `operation`; they were just inserted."""
    record_expenses(operation, "added", {f"new_{name}": EXPENSE[name] for name in RECORDED_COLUMNS}, chosen)
    _summarise(operation)


def change_expenses(operation: Operation, chosen: sa.ColumnElement[bool], values: Mapping[str, Any]) -> None:
    """Give the user's chosen expenses new `values`; one that has them all already is not touched."""
    new = {name: sa.literal(value, EXPENSE[name].type) for name, value in values.items()}
    differs = {name: EXPENSE[name] != value for name, value in new.items()}
    if "description" in values:
        new["description_key"] = sa.literal(description_key(values["description"]))
        differs["description_key"] = differs["description"]
    columns: dict[str, sa.ColumnElement[Any]] = {}
    for name, value in new.items():
        columns[name] = sa.case((differs[name], EXPENSE[name]))
        columns[f"new_{name}"] = sa.case((differs[name], value))
    record_expenses(operation, "changed", columns, chosen, sa.or_(*differs.values()))
    apply(operation)


def delete_expenses(operation: Operation, chosen: sa.ColumnElement[bool]) -> None:
    """Delete the user's chosen expenses."""
    record_expenses(operation, "deleted", {name: EXPENSE[name] for name in RECORDED_COLUMNS}, chosen)
    apply(operation)


def record_expenses(
    operation: Operation,
    change: str | sa.ColumnElement[str],
    columns: Mapping[str, sa.ColumnElement[Any]],
    *conditions: sa.ColumnElement[bool],
) -> None:
    """Record what is to be done to the user's expenses of these `conditions`, by one statement."""
    store(operation)
    query = sa.select(EXPENSE.author_id, sa.literal(operation.id, sa.Uuid), EXPENSE.id)
    kind = sa.literal(change) if isinstance(change, str) else change
    query = query.add_columns(kind, *columns.values())
    query = query.where(EXPENSE.author_id == operation.author_id, *conditions)
    # Locked in the same order by all: then two operations cannot wait for each other.
    query = query.order_by(EXPENSE.id).with_for_update(of=Expense)
    names = ["author_id", "operation_id", "id", "change", *columns]
    db.session.execute(sa.insert(ExpenseChange).from_select(names, query))


def changes_of(operation: Operation, *changes: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the expense changes of `operation`, or only of the ones that are `changes`."""
    conditions = [CHANGE.author_id == operation.author_id, CHANGE.operation_id == operation.id]
    return [*conditions, CHANGE.change.in_(changes)] if changes else conditions


def apply(operation: Operation) -> dict[str, int]:
    """Do to the expenses what is recorded of `operation`, and return how many there were of each change."""
    counts: dict[str, int] = {}
    for change, count, touched in _summarise(operation):
        counts[change] = count
        recorded = changes_of(operation, change)
        if change == "added":
            query = sa.select(CHANGE.author_id, CHANGE.id, *(CHANGE[f"new_{name}"] for name in RECORDED_COLUMNS))
            names = ["author_id", "id", *RECORDED_COLUMNS]
            db.session.execute(sa.insert(Expense).from_select(names, query.where(*recorded)))
            continue
        of_owner = EXPENSE.author_id == operation.author_id, EXPENSE.id.in_(sa.select(CHANGE.id).where(*recorded))
        if change == "deleted":
            row_count(sa.delete(Expense).where(*of_owner))
        else:
            # Only the columns that some row has: writing one renews every index that holds it.
            new = {name: sa.func.coalesce(CHANGE[f"new_{name}"], EXPENSE[name]) for name in touched}
            row_count(sa.update(Expense).where(*of_owner, *recorded, EXPENSE.id == CHANGE.id).values(**new))
    return counts


def deleted_expenses(user: User, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ExpenseValues]:
    """Return the values that these expenses had when they were deleted last, by their ids."""
    if not ids:
        return {}
    query = sa.select(CHANGE.id, *(CHANGE[name] for name in VALUES)).where(
        CHANGE.author_id == user.id, CHANGE.id.in_(ids), IS_DELETION
    )
    rows = db.session.execute(query.order_by(CHANGE.operation_id))
    return {row.id: ExpenseValues(*row[1:]) for row in rows}


def _summarise(operation: Operation) -> list[tuple[str, int, list[str]]]:
    """Set number and sum of `operation`, and return for each change how many there are and which columns."""
    amount = sa.select(EXPENSE.amount).where(EXPENSE.author_id == operation.author_id, EXPENSE.id == CHANGE.id)
    amount_before = sa.func.coalesce(CHANGE.amount, CHANGE.new_amount, amount.scalar_subquery())
    touched = (sa.func.count(CHANGE[f"new_{name}"]) for name in VALUES)
    query = sa.select(CHANGE.change, sa.func.count(), sa.func.sum(amount_before), *touched)
    found = []
    for change, count, total, *counts in db.session.execute(
        query.where(*changes_of(operation)).group_by(CHANGE.change)
    ):
        operation.count += count
        operation.total += total
        names = [name for name, number in zip(VALUES, counts, strict=True) if number]
        found.append((change, count, [*names, "description_key"] if "description" in names else names))
    return found


def store(operation: Operation) -> None:
    """Insert `operation`, to which the recorded changes of expenses refer."""
    db.session.add(operation)
    db.session.flush()


def row_count(statement: sa.Executable) -> int:
    """Execute a statement that writes, and return how many rows it wrote."""
    # SQLAlchemy keeps the number of an INSERT only when it is asked to.
    result = db.session.execute(statement, execution_options={**NO_SESSION_SYNC, "preserve_rowcount": True})
    assert isinstance(result, sa.CursorResult)
    return result.rowcount


# --- Rows of other tables


def add_row(operation: Operation, row: Base, label: str) -> None:
    """Add a row that has all its TRACKED_COLUMNS; `label` is what it is called in History."""
    db.session.add(row)
    _record_row(operation, row, label, None, encode(row))


def change_row(operation: Operation, row: Base, label: str, values: Mapping[str, Any]) -> None:
    """Give a row new `values`; only what differs is recorded."""
    names = [name for name, value in values.items() if getattr(row, name) != value]
    before = encode(row, names)
    for name in names:
        setattr(row, name, values[name])
    if names:
        _record_row(operation, row, label, before, encode(row, names))


def delete_row(operation: Operation, row: Base, label: str) -> None:
    """Delete a row."""
    _record_row(operation, row, label, encode(row), None)
    db.session.delete(row)
    db.session.flush()


def delete_rows(operation: Operation, model: type[Base], chosen: sa.ColumnElement[bool], label: str) -> None:
    """Delete the user's chosen rows of one table, by a fixed number of statements."""
    store(operation)
    own = sa.and_(model.__table__.c.author_id == operation.author_id, chosen)
    key = {"author_id": operation.author_id, "operation_id": operation.id, "table_name": model.__tablename__}
    rows = db.session.scalars(sa.select(model).where(own)).all()
    changes = [key | {"row_key": row_key(row), "label": label, "before": encode(row)} for row in rows]
    if changes:
        db.session.execute(sa.insert(RowChange), changes)
    for row in rows:
        db.session.expunge(row)
    row_count(sa.delete(model).where(own))


def _record_row(
    operation: Operation, row: Base, label: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    """Record what became of a row, which an operation touches only once."""
    change = RowChange(table_name=row.__tablename__, row_key=row_key(row), label=label, before=before, after=after)
    operation.row_changes.append(change)


def row_key(row: Base) -> str:
    """Return the text by which a row is known among the user's own of its table."""
    if isinstance(row, Occurrence):
        return f"{row.recurring_id}_{row.day}"
    return str(row.id)  # type: ignore[attr-defined]


def encode(row: Base, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return columns of a row, by default all that are tracked, as JSON can hold them."""
    values = {name: getattr(row, name) for name in (TRACKED_COLUMNS[type(row)] if names is None else names)}
    return {
        name: value if value is None or isinstance(value, bool | int) else str(value)
        for name, value in values.items()
    }


def decode(model: type[Base], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of a `model` as they were before `encode`."""
    return {name: _decode_value(model.__table__.c[name].type, value) for name, value in values.items()}


def _decode_value(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    for type_, parse in (
        (Money, Decimal),
        (UTCDateTime, datetime.fromisoformat),
        (sa.Date, date.fromisoformat),
        (sa.Uuid, uuid.UUID),
    ):
        if isinstance(kind, type_):
            return parse(value)
    return value


def trim(user: User, now: datetime) -> None:
    """Let the oldest operations beyond UNDO_MAX_CHANGES expire, and delete some of the user's that have expired.

    The latest operation stays, whatever its size. The caller commits.
    """
    newer = sa.func.sum(Operation.count + 1).over(order_by=Operation.id.desc(), rows=(None, -1))
    recent = sa.select(Operation.id, newer.label("newer")).where(
        Operation.author_id == user.id, Operation.created_at >= now - UNDO_RETENTION
    )
    recent_rows = recent.subquery()
    beyond = sa.select(recent_rows.c.id).where(recent_rows.c.newer >= UNDO_MAX_CHANGES)
    expired = sa.update(Operation).where(Operation.author_id == user.id, Operation.id.in_(beyond))
    row_count(expired.values(created_at=now - UNDO_RETENTION - timedelta(seconds=1)))
    purge(now, user)


class Purged(NamedTuple):
    """Number of operations that were deleted, and whether there is more to delete."""

    operations: int
    has_more: bool


def purge(now: datetime, user: User | None = None) -> Purged:
    """Delete some operations that have expired, of all users or of one, the oldest first; the caller commits.

    A large one is deleted over several calls.
    """
    query = sa.select(Operation.author_id, Operation.id, Operation.count).where(
        Operation.created_at < now - UNDO_RETENTION
    )
    if user is not None:
        query = query.where(Operation.author_id == user.id)
    expired = db.session.execute(query.order_by(Operation.created_at).limit(PURGE_MAX_OPERATIONS)).all()
    left = PURGE_MAX_CHANGES
    for number, (author_id, operation_id, count) in enumerate(expired):
        own = Operation.author_id == author_id, Operation.id == operation_id
        if count > left:
            _delete_changes(author_id, operation_id, left)
            row_count(sa.update(Operation).where(*own).values(count=count - left))
            return Purged(number, True)
        row_count(sa.delete(Operation).where(*own))
        left -= count
    return Purged(len(expired), len(expired) == PURGE_MAX_OPERATIONS)


def _delete_changes(author_id: int, operation_id: uuid.UUID, number: int) -> None:
    """Delete some of the expense changes of an operation."""
    recorded = CHANGE.author_id == author_id, CHANGE.operation_id == operation_id
    some = sa.select(CHANGE.id).where(*recorded).order_by(CHANGE.id).limit(number)
    row_count(sa.delete(ExpenseChange).where(*recorded, CHANGE.id.in_(some)))
