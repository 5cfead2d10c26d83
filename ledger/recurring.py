"""Recurring expenses: the days on which they are due, and adding or skipping them."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from database.statements import OWNER_ID, built_once, fetch_all
from ledger import categories, operations
from ledger.errors import LedgerError
from ledger.schedule import due_days, has_day, nth_day, occurrence_number
from ledger.spending import ExpenseValues
from models import Expense, ExpenseChange, Occurrence, Operation, RecurringExpense, User

FREQUENCIES = RecurringExpense.FREQUENCIES
_TIMES_A_YEAR = {"week": 52, "two-weeks": 26, "month": 12, "quarter": 4, "year": 1}
# How many due occurrences are on a page at once.
MAX_DUE_SHOWN = 20
# How many recurring expenses a user may have, stopped ones included.
MAX_RECURRING = 500


class RecurringError(LedgerError):
    """A recurring expense that cannot be added."""


class Due(NamedTuple):
    """A day of a recurring expense that was neither added nor skipped."""

    day: date
    id: uuid.UUID
    recurring: RecurringExpense

    @property
    def key(self) -> str:
        """The name of its field on a page."""
        return f"{self.day}_{self.id}"


@dataclass(frozen=True)
class DueDays:
    """Up to MAX_DUE_SHOWN due days, oldest first, and whether there are more."""

    lines: tuple[Due, ...] = ()
    more: bool = False


def due(user: User, today: date, lock: bool = False) -> DueDays:
    """Return what is due by `today`, in one statement if that is nothing, otherwise in three.

    With `lock`, nobody else can add or skip it, or change the categories, until the caller has committed.
    """
    if lock:
        categories.lock_for_use(user)
    elif not fetch_all(_due_ids_query(), owner_id=user.id, today=today):
        return DueDays()
    query = _due_query()
    parameters = {"owner_id": user.id, "today": today}
    found = db.session.scalars(query.with_for_update() if lock else query, parameters).all()
    handled = _handled_days(user, _due_ids(user, today))

    def lines(recurring: RecurringExpense) -> Iterator[Due]:
        until = _last_due(recurring, today)
        for day in due_days(recurring.start_date, recurring.frequency, recurring.next_date, until):
            if (recurring.id, day) not in handled:
                yield Due(day, recurring.id, recurring)

    oldest = tuple(islice(merge(*map(lines, found)), MAX_DUE_SHOWN + 1))
    return DueDays(oldest[:MAX_DUE_SHOWN], len(oldest) > MAX_DUE_SHOWN)


@built_once
def _due_query() -> sa.Select[RecurringExpense]:
    """Return the query of an owner's recurring expenses that are due.

    They are in the order in which all operations lock them, so that no two wait for each other.
    """
    return (
        sa.select(RecurringExpense)
        .where(
            RecurringExpense.author_id == OWNER_ID,
            RecurringExpense.stopped.is_(False),
            RecurringExpense.next_date <= sa.bindparam("today", type_=sa.Date),
            sa.or_(RecurringExpense.end_date.is_(None), RecurringExpense.next_date <= RecurringExpense.end_date),
        )
        .order_by(RecurringExpense.id)
    )


def _due_ids(user: User, today: date) -> sa.Select[uuid.UUID]:
    """Return the query of the ids of the user's recurring expenses that are due."""
    return _due_ids_query().params(owner_id=user.id, today=today)


@built_once
def _due_ids_query() -> sa.Select[uuid.UUID]:
    """Return the query of the ids of an owner's recurring expenses that are due."""
    return _due_query().with_only_columns(RecurringExpense.id).order_by(None)


def _last_due(recurring: RecurringExpense, today: date) -> date:
    """Return the last day that can be due by `today`."""
    return today if recurring.end_date is None else min(today, recurring.end_date)


