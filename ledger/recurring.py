"""What is spent again and again: on which days, which of them are due, and what was done with these."""

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
from ledger.categories import UNSYNCHRONISED
from ledger.history import KEPT, HistoryError, Restored, left_alone
from ledger.periods import month_end
from ledger.spending import ExpenseValues, Summary
from models import ChangedExpense, Expense, Occurrence, RecurringExpense, User

# How often, in words.
FREQUENCIES = {
    "week": "Every week",
    "two-weeks": "Every two weeks",
    "month": "Every month",
    "quarter": "Every quarter",
    "year": "Every year",
}
_DAYS = {"week": 7, "two-weeks": 14}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# How many due days are shown at once.
SHOWN = 20


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
    """Up to SHOWN due days, oldest first, and whether there are more."""

    lines: tuple[Due, ...] = ()
    more: bool = False


def due_days(first_day: date, every: str, since: date, until: date = date.max) -> Iterator[date]:
    """Yield the days of what repeats, from `since` to `until`, counted from `first_day`.

    Months are counted from the first day, too, and end where they end: 31 January, 28 February, 31 March.
    """
    for number in count(_number(first_day, every, max(since, first_day))):
        day = _nth_day(first_day, every, number)
        if day > until:
            return
        if day >= since:
            yield day


def _number(first_day: date, every: str, day: date) -> int:
    """Return which of its days, counted from zero, is `day` or shortly before it."""
    if every in _DAYS:
        return (day - first_day).days // _DAYS[every]
    return ((day.year - first_day.year) * 12 + day.month - first_day.month) // _MONTHS[every]


