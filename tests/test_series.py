"""Series of recurring expenses: their end, deleting them, adding early, skipping all, and what they cost."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

import clock
from database import db
from ledger import recurring
from ledger.periods import day_in
from ledger.schedule import due_days, last_day
from models import Expense, Occurrence, RecurringExpense
from tests.browsing import REDIRECTS, form_values, operations_shown, press, read


def today():
    return day_in("UTC", clock.now())


def months_ago(count, day=1):
    """A day of a month before this one."""
    months = today().year * 12 + today().month - 1 - count
    return date(months // 12, months % 12 + 1, day)


@pytest.fixture
def rent(ana):
    """Ana, whose rent repeats every month since two months ago, with two more days due."""
    ana.add("500", "Housing", description="Rent", date=str(months_ago(2)), frequency="month")
    return ana


def series(visitor):
    with visitor.app.app_context():
        return db.session.scalars(select(RecurringExpense).order_by(RecurringExpense.id)).all()


def contents(visitor):
    """Every row of the series and their occurrences, and every expense."""
    with visitor.app.app_context():
        tables = (RecurringExpense.__table__, Occurrence.__table__, Expense.__table__)
        return [sorted(map(tuple, db.session.execute(select(table))), key=str) for table in tables]


def url(visitor, action):
    return f"/recurring/{series(visitor)[0].id}/{action}"


def due(visitor):
    forms = visitor.page("/expenses").all("form", class_="due")
    return [line.one("time")["datetime"] for line in forms[0].all("li")] if forms else []


def edit(visitor, **typed):
    return visitor.fill(url(visitor, "edit"), **typed)


def form_to(visitor, action):
    """The form on the page of recurring expenses that is sent to this URL."""
    return next(form for form in visitor.page("/recurring").one("main").all("form") if form["action"] == action)


# --- The end


def test_nothing_is_due_after_the_end_date(rent):
    assert due(rent) == [str(months_ago(1)), str(months_ago(0))]

    assert edit(rent, end_date=str(months_ago(1))).status_code in REDIRECTS

    assert due(rent) == [str(months_ago(1))]
    form = rent.page("/expenses").one("form", class_="due")
    rent.client.post(form["action"], data=form_values(form) | {"all": "y"})
    assert due(rent) == []
    page = rent.page("/recurring")
    assert "ended on" in page.text
    assert "About $0.00 a month in total." in page.text
    assert edit(rent, end_date="").status_code in REDIRECTS
    assert due(rent) == [str(months_ago(0))]


def test_a_number_of_times_sets_the_end_date_and_is_undone(rent):
    before = contents(rent)

    assert edit(rent, occurrences="2").status_code in REDIRECTS

    assert series(rent)[0].end_date == months_ago(1)
    assert form_values(rent.page(url(rent, "edit")).one("main").all("form")[0])["end_date"] == str(months_ago(1))
    assert "end date" in operations_shown(rent)[0].text
    press(rent, operations_shown(rent)[0].one("form"))
    assert contents(rent) == before


@given(st.dates(date(2000, 1, 1), date(2030, 12, 31)), st.sampled_from(recurring.FREQUENCIES), st.integers(1, 60))
def test_the_last_of_so_many_times_is_found(start_date, frequency, number):
    days = list(due_days(start_date, frequency, start_date, last_day(start_date, frequency, number)))

    assert len(days) == number


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"end_date": "1999-01-01"}, "end_date", "before the first day"),
        ({"occurrences": "0"}, "occurrences", "from 1 to 999"),
        ({"occurrences": "x"}, "occurrences", "from 1 to 999"),
        ({"occurrences": "١"}, "occurrences", "from 1 to 999"),
        ({"occurrences": "3", "end_date": "2099-01-01"}, "occurrences", "not both"),
        ({"occurrences": "999", "frequency": "year"}, "occurrences", "end after 2100"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused_beside_it(rent, typed, field, message):
    before = contents(rent)

    response = edit(rent, **typed)

    assert response.status_code == 422
    assert message in read(response).one(id=f"{field}-error").text
    assert contents(rent) == before


# --- Deleting


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_series_is_deleted_with_its_occurrences_and_restored_from_history(rent, steps):
    form = rent.page("/expenses").one("form", class_="due")
    rent.client.post(form["action"], data=form_values(form) | {"all": "y"})
    before = contents(rent)

    rent.post(url(rent, "delete"))

    after = contents(rent)
    assert (after[0], after[1], after[2]) == ([], [], before[2])
    assert "Deleted the recurring expense Rent." in rent.message("/recurring").text
    for _step in range(steps):
        press(rent, operations_shown(rent)[0].one("form"))
    assert contents(rent) == (before if steps == 1 else after)


def test_an_expense_that_repeats_again_belongs_to_one_series_after_the_first_one_returns(rent):
    form = rent.page("/expenses").one("form", class_="due")
    rent.client.post(form["action"], data=form_values(form) | {"all": "y"})
    rent.post(url(rent, "delete"))
    deletion = rent.message("/recurring").one("form")
    newest = rent.expenses()[0].id
    rent.fill(f"/expenses/{newest}/edit", frequency="week")

    press(rent, deletion)

    with rent.app.app_context():
        used = [expense_id for expense_id in db.session.scalars(select(Occurrence.expense_id)) if expense_id]
        assert len(used) == len(set(used)) == 3
    assert len(series(rent)) == 2


def test_another_users_series_do_not_exist(rent, bob):
    before = contents(rent)

    for action in ("delete", "add", "stop", "edit"):
        assert bob.post(url(rent, action), {"day": str(months_ago(1))}).status_code == 404
    bob.post("/recurring/due/skip")

    assert contents(rent) == before


# --- Adding early, and skipping all


def test_the_next_occurrence_is_added_early_once_dated_today_and_undone(ana):
    first = today() - timedelta(days=3)
    ana.add("20", "Health", description="Gym", date=str(first), frequency="two-weeks")
    before = contents(ana)
    form = form_to(ana, url(ana, "add"))

    for _press in range(2):
        assert press(ana, form).location == "/recurring"

    assert [(expense.date, expense.amount) for expense in ana.expenses()] == [(today(), 20), (first, 20)]
    assert series(ana)[0].next_date == first + timedelta(days=28)
    assert "instead of" in ana.page("/recurring").all("div", class_="message")[0].text
    press(ana, operations_shown(ana)[0].one("form"))
    assert contents(ana) == before


def test_an_occurrence_that_is_due_already_is_added_on_its_own_day(rent):
    press(rent, form_to(rent, url(rent, "add")))

    assert [expense.date for expense in rent.expenses()] == [months_ago(1), months_ago(2)]


def test_everything_due_is_skipped_after_a_long_absence_and_undone(ana):
    ana.add("5", "Food", description="Paper", date="2001-01-01", frequency="week")
    ana.add("7", "Food", description="Milk", date="2020-01-31", frequency="month")
    before = contents(ana)
    expected = [
        sum(1 for _day in due_days(date(2001, 1, 1), "week", date(2001, 1, 2), today())),
        sum(1 for _day in due_days(date(2020, 1, 31), "month", date(2020, 2, 1), today())),
    ]
    page = ana.page("/recurring")
    assert f"{sum(expected)} expenses are due." in page.text

    press(ana, form_to(ana, "/recurring/due/skip"))

    assert due(ana) == []
    assert all(row.next_date > today() for row in series(ana))
    assert series(ana)[1].next_date == next(due_days(date(2020, 1, 31), "month", today() + timedelta(days=1)))
    assert len(contents(ana)[1]) == 4
    shown = operations_shown(ana)[0]
    assert "Skipped everything that was due" in shown.text
    # A change of the schedule makes nothing due again.
    press(ana, shown.one("form"))
    assert contents(ana) == before
    press(ana, operations_shown(ana)[0].one("form"))
    assert due(ana) == []


def test_days_that_were_skipped_together_are_not_due_after_the_schedule_changes(rent):
    press(rent, form_to(rent, "/recurring/due/skip"))

    edit(rent, date=str(months_ago(2, 2)))

    assert [day for day in due(rent) if day <= str(months_ago(0))] == []


def test_days_of_a_former_schedule_do_not_count_as_due(rent):
    edit(rent, date=str(months_ago(1, 5)), frequency="week")
    form = rent.page("/expenses").one("form", class_="due")
    rent.client.post(form["action"], data=form_values(form) | {"add": form.all("button", name="add")[0]["value"]})

    # The days of the first schedule are due again, and the one that was added is not among them.
    change = next(operation for operation in operations_shown(rent) if "Changed" in operation.one("h2").text)
    press(rent, change.one("form"))

    assert due(rent) == [str(months_ago(1)), str(months_ago(0))]
    assert "2 expenses are due." in rent.page("/recurring").text


# --- The outlook


def test_the_page_says_what_all_series_cost_per_month_and_what_comes_next(ana):
    soon = today() + timedelta(days=2)
    for amount, frequency in (("12", "week"), ("300", "quarter"), ("120", "year"), ("50", "month")):
        ana.add(amount, "Food", description=frequency, date=str(soon), frequency=frequency)
    ana.add("1000", "Food", description="stopped", date=str(soon), frequency="month")
    ana.post(f"/recurring/{series(ana)[-1].id}/stop")

    page = ana.page("/recurring")

    assert "About $212.00 a month in total." in page.text
    assert "Next: week, $12.00, on" in page.text


def test_a_refund_that_repeats_counts_below_zero(ana):
    with ana.app.app_context():
        rows = [
            RecurringExpense(amount=Decimal(amount), frequency="month", stopped=False, next_date=today())
            for amount in (100, -30)
        ]
        assert recurring.outlook(rows, today()).per_month == 70


# --- What goes on after a deletion, and what uses a category


def test_deleting_an_expense_says_that_its_series_continues_and_offers_to_edit_it(rent):
    rent.post(f"/expenses/{rent.expenses()[0].id}/delete")

    message = rent.message()
    assert message.text.startswith("Expense deleted. Rent still repeats: Every month.")
    assert message.one("a")["href"] == url(rent, "edit")


@pytest.mark.parametrize("ended", ["stop", "delete", "never"])
def test_a_deletion_is_silent_about_a_series_that_does_not_continue(rent, ended):
    if ended != "never":
        rent.post(url(rent, ended))
    rent.add("3", "Food")
    rent.get("/expenses")
    expense = next(row for row in rent.expenses() if (row.category == "Food") == (ended == "never"))

    rent.post(f"/expenses/{expense.id}/delete")

    assert "still repeats" not in rent.message().text


def test_deleting_many_expenses_says_which_series_continue(rent):
    rent.add("5", "Food", description="Paper", frequency="week")

    rent.post("/expenses/bulk", {"all_matching": "y", "action": "delete"})

    message = rent.message()
    assert "2 recurring expenses continue." in message.text
    assert message.one("a")["href"] == "/recurring"


def test_a_category_that_only_a_stopped_series_uses_says_so_and_what_to_do(rent):
    rent.post(f"/expenses/{rent.expenses()[0].id}/delete")
    rent.post(url(rent, "stop"))
    categories = rent.page("/categories").one("table", class_="categories")
    page_url = next(link["href"] for link in categories.all("a") if link.text == "Edit Housing")

    page = rent.page(page_url)

    assert "Housing has 1 recurring expense." in page.text
    assert "Rent Every month, stopped" in page.text
    assert "first delete its recurring expenses" in page.text
    assert not [form for form in page.all("form") if form["action"].endswith("/delete")]
    link = next(link for link in page.one("main").all("a") if link.text == "Rent")
    rent.post(link["href"].replace("/edit", "/delete"))
    rent.post(page_url.replace("/edit", "/delete"))
    assert "Housing" not in rent.page("/categories").one("table", class_="categories").text