def _handled_days(user: User, recurring_ids: sa.Select[uuid.UUID]) -> set[tuple[uuid.UUID, date]]:
    """Return the days of these recurring expenses that were added or skipped, from the next date of each on."""
    query = sa.select(Occurrence.recurring_id, Occurrence.day).where(
        Occurrence.author_id == user.id,
        Occurrence.recurring_id.in_(recurring_ids),
        RecurringExpense.author_id == user.id,
        RecurringExpense.id == Occurrence.recurring_id,
        Occurrence.day >= RecurringExpense.next_date,
    )
    return {(row.recurring_id, row.day) for row in db.session.execute(query)}


def advance(user: User, recurring: Sequence[RecurringExpense]) -> None:
    """Move the next date of each of these, which are locked, to the first day that is not handled."""
    # They are at most as many as a page shows.
    ids = sa.select(RecurringExpense.id).where(
        RecurringExpense.author_id == user.id, RecurringExpense.id.in_([row.id for row in recurring])
    )
    handled = _handled_days(user, ids) if recurring else set()
    for row in recurring:
        days = due_days(row.start_date, row.frequency, row.next_date)
        row.next_date = next(day for day in days if (row.id, day) not in handled)


def is_limit_reached(user: User) -> bool:
    """Tell whether the user has MAX_RECURRING recurring expenses."""
    query = sa.select(sa.func.count()).where(RecurringExpense.author_id == user.id)
    return (db.session.scalar(query) or 0) >= MAX_RECURRING


def label_of(recurring: RecurringExpense) -> str:
    """Return the name of a recurring expense in messages and in History."""
    return recurring.description or recurring.category


def repeat(user: User, operation: Operation, expense_id: uuid.UUID, every: str) -> RecurringExpense:
    """Make the user's stored expense recurring, unless it is; its own day counts as handled.

    This is a part of the operation that adds or changes the expense, which is new or locked. The caller commits.
    Raises RecurringError.
    """
    # Read again: expenses are changed by statements that the session does not see.
    expense = db.session.get_one(Expense, (user.id, expense_id), populate_existing=True)
    if (existing := of_expense(user, expense_id)) is not None:
        return existing
    if is_limit_reached(user):
        raise RecurringError("too_many_recurring", limit=MAX_RECURRING)
    second_day = next(islice(due_days(expense.date, every, expense.date), 1, None))
    recurring = RecurringExpense(
        author_id=user.id,
        id=expense_id,
        amount=expense.amount,
        category=expense.category,
        description=expense.description,
        frequency=every,
        start_date=expense.date,
        next_date=second_day,
        stopped=False,
        created_at=operation.created_at,
    )
    operations.add_row(operation, recurring, label_of(recurring))
    db.session.flush()
    day = Occurrence(author_id=user.id, recurring_id=expense_id, day=expense.date, expense_id=expense_id)
    day.handled_at = operation.created_at
    operations.add_row(operation, day, label_of(recurring))
    return recurring


def of_expense(user: User, expense_id: uuid.UUID) -> RecurringExpense | None:
    """Return the recurring expense that the user's expense belongs to, or None."""
    day_of = sa.select(Occurrence.recurring_id).where(
        Occurrence.author_id == user.id, Occurrence.expense_id == expense_id
    )
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id, RecurringExpense.id.in_(day_of)
    )
    return db.session.scalars(query).first()


def all_recurring(user: User) -> Sequence[RecurringExpense]:
    """Return all recurring expenses of the user, the next one due first, and those stopped or over last."""
    query = sa.select(RecurringExpense).where(RecurringExpense.author_id == user.id)
    order = (RecurringExpense.stopped, RecurringExpense.next_date, RecurringExpense.id)
    rows = db.session.scalars(query.order_by(*order)).all()
    return sorted(rows, key=lambda row: row.stopped or row.is_over)


def in_category(user: User, name: str, limit: int) -> Sequence[RecurringExpense]:
    """Return up to `limit` of the user's recurring expenses in a category."""
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id, RecurringExpense.category == name
    )
    return db.session.scalars(query.order_by(RecurringExpense.id).limit(limit)).all()


