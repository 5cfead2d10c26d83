"""History: the operations of a user, what each of them changed, and whether it can be undone."""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from database import Base, Money, db
from ledger.category_names import follow_names
from ledger.journal import CHANGE, known_expenses
from ledger.money import currency_digits
from ledger.operations import TRACKED_COLUMNS, decode
from ledger.pieces import OperationRunningError
from ledger.retention import UNDO_RETENTION
from ledger.spending import VALUES, ExpenseValues
from models import Budget, Category, Expense, ExpenseChange, Operation, RecurringExpense, RowChange, User

# How many operations a page shows, and how many changed expenses of each.
PAGE_SIZE, MAX_ROWS_SHOWN = 50, 50
TABLES: dict[str, type[Base]] = {model.__tablename__: model for model in TRACKED_COLUMNS}


class ShownExpense(NamedTuple):
    """An expense before and after an operation; None where there was none."""

    id: uuid.UUID
    before: ExpenseValues | None
    after: ExpenseValues | None
    can_undo: bool


class ShownRow(NamedTuple):
    """A row of another table, called `label`, before and after an operation; empty where there was none."""

    table_name: str
    label: str
    before: dict[str, Any]
    after: dict[str, Any]
    # Of an occurrence.
    day: date | None = None


@dataclass(frozen=True)
class ShownOperation:
    """An operation with up to MAX_ROWS_SHOWN of its expenses and all its other rows.

    If it is not undone and cannot be undone, later operations changed the same rows.
    """

    operation: Operation
    expenses: Sequence[ShownExpense]
    rows: Sequence[ShownRow]
    can_undo: bool
    is_undone: bool


@dataclass(frozen=True)
class HistoryPage:
    """Up to PAGE_SIZE operations, the latest first, and whether there are older ones."""

    operations: Sequence[ShownOperation] = ()
    has_older: bool = False


def recent_operations(user: User, now: datetime, before: uuid.UUID | None = None) -> HistoryPage:
    """Return a page of the user's operations within UNDO_RETENTION, or of those `before` one of them."""
    found = db.session.execute(_operations_query(user, now - UNDO_RETENTION, before)).all()
    operations = [row.Operation for row in found if row.is_recent]
    page = operations[:PAGE_SIZE]
    if not page:
        return HistoryPage()
    rows, names = _shown_rows(user, page)
    expenses, reverted = _shown_expenses(user, page, names), _reverted(found)
    shown = [
        _show(operation, expenses[operation.id], rows[operation.id], reverted[operation.id]) for operation in page
    ]
    return HistoryPage(shown, len(operations) > PAGE_SIZE)


def _operations_query(user: User, since: datetime, before: uuid.UUID | None) -> sa.Select[Operation, bool, int]:
    """Return the Select of the operations of a page, and one more, and of all undos, the latest first.

    The other columns tell whether it is of the page, and how many rows other than expenses it changed.
    """
    recent = sa.select(Operation.id).where(Operation.author_id == user.id, Operation.created_at >= since)
    if before is not None:
        recent = recent.where(Operation.id < before)
    is_recent = Operation.id.in_(recent.order_by(Operation.id.desc()).limit(PAGE_SIZE + 1))
    rows = sa.select(sa.func.count()).where(RowChange.author_id == user.id, RowChange.operation_id == Operation.id)
    query = sa.select(Operation, is_recent.label("is_recent"), rows.scalar_subquery().label("row_count"))
    query = query.where(Operation.author_id == user.id, sa.or_(is_recent, Operation.undoes.is_not(None)))
    return query.order_by(Operation.id.desc())


class Extent(NamedTuple):
    """Number of expenses and other rows that were changed."""

    expenses: int = 0
    rows: int = 0


def _show(
    operation: Operation, expenses: Sequence[ShownExpense], rows: Sequence[ShownRow], reverted: Extent
) -> ShownOperation:
    rows_left = reverted.rows < len(rows)
    expenses_left = reverted.expenses < operation.count
    can_undo = rows_left or any(expense.can_undo for expense in expenses)
    if len(expenses) < operation.count:
        can_undo |= expenses_left
    return ShownOperation(operation, expenses, rows, can_undo, not rows_left and not expenses_left)


def _shown_expenses(
    user: User, operations: Sequence[Operation], names: Mapping[uuid.UUID, dict[str, str]]
) -> dict[uuid.UUID, list[ShownExpense]]:
    """Return the changes of expenses by each operation; `names` are the new ones of categories. Two statements."""
    changes = db.session.execute(_expense_changes_query(user, operations)).all()
    current, gone = known_expenses(user, {change.id for change in changes})
    shown = defaultdict(list)
    for change in changes:
        latest = current.get(change.id)
        expense = _show_expense(change, latest or gone.get(change.id), latest, names[change.operation_id])
        shown[change.operation_id].append(expense)
    return shown


def _expense_changes_query(user: User, operations: Sequence[Operation]) -> sa.CompoundSelect[Any]:
    """Return the query of the shown expense changes, which reads only the first ones of a large operation."""
    columns = (CHANGE[prefix + name] for prefix in ("", "new_") for name in VALUES)
    query = sa.select(CHANGE.operation_id, CHANGE.id, CHANGE.change, *columns).where(CHANGE.author_id == user.id)
    small = [operation.id for operation in operations if operation.count <= MAX_ROWS_SHOWN]
    parts = [query.where(CHANGE.operation_id.in_(small))]
    for operation in operations:
        if operation.count > MAX_ROWS_SHOWN:
            first = query.where(CHANGE.operation_id == operation.id).order_by(CHANGE.id).limit(MAX_ROWS_SHOWN)
            parts.append(sa.select(first.subquery()))
    return sa.union_all(*parts)


