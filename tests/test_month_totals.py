"""Totals that the database keeps for each month and category."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from database import db
from database.month_totals import has_month_totals, month_total
from ledger import spending
from ledger.periods import Period
from ledger.spending import ExpenseFilter
from models import Expense, User
from tests.browsing import kept_months, summed_months

DAYS = [date(2026, 1, 31), date(2026, 2, 14), date(2026, 2, 15), date(2026, 2, 28), date(2026, 3, 14)]


@pytest.fixture
def spender(ana):
    """The account of somebody who spent something on each of the DAYS."""
    with ana.app.app_context():
        user = ana.user()
        db.session.add_all(expense_of(user, day) for day in DAYS)
        db.session.commit()
        if not has_month_totals(db.engine):
            pytest.skip("this database keeps no totals")
        yield user


def expense_of(user, day):
    return Expense(author_id=user.id, amount=Decimal("1.25"), category="Food", date=day)


def rows_kept():
    return db.session.scalar(select(func.count()).select_from(month_total))


@pytest.mark.parametrize("first_day", [1, 2, 15, 28])
def test_a_month_that_begins_on_any_day_is_summed_from_the_totals(spender, first_day):
    spender.first_day_of_month = first_day
    db.session.commit()

    assert kept_months() == summed_months()
    for month in {Period.month(day, first_day) for day in DAYS}:
        within = [day for day in DAYS if month.begin <= day <= month.end]
        summary = spending.summarise(spender, ExpenseFilter(period=month))
        assert (summary.count, summary.total) == (len(within), Decimal("1.25") * len(within))


def test_expenses_that_are_added_changed_and_deleted_later_count_by_the_new_months(spender):
    spender.first_day_of_month = 15
    db.session.commit()

    db.session.add(expense_of(spender, date(2026, 3, 15)))
    first, second = db.session.scalars(select(Expense).order_by(Expense.date).limit(2))
    first.date, first.category = date(2026, 2, 15), "Travel"
    db.session.delete(second)
    db.session.commit()

    assert kept_months() == summed_months()


def test_deleting_an_account_leaves_no_totals(spender):
    db.session.execute(delete(User).where(User.id == spender.id))
    db.session.commit()

    assert rows_kept() == 0


def test_many_single_expenses_leave_few_rows(spender):
    for _ in range(40):
        db.session.add(expense_of(spender, DAYS[0]))
        db.session.commit()

    assert kept_months() == summed_months()
    assert rows_kept() < 20


def test_deleted_expenses_leave_no_category_in_the_breakdown(spender):
    db.session.execute(delete(Expense).where(Expense.author_id == spender.id))
    db.session.commit()

    assert spending.summarise(spender, ExpenseFilter()).breakdown == ()


def test_two_transactions_that_add_to_the_same_month_do_not_wait_for_each_other(spender):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    user_id = spender.id
    db.session.rollback()
    with Session(db.engine) as one, Session(db.engine) as other:
        for session in (one, other):
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            session.add_all(Expense(author_id=user_id, amount=1, category="Food", date=DAYS[0]) for _ in range(12))
            session.flush()
        other.commit()
        one.commit()

    assert kept_months() == summed_months()
