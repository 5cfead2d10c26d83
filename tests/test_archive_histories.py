"""Exports of random accounts: whatever was done in an account, a restored export gives the same export again."""

import io
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from uuid_utils.compat import uuid7

import clock
from database import Money, db
from languages import LANGUAGES
from ledger import budgets, categories, operations, recurring, undo
from ledger.archives import restoring
from ledger.archives.reading import Limits, open_archive
from ledger.budgets import MonthlyBudget
from ledger.categories import get_categories
from ledger.errors import LedgerError
from ledger.locales import LOCALES
from ledger.money import currencies, currency_digits
from ledger.periods import Period, time_zones
from ledger.spending import ExpenseValues
from models import Expense, Operation, RecurringExpense, User
from tests.archives import data_of, written
from text import clean_text, has_control_characters

LIMITS = Limits.of(2**24)
NAMES = count()
number = st.integers(0, 20)
days = st.dates(date(1900, 1, 1), date(2100, 12, 31))
awkward = st.text("'=+-@;|,\"\\ \n\t\u200d\U0001f3f4éאłx", max_size=12)
texts = (st.text(max_size=40) | awkward).map(clean_text).filter(lambda text: not has_control_characters(text))
names = texts.map(lambda text: " ".join(text.split())[:64].strip()).filter(clean_text)
units = st.integers(1, Money.MAX_UNITS // 1000)
actions = st.lists(
    st.tuples(st.just("add"), units, texts, days, st.booleans(), number)
    | st.tuples(st.just("edit"), number, units, texts, days)
    | st.tuples(st.sampled_from(["delete", "undo", "archive", "merge"]), number)
    | st.tuples(st.just("bulk_edit"), number)
    | st.tuples(st.just("category"), names)
    | st.tuples(st.just("rename"), number, names)
    | st.tuples(st.just("budget"), number, units, st.booleans(), days)
    | st.tuples(st.just("repeat"), number, st.sampled_from(RecurringExpense.FREQUENCIES))
    | st.tuples(st.just("skip")),
    max_size=15,
)
preferences = st.fixed_dictionaries(
    {
        "language": st.sampled_from(["", *LANGUAGES]),
        "currency": st.sampled_from(sorted(currencies())),
        "time_zone": st.sampled_from(list(time_zones())),
        "locale": st.sampled_from(["", *LOCALES]),
        "first_day_of_month": st.integers(1, User.FIRST_DAY_MAX),
        "named_after_end": st.booleans(),
    }
)


def new_user(**columns):
    name = f"user{next(NAMES)}"
    user = User(username=name, email=f"{name}@example.com", password_hash="x", **columns)
    db.session.add(user)
    db.session.commit()
    return user


class Account:
    """A user, and the possible actions in their account; refused ones change nothing."""

    def __init__(self, user):
        self.user = user
        self.unit = Decimal(10) ** -currency_digits(user.currency)

    def pick(self, column, place):
        """One of the user's rows, by its place."""
        owner = column.class_.author_id == self.user.id
        found = db.session.scalars(select(column).where(owner).order_by(column)).all()
        return found[place % len(found)] if found else None

    def category(self, place):
        known = get_categories(self.user)
        return known[place % len(known)]

    def do(self, name, *arguments):
        try:
            with suppress(LedgerError):
                getattr(self, name)(*arguments)
                db.session.commit()
        finally:
            db.session.rollback()

    def add(self, units, description, day, refund, place):
        amount = units * self.unit * (-1 if refund else 1)
        values = ExpenseValues(amount, self.category(place).name, description, day)
        with operations.record(self.user, "add", clock.now()) as operation:
            operations.add_expense(operation, uuid7(), values)

    def edit(self, place, units, description, day):
        values = {"amount": units * self.unit, "description": description, "date": day}
        with operations.record(self.user, "edit", clock.now()) as operation:
            operations.change_expenses(operation, Expense.id == self.pick(Expense.id, place), values)

    def delete(self, place):
        with operations.record(self.user, "delete", clock.now()) as operation:
            operations.delete_expenses(operation, Expense.id == self.pick(Expense.id, place))

    def bulk_edit(self, place):
        category = self.category(place)
        with operations.record(self.user, "bulk_edit", clock.now()) as operation:
            operations.change_expenses(operation, Expense.amount > 0, {"category": category.name})

    def category_(self, name):
        categories.create(self.user, uuid7(), name, clock.now())

    def rename(self, place, name):
        categories.edit(self.user, self.category(place).id, clock.now(), {"name": name})

    def archive(self, place):
        categories.edit(self.user, self.category(place).id, clock.now(), {"archived": True, "after": None})

    def merge(self, place):
        categories.merge(self.user, self.category(place).id, self.category(place + 1).id, clock.now())

    def budget(self, place, units, rollover, day):
        category_id = None if place == 0 else self.category(place).id
        budget = MonthlyBudget(units * self.unit, rollover)
        budgets.save(self.user, {category_id: budget}, Period.month(day), clock.now())

    def repeat(self, place, frequency):
        expense_id = self.pick(Expense.id, place)
        if expense_id is not None:
            with operations.record(self.user, "edit", clock.now()) as operation:
                recurring.repeat(self.user, operation, expense_id, frequency)

    def skip(self):
        recurring.skip_all_due(self.user, clock.now().date() + timedelta(days=40), clock.now())

    def undo(self, place):
        operation_id = self.pick(Operation.id, place)
        if operation_id is not None:
            undo.undo(self.user, operation_id, clock.now())


@pytest.mark.slow
@given(done=actions, chosen=preferences)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_export_of_what_was_restored_is_the_export_itself(app, done, chosen):
    with app.app_context():
        user, other = new_user(**chosen), new_user()
        account = Account(user)
        for name, *arguments in done:
            account.do("category_" if name == "category" else name, *arguments)
        now = clock.now()
        exported = written(user.id, now)

        with open_archive(io.BytesIO(exported), other.id, now, LIMITS) as archive:
            restoring.restore(other, archive, now)

        assert data_of(written(other.id, now)) == data_of(exported)
        assert data_of(written(user.id, now)) == data_of(exported)
