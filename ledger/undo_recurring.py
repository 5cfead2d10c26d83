"""Undo of changes to recurring expenses and their occurrences."""

import uuid
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from database import db
from ledger import operations
from ledger.recurring import is_limit_reached, label_of
from ledger.schedule import due_days
from models import Expense, Occurrence, Operation, RecurringExpense, RowChange, User


def expense_of(change: RowChange) -> uuid.UUID | None:
    """Return the expense of a changed occurrence; None when it was skipped, and for a row of another table."""
    expense_id = (change.after or change.before or {}).get("expense_id")
    return uuid.UUID(expense_id) if expense_id else None


def _key_of(change: RowChange) -> tuple[uuid.UUID, date]:
    recurring_id, _, day = change.row_key.partition("_")
    return uuid.UUID(recurring_id), date.fromisoformat(day)


class RecurringReversion:
    """Reverts `changes` of recurring expenses and of their occurrences, as a part of the undo `operation`.

    An occurrence and the expense that was added for it go and return together: otherwise it could be added
    twice. `conflicts` are the names of those that were changed since and left alone; `series` tells whether
    the recurring expense that was started was "removed" or "kept".
    """

    def __init__(
        self, user: User, operation: Operation, changes: Sequence[RowChange], names: dict[str, str]
    ) -> None:
        """Lock the recurring expenses in the usual order; `names` are the new names of renamed categories."""
        self.user, self.operation, self.names = user, operation, names
        self.changes = [change for change in changes if change.table_name == RecurringExpense.__tablename__]
        self.days = [change for change in changes if change.table_name == Occurrence.__tablename__]
        self.conflicts: list[str] = []
        self.series: str | None = None
        self.started = {uuid.UUID(change.row_key) for change in self.changes if change.before is None}
        ids = {uuid.UUID(change.row_key) for change in self.changes} | {_key_of(change)[0] for change in self.days}
        self.rows: dict[uuid.UUID, RecurringExpense] = {}
        self.occurrences: dict[tuple[uuid.UUID, date], Occurrence] = {}
        # The expenses of the occurrences that exist now.
        self.taken: set[uuid.UUID | None] = set()
        if ids:
            self._load(ids)

    def _load(self, ids: Collection[uuid.UUID]) -> None:
        rows = sa.select(RecurringExpense).where(
            RecurringExpense.author_id == self.user.id, RecurringExpense.id.in_(ids)
        )
        rows = rows.order_by(RecurringExpense.id).with_for_update().execution_options(populate_existing=True)
        self.rows = {row.id: row for row in db.session.scalars(rows)}
        days = sa.select(Occurrence).where(Occurrence.author_id == self.user.id, Occurrence.recurring_id.in_(ids))
        self.occurrences = {(day.recurring_id, day.day): day for day in db.session.scalars(days)}
        returning = [expense_id for change in self.days if not change.after and (expense_id := expense_of(change))]
        taken = sa.select(Occurrence.expense_id).where(
            Occurrence.author_id == self.user.id, Occurrence.expense_id.in_(returning)
        )
        self.taken = set(db.session.scalars(taken)) if returning else set()

    def blocked_expenses(self) -> set[uuid.UUID]:
        """Return the expenses that must not return: their day was handled again, or their series is gone."""
        returning = {uuid.UUID(change.row_key) for change in self.changes if change.after is None}
        blocked = set()
        for change in self.days:
            key, expense_id = _key_of(change), expense_of(change)
            is_free = key not in self.occurrences and (key[0] in self.rows or key[0] in returning)
            if change.after is None and expense_id is not None and not is_free:
                blocked.add(expense_id)
        return blocked

    def revert(self, expenses: Collection[uuid.UUID]) -> None:
        """Revert what can be, after the `expenses` that go or return have done so."""
        for change in self.changes:
            self._revert_series(change)
        db.session.flush()
        kept = [change for change in self.days if not self._revert_occurrence(change, expenses)]
        self._add_conflicts(kept)
        for row in self.rows.values():
            row.next_date = self._next_date(row.id, row.start_date, row.frequency, row.next_date)

    def _next_date(self, recurring_id: uuid.UUID, start_date: date, frequency: str, since: date) -> date:
        """Return the first day from `since` on that was neither added nor skipped."""
        days = due_days(start_date, frequency, since)
        return next(day for day in days if (recurring_id, day) not in self.occurrences)

    def _revert_series(self, change: RowChange) -> None:
        recurring_id = uuid.UUID(change.row_key)
        row, before, after = self.rows.get(recurring_id), self._decode(change.before), self._decode(change.after)
        if not before:
            if row is not None:
                self._remove_series(row, after)
        elif not after:
            # An undo must not exceed the limit, even if others were added since.
            if row is None and is_limit_reached(self.user):
                self.conflicts.append(change.label)
            elif row is None:
                self.rows[recurring_id] = row = RecurringExpense(author_id=self.user.id, id=recurring_id, **before)
                operations.add_row(self.operation, row, label_of(row))
        elif row is not None and self._has(row, after):
            if "next_date" in before:
                before["next_date"] = self._former_next_date(row, before, after)
            operations.change_row(self.operation, row, label_of(row), before)
        elif row is None or not self._has(row, before):
            self.conflicts.append(change.label)

    def _remove_series(self, row: RecurringExpense, after: dict[str, Any]) -> None:
        """Remove a recurring expense with its first occurrence, unless it was changed or others were handled."""
        own = {_key_of(change) for change in self.days}
        others = [key for key in self.occurrences if key[0] == row.id and key not in own]
        if others or not self._has(row, after):
            self.series = "kept"
            return
        for key in own & self.occurrences.keys():
            operations.delete_row(self.operation, self.occurrences.pop(key), label_of(row))
        operations.delete_row(self.operation, self.rows.pop(row.id), label_of(row))
        self.series = "removed"

    def _former_next_date(self, row: RecurringExpense, before: dict[str, Any], after: dict[str, Any]) -> date:
        """Return the next date by the former schedule."""
        since: date = before["next_date"]
        if row.next_date < after["next_date"]:
            # Occurrences that were handled have become due again since.
            since = min(since, row.next_date)
        start_date = before.get("start_date", row.start_date)
        frequency = before.get("frequency", row.frequency)
        return self._next_date(row.id, start_date, frequency, since)

    def _decode(self, values: dict[str, Any] | None) -> dict[str, Any]:
        """Return recorded columns, with the name that the category has now."""
        decoded = operations.decode(RecurringExpense, values or {})
        if "category" in decoded:
            decoded["category"] = self.names.get(decoded["category"], decoded["category"])
        return decoded

    @staticmethod
    def _has(row: RecurringExpense, values: dict[str, Any]) -> bool:
        """Tell whether a row has these values, except for the next date, which changes with every occurrence."""
        return all(getattr(row, name) == value for name, value in values.items() if name != "next_date")

    def _revert_occurrence(self, change: RowChange, expenses: Collection[uuid.UUID]) -> bool:
        """Make a day due again, or handled again; return False if it was left alone."""
        key, expense_id = _key_of(change), expense_of(change)
        row, day = self.rows.get(key[0]), self.occurrences.get(key)
        if change.before is None:
            if day is None or day.expense_id != expense_id or key[0] in self.started:
                return True
            if row is None or (expense_id is not None and expense_id not in expenses):
                return False
            operations.delete_row(self.operation, self.occurrences.pop(key), change.label)
            row.next_date = max(row.start_date, min(row.next_date, day.day))
        elif day is not None or row is None:
            return day is not None and day.expense_id == expense_id
        else:
            values = operations.decode(Occurrence, change.before)
            if expense_id in self.taken:
                # The expense has started another series since its own was deleted.
                values["expense_id"] = None
            day = Occurrence(author_id=self.user.id, recurring_id=key[0], day=key[1], **values)
            operations.add_row(self.operation, day, change.label)
            self.occurrences[key] = day
        return True

    def _add_conflicts(self, kept: Sequence[RowChange]) -> None:
        """Name the occurrences that were left alone, unless their expense exists, which is then named itself."""
        ids = [expense_id for change in kept if (expense_id := expense_of(change)) is not None]
        query = sa.select(Expense.id).where(Expense.author_id == self.user.id, Expense.id.in_(ids))
        there = set(db.session.scalars(query)) if ids else set()
        self.conflicts += [change.label for change in kept if expense_of(change) not in there]