def _nth_day(first_day: date, every: str, number: int) -> date:
    if every in _DAYS:
        return first_day + timedelta(days=number * _DAYS[every])
    months = first_day.year * 12 + first_day.month - 1 + number * _MONTHS[every]
    last_day = month_end(date(months // 12, months % 12 + 1, 1))
    return last_day.replace(day=min(first_day.day, last_day.day))


def due(user: User, today: date, lock: bool = False) -> DueDays:
    """Return what the user may add or skip by `today`, by one statement when that is nothing, else by two.

    A `lock` lets nobody else do so until the caller has committed.
    """
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id,
        RecurringExpense.stopped.is_(False),
        RecurringExpense.next_day <= today,
    )
    # Locked in the same order by all, so that no two wait for each other.
    query = query.order_by(RecurringExpense.id)
    found = db.session.scalars(query.with_for_update() if lock else query).all()
    if not found:
        return DueDays()
    done = _done(user, found)

    def lines(recurring: RecurringExpense) -> Iterator[Due]:
        for day in due_days(recurring.first_day, recurring.every, recurring.next_day, today):
            if (recurring.id, day) not in done:
                yield Due(day, recurring.id, recurring)

    oldest = tuple(islice(merge(*map(lines, found)), SHOWN + 1))
    return DueDays(oldest[:SHOWN], len(oldest) > SHOWN)


def _done(user: User, recurring: Sequence[RecurringExpense]) -> set[tuple[uuid.UUID, date]]:
    """Return which days of these were added or skipped, from the earliest of their next days on."""
    query = sa.select(Occurrence.recurring_id, Occurrence.day).where(
        Occurrence.author_id == user.id,
        Occurrence.recurring_id.in_([each.id for each in recurring]),
        Occurrence.day >= min(each.next_day for each in recurring),
    )
    return {(row.recurring_id, row.day) for row in db.session.execute(query)}


def _move_on(user: User, recurring: Sequence[RecurringExpense]) -> None:
    """Set the next day of each of these, which are locked, to the first one from there that is not done."""
    done = _done(user, recurring)
    for each in recurring:
        days = due_days(each.first_day, each.every, each.next_day)
        each.next_day = next(day for day in days if (each.id, day) not in done)


def repeat(user: User, expense_id: uuid.UUID, every: str) -> RecurringExpense:
    """Make the user's expense repeat as it is stored, unless it does; its own day is done.

    The expense is locked or new. The caller commits.
    """
    if (former := of_expense(user, expense_id)) is not None:
        return former
    # Read again: changes are made by statements that the session does not see.
    expense = db.session.get_one(Expense, (user.id, expense_id), populate_existing=True)
    recurring = RecurringExpense(
        author_id=user.id,
        id=expense_id,
        amount=expense.amount,
        category=expense.category,
        description=expense.description,
        every=every,
        first_day=expense.date,
        next_day=expense.date,
    )
    db.session.add(recurring)
    db.session.flush()
    db.session.add(Occurrence(author_id=user.id, recurring_id=expense_id, day=expense.date, expense_id=expense_id))
    db.session.flush()
    _move_on(user, [recurring])
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
    order = (RecurringExpense.stopped, RecurringExpense.next_day, RecurringExpense.id)
    return db.session.scalars(query.order_by(*order)).all()


def change(user: User, recurring: RecurringExpense, values: ExpenseValues, every: str) -> None:
    """Give what repeats new `values`; their date is the first day, from which is counted. The caller commits.

    Days that were added or skipped stay so, and so do the expenses that were added.
    """
    counted = (recurring.first_day, recurring.every)
    recurring.amount, recurring.category, recurring.description, recurring.first_day = values
    recurring.every = every
    if (recurring.first_day, recurring.every) != counted:
        last = db.session.scalar(
            sa.select(sa.func.max(Occurrence.day)).where(
                Occurrence.author_id == user.id, Occurrence.recurring_id == recurring.id
            )
        )
        # Counted anew from what is done: else what was paid on other days would be due once more.
        recurring.next_day = (
            recurring.first_day if last is None else max(recurring.first_day, last + timedelta(days=1))
        )
        _move_on(user, [recurring])


def settle(user: User, chosen: Sequence[tuple[Due, Decimal | None]], now: datetime) -> tuple[uuid.UUID, Summary]:
    """Add each chosen day with its amount above zero, or skip it where that is None, as one act.

    Return its batch, number and sum. What is chosen was locked when it was found due. The caller commits.
    """
    batch, total = uuid7(), Decimal(0)
    for (day, recurring_id, recurring), amount in chosen:
        done = Occurrence(author_id=user.id, recurring_id=recurring_id, day=day, batch=batch, done_at=now)
        db.session.add(done)
        if amount is not None:
            # Money that came back stays money that came back.
            signed = amount.copy_sign(recurring.amount)
            expense = Expense(author_id=user.id, id=uuid7(), amount=signed, date=day)
            expense.category, expense.description = recurring.category, recurring.description
            db.session.add(expense)
            done.expense_id = expense.id
            total += signed
    db.session.flush()
    _move_on(user, list({line.id: line.recurring for line, _ in chosen}.values()))
    return batch, Summary(len(chosen), total)


def take_back(user: User, batch: uuid.UUID, now: datetime) -> Restored:
    """Take back what was added or skipped together within 30 days: the expenses go, and the days are due again.

    An expense that was changed or deleted since is left alone, and its day stays done: it could come back, and
    then be there twice. Raises HistoryError when there is nothing left. The caller commits.
    """
    act = [Occurrence.author_id == user.id, Occurrence.batch == batch, Occurrence.done_at > now - KEPT]
    touched = sa.select(Occurrence.recurring_id).where(*act)
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id, RecurringExpense.id.in_(touched)
    )
    recurring = db.session.scalars(query.order_by(RecurringExpense.id).with_for_update()).all()
    days = db.session.scalars(sa.select(Occurrence).where(*act)).all()
    if not days:
        raise HistoryError("This was taken back already.")
    gone = _remove_unchanged(user, [day.expense_id for day in days if day.expense_id])
    by_id = {each.id: each for each in recurring}
    left = []
    for day in days:
        each = by_id[day.recurring_id]
        if day.expense_id is None or day.expense_id in gone:
            each.next_day = max(each.first_day, min(each.next_day, day.day))
            db.session.delete(day)
        else:
            left.append(each.description or each.category)
    db.session.flush()
    _move_on(user, recurring)
    return Restored(len(days) - len(left), left_alone(left))


def _remove_unchanged(user: User, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Delete those of the user's expenses that are as they were added, for good, and return their ids."""
    own = [Expense.author_id == user.id, Expense.id.in_(ids)]
    # Locked before asking which were changed: else a change could come in between.
    there = set(db.session.scalars(sa.select(Expense.id).where(*own).order_by(Expense.id).with_for_update()))
    changed = sa.select(ChangedExpense.id).where(ChangedExpense.author_id == user.id, ChangedExpense.id.in_(ids))
    unchanged = there.difference(db.session.scalars(changed))
    remove = sa.delete(Expense).where(Expense.author_id == user.id, Expense.id.in_(unchanged))
    db.session.execute(remove, execution_options=UNSYNCHRONISED)
    return unchanged
