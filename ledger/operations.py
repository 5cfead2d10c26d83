"""Operations: every change of a user's data is recorded with what it changed, so that it can be undone."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from database import Base, Money, UTCDateTime, db
from database.statements import OWNER_ID, built_once, execute, fetch_all
from ledger import pieces, retention
from ledger.errors import LedgerError
from ledger.journal import (
    CHANGE,
    EXPENSE,
    RECORDED_COLUMNS,
    changes_of,
    named_columns,
    row_count,
    was_deleted,
    write_changes,
)
from ledger.pieces import LeaseLostError, OperationRunningError, Piece
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
    Statement,
    User,
    description_key,
)

# The recorded columns of the rows of other tables.
TRACKED_COLUMNS: dict[type[Base], tuple[str, ...]] = {
    Category: ("name", "position", "archived"),
    Budget: ("category_id", "start_date", "amount", "rollover"),
    RecurringExpense: (
        *("amount", "category", "description", "frequency", "start_date", "next_date"),
        *("end_date", "stopped", "created_at"),
    ),
    Occurrence: ("expense_id", "handled_at"),
    Statement: ("added_at", "undone_at"),
}
INSERT_CHANGE = sa.insert(ExpenseChange)


class ExpenseIdUsedError(Exception):
    """A new expense has the id of one with other values, or of one that was deleted."""


class CurrencyChangedError(LedgerError):
    """The user's currency was changed after the amounts of this request were read."""


def lock_account(user: User, running: uuid.UUID | None = None) -> None:
    """Let the currency stay as it is, and no large operation start, until the end of the transaction.

    A change of the currency waits for the operations that have begun, and operations wait for it. `running` is the
    user's large operation, if it is the caller's own. Raises CurrencyChangedError and OperationRunningError.
    """
    [(currency, other)] = fetch_all(_lock_account_query(), owner_id=user.id)
    if currency != user.currency:
        raise CurrencyChangedError("currency_changed")
    if other != running:
        raise OperationRunningError


@built_once
def _lock_account_query() -> sa.Select[str, uuid.UUID | None]:
    query = sa.select(User.currency, User.running_operation).where(User.id == OWNER_ID)
    # SQLite lets one request write at a time, and ignores this.
    return query.with_for_update(read=True, key_share=True)


@contextmanager
def record(user: User, kind: str, now: datetime, label: str | None = None) -> Iterator[Operation]:
    """Yield a new operation of one of the Operation.KINDS, to pass to the functions that change data.

    It is stored at the end of the block, unless nothing was recorded in it. An error rolls everything back.
    The caller commits. Raises CurrencyChangedError and OperationRunningError.
    """
    operation = _new(user, kind, now, label)
    with _recording(user, operation, now):
        yield operation


@contextmanager
def record_in_pieces(
    user: User,
    kind: str,
    now: datetime,
    ids: sa.Select[uuid.UUID],
    label: str | None = None,
    *,
    renamed: sa.Select[uuid.UUID] | None = None,
    always: bool = False,
) -> Iterator[tuple[Operation, Iterator[Piece]]]:
    """Like `record`, for the expenses of `ids`: yield an operation, and the ids in one or more pieces.

    With more than pieces.PIECE_SIZE expenses, each piece is committed before the next one, and so is what was done
    before. Locks last for one piece only, but nobody else can change the user's data before the end. An error
    rolls back what was committed as well. The expenses to be `renamed` with their categories follow at the end of
    the block, also in pieces. With `always`, the same is done for few expenses: the caller may take its time
    before the first piece, and the ids are read only then.
    """
    # The write lock is not needed to count the expenses.
    db.session.commit()
    operation = _new(user, kind, now, label)
    if not always and not pieces.is_large(ids) and not (renamed is not None and pieces.is_large(renamed)):
        with _recording(user, operation, now):
            yield operation, iter([ids])
        return
    pieces.start(operation)
    with _recording(user, operation, now):
        while retention.purge(now, user).has_more:
            pieces.commit(operation)
        yield operation, pieces.split(operation, ids)


def _new(user: User, kind: str, now: datetime, label: str | None = None) -> Operation:
    # It gets its id when it is stored, so that an operation that waited for another one has the later id.
    operation = Operation(author_id=user.id, kind=kind, created_at=now, label=label, count=0, total=Decimal(0))
    operation.row_changes = []
    return operation


@contextmanager
def _recording(user: User, operation: Operation, now: datetime) -> Iterator[None]:
    running = operation.id if operation.running_until else None
    try:
        lock_account(user, running)
        yield
        pieces.rename_expenses(operation)
    except BaseException as error:
        db.session.rollback()
        if running is not None and not isinstance(error, LeaseLostError):
            pieces.end(user.id, running)
        raise
    if running is not None:
        pieces.finish(operation)
    if not is_empty(operation):
        db.session.add(operation)
    elif sa.inspect(operation).persistent:
        db.session.delete(operation)
    db.session.flush()
    if operation.count >= retention.LARGE_OPERATION:
        retention.trim(user, now)