def continuing(user: User, operation: Operation) -> Sequence[RecurringExpense]:
    """Return the recurring expenses that continue although an operation deleted expenses that came from them."""
    deleted = sa.select(ExpenseChange.id).where(
        ExpenseChange.author_id == user.id, ExpenseChange.operation_id == operation.id
    )
    ids = sa.select(Occurrence.recurring_id).where(
        Occurrence.author_id == user.id, Occurrence.expense_id.in_(deleted)
    )
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id,
        RecurringExpense.id.in_(ids),
        RecurringExpense.stopped.is_(False),
    )
    return [row for row in db.session.scalars(query) if not row.is_over]


@dataclass(frozen=True)
class Outlook:
    """Monthly cost of the recurring expenses that continue, and the first of them that is not due yet."""

    per_month: Decimal
    next: RecurringExpense | None


def outlook(recurring: Sequence[RecurringExpense], today: date) -> Outlook:
    """Return the outlook for some recurring expenses, which are in the order of their next dates."""
    active = [row for row in recurring if not row.stopped and not row.is_over]
    coming = (row for row in active if row.next_date > today)
    per_year = sum((row.amount * _TIMES_A_YEAR[row.frequency] for row in active), Decimal(0))
    return Outlook(per_year / 12, next(coming, None))


def change(
    user: User,
    operation: Operation,
    recurring: RecurringExpense,
    values: ExpenseValues,
    every: str,
    end_date: date | None = None,
) -> None:
    """Give a recurring expense new `values`, as a part of an operation; their date is the first day.

    Days that were added or skipped stay handled, and the expenses that were added stay. The row is locked, and the
    caller commits.
    """
    new = values._asdict() | {"start_date": values.date, "frequency": every, "end_date": end_date}
    del new["date"]
    if (recurring.start_date, recurring.frequency) != (values.date, every):
        new["next_date"] = _first_date(user, recurring.id, values.date, every)
    operations.change_row(operation, recurring, label_of(recurring), new)


def _first_date(user: User, recurring_id: uuid.UUID, start_date: date, frequency: str) -> date:
    """Return the first day of a new schedule that is after all handled days.

    Otherwise, what was paid on a day of the old schedule would be due again.
    """
    last = db.session.scalar(
        sa.select(sa.func.max(Occurrence.day)).where(
            Occurrence.author_id == user.id, Occurrence.recurring_id == recurring_id
        )
    )
    since = start_date if last is None else max(start_date, last + timedelta(days=1))
    return next(due_days(start_date, frequency, since))


def set_stopped(user: User, recurring: RecurringExpense, stopped: bool, now: datetime) -> Operation:
    """Stop a recurring expense, or resume it as if it had not been stopped.

    The row is locked, and the caller commits.
    """
    kind = "stop_recurring" if stopped else "resume_recurring"
    with operations.record(user, kind, now) as operation:
        operations.change_row(operation, recurring, label_of(recurring), {"stopped": stopped})
    return operation


def delete(user: User, recurring: RecurringExpense, now: datetime) -> Operation:
    """Delete a recurring expense with its occurrences; the expenses that were added stay.

    The row is locked, and the caller commits.
    """
    with operations.record(user, "delete_recurring", now) as operation:
        own = Occurrence.recurring_id == recurring.id
        operations.delete_rows(operation, Occurrence, own, label_of(recurring))
        operations.delete_row(operation, recurring, label_of(recurring))
    return operation


def add_early(user: User, recurring: RecurringExpense, today: date, now: datetime) -> Operation:
    """Add the next occurrence of a recurring expense, dated today if it is not due yet.

    The row and the categories are locked, and the caller commits.
    """
    line = Due(recurring.next_date, recurring.id, recurring)
    return resolve_due(user, [(line, abs(recurring.amount))], now, today)


