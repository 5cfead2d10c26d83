"""The tables: what they accept, what they refuse, and who owns what."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from database import Money, UTCDateTime, db
from models import Expense, User
from tests.browsing import REAL_HASH_METHOD


@pytest.fixture
def user(app):
    """Ana, inside an application context."""
    with app.app_context():
        user = User(username="Ana", email=" Ana@Example.COM ", password_hash="x")
        db.session.add(user)
        db.session.commit()
        yield user


def expense(user, **values):
    fields = {"amount": "12.50", "category": "Food", "date": date(2026, 3, 31)} | values
    return Expense(author_id=user.id, **fields)


def test_a_user_has_keys_by_which_names_are_compared(user):
    assert (user.username, user.username_key, user.email) == ("Ana", "ana", "ana@example.com")
    assert (user.currency, user.time_zone) == ("USD", "UTC")
    assert user.created_at.tzinfo is UTC


def test_a_description_keeps_its_key_and_a_very_long_one_fits(user):
    row = expense(user, description="Tée")
    db.session.add(row)
    db.session.add(expense(user, description="\ufdfa" * 200))
    db.session.commit()

    assert row.description_key == "tee"


def test_two_users_cannot_share_a_name_or_an_address(user):
    for values in ({"username": "ANA", "email": "b@example.com"}, {"username": "b", "email": "ANA@example.com"}):
        db.session.add(User(password_hash="x", **values))
        with pytest.raises(IntegrityError):
            db.session.commit()
        db.session.rollback()


def test_a_password_is_kept_as_a_hash_of_the_recommended_strength(monkeypatch):
    monkeypatch.setattr(User, "HASH_METHOD", REAL_HASH_METHOD)
    user = User()

    user.set_password("a quiet river")

    assert user.password_hash.startswith("scrypt:32768:8:3$")
    assert "river" not in user.password_hash
    assert user.check_password("a quiet river")
    assert not user.check_password("a quiet rive")


@pytest.mark.parametrize("amount", [12, "12.5", Decimal("12.500"), 12.5, 0.1, -3, "999999999.999"])
def test_an_amount_is_stored_exactly(user, amount):
    db.session.add(expense(user, amount=amount))
    db.session.commit()

    assert db.session.scalars(select(Expense.amount)).one() == Decimal(str(amount))


@pytest.mark.parametrize("amount", ["0.0001", Decimal("NaN"), Decimal("sNaN"), "Infinity", True, b"1", "x", 1e-9])
def test_an_amount_that_does_not_fit_exactly_is_refused(user, amount):
    db.session.add(expense(user, amount=amount))

    with pytest.raises(StatementError):
        db.session.commit()


@given(st.decimals("-999999999.999", "999999999.999", places=3))
def test_money_is_read_as_it_was_stored(amount):
    dialect = sqlite.dialect()
    stored = Money().process_bind_param(amount, dialect)

    assert isinstance(stored, int)
    assert Money().process_result_value(stored, dialect) == amount


def test_three_times_ten_cents_are_thirty_cents(user):
    db.session.add_all(expense(user, amount="0.10") for _ in range(3))
    db.session.commit()

    assert db.session.scalar(select(func.sum(Expense.amount))) == Decimal("0.30")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": 0}, "ck_expense_amount_not_zero"),
        ({"amount": 10**9}, "ck_expense_amount_within_bounds"),
        ({"amount": -(10**9)}, "ck_expense_amount_within_bounds"),
        ({"category": ""}, "ck_expense_category_length"),
        ({"category": None}, r"NOT NULL constraint failed: expense.category|\"category\" .* not-null"),
        # PostgreSQL refuses a text that is too long by its column's type, before the constraint is asked.
        ({"category": "x" * 65}, "ck_expense_category_length|value too long"),
        ({"description": "x" * 201}, "ck_expense_description_length|value too long"),
        ({"date": None}, r"NOT NULL constraint failed: expense.date|\"date\" .* not-null"),
    ],
)
def test_the_database_repeats_every_rule(user, wrong, said):
    db.session.add(expense(user, **wrong))

    with pytest.raises(DBAPIError, match=said):
        db.session.commit()


def test_an_expense_has_an_owner(user):
    db.session.add(Expense(author_id=user.id + 1, amount=1, category="Food", date=date(2026, 1, 1)))

    with pytest.raises(IntegrityError):
        db.session.commit()


def test_the_newest_expense_comes_first_and_the_last_made_first_within_a_day(user):
    for description, day in (("a", 2), ("b", 3), ("c", 2), ("d", 3)):
        db.session.add(expense(user, description=description, date=date(2026, 3, day)))
        db.session.flush()
    db.session.commit()

    assert [expense.description for expense in user.expenses] == ["d", "b", "c", "a"]
    assert user.expenses[0].author is user


def test_a_timestamp_needs_a_time_zone():
    dialect = sqlite.dialect()

    with pytest.raises(ValueError, match="time zone"):
        UTCDateTime().process_bind_param(datetime(2026, 1, 1), dialect)
    assert UTCDateTime().process_result_value(None, dialect) is None
