"""The date of a new expense: the one that the page shows, which is today's unless the user chooses another."""

from datetime import UTC, date, datetime, timedelta

import pytest

import clock
from tests.browsing import REDIRECTS, form_values, read

EVENING = datetime(2026, 11, 26, 22, 0, tzinfo=UTC)
YESTERDAY, TODAY = "2026-11-26", "2026-11-27"


@pytest.fixture
def evening(app, monkeypatch):
    """The evening before; returns a function that lets the night pass."""
    monkeypatch.setattr(clock, "now", lambda: EVENING)
    return lambda: monkeypatch.setattr(clock, "now", lambda: EVENING + timedelta(hours=10))


def add_form(visitor, address="/expenses"):
    forms = visitor.page(address).one("main").all("form")
    return next(form for form in forms if "amount" in form_values(form))


def send(visitor, form, **typed):
    response = visitor.client.post(
        form["action"], data=form_values(form) | {"amount": "4", "category": "Food"} | typed
    )
    assert response.status_code in REDIRECTS
    return visitor.message(response.location)


@pytest.mark.parametrize("address", ["/expenses", "/expenses/add"])
def test_a_page_left_open_overnight_saves_the_date_that_it_shows_and_says_so(evening, ana, address):
    form = add_form(ana, address)
    evening()

    message = send(ana, form)

    assert [str(expense.date) for expense in ana.expenses()] == [YESTERDAY]
    assert message.one("p").text == "Added $4.00 to Food. It is dated Nov 26, 2026."


def test_after_a_form_from_yesterday_today_is_proposed(evening, ana):
    form = add_form(ana)
    evening()
    response = ana.client.post(form["action"], data=form_values(form) | {"amount": "4", "category": "Food"})

    page = read(ana.client.get(response.location))

    assert page.one(id="date")["value"] == TODAY
    assert page.one("input", name="date_proposed")["value"] == TODAY


def test_a_chosen_date_is_kept_until_another_is_chosen(evening, ana):
    page = ana.page("/expenses")
    for chosen, expected in (("2026-11-01", "2026-11-01"), (None, "2026-11-01"), (YESTERDAY, YESTERDAY)):
        form = page.one("form", class_="add-form")
        values = form_values(form) | {"amount": "4", "category": "Food"} | ({"date": chosen} if chosen else {})

        page = read(ana.client.get(ana.client.post(form["action"], data=values).location))

        assert page.one(id="date")["value"] == expected
        is_today = expected == YESTERDAY
        assert page.one("input", name="date_proposed")["value"] == (expected if is_today else "")
    assert [str(expense.date) for expense in ana.expenses()] == [YESTERDAY, "2026-11-01", "2026-11-01"]


def test_a_chosen_date_that_is_today_is_a_proposal_again(evening, ana):
    form = add_form(ana)
    with ana.client.session_transaction() as session:
        session["last"] = {"category": "", "date": YESTERDAY}

    page = ana.page("/expenses")

    assert form_values(form)["date"] == YESTERDAY
    assert page.one("input", name="date_proposed")["value"] == YESTERDAY


def test_an_expense_of_today_needs_no_date_in_its_message(evening, ana):
    assert send(ana, add_form(ana)).one("p").text == "Added $4.00 to Food."


def test_a_form_that_is_rejected_keeps_what_was_proposed(evening, ana):
    form = add_form(ana)
    evening()

    rejected = read(ana.client.post(form["action"], data=form_values(form) | {"amount": "x", "category": "Food"}))

    assert rejected.one(id="date")["value"] == YESTERDAY
    assert rejected.one("input", name="date_proposed")["value"] == YESTERDAY


def test_a_saved_expense_proposes_nothing(evening, ana):
    ana.add()
    expense_id = ana.expenses()[0].id

    edit = ana.page(f"/expenses/{expense_id}/edit")
    duplicate = ana.page(f"/expenses/{expense_id}/duplicate")
    prefilled = ana.page("/expenses/add?date=2026-11-26")

    assert edit.one("input", name="date_proposed")["value"] == ""
    assert duplicate.one("input", name="date_proposed")["value"] == YESTERDAY
    assert prefilled.one("input", name="date_proposed")["value"] == ""


@pytest.mark.parametrize("sent", ["<script>", "x" * 5000, "2026-13-99", "\u202e"])
def test_a_forged_proposal_is_only_text(ana, sent):
    values = {"amount": "x", "category": "Food", "date": "2026-11-01", "date_proposed": sent}

    page = read(ana.post("/expenses", values))

    assert page.one("input", name="date_proposed")["value"] == sent[:10]
    assert ana.post("/expenses", values | {"amount": "5"}).status_code in REDIRECTS
    assert [expense.date for expense in ana.expenses()] == [date(2026, 11, 1)]
