"""Every question about expenses, against an oracle in plain Python."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from uuid_utils.compat import uuid7

from database import db
from ledger.spending import (
    CATEGORIES,
    PAGE_SIZE,
    ExpenseFilter,
    Summary,
    add_once,
    read_page,
    summarise,
)
from models import Expense, User

expenses = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.decimals("-99999.999", "999999999.999", places=3).filter(bool),
            "category": st.sampled_from(CATEGORIES[:3]),
            "description": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10),
            "date": st.dates(date(2026, 1, 1), date(2026, 1, 9)),
            "owner": st.integers(0, 1),
        }
    ),
    max_size=30,
)
filters = st.builds(ExpenseFilter, category=st.none() | st.sampled_from(CATEGORIES[:4]), nothing=st.booleans())


@pytest.fixture
def people(app):
    """Two users, inside a request's context."""
    with app.app_context():
        people = [User(username=name, email=f"{name}@example.com", password_hash="x") for name in ("ana", "bob")]
        db.session.add_all(people)
        db.session.commit()
        yield people


def all_pages(user, wanted):
    """Every row, page by page, the way somebody reads who presses Older."""
    rows, place = [], None
    while True:
        page = read_page(user, wanted, after=place)
        rows += page.rows
        place = page.older
        if place is None:
            return rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expenses, filters)
def test_rows_count_and_total_are_those_of_an_oracle(people, made, wanted):
    db.session.execute(delete(Expense))
    for values in made:
        owner = people[values["owner"]]
        row = {name: value for name, value in values.items() if name != "owner"}
        db.session.execute(insert(Expense).values(author_id=owner.id, **row))
    db.session.commit()
    mine = [
        values
        for values in made
        if values["owner"] == 0 and not wanted.nothing and wanted.category in {None, values["category"]}
    ]
    # A sort keeps the order of equals: within a day, the last made comes first.
    mine.reverse()
    mine.sort(key=lambda values: values["date"], reverse=True)

    rows = all_pages(people[0], wanted)

    assert [(row.date, row.category, row.description, row.amount) for row in rows] == [
        (values["date"], values["category"], values["description"], values["amount"]) for values in mine
    ]
    assert summarise(people[0], wanted) == Summary(len(mine), sum((each["amount"] for each in mine), Decimal(0)))


def make(user, count, first=date(2026, 1, 1)):
    rows = [
        {
            "author_id": user.id,
            "amount": 1,
            "category": "Food",
            "description": str(n),
            "date": first + timedelta(n // 7),
        }
        for n in range(count)
    ]
    if rows:
        db.session.execute(insert(Expense), rows)
        db.session.commit()


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE, 3 * PAGE_SIZE + 7])
def test_reading_forward_and_back_visits_every_row_once(people, count):
    make(people[0], count)
    wanted = ExpenseFilter()

    forward = all_pages(people[0], wanted)

    assert [row.description for row in forward] == [str(n) for n in reversed(range(count))]
    page = read_page(people[0], wanted)
    while page.older:
        page = read_page(people[0], wanted, after=page.older)
    backward = list(page.rows)
    while page.newer:
        page = read_page(people[0], wanted, before=page.newer)
        backward = page.rows + backward
    assert backward == forward


def test_rows_added_or_removed_while_reading_neither_repeat_nor_hide_another(people):
    make(people[0], PAGE_SIZE + 20)
    first = read_page(people[0], ExpenseFilter())
    make(people[0], 3, first=date(2027, 1, 1))
    db.session.execute(delete(Expense).where(Expense.id == first.rows[-1].id))
    db.session.commit()

    second = read_page(people[0], ExpenseFilter(), after=first.older)

    assert [row.description for row in second.rows] == [str(n) for n in reversed(range(20))]


def test_a_form_sent_twice_adds_one_expense(people):
    def sent(**changed):
        values = {"amount": Decimal("12.50"), "category": "Food", "description": "", "date": date(2026, 1, 1)}
        return Expense(author_id=author_id, id=identity, **(values | changed))

    author_id, identity = people[0].id, uuid7()
    assert add_once(sent())
    db.session.commit()
    db.session.expunge_all()  # The second time comes in another session.

    assert add_once(sent())
    db.session.expunge_all()
    assert not add_once(sent(amount=Decimal("12.51")))
    author = db.session.get(User, author_id)
    assert summarise(author, ExpenseFilter()) == Summary(1, Decimal("12.50"))


def test_a_filter_says_in_words_what_it_wants():
    assert ExpenseFilter().describe() == "All categories"
    assert ExpenseFilter(category="Food").describe() == "Food"
    assert ExpenseFilter(nothing=True).describe() == "Nothing"
