"""The different descriptions of each user, which the database keeps for the search."""

import threading
from datetime import date

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import db
from database.used_descriptions import forget_unused, has_used_descriptions, used_description
from ledger import spending
from ledger.spending import ExpenseFilter
from models import Expense, User, description_key
from tests.browsing import unknown_descriptions

postgresql_only = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="SQLite has one writer at a time"
)


@pytest.fixture
def spender(ana):
    """The account of somebody who bought tea and cake."""
    with ana.app.app_context():
        if not has_used_descriptions(db.engine):
            pytest.skip("this database keeps no descriptions")
        user = ana.user()
        db.session.add_all([expense_of(user, "Tea"), expense_of(user, "Tea"), expense_of(user, "Cake")])
        db.session.commit()
        yield user


def expense_of(user, description):
    return Expense(author_id=user.id, amount=1, category="Food", description=description, date=date(2026, 1, 1))


def kept():
    return sorted(db.session.scalars(select(used_description.c.description_key)))


def found(user, search):
    return spending.summarise(user, ExpenseFilter(search=search)).count


def test_each_description_is_kept_once(spender):
    assert kept() == ["cake", "tea"]


def test_an_expense_is_found_by_its_new_description_and_no_longer_by_the_old_one(spender):
    cake = Expense.description_key == "cake"
    new = {"description": "Biscuit", "description_key": description_key("Biscuit")}
    db.session.execute(update(Expense).where(cake).values(new))
    db.session.commit()

    assert (found(spender, "biscuit"), found(spender, "cake")) == (1, 0)


def test_purge_forgets_descriptions_that_no_expense_has(spender, run):
    db.session.execute(delete(Expense).where(Expense.description_key == "tea"))
    db.session.commit()
    assert found(spender, "tea") == 0

    assert run("purge")[0] == 0

    assert kept() == ["cake"]
    db.session.add(expense_of(spender, "Tea"))
    db.session.commit()
    assert (found(spender, "tea"), found(spender, "cake")) == (1, 1)


def test_purge_keeps_the_descriptions_of_others(spender, bob, run):
    db.session.add(expense_of(bob.user(), "Rice"))
    db.session.commit()

    run("purge")

    assert kept() == ["cake", "rice", "tea"]
    assert unknown_descriptions() == []


def test_deleting_an_account_leaves_no_descriptions(spender):
    db.session.execute(delete(User).where(User.id == spender.id))
    db.session.commit()

    assert kept() == []


@postgresql_only
def test_two_transactions_that_add_the_same_description_do_not_wait_for_each_other(spender):
    db.session.rollback()
    with Session(db.engine) as one, Session(db.engine) as other:
        for session in (one, other):
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            session.add(expense_of(spender, "Rice"))
            session.flush()
        other.commit()
        one.rollback()

    assert found(spender, "rice") == 1
    assert unknown_descriptions() == []


@postgresql_only
def test_a_description_that_is_being_used_again_is_not_forgotten(spender):
    db.session.execute(delete(Expense).where(Expense.description_key == "cake"))
    db.session.commit()
    with Session(db.engine) as one, Session(db.engine) as other:
        one.add(expense_of(spender, "Cake"))
        one.flush()
        other.connection().exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            forget_unused(other.connection(), spender.id)
        one.commit()

    forget_unused(db.session.connection(), spender.id)
    db.session.commit()
    assert found(spender, "cake") == 1


@postgresql_only
def test_a_description_that_is_being_forgotten_is_added_again(spender):
    db.session.execute(delete(Expense).where(Expense.description_key == "cake"))
    db.session.commit()

    def buy_cake():
        with Session(engine) as other:
            other.add(expense_of(spender, "Cake"))
            other.commit()

    engine, buying = db.engine, threading.Thread(target=buy_cake)
    forget_unused(db.session.connection(), spender.id)
    buying.start()
    buying.join(0.2)
    assert buying.is_alive()
    db.session.commit()
    buying.join()

    assert found(spender, "cake") == 1
