"""Recurring expenses: on which days they are due, adding and skipping these."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import merge
from itertools import count, islice
from typing import NamedTuple

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from ledger import categories, operations
from ledger.errors import LedgerError
from ledger.periods import month_end
from ledger.spending import ExpenseValues
from models import Expense, Occurrence, Operation, RecurringExpense, User

FREQUENCIES = RecurringExpense.FREQUENCIES
_DAYS = {"week": 7, "two-weeks": 14}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
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
        """The name of it on a page."""
        return f"{self.day}_{self.id}"


@dataclass(frozen=True)
class DueDays:
    """Up to MAX_DUE_SHOWN due days, oldest first, and whether there are more."""

    lines: tuple[Due, ...] = ()
    more: bool = False


def due_days(start_date: date, every: str, since: date, until: date = date.max) -> Iterator[date]:
    """Yield the days of what repeats, from `since` to `until`, counted from `start_date`.

    Months are counted from the first day, too, and end where they end: 31 January, 28 February, 31 March.
    """
    for number in count(_number(start_date, every, max(since, start_date))):
        day = _nth_day(start_date, every, number)
        if day > until:
            return
        if day >= since:
            yield day


def _number(start_date: date, every: str, day: date) -> int:
    """Return which of its days, counted from zero, is `day` or shortly before it."""
    if every in _DAYS:
        return (day - start_date).days // _DAYS[every]
    return ((day.year - start_date.year) * 12 + day.month - start_date.month) // _MONTHS[every]


def _nth_day(start_date: date, every: str, number: int) -> date:
    if every in _DAYS:
        return start_date + timedelta(days=number * _DAYS[every])
    months = start_date.year * 12 + start_date.month - 1 + number * _MONTHS[every]
    last_day = month_end(date(months // 12, months % 12 + 1, 1))
    return last_day.replace(day=min(start_date.day, last_day.day))


def due(user: User, today: date, lock: bool = False) -> DueDays:
    """Return what the user may add or skip by `today`, by one statement when that is nothing, else by two.

    A `lock` lets nobody else do so, or change the categories, until the caller has committed.
    """
    if lock:
        categories.lock_for_use(user)
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id,
        RecurringExpense.stopped.is_(False),
        RecurringExpense.next_date <= today,
    )
    # Locked in the same order by all, so that no two wait for each other.
    ordered = query.order_by(RecurringExpense.id)
    found = db.session.scalars(ordered.with_for_update() if lock else ordered).all()
    if not found:
        return DueDays()
    handled = _handled_days(user, query.with_only_columns(RecurringExpense.id))

    def lines(recurring: RecurringExpense) -> Iterator[Due]:
        for day in due_days(recurring.start_date, recurring.frequency, recurring.next_date, today):
            if (recurring.id, day) not in handled:
                yield Due(day, recurring.id, recurring)

    oldest = tuple(islice(merge(*map(lines, found)), MAX_DUE_SHOWN + 1))
    return DueDays(oldest[:MAX_DUE_SHOWN], len(oldest) > MAX_DUE_SHOWN)


def _handled_days(user: User, recurring_ids: sa.Select[uuid.UUID]) -> set[tuple[uuid.UUID, date]]:
    """Return which days of these were added or skipped, each from its next date on."""
    query = sa.select(Occurrence.recurring_id, Occurrence.day).where(
        Occurrence.author_id == user.id,
        Occurrence.recurring_id.in_(recurring_ids),
        RecurringExpense.author_id == user.id,
        RecurringExpense.id == Occurrence.recurring_id,
        Occurrence.day >= RecurringExpense.next_date,
    )
    return {(row.recurring_id, row.day) for row in db.session.execute(query)}


def advance(user: User, recurring: Sequence[RecurringExpense]) -> None:
    """Set the next date of each of these, which are locked, to the first one from there that is not handled."""
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
    """Return what a recurring expense is called in messages and in History."""
    return recurring.description or recurring.category


def repeat(user: User, operation: Operation, expense_id: uuid.UUID, every: str) -> RecurringExpense:
    """Make the user's expense repeat as it is stored, unless it does; its own day is handled.

    A part of the operation that adds or changes the expense, which is new or locked. The caller commits. Raises
    RecurringError.
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
    """Return all that the user has, what is due first on top, and what was stopped last."""
    query = sa.select(RecurringExpense).where(RecurringExpense.author_id == user.id)
    order = (RecurringExpense.stopped, RecurringExpense.next_date, RecurringExpense.id)
    return db.session.scalars(query.order_by(*order)).all()


def change(
    user: User, operation: Operation, recurring: RecurringExpense, values: ExpenseValues, every: str
) -> None:
    """Give what repeats new `values`, as a part of an operation; their date is the first day.

    Days that were added or skipped stay so, and so do the expenses that were added. It is locked, and the
    caller commits.
    """
    new = values._asdict() | {"start_date": values.date, "frequency": every}
    del new["date"]
    if (recurring.start_date, recurring.frequency) != (values.date, every):
        new["next_date"] = _first_date(user, recurring.id, values.date, every)
    operations.change_row(operation, recurring, label_of(recurring), new)


def _first_date(user: User, recurring_id: uuid.UUID, start_date: date, frequency: str) -> date:
    """Return the first day by a new schedule after all that were handled.

    Otherwise what was paid on other days would be due once more.
    """
    last = db.session.scalar(
        sa.select(sa.func.max(Occurrence.day)).where(
            Occurrence.author_id == user.id, Occurrence.recurring_id == recurring_id
        )
    )
    since = start_date if last is None else max(start_date, last + timedelta(days=1))
    return next(due_days(start_date, frequency, since))


def set_stopped(user: User, recurring: RecurringExpense, stopped: bool, now: datetime) -> Operation:
    """Let nothing of it be due any more, or again, as if it had not been stopped.

    It is locked, and the caller commits.
    """
    kind = "stop_recurring" if stopped else "resume_recurring"
    with operations.record(user, kind, now) as operation:
        operations.change_row(operation, recurring, label_of(recurring), {"stopped": stopped})
    return operation


def resolve_due(user: User, chosen: Sequence[tuple[Due, Decimal | None]], now: datetime) -> Operation:
    """Add each chosen day with its amount above zero, or skip all of them, which have none.

    What is chosen was locked when it was found due. The caller commits.
    """
    kind = "skip_recurring" if all(amount is None for _, amount in chosen) else "post_recurring"
    with operations.record(user, kind, now) as operation:
        expenses = [_expense_of(user, line, amount, now) for line, amount in chosen if amount is not None]
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


def _expense_of(user: User, line: Due, amount: Decimal, now: datetime) -> Expense:
    """Return the expense of a due day; money that came back stays money that came back."""
    return Expense(
        author_id=user.id,
        id=uuid7(),
        amount=amount.copy_sign(line.recurring.amount),
        category=line.recurring.category,
        description=line.recurring.description,
        date=line.day,
        created_at=now,
    )