def _show_expense(
    change: sa.Row[Any], known: ExpenseValues | None, current: ExpenseValues | None, names: dict[str, str]
) -> ShownExpense:
    """Return a change with all values of its expense. `known` are its current values, or its last ones."""
    old, new = ({name: getattr(change, prefix + name) for name in VALUES} for prefix in ("", "new_"))
    old, new = ({name: value for name, value in values.items() if value is not None} for values in (old, new))
    nothing = dict.fromkeys(VALUES)
    rest = nothing if known is None else known._asdict()
    before, after = (ExpenseValues(**rest | values) if values else None for values in (old, new))
    left = new | {"category": names.get(new["category"], new["category"])} if "category" in new else new
    is_as_left = current is None if after is None else current is not None and current == current._replace(**left)
    return ShownExpense(change.id, before, after, is_as_left)


def _shown_rows(
    user: User, operations: Sequence[Operation]
) -> tuple[dict[uuid.UUID, list[ShownRow]], dict[uuid.UUID, dict[str, str]]]:
    """Return the changes of rows of other tables by each operation, and the new names of categories since then."""
    ids = [operation.id for operation in operations]
    # The categories are followed from now back to the oldest operation. With its id outside of the OR, SQLite
    # reads no older changes.
    query = sa.select(RowChange).where(
        RowChange.author_id == user.id,
        RowChange.operation_id >= ids[-1],
        sa.or_(RowChange.operation_id.in_(ids), RowChange.table_name == Category.__tablename__),
    )
    shown, of_categories = defaultdict(list), defaultdict(list)
    for change in db.session.scalars(query.order_by(RowChange.table_name, RowChange.row_key)):
        if change.table_name == Category.__tablename__:
            of_categories[change.operation_id].append(change)
        before, after = (
            decode(TABLES[change.table_name], values or {}) for values in (change.before, change.after)
        )
        day = date.fromisoformat(change.row_key.partition("_")[2]) if change.table_name == "occurrence" else None
        shown[change.operation_id].append(ShownRow(change.table_name, change.label, before, after, day))
    return shown, follow_names(user, ids, of_categories)


def _reverted(found: Sequence[sa.Row[Operation, bool, int]]) -> dict[uuid.UUID, Extent]:
    """Return how much of each operation is undone, without what was undone by an undo that is itself undone."""
    reverted: dict[uuid.UUID, Extent] = defaultdict(Extent)
    # An undo is later than what it undoes.
    for operation, _is_recent, row_count in found:
        if operation.undoes is not None:
            undone, known = reverted[operation.id], reverted[operation.undoes]
            expenses, others = max(operation.count - undone.expenses, 0), max(row_count - undone.rows, 0)
            reverted[operation.undoes] = Extent(known.expenses + expenses, known.rows + others)
    return reverted


def count_unrepresentable_amounts(user: User, currency: str, now: datetime) -> int:
    """Return how many amounts of `user` cannot be written in `currency`, or could not after an undo.

    Until the caller commits, no operation can add more. Raises OperationRunningError.
    """
    if currency == user.currency:
        return 0
    # Read again, now that nobody else changes it.
    locked = sa.select(User.currency, User.running_operation).where(User.id == user.id).with_for_update()
    current, running = db.session.execute(locked).one()
    if running is not None:
        # It may still add amounts, such as those of an import.
        raise OperationRunningError
    digits = currency_digits(currency)
    if digits >= currency_digits(current):
        return 0
    recent = sa.select(Operation.id).where(
        Operation.author_id == user.id, Operation.created_at >= now - UNDO_RETENTION
    )
    finer = _finer_query(user, digits, recent)
    ids = {str(row_id) for row_id in db.session.scalars(finer)}
    changes = sa.select(RowChange).where(RowChange.author_id == user.id, RowChange.operation_id.in_(recent))
    for change in db.session.scalars(changes):
        if any(amount != round(amount, digits) for amount in _amounts_of(change)):
            ids.add(change.row_key)
    return len(ids)


def _finer_query(user: User, digits: int, recent: sa.Select[uuid.UUID]) -> sa.CompoundSelect[uuid.UUID]:
    """Return the query of the ids of rows whose amount has, or had before a change, more than these decimals."""
    return sa.union(
        *(
            sa.select(amount.class_.id).where(
                amount.class_.author_id == user.id,
                sa.type_coerce(amount, sa.BigInteger) % 10 ** (Money.SCALE - digits) != 0,
                *conditions,
            )
            for amount, *conditions in (
                (Expense.amount,),
                (ExpenseChange.amount, ExpenseChange.operation_id.in_(recent)),
                (ExpenseChange.new_amount, ExpenseChange.operation_id.in_(recent)),
                (RecurringExpense.amount,),
                (Budget.amount,),
            )
        )
    )


def _amounts_of(change: RowChange) -> Iterator[Decimal]:
    for values in (change.before, change.after):
        if values and values.get("amount") is not None:
            yield Decimal(values["amount"])
