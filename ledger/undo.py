"""Undo: another operation reverts an operation, wherever the rows are still as the first one left them."""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from database import db
from ledger import budgets, categories, category_swap, operations, pieces, undo_imports
from ledger.category_names import current_names
from ledger.journal import CHANGE, EXPENSE, RECORDED_COLUMNS, changes_of, deleted_expenses
from ledger.retention import UNDO_RETENTION
from ledger.spending import VALUES, ExpenseValues
from ledger.undo_recurring import RecurringReversion, expense_of
from models import (
    Budget,
    Category,
    ExpenseChange,
    Operation,
    RecurringExpense,
    RowChange,
    Statement,
    User,
    category_key,
)

# How many conflicts are named.
MAX_NAMES = 3


@dataclass(frozen=True)
class Undone:
    """Result of undoing an operation.

    `operation` is the undo itself, or None if there was nothing to undo. `restored`, `changed` and `removed` are
    the numbers of expenses that exist again, have their former values again, or are gone again. `conflicts` are up
    to MAX_NAMES of the `conflict_count` rows that were changed later and left alone; the total budget has no name
    and is None. `series` tells whether the recurring expense that the operation had started was "removed" or
    "kept"; it is None if there was none.
    """

    operation: Operation | None
    restored: int = 0
    changed: int = 0
    removed: int = 0
    conflicts: tuple[str | None, ...] = ()
    conflict_count: int = 0
    series: str | None = None


@dataclass
class Reversion:
    """An operation that is being reverted, all of it or for one expense, and the undo that records it."""

    user: User
    original: Operation
    undo: Operation
    expense_id: uuid.UUID | None
    # The new names of the categories in the original that were renamed since, by their old ones.
    names: dict[str, str] = field(default_factory=dict)
    # The changes of rows of other tables by the original that are to be reverted.
    row_changes: Sequence[RowChange] = ()
    # The number of expenses for each kind of change, and the categories that they got back.
    counts: Counter[str] = field(default_factory=Counter)
    names_used: set[str] = field(default_factory=set)
    conflicts: list[str | None] = field(default_factory=list)

    def recorded(self, *changes: str) -> list[sa.ColumnElement[bool]]:
        """Return the conditions of the expense changes that are to be reverted."""
        conditions = changes_of(self.original, *changes)
        return conditions if self.expense_id is None else [*conditions, CHANGE.id == self.expense_id]

    def column(self, name: str) -> sa.ColumnElement[Any]:
        """Return a recorded column, with the names that categories have now."""
        column = CHANGE[name]
        if self.names and name.endswith("category"):
            return sa.case(self.names, value=column, else_=column)
        return column

    def has(self, prefix: str) -> sa.ColumnElement[bool]:
        """Return the condition that an expense is as before the original (no prefix) or as after it (`new_`)."""
        pairs = ((EXPENSE[name], self.column(prefix + name)) for name in VALUES)
        return sa.and_(*(current == sa.func.coalesce(recorded, current) for current, recorded in pairs))


def undo(user: User, operation_id: uuid.UUID, now: datetime, expense_id: uuid.UUID | None = None) -> Undone | None:
    """Revert one of the user's operations, or only its change to one expense.

    Rows that were changed later are left alone, and can be reverted after the later change is undone. Returns None
    if there is no such operation any more. Raises CategoryError if the categories that would return exceed the
    limit. The caller commits.
    """
    original = db.session.get(Operation, (user.id, operation_id))
    if original is None or original.created_at < now - UNDO_RETENTION:
        return None
    ids = sa.select(CHANGE.id).where(*changes_of(original))
    if expense_id is not None:
        ids = ids.where(CHANGE.id == expense_id)
    renamed_to = pieces.renamed_by(original).values()
    renamed = pieces.expenses_in(user.id, renamed_to) if renamed_to else None
    with operations.record_in_pieces(user, "undo", now, ids, renamed=renamed) as (operation, some):
        is_large = operation.running_until is not None
        operation.undoes = operation_id
        reversion = Reversion(user, original, operation, expense_id)
        recurring = _revert(reversion, some, is_large)
    if is_large:
        # Looking for conflicts takes a while, and needs no lock.
        db.session.commit()
        db.session.connection(execution_options={"reading": True})
    return _undone(reversion, recurring.series)