def count_due(user: User, recurring: Sequence[RecurringExpense], today: date) -> int:
    """Return how many occurrences of the user's recurring expenses are due."""
    found = [row for row in recurring if not row.stopped and row.next_date <= _last_due(row, today)]
    if not found:
        return 0
    rows = {row.id: row for row in found}
    days = sum(_count_days(row, _last_due(row, today)) for row in found)
    return days - sum(
        _has_due_day(rows[row_id], day, today) for row_id, day in _handled_days(user, _due_ids(user, today))
    )


def _has_due_day(recurring: RecurringExpense, day: date, today: date) -> bool:
    """Tell whether a day that was handled was due by `today`; one of a former schedule was not."""
    return day <= _last_due(recurring, today) and has_day(recurring.start_date, recurring.frequency, day)


def _count_days(recurring: RecurringExpense, until: date) -> int:
    """Return the number of days of a schedule from the next date on, up to the last one until a day."""
    days = (recurring.next_date, _last_day(recurring, until))
    first, last = (occurrence_number(recurring.start_date, recurring.frequency, day) for day in days)
    return last - first + 1


def _last_day(recurring: RecurringExpense, until: date) -> date:
    """Return the last day of a schedule that is not after `until`."""
    number = occurrence_number(recurring.start_date, recurring.frequency, until)
    day = nth_day(recurring.start_date, recurring.frequency, number)
    return day if day <= until else nth_day(recurring.start_date, recurring.frequency, number - 1)


def skip_all_due(user: User, today: date, now: datetime) -> Operation:
    """Skip every occurrence that is due, however many there are. The caller commits.

    Only the last one of each recurring expense is stored, because no day before its next date is due.
    """
    with operations.record(user, "skip_recurring", now) as operation:
        categories.lock_for_use(user)
        parameters = {"owner_id": user.id, "today": today}
        found = db.session.scalars(_due_query().with_for_update(), parameters).all()
        handled = _handled_days(user, _due_ids(user, today))
        for row in found:
            day = _last_day(row, _last_due(row, today))
            if (row.id, day) not in handled:
                skipped = Occurrence(author_id=user.id, recurring_id=row.id, day=day, handled_at=now)
                operations.add_row(operation, skipped, label_of(row))
            days = due_days(row.start_date, row.frequency, day + timedelta(days=1))
            next_date = next(day for day in days if (row.id, day) not in handled)
            operations.change_row(operation, row, label_of(row), {"next_date": next_date})
    return operation


def resolve_due(
    user: User, chosen: Sequence[tuple[Due, Decimal | None]], now: datetime, today: date = date.max
) -> Operation:
    """Add each chosen day with its amount, which is above zero, or skip those whose amount is None.

    An expense is dated `today` if its day is later. The chosen rows were locked when they were found due. The
    caller commits.
    """
    kind = "skip_recurring" if all(amount is None for _, amount in chosen) else "post_recurring"
    with operations.record(user, kind, now) as operation:
        expenses = [
            _expense_of(user, line, amount, min(line.day, today), now)
            for line, amount in chosen
            if amount is not None
        ]
        db.session.add_all(expenses)
        db.session.flush()
        if expenses:
            operations.record_added_expenses(operation, Expense.id.in_([expense.id for expense in expenses]))
        added = iter(expenses)
        for line, amount in chosen:
            day = Occurrence(author_id=user.id, recurring_id=line.id, day=line.day, handled_at=now)
            day.expense_id = None if amount is None else next(added).id
            operations.add_row(operation, day, label_of(line.recurring))
        db.session.flush()
        advance(user, list({line.id: line.recurring for line, _ in chosen}.values()))
    return operation


def _expense_of(user: User, line: Due, amount: Decimal, day: date, now: datetime) -> Expense:
    """Return the expense of a due day; a refund stays a refund."""
    return Expense(
        author_id=user.id,
        id=uuid7(),
        amount=amount.copy_sign(line.recurring.amount),
        category=line.recurring.category,
        description=line.recurring.description,
        date=day,
        created_at=now,
    )
