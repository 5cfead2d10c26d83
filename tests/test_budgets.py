"""Budgets: each is valid from a month on, and what is left of one may roll over to the next month."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

import clock
from database import db
from ledger.periods import Period, parse_month
from ledger.reports import month_report
from models import Budget
from tests.browsing import REDIRECTS, form_values, operations_shown, press, read
from tests.test_categories import category_id, form_to, set_budgets


@pytest.fixture
def travel_to(monkeypatch, ana):
    """Set the clock to noon of a day of 2026, such as `11-20`, and log in, because sessions end."""

    def travel_to(day):
        moment = datetime.fromisoformat(f"2026-{day}T12:00").replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: moment)
        ana.client = ana.app.test_client()
        ana.log_in()

    return travel_to


def budget_of(visitor, month, name="Food"):
    """Amount and rest of a budget in the report of a month; None where there is none."""
    with visitor.app.app_context():
        user = visitor.user()
        period = parse_month(month, user.first_day_of_month)
        report = month_report(user, period, clock.now().date())
        found = [line.budget for line in report.lines if line.category == name] if name else [report.budget]
        return (found[0].amount, found[0].left) if found and found[0] else None


def stored(visitor):
    with visitor.app.app_context():
        rows = db.session.scalars(select(Budget).order_by(Budget.start_date, Budget.amount))
        return [(str(row.start_date), row.amount, row.rollover) for row in rows]


def row_of(page, name):
    """The row of a category on the page of categories."""
    return next(
        row
        for row in page.one("table", class_="categories").all("tr")
        if row.all("th", scope="row") and row.one("th").text == name
    )


def roll_over(visitor, name, amount):
    """Set a budget whose rest rolls over."""
    prefix = category_id(visitor, name)
    values = form_values(form_to(visitor.page("/categories"), "/categories"))
    values |= {f"{prefix}-monthly_budget": amount, f"{prefix}-rollover": "y"}
    return visitor.client.post("/categories", data=values)


@pytest.mark.parametrize("first_day", [1, 25])
def test_a_budget_is_valid_from_its_month_on_and_earlier_months_keep_theirs(ana, travel_to, first_day):
    with ana.app.app_context():
        ana.user().first_day_of_month = first_day
        db.session.commit()
    travel_to("10-26")
    ana.add("150", "Food", date="2026-10-26")
    set_budgets(ana, Food="500", total="1000")
    travel_to("11-26")

    set_budgets(ana, Food="100", total="900")

    assert budget_of(ana, "2026-09") is None
    assert budget_of(ana, "2026-10") == (500, 350)
    assert budget_of(ana, "2026-10", name=None) == (1000, 850)
    assert budget_of(ana, "2026-11") == budget_of(ana, "2027-03") == (100, 100)
    assert budget_of(ana, "2026-11", name=None) == (900, 900)
    page = ana.page("/months/2026-10")
    assert "350.00 left" in page.text
    assert not page.one("main").all(class_="over-budget")


def test_a_second_change_in_the_same_month_replaces_the_first(ana, travel_to):
    travel_to("11-02")
    set_budgets(ana, Food="100")
    set_budgets(ana, Food="200")

    assert stored(ana) == [("2026-11-01", 200, False)]
    set_budgets(ana, Food="")
    assert budget_of(ana, "2026-11") is None
    ana.undo("/categories")
    assert budget_of(ana, "2026-11") == (200, 200)


def test_a_budget_that_ends_stays_in_the_months_before(ana, travel_to):
    travel_to("10-01")
    set_budgets(ana, Food="100")
    travel_to("11-01")

    set_budgets(ana, Food="")

    assert (budget_of(ana, "2026-10"), budget_of(ana, "2026-11")) == ((100, 100), None)
    assert form_values(form_to(ana.page("/categories"), "/categories"))[f"{category_id(ana, 'Food')}-seen"] == ""


def test_budgets_of_a_month_that_begins_on_another_day_from_now_on_are_still_set(ana, travel_to):
    travel_to("11-10")
    set_budgets(ana, Food="100")
    with ana.app.app_context():
        ana.user().first_day_of_month = 25
        db.session.commit()
    assert budget_of(ana, "2026-10") == (100, 100)

    set_budgets(ana, Food="200")

    assert stored(ana) == [("2026-10-25", 200, False)]
    assert budget_of(ana, "2026-10") == (200, 200)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_setting_budgets_is_undone_and_done_again_from_history(ana, travel_to, steps):
    travel_to("10-01")
    set_budgets(ana, Food="100")
    travel_to("11-01")
    before = stored(ana)
    set_budgets(ana, Food="200", total="7")
    after = stored(ana)

    for _step in range(steps):
        press(ana, operations_shown(ana)[0].one("form"))

    assert stored(ana) == (before if steps % 2 else after)
    assert budget_of(ana, "2026-10") == (100, 100)


def test_a_budget_that_was_changed_since_is_left_alone_by_an_undo(ana, travel_to):
    travel_to("11-01")
    set_budgets(ana, Food="100", total="300")
    set_budgets(ana, Food="200", total="400")

    press(ana, operations_shown(ana)[1].one("form"))

    message = ana.message("/history").text
    assert "Food" in message
    assert "the total budget" in message
    assert budget_of(ana, "2026-11") == (200, 200)


def test_budgets_go_with_a_merged_category_and_return_with_it(ana, travel_to):
    for day, amount in (("10-01", "100"), ("11-01", "200")):
        travel_to(day)
        set_budgets(ana, Food=amount, Travel="50")
    ana.add("3", "Food")
    before = stored(ana)

    ana.post(f"/categories/{category_id(ana, 'Food')}/merge", {"into": category_id(ana, "Travel")})

    assert [amount for _day, amount, _rollover in stored(ana)] == [50]
    ana.undo("/categories")
    assert stored(ana) == before
    assert (budget_of(ana, "2026-10"), budget_of(ana, "2026-11")) == ((100, 100), (200, 197))
    press(ana, operations_shown(ana)[0].one("form"))
    assert [amount for _day, amount, _rollover in stored(ana)] == [50]


def test_a_category_with_a_budget_is_not_removed_by_undoing_its_addition(ana):
    ana.post("/categories/add", {"name": "Gifts"})
    addition = operations_shown(ana)[0].one("form")
    set_budgets(ana, Gifts="10")

    press(ana, addition)

    assert "Gifts" in ana.page("/categories").text
    assert len(stored(ana)) == 1


def test_the_rest_of_a_budget_rolls_over_if_the_user_wants_it(ana, travel_to):
    travel_to("09-01")
    roll_over(ana, "Food", "100")
    set_budgets(ana, Travel="100")
    travel_to("11-20")
    ana.add("30", "Food", date="2026-09-05")
    ana.add("30", "Travel", date="2026-09-05")
    ana.add("150", "Food", date="2026-10-05")
    ana.add("10", "Food", date="2026-11-05")

    assert budget_of(ana, "2026-09") == (100, 70)
    assert budget_of(ana, "2026-10") == (170, 20)
    assert budget_of(ana, "2026-11") == (120, 110)
    assert budget_of(ana, "2026-10", "Travel") == (100, 100)
    assert "including $20.00 left over" in row_of(ana.page("/categories"), "Food").text


def test_a_month_that_is_over_budget_leaves_nothing_over_and_takes_nothing_away(ana, travel_to):
    travel_to("09-01")
    roll_over(ana, "Food", "100")
    travel_to("11-20")
    ana.add("400", "Food", date="2026-09-05")

    assert budget_of(ana, "2026-10") == (100, 100)
    assert budget_of(ana, "2026-11") == (200, 200)


def test_turning_rollover_off_keeps_what_was_left_over_before(ana, travel_to):
    travel_to("09-01")
    roll_over(ana, "Food", "100")
    travel_to("10-01")
    set_budgets(ana, Food="100.00")
    values = form_values(form_to(ana.page("/categories"), "/categories"))
    del values[f"{category_id(ana, 'Food')}-rollover"]

    assert ana.client.post("/categories", data=values).status_code in REDIRECTS

    assert stored(ana) == [("2026-09-01", 100, True), ("2026-10-01", 100, False)]
    assert budget_of(ana, "2026-10") == (200, 200)
    assert budget_of(ana, "2026-11") == (100, 100)


def test_another_window_does_not_overwrite_what_rolls_over(ana):
    set_budgets(ana, Food="100")
    opened = form_values(form_to(ana.page("/categories"), "/categories"))
    roll_over(ana, "Food", "100")

    refused = ana.client.post("/categories", data=opened)

    assert refused.status_code == 422
    assert "Another window changed this" in read(refused).text
    assert stored(ana)[0][2]


def test_the_page_shows_this_month_the_average_and_the_budget_of_every_category(ana, travel_to):
    travel_to("11-20")
    ana.add("5", "Food", date="2026-07-20")
    for month, amount in (("08", "10"), ("09", "20"), ("10", "60"), ("11", "99")):
        ana.add(amount, "Food", date=f"2026-{month}-03")
    ana.add("9", "Travel", date="2026-10-03")
    set_budgets(ana, Food="90", total="500")

    page = ana.page("/categories")

    assert "Changes apply from November 2026 on" in page.text
    row = row_of(page, "Food")
    spent, _bar, average = row.all("td")[:3]
    assert (spent.text, average.text) == ("$99.00", "$30.00")
    # What a phone writes before it.
    assert average["data-label"] == "3-month average"
    assert ana.total(spent.one("a")["href"]) == "$99.00"
    assert "$9.00 over" in row.text
    assert row.one("progress", class_="exceeded")
    everything = row_of(page, "All categories")
    assert [cell.text for cell in everything.all("td")[:3:2]] == ["$99.00", "$33.00"]
    assert row_of(page, "Travel").all("td")[2].text == "$3.00"
    assert not row_of(page, "Travel").all("progress")


def test_nothing_is_written_where_there_is_no_average(ana):
    averages = ana.page("/categories").all("td", class_="average")

    assert {(average.text, average.get("data-label")) for average in averages} == {("", None)}


def test_an_average_leaves_out_an_incomplete_first_month(ana, travel_to):
    travel_to("11-20")
    ana.add("5", "Food", date="2026-09-20")
    ana.add("40", "Food", date="2026-10-03")

    average = row_of(ana.page("/categories"), "Food").all("td")[2]
    assert (average.text, average["data-label"]) == ("$40.00", "1-month average")
    with ana.app.app_context():
        report = month_report(ana.user(), Period.month(clock.now().date()), clock.now().date())
        assert (report.previous_months.months, report.previous_months.average) == (1, Decimal(40))


def test_history_says_that_only_the_rollover_was_changed(ana):
    set_budgets(ana, Food="100")
    values = form_values(form_to(ana.page("/categories"), "/categories"))
    ana.client.post("/categories", data=values | {f"{category_id(ana, 'Food')}-rollover": "y"})

    (latest, _first) = operations_shown(ana)

    assert "Food: what is left rolls over" in latest.text