def _revert(reversion: Reversion, some: Iterable[object], is_large: bool) -> RecurringReversion:
    """Revert the expenses piece by piece, and everything else with the last one."""
    user, operation = reversion.user, reversion.undo
    categories.lock(user)
    reversion.names = _renamed(reversion)
    recurring = _read_rows(reversion)
    for _piece in some:
        _revert_expenses(reversion, recurring.blocked_expenses())
    if is_large:
        # The locks from before the pieces are gone.
        categories.lock(user)
        recurring = _read_rows(reversion)
    if reversion.expense_id is None or reversion.counts:
        # Categories come last: one that was added can only be removed when nothing uses it any more.
        recurring.revert(_expense_ids(operation) if recurring.days else ())
        _revert_categories(reversion)
        _revert_statements(reversion)
        reversion.conflicts += recurring.conflicts
    categories.ensure_exist(user, operation, reversion.names_used | _recurring_names(operation))
    categories.refuse_too_many(user, operation)
    return recurring


def _undone(reversion: Reversion, series: str | None) -> Undone:
    """Return what was reverted and what was left alone."""
    counts, conflicts, conflict_count = reversion.counts, reversion.conflicts, len(reversion.conflicts)
    if counts.total() < (reversion.original.count if reversion.expense_id is None else 1):
        others, count = _left_alone(reversion)
        conflicts, conflict_count = [*conflicts, *others], conflict_count + count
    return Undone(
        operation=None if operations.is_empty(reversion.undo) else reversion.undo,
        restored=counts["added"],
        changed=counts["changed"],
        removed=counts["deleted"],
        conflicts=tuple(conflicts[:MAX_NAMES]),
        conflict_count=conflict_count,
        series=series,
    )


def _read_rows(reversion: Reversion) -> RecurringReversion:
    """Read the rows of other tables that the original changed, and lock the recurring expenses among them."""
    reversion.row_changes = _row_changes(reversion)
    return RecurringReversion(reversion.user, reversion.undo, reversion.row_changes, reversion.names)


def _revert_expenses(reversion: Reversion, blocked: Iterable[uuid.UUID]) -> None:
    """Revert the original's changes to the expenses of the current piece of the undo."""
    undo = reversion.undo
    reversion.original.piece = undo.piece
    _record_expenses(reversion, blocked)
    reversion.counts.update(operations.apply(undo))
    query = sa.select(CHANGE.new_category).where(*changes_of(undo), CHANGE.new_category.is_not(None))
    reversion.names_used.update(db.session.scalars(query.distinct()))
    reversion.original.piece = None


def _renamed(reversion: Reversion) -> dict[str, str]:
    """Return the new names of the categories in the original that were renamed or are spelled differently now."""
    renamed = current_names(reversion.user, [reversion.original.id])[reversion.original.id]
    columns = (CHANGE.category, CHANGE.new_category)
    recorded = (
        sa.select(column.label("name")).where(*reversion.recorded(), column.is_not(None)) for column in columns
    )
    used = db.session.scalars(sa.union(*recorded)).all()
    spelled = {category.key: category.name for category in categories.get_categories(reversion.user)}
    for name in {*used, *renamed}:
        latest = renamed.get(name, name)
        renamed[name] = spelled.get(category_key(latest), latest)
    return {name: latest for name, latest in renamed.items() if name != latest}


def _row_changes(reversion: Reversion) -> Sequence[RowChange]:
    """Return the original's changes to rows of other tables that are to be reverted.

    With a single expense, its day becomes due again, and a category that was merged away returns, with its
    position and its budgets.
    """
    query = sa.select(RowChange).where(
        RowChange.author_id == reversion.user.id, RowChange.operation_id == reversion.original.id
    )
    changes = db.session.scalars(query.order_by(RowChange.table_name, RowChange.row_key)).all()
    if reversion.expense_id is None:
        return changes
    return [
        change
        for change in changes
        if (change.table_name in {Category.__tablename__, Budget.__tablename__} and change.after is None)
        or expense_of(change) == reversion.expense_id
    ]


