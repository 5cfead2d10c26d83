"""Queries of expenses, against an oracle in plain Python."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, true
from uuid_utils.compat import uuid7

from database import db
from ledger import descriptions, spending
from ledger.descriptions import suggest_category
from ledger.operations import ExpenseIdUsedError, add_expense, delete_expenses, is_empty, record
from ledger.periods import Period
from ledger.spending import (
    ORDERS,
    PAGE_SIZE,
    ExpenseFilter,
    ExpenseValues,
    Page,
    read_page,
    suggested_descriptions,
    summarise,
)
from models import DEFAULT_CATEGORIES, Expense, User
from text import search_key

# Two whole months, and a few days before and after them.
dates = st.sampled_from([date(2025, 12, 30) + timedelta(n) for n in (0, 1, 2, 3, 17, 32, 33, 34, 60, 61, 62, 63)])
expenses = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.decimals("-999.99", "9999.99", places=2).filter(bool)
            | st.sampled_from([1, 2]).map(Decimal),
            "category": st.sampled_from(DEFAULT_CATEGORIES[:3]),
            "description": st.text("aéETt %_\\/がか字🎉ßsS'", max_size=8),
            "date": dates,
            "owner": st.integers(0, 1),
        }
    ),
    max_size=30,
)
days = st.none() | dates
amounts = st.none() | st.decimals("-500", "5000", places=2)
# Several words, what databases take for a pattern, and what is empty once it is folded.
SEARCHES = [
    *("", "", "a", "TÉ", "e\u0301", "Ｅ", "ß", "ø", "が", "か", "字", "🎉", "e t", "t a s", "t-a"),
    *("%", "_", "\\", "/", "%_", "-", "'", "\u0301"),
]
filters = st.builds(
    ExpenseFilter,
    categories=st.lists(st.sampled_from(DEFAULT_CATEGORIES[:4]), max_size=3, unique=True).map(tuple),
    period=st.builds(Period, days, days),
    search=st.sampled_from(SEARCHES),
    min_amount=amounts,
    max_amount=amounts,
    sort=st.sampled_from(list(ORDERS)),
    is_invalid=st.sampled_from([False, False, False, True]),
)


def wants(wanted, values):
    """The oracle: whether an expense is wanted, in plain Python."""
    period = wanted.period
    return (
        not wanted.is_invalid
        and (not wanted.categories or values["category"] in wanted.categories)
        and (period.start_date is None or period.start_date <= values["date"])
        and (period.end_date is None or values["date"] <= period.end_date)
        and all(word in search_key(values["description"]) for word in search_key(wanted.search).split())
        and (wanted.min_amount is None or wanted.min_amount <= values["amount"])
        and (wanted.max_amount is None or values["amount"] <= wanted.max_amount)
    )


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
        place = page.after
        if place is None:
            return rows


@pytest.fixture(params=["the descriptions of each user are kept", "all expenses are searched"])
def searched(request, monkeypatch):
    """A search as in this database, and as in one that keeps no descriptions."""
    built = (spending._expenses_query, spending._summary_query, spending._page_query)
    if request.param.startswith("all"):
        monkeypatch.setattr(descriptions, "has_used_descriptions", lambda _engine: False)
    for statement in built:
        statement.cache_clear()
    yield
    for statement in built:
        statement.cache_clear()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("searched")
@given(expenses, filters)
def test_rows_count_and_total_are_those_of_an_oracle(people, made, wanted):
    db.session.execute(delete(Expense))
    for values in made:
        owner = people[values["owner"]]
        row = {name: value for name, value in values.items() if name != "owner"}
        db.session.add(Expense(author_id=owner.id, **row))
        db.session.flush()
    db.session.commit()
    mine = [values for values in made if values["owner"] == 0 and wants(wanted, values)]
    # A sort keeps the order of equals: within a day, the last made comes first.
    column, descending = wanted.sort.strip("-"), wanted.sort.startswith("-")
    mine = mine[::-1] if descending else mine
    mine.sort(key=lambda values: values[column], reverse=descending)

    rows = all_pages(people[0], wanted)
    summary = summarise(people[0], wanted)

    assert [(row.date, row.category, row.description, row.amount) for row in rows] == [
        (values["date"], values["category"], values["description"], values["amount"]) for values in mine
    ]
    total = sum((expense["amount"] for expense in mine), Decimal(0))
    assert (summary.count, summary.total) == (len(mine), total)
    assert sum(part.count for part in summary.breakdown) == len(mine)
    assert sum((part.total for part in summary.breakdown), Decimal(0)) == total
    for part in summary.breakdown:
        chosen = [expense["amount"] for expense in mine if expense["category"] == part.category]
        assert (part.count, part.total) == (len(chosen), sum(chosen))


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
    while page.after:
        page = read_page(people[0], wanted, after=page.after)
    backward = list(page.rows)
    while page.before:
        page = read_page(people[0], wanted, before=page.before)
        backward = page.rows + backward
    assert backward == forward


def test_rows_added_or_removed_while_reading_neither_repeat_nor_hide_another(people):
    make(people[0], PAGE_SIZE + 20)
    first = read_page(people[0], ExpenseFilter())
    make(people[0], 3, first=date(2027, 1, 1))
    db.session.execute(delete(Expense).where(Expense.id == UUID(first.rows[-1].id)))
    db.session.commit()

    second = read_page(people[0], ExpenseFilter(), after=first.after)

    assert [row.description for row in second.rows] == [str(n) for n in reversed(range(20))]


def test_a_form_sent_twice_adds_one_expense(people):
    first, identity = ExpenseValues(Decimal("12.50"), "Food", "", date(2026, 1, 1)), uuid7()

    def send(values=first):
        # Every time in another session.
        db.session.expunge_all()
        author = db.session.get(User, author_id)
        with record(author, "add", datetime.now(UTC)) as operation:
            add_expense(operation, identity, values)
        db.session.commit()
        return operation

    author_id = people[0].id
    assert send().count == 1
    assert is_empty(send())
    with pytest.raises(ExpenseIdUsedError):
        send(first._replace(amount=Decimal("12.51")))
    author = db.session.get(User, author_id)
    summary = summarise(author, ExpenseFilter())
    assert (summary.count, summary.total) == (1, Decimal("12.50"))
    with record(author, "delete", datetime.now(UTC)) as operation:
        delete_expenses(operation, true())
    db.session.commit()
    with pytest.raises(ExpenseIdUsedError):
        send()
    assert summarise(db.session.get(User, author_id), ExpenseFilter()).count == 0


@pytest.mark.parametrize("order", list(ORDERS))
def test_equal_amounts_and_days_are_neither_skipped_nor_repeated(people, order):
    make(people[0], 2 * PAGE_SIZE + 3)
    wanted = ExpenseFilter(sort=order)

    rows = all_pages(people[0], wanted)

    assert len({row.id for row in rows}) == len(rows) == 2 * PAGE_SIZE + 3


@pytest.mark.parametrize(
    ("description", "asked", "usual"),
    [("Café Noir", "cafe noir", "Food"), ("茶", "茶", "Food"), ("Tea", "Teas", None), ("", "", None)],
)
def test_the_usual_category_is_the_last_one_of_the_same_description(people, description, asked, usual):
    for category, day, owner in (("Travel", 1, 0), ("Food", 3, 0), ("Health", 2, 0), ("Other", 9, 1)):
        values = {"category": category, "date": date(2026, 1, day), "description": description, "amount": 1}
        db.session.add(Expense(author_id=people[owner].id, **values))
    db.session.commit()

    assert suggest_category(people[0], asked) == usual


def test_descriptions_used_lately_are_ones_own_each_once_the_latest_first(people):
    for day, description in enumerate(["Tea", "Cake", "", "Tea", "Bus"], start=1):
        values = {"category": "Food", "date": date(2026, 1, day), "description": description, "amount": 1}
        db.session.add(Expense(author_id=people[0].id, **values))
    db.session.add(
        Expense(author_id=people[1].id, category="Food", date=date(2026, 1, 1), description="Bob's", amount=1)
    )
    db.session.commit()

    assert suggested_descriptions(people[0], Page([], None, None)) == ["Bus", "Tea", "Cake"]


def test_descriptions_on_the_page_are_suggested_before_those_used_lately(people):
    for day, description in [(date(2026, 1, 1), "Flight"), (date(2026, 3, 2), "Tea"), (date(2026, 3, 3), "Bus")]:
        values = {"category": "Food", "date": day, "description": description, "amount": 1}
        db.session.add(Expense(author_id=people[0].id, **values))
    db.session.commit()
    january, everything = ExpenseFilter(period=Period.month(date(2026, 1, 1))), ExpenseFilter()

    suggested = [
        suggested_descriptions(people[0], read_page(people[0], filters), is_whole=filters == everything)
        for filters in (january, everything)
    ]

    assert suggested == [["Flight", "Bus", "Tea"], ["Bus", "Tea", "Flight"]]
