"""What is spent again and again: its days by the calendar, what is due by random histories, and the pages."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import history, recurring
from ledger.recurring import EVERY, SHOWN, due, due_days
from models import Expense, RecurringDay, RecurringExpense, User
from tests.people import Visitor, empty_tables

FIRST = date(2026, 1, 31)
days = st.dates(date(1999, 1, 1), date(2030, 12, 31))


# --- Which days


def is_due(first_day, every, day):
    """Tell by the calendar whether what began on `first_day` falls on `day`."""
    if every in {"week", "two-weeks"}:
        return (day.toordinal() - first_day.toordinal()) % (7 if every == "week" else 14) == 0
    is_last = (day + timedelta(days=1)).day == 1
    if day.day != first_day.day and not (is_last and day.day < first_day.day):
        return False
    months = {"month": range(1, 13), "quarter": {(first_day.month + n - 1) % 12 + 1 for n in (0, 3, 6, 9)}}
    return day.month in months.get(every, {first_day.month})


@settings(max_examples=100, deadline=None)
@given(days, st.sampled_from([*EVERY]), days, st.integers(0, 800))
def test_the_days_are_those_of_the_calendar(first_day, every, since, length):
    until = since + timedelta(days=length)

    walked = [since + timedelta(days=n) for n in range(length + 1)]
    expected = [day for day in walked if day >= first_day and is_due(first_day, every, day)]

    assert list(due_days(first_day, every, since, until)) == expected


@pytest.mark.parametrize(
    ("first_day", "every", "expected"),
    [
        (FIRST, "month", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        (date(2024, 2, 29), "year", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (date(2025, 11, 30), "quarter", ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30", "2026-11-30"]),
        (date(2025, 12, 25), "week", ["2025-12-25", "2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22"]),
        (date(2025, 12, 25), "two-weeks", ["2025-12-25", "2026-01-08", "2026-01-22", "2026-02-05", "2026-02-19"]),
    ],
)
def test_months_end_where_they_end_and_are_counted_from_the_first_day(first_day, every, expected):
    assert [str(day) for day in islice(due_days(first_day, every, first_day), 5)] == expected


# --- What is due

TODAY = date(2026, 7, 1)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def keeper(migrated):
    """The id of somebody, whose rows every example makes anew."""
    empty_tables(migrated)
    Visitor(migrated).register("keeper")
    with migrated.app_context():
        user_id = db.session.scalars(select(User.id)).one()
    yield user_id
    empty_tables(migrated)


# What is done, with the how-manieth of the due days, or of what was done.
acts = st.tuples(
    st.sampled_from(["add", "skip", "add all", "back", "edit", "delete", "change"]), st.integers(0, 9)
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.dates(date(2026, 1, 1), TODAY), st.sampled_from([*EVERY])), min_size=1, max_size=3),
    st.lists(acts, max_size=8),
    days,
)
def test_what_is_due_is_what_was_neither_added_nor_skipped(keeper, made, acts, new_day):
    with application.app_context():
        try:
            user = db.session.get(User, keeper)
            play(user, made, acts, date(2026, new_day.month, new_day.day))
        finally:
            db.session.rollback()


def play(user, made, acts, new_day):
    """Do this and that, and compare each time with what the calendar says."""
    kept, done, batches = {}, {}, []
    for first_day, every in made:
        values = {"amount": Decimal(5), "category": "Food", "description": "", "date": first_day}
        expense = Expense(author_id=user.id, id=uuid7(), **values)
        db.session.add(expense)
        db.session.flush()
        for _ in range(2):
            recurring.repeat(user, expense.id, values, every)
        kept[expense.id] = (first_day, every)
        done[expense.id, first_day] = expense.id
    for act, number in acts:
        lines = due(user, TODAY).lines
        if act in {"add", "skip", "add all"} and lines:
            chosen = lines if act == "add all" else [lines[number % len(lines)]]
            amount = None if act == "skip" else Decimal(3)
            batch, _ = recurring.settle(user, [(line, amount) for line in chosen], NOW)
            batches.append((batch, [(line.id, line.day) for line in chosen]))
            rows = db.session.scalars(select(RecurringDay).where(RecurringDay.author_id == user.id))
            done = {(row.recurring_id, row.day): row.expense_id for row in rows}
        elif act in {"edit", "delete"} and batches:
            first = batches[number % len(batches)][1][0]
            mine = Expense.id == done.get(first)
            if act == "edit":
                history.change_expenses(user, mine, {"amount": Decimal(7)}, NOW)
            else:
                history.delete_expenses(user, mine, NOW)
        elif act == "back" and batches:
            batch, keys = batches.pop(number % len(batches))
            there = {
                row.id: row.amount
                for row in db.session.scalars(select(Expense).where(Expense.author_id == user.id))
            }
            undone = [key for key in keys if done[key] is None or there.get(done[key]) == 3]
            restored = recurring.take_back(user, batch, NOW)
            assert restored.number == len(undone)
            for key in undone:
                del done[key]
            if len(undone) == len(keys):
                with pytest.raises(history.HistoryError):
                    recurring.take_back(user, batch, NOW)
        elif act == "change":
            row_id = [*kept][number % len(kept)]
            every = [*EVERY][number % len(EVERY)]
            row = db.session.get(RecurringExpense, (user.id, row_id))
            recurring.change(user, row, {"date": new_day, "every": every})
            kept[row_id] = (new_day, every)
        expected = sorted(
            (day, row_id)
            for row_id, (first_day, every) in kept.items()
            for day in (first_day + timedelta(days=n) for n in range((TODAY - first_day).days + 1))
            if is_due(first_day, every, day) and (row_id, day) not in done
        )
        found = due(user, TODAY)
        assert [(line.day, line.id) for line in found.lines] == expected[:SHOWN]
        assert found.more == (len(expected) > SHOWN)
        count = select(Expense.id).where(Expense.author_id == user.id)
        ids = set(db.session.scalars(count))
        added = [expense_id for expense_id in done.values() if expense_id]
        assert len(added) == len(set(added))
        assert ids <= set(added)