def _record_expenses(reversion: Reversion, blocked: Iterable[uuid.UUID]) -> None:
    """Record, in the undo, the reverse of each change whose expense is still as the original left it."""
    recorded = reversion.recorded("added", "changed")
    columns: dict[str, sa.ColumnElement[Any]] = {}
    for name in RECORDED_COLUMNS:
        # The key changes with the description, and may be missing in a record of an older version.
        was_set = CHANGE["new_description" if name == "description_key" else f"new_{name}"].is_not(None)
        columns[name] = sa.case((was_set, EXPENSE[name]))
        columns[f"new_{name}"] = reversion.column(name)
    change = sa.case((CHANGE.change == "added", "deleted"), else_="changed")
    # The ids are named once more, because otherwise SQLite reads every expense of the user.
    named = EXPENSE.id.in_(sa.select(CHANGE.id).where(*recorded))
    operations.record_expenses(
        reversion.undo, change, columns, *recorded, EXPENSE.id == CHANGE.id, named, reversion.has("new_")
    )
    query = sa.select(CHANGE.author_id, sa.literal(reversion.undo.id, sa.Uuid), CHANGE.id, sa.literal("added"))
    query = query.add_columns(*(reversion.column(name) for name in RECORDED_COLUMNS))
    exists = sa.exists().where(EXPENSE.author_id == reversion.user.id, EXPENSE.id == CHANGE.id)
    query = query.where(*reversion.recorded("deleted"), ~exists, CHANGE.id.not_in(list(blocked)))
    names = ["author_id", "operation_id", "id", "change", *(f"new_{name}" for name in RECORDED_COLUMNS)]
    db.session.execute(sa.insert(ExpenseChange).from_select(names, query))


def _revert_categories(reversion: Reversion) -> None:
    """Revert changes of categories and budgets; budgets that were added with their category go with it."""
    user, operation = reversion.user, reversion.undo
    of_budgets = [change for change in reversion.row_changes if change.table_name == Budget.__tablename__]
    added = {
        change.row_key: operations.decode(Budget, change.after)
        for change in of_budgets
        if change.before is None and change.after is not None
    }
    of_categories = [change for change in reversion.row_changes if change.table_name == Category.__tablename__]
    started = {uuid.UUID(change.row_key) for change in of_categories if change.before is None}
    if category_swap.is_swap(of_categories):
        reversion.conflicts += category_swap.revert(user, operation, of_categories)
        of_categories = []
    for change in of_categories:
        if categories.revert(user, operation, change, added) is False:
            reversion.conflicts.append(change.label)
    for change in of_budgets:
        is_with_category = change.row_key in added and added[change.row_key]["category_id"] in started
        if not is_with_category and budgets.revert(user, operation, change) is False:
            reversion.conflicts.append(change.label or None)


def _revert_statements(reversion: Reversion) -> None:
    """Revert the import of statements; for a single expense, note it in its line."""
    for change in reversion.row_changes:
        if change.table_name == Statement.__tablename__:
            undo_imports.revert(reversion.user, reversion.undo, change)
    if reversion.expense_id is not None or reversion.original.count == 1:
        undo_imports.note_single(reversion.user, reversion.undo, reversion.original)


def _expense_ids(operation: Operation) -> set[uuid.UUID]:
    return set(db.session.scalars(sa.select(CHANGE.id).where(*changes_of(operation))))


def _recurring_names(operation: Operation) -> set[str]:
    """Return the names of the categories that recurring expenses got back."""
    return {
        change.after["category"]
        for change in operation.row_changes
        if change.table_name == RecurringExpense.__tablename__ and change.after and "category" in change.after
    }


def _left_alone(reversion: Reversion) -> tuple[list[str], int]:
    """Return the names and the number of the expenses that are neither as before the original nor as after it."""
    is_there = [EXPENSE.author_id == reversion.user.id, EXPENSE.id == CHANGE.id]
    has_another_value = sa.and_(CHANGE.change == "changed", ~sa.exists().where(*is_there, reversion.has("")))
    is_still_there = sa.and_(CHANGE.change == "added", sa.exists().where(*is_there))
    name = sa.func.coalesce(sa.func.nullif(EXPENSE.description, ""), EXPENSE.category)
    name_now = sa.select(name).where(*is_there).scalar_subquery()
    query = sa.select(CHANGE.id, name_now, sa.func.count().over())
    query = query.where(*reversion.recorded(), sa.or_(has_another_value, is_still_there))
    rows = db.session.execute(query.order_by(CHANGE.id).limit(MAX_NAMES)).all()
    gone = deleted_expenses(reversion.user, [row[0] for row in rows if row[1] is None])
    names = [row[1] or _name_of(gone.get(row[0])) for row in rows]
    return names, rows[0][2] if rows else 0


def _name_of(values: ExpenseValues | None) -> str:
    return (values.description or values.category) if values else ""