def is_empty(operation: Operation) -> bool:
    """Tell whether nothing was recorded in `operation`, which is then not stored."""
    return not operation.count and not operation.row_changes


# --- Expenses: one of these functions is called, once for each operation or piece


def add_expense(operation: Operation, expense_id: uuid.UUID, values: ExpenseValues) -> None:
    """Add an expense with this id once: if it exists already with the same values, do nothing.

    If the same form arrives twice, even at the same moment, the primary key lets only one in. Raises
    ExpenseIdUsedError if the id is that of an expense with other values, or of a deleted one.
    """
    key = {"author_id": operation.author_id, "id": expense_id}
    columns = values._asdict() | {
        "description_key": description_key(values.description),
        "created_at": operation.created_at,
    }
    if not execute(_insert_expense(db.engine.dialect.name), **key, **columns).rowcount:
        # Locked, so that it is still there when the caller commits.
        stored = db.session.get(Expense, tuple(key.values()), with_for_update=True, populate_existing=True)
        if stored is None or values != ExpenseValues(*(getattr(stored, name) for name in VALUES)):
            raise ExpenseIdUsedError
        return
    # Checked after the insert, which waits for a deletion of the same expense that is still running.
    if was_deleted(operation.author_id, expense_id):
        raise ExpenseIdUsedError
    operation.count, operation.total = 1, values.amount
    store(operation)
    recorded = {f"new_{name}": value for name, value in columns.items()}
    execute(INSERT_CHANGE, **key, operation_id=operation.id, change="added", **recorded)


@built_once
def _insert_expense(dialect_name: str) -> sa.Insert:
    """Return the Insert of an expense, which does nothing if another one has its key, even one added just now."""
    dialect = sqlite if dialect_name == "sqlite" else postgresql
    insert = dialect.insert(Expense.__table__).on_conflict_do_nothing()
    # SQLAlchemy keeps the row count of an INSERT only if it is asked to.
    return insert.execution_options(preserve_rowcount=True)


def record_added_expenses(operation: Operation, chosen: sa.ColumnElement[bool]) -> None:
    """Record the user's chosen expenses as added by `operation`; they were just inserted."""
    record_expenses(operation, "added", {f"new_{name}": EXPENSE[name] for name in RECORDED_COLUMNS}, chosen)
    _summarise(operation)


def change_expenses(operation: Operation, chosen: sa.ColumnElement[bool], values: Mapping[str, Any]) -> None:
    """Give the user's chosen expenses new `values`, except those that already have them."""
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
    """Record a change to the user's expenses that meet these `conditions`, in one statement.

    The caller has locked the categories, or the one that they get. Otherwise this could record the new name of a
    category that an operation with a later id has renamed; and a rename changes its expenses in any order, so that
    the two could wait for each other.
    """
    store(operation)
    query = sa.select(EXPENSE.author_id, sa.literal(operation.id, sa.Uuid), EXPENSE.id)
    kind = sa.literal(change) if isinstance(change, str) else change
    query = query.add_columns(kind, *columns.values())
    query = query.where(EXPENSE.author_id == operation.author_id, *conditions)
    # All operations lock in the same order, so that no two of them wait for each other.
    query = query.order_by(EXPENSE.id).with_for_update(of=Expense)
    names = ["author_id", "operation_id", "id", "change", *columns]
    db.session.execute(sa.insert(ExpenseChange).from_select(names, query))


def apply(operation: Operation) -> dict[str, int]:
    """Apply the recorded changes of `operation` to the expenses, and return how many there were of each kind."""
    counts: dict[str, int] = {}
    for change, count, touched in _summarise(operation):
        counts[change] = count
        write_changes(operation.author_id, change, changes_of(operation, change), touched, backwards=False)
    return counts


def _summarise(operation: Operation) -> list[tuple[str, int, list[str]]]:
    """Update the count and the sum of `operation`, and return each kind of change, its number and its columns."""
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
        found.append((change, count, named_columns(counts)))
    return found


def store(operation: Operation) -> None:
    """Insert `operation`, which the recorded changes of expenses reference."""
    db.session.add(operation)
    db.session.flush()


# --- Rows of other tables


def add_row(operation: Operation, row: Base, label: str) -> None:
    """Add a row that has all its TRACKED_COLUMNS; `label` is its name in History."""
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
    """Record the change of a row, which an operation changes only once."""
    change = RowChange(table_name=row.__tablename__, row_key=row_key(row), label=label, before=before, after=after)
    operation.row_changes.append(change)


def row_key(row: Base) -> str:
    """Return the text that identifies a row among the user's rows of its table."""
    if isinstance(row, Occurrence):
        return f"{row.recurring_id}_{row.day}"
    return str(row.id)  # type: ignore[attr-defined]


def encode(row: Base, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return columns of a row, by default all that are tracked, with values for JSON."""
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
