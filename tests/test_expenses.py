"""Listing, adding and deleting expenses, through the pages."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import insert
from uuid_utils.compat import uuid7

import clock
from app import app as application
from database import db
from fields import FIELD_MAX_LENGTH
from ledger import categories, spending
from ledger.periods import day_in
from models import Expense
from tests.browsing import REDIRECTS, Visitor, at_once, expense_rows, form_values, read


def give(visitor, count):
    """Give a user one expense of 1 on each of `count` days."""
    with visitor.app.app_context():
        author, first = visitor.user().id, date(2026, 1, 1)
        rows = [
            {"author_id": author, "amount": 1, "category": "Food", "date": first + timedelta(n)}
            for n in range(count)
        ]
        db.session.execute(insert(Expense), rows)
        db.session.commit()


# --- The list


def test_the_list_is_newest_first_with_the_total_on_top(ana):
    ana.add("12.50", "Food", description="Tea", date="2026-03-01")
    ana.add("1,234.56", "Housing", date="2026-03-31")
    ana.add("3", "Food", description="Cake", date="2026-03-01")

    assert ana.rows() == [
        ("2026-03-31", "Housing", "", "$1,234.56"),
        ("2026-03-01", "Food", "Cake", "$3.00"),
        ("2026-03-01", "Food", "Tea", "$12.50"),
    ]
    assert (ana.total(), ana.count()) == ("$1,250.06", 3)


def test_the_filter_narrows_rows_and_total_and_the_dropdown_keeps_showing_it(ana):
    ana.add("1", "Food")
    ana.add("2", "Travel")
    ana.add("4", "Food")

    page = ana.page("/expenses?category=Food")

    assert [row[1] for row in ana.rows("/expenses?category=Food")] == ["Food", "Food"]
    assert page.one(id="total").text == "$5.00"
    assert page.one("h1").text == "Food · 2 expenses"
    chosen = [option for option in page.one(id="filter-category").all("option") if "selected" in option.attributes]
    assert [option["value"] for option in chosen] == ["Food"]


def test_a_filter_without_a_match_says_so_and_the_total_is_zero(ana):
    ana.add("1", "Food")

    page = ana.page("/expenses?category=Travel")

    assert page.one(id="total").text == "$0.00"
    assert page.one(id="count").text == "0"
    assert "No Travel expenses." in page.one("main").text


@pytest.mark.parametrize(
    "query", ["category=Nope", "category=%00", "category=%ff", "after=x", "before=2026-01-01_x"]
)
def test_a_garbled_address_shows_nothing_rather_than_everything(ana, query):
    ana.add("1", "Food")

    response = ana.get(f"/expenses?{query}")

    assert response.status_code == 200
    page = read(response)
    assert page.one(id="total").text == "$0.00"
    assert expense_rows(page) == []
    assert "This filter is not valid." in page.one("main").one("p", role="alert").text


def test_everyone_sees_their_own(ana, bob):
    ana.add("1", description="Ana's tea")
    bob.add("2", description="Bob's tea")

    assert [row[2] for row in ana.rows()] == ["Ana's tea"]
    assert [row[2] for row in bob.rows()] == ["Bob's tea"]
    assert (ana.total(), bob.total()) == ("$1.00", "$2.00")


def test_many_expenses_are_shown_in_pages_and_the_total_is_of_all(app, ana):
    give(ana, 120)

    seen, address = [], "/expenses?category=Food"
    while address:
        page = ana.page(address)
        assert page.one(id="total").text == "$120.00"
        seen += ana.rows(address)
        older = page.all("a", rel="next")
        address = older[0]["href"] if older else None

    assert len(seen) == len(set(seen)) == 120
    assert [row[0] for row in seen] == sorted((row[0] for row in seen), reverse=True)
    newer = ana.page(page.one("a", rel="prev")["href"])
    assert newer.one("nav", aria_label="Pages").text == "Newer Older"


def test_a_page_that_has_emptied_leads_back(app, ana):
    ana.add("1")
    ana.add("2")
    last = ana.expenses()[-1]

    page = ana.page(f"/expenses?after={last.date}_{last.id}")

    assert "This page has no more expenses." in page.one("main").text
    assert page.one("main").all("a")[-1]["href"] == "/expenses"


def test_amounts_follow_the_accounts_currency_and_the_visitors_locale(stranger):
    stranger.register("ana", currency="EUR")
    stranger.add("1.234,56", date="2025-03-31")

    page = read(stranger.get("/expenses", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}))

    assert page.one(id="total").text == "€ 1.234,56"
    assert page.one("time").text == "31.03.2025"
    for strange in (
        "",
        "x",
        "*",
        "tlh",
        "../../etc",
        "a-b-c-d-e-f",
        "de;q=x",
        "é",
        "ar",
        "fa",
        "hi-IN",
        "zh-Hant-HK",
    ):
        assert stranger.get("/expenses", headers={"Accept-Language": strange}).status_code == 200


@pytest.mark.parametrize(
    ("language", "text"), [("en-US", "Mar 31"), ("de-DE", "31.03."), ("hu-HU", "Mar 31."), ("ja-JP", "03/31")]
)
def test_dates_of_the_current_year_do_not_repeat_it(ana, language, text):
    ana.add("1", date=f"{day_in('UTC', clock.now()).year}-03-31")

    page = read(ana.get("/expenses", headers={"Accept-Language": language}))

    assert page.one("time").text == text


def test_a_days_repetition_is_dimmed(ana):
    for day in ("2026-03-01", "2026-03-02", "2026-03-02"):
        ana.add("1", date=day)

    rows = expense_rows(ana.page("/expenses"))

    assert [row.one("td", class_="date").has("class_", "repeated-date") for row in rows] == [False, True, False]


# --- Finding


@pytest.fixture
def ana_with_expenses(ana):
    """Ana, who has a week of expenses."""
    ana.save(
        [
            ("2026-10-30", "Food", "Café crème", "12.50"),
            ("2026-10-31", "Food", "Tea 100%", "3.20"),
            ("2026-10-31", "Travel", "Train_to Łódź", "40"),
            ("2026-11-01", "Food", "かき氷", "7.75"),
            ("2026-11-02", "Housing", "", "99"),
        ]
    )
    return ana


@pytest.mark.parametrize(
    ("query", "found", "message"),
    [
        (
            "category=Food&category=Travel",
            ["かき氷", "Train_to Łódź", "Tea 100%", "Café crème"],
            "Food and Travel",
        ),
        ("period=2026-10", ["Train_to Łódź", "Tea 100%", "Café crème"], "October 2026"),
        ("period=2026", ["", "かき氷", "Train_to Łódź", "Tea 100%", "Café crème"], "2026"),
        (
            "start_date=2026-10-31&end_date=2026-11-01",
            ["かき氷", "Train_to Łódź", "Tea 100%"],
            "Oct 31, 2026 to Nov 1",
        ),
        ("start_date=2026-11-01", ["", "かき氷"], "since Nov 1, 2026"),
        ("end_date=2026-10-30", ["Café crème"], "until Oct 30, 2026"),
        ("period=2026-10&start_date=2026-10-31", ["Train_to Łódź", "Tea 100%"], "Oct 31, 2026"),
        ("search=CAFE", ["Café crème"], "containing “CAFE”"),
        ("search=100%25", ["Tea 100%"], "containing “100%”"),
        ("search=n_t", ["Train_to Łódź"], "containing “n_t”"),
        ("search=かき", ["かき氷"], "containing “かき”"),
        ("search=がき", [], "containing “がき”"),
        (
            "min_amount=7.75&max_amount=40",
            ["かき氷", "Train_to Łódź", "Café crème"],
            "at least $7.75, at most $40.00",
        ),
        ("min_amount=0", ["", "かき氷", "Train_to Łódź", "Tea 100%", "Café crème"], "at least $0.00"),
        ("sort=amount&category=Food", ["Tea 100%", "かき氷", "Café crème"], "Food"),
        ("sort=-amount&category=Food", ["Café crème", "かき氷", "Tea 100%"], "Food"),
        ("sort=date&category=Food", ["Café crème", "Tea 100%", "かき氷"], "Food"),
    ],
)
def test_a_filter_finds_its_expenses_and_the_heading_names_it(ana_with_expenses, query, found, message):
    address = f"/expenses?{query}"

    assert [row[2] for row in ana_with_expenses.rows(address)] == found
    assert message in ana_with_expenses.page(address).one("h1").text
    assert ana_with_expenses.count(address) == len(found)


def test_the_parts_add_up_and_each_leads_to_its_rows(ana_with_expenses):
    address = "/expenses?period=2026-10&sort=amount"
    page = ana_with_expenses.page(address)
    parts = page.one(id="breakdown").all("li")

    assert [part.one("bdi").text for part in parts] == ["Travel", "Food"]
    for part in parts:
        opened = ana_with_expenses.page(part.one("a")["href"])
        assert opened.one(id="total").text in part.text
        assert "October 2026" in opened.one("h1").text
    assert ana_with_expenses.total(address) == "$55.70"


def test_the_forms_keep_showing_what_was_asked_for(ana_with_expenses):
    query = (
        "category=Food&category=Travel&period=2024-02&search=te&min_amount=1,50&max_amount=9"
        "&start_date=2024-02-01&sort=amount"
    )

    form = ana_with_expenses.page(f"/expenses?{query}").one("form", class_="filter-form")

    values = form_values(form)
    assert values["period"] == "2024-02"
    assert (values["search"], values["min_amount"], values["max_amount"]) == ("te", "1,50", "9")
    assert (values["start_date"], values["sort"]) == ("2024-02-01", "amount")
    assert [box["value"] for box in form.all("input", name="category") if "checked" in box.attributes] == [
        "Travel"
    ]
    chosen = [
        option["value"]
        for option in form.one(id="filter-category").all("option")
        if "selected" in option.attributes
    ]
    assert chosen == ["Food"]
    assert "open" not in form.one("details").attributes


@pytest.mark.parametrize(
    ("column", "first", "second"), [("Date", "date", "-date"), ("Amount", "-amount", "amount")]
)
def test_the_head_of_a_column_orders_by_it_either_way(ana_with_expenses, column, first, second):
    def press(page):
        return next(head.one("a")["href"] for head in page.all("th") if head.text == column)

    once = press(ana_with_expenses.page("/expenses?category=Food"))
    assert once == f"/expenses?category=Food&sort={first}"
    assert press(ana_with_expenses.page(once)) == f"/expenses?category=Food&sort={second}"


def test_the_position_in_the_list_survives_operations(app, ana):
    give(ana, 60)
    address = ana.page("/expenses?category=Food").one("a", rel="next")["href"]
    page = ana.page(address)
    row = expense_rows(page)[0]

    edit, touched = row.one("a")["href"], row.one("input")["value"]
    saved = ana.fill(edit, amount="2")
    assert saved.location == f"{address}#e{touched}"
    assert ana.page(address).one(id=f"e{touched}").one("a")["href"] == edit
    assert press_delete(ana, page, 3).location == address
    assert ana.undo(address).location.partition("#")[0] == address


def test_the_name_of_a_row_cannot_break_out_of_its_attribute(ana):
    ana.add("1", "Food", description='%(day)s "quoted" <b>%s')

    row = expense_rows(ana.page("/expenses"))[0]

    assert row.one("button")["aria-label"].startswith('Delete %(day)s "quoted" <b>%s, ')


def test_a_percent_sign_in_the_address_survives_an_operation(ana):
    ana.add("1", description="Sale, 100 % %(id)s")

    page = ana.page("/expenses?search=100+%25")

    assert expense_rows(page)[0].one("td", class_="description").text == "Sale, 100 % %(id)s"
    assert press_delete(ana, page, 0).location == "/expenses?search=100+%25"
    assert ana.expenses() == []


def test_a_page_of_fifty_rows_is_small(ana):
    give(ana, 60)

    page = ana.get("/expenses").data

    # Of these, 7 KiB are the names of what can be done with each row, for those who hear the page.
    assert len(page) < 48 * 1024


# --- Adding on the list


def adding(visitor, address="/expenses"):
    """The form on the list, and where it is sent."""
    form = visitor.page(address).one("form", class_="add-form")
    return form["action"], form_values(form)


def test_an_expense_is_added_on_the_list(ana_with_expenses):
    address, form = adding(ana_with_expenses, "/expenses?category=Food&period=this-year")

    response = ana_with_expenses.client.post(
        address, data=form | {"amount": "12+3.50", "category": "Travel", "date": "2026-11-03"}
    )

    made = ana_with_expenses.expenses()[0]
    assert (made.amount, made.category) == (Decimal("15.50"), "Travel")
    # Without the row, which would take the focus away from the form.
    assert response.location == "/expenses?category=Food&period=this-year"
    _address, again = adding(ana_with_expenses)
    assert (again["amount"], again["category"], again["date"]) == ("", "Travel", "2026-11-03")
    assert again["id"] != form["id"]
    assert adding(ana_with_expenses)[1]["category"] == ""


def test_a_refused_entry_comes_back_on_the_same_page(ana_with_expenses):
    address, form = adding(ana_with_expenses, "/expenses?category=Food")

    response = ana_with_expenses.client.post(address, data=form | {"amount": "1,234", "description": "Typed"})

    assert response.status_code == 422
    page = read(response)
    assert page.one("h1").text == "Food · 3 expenses"
    assert "Are these thousands" in page.one(id="amount-error").text
    assert page.one(id="description")["value"] == "Typed"
    assert [element["id"] for element in page.all() if "autofocus" in element.attributes] == ["amount"]


def test_after_a_lost_session_the_entry_comes_back_on_the_same_list(app, ana_with_expenses):
    address, form = adding(ana_with_expenses, "/expenses?category=Food")
    ana_with_expenses.end_sessions()

    response = ana_with_expenses.client.post(address, data=form | {"amount": "7", "description": "Typed"})
    response = ana_with_expenses.log_in_at(response.location)

    assert response.location == "/expenses?category=Food"
    _address, again = adding(ana_with_expenses, response.location)
    assert (again["amount"], again["description"], again["id"]) == ("7", "Typed", form["id"])
    ana_with_expenses.client.post(address, data=again | {"category": "Food"})
    assert adding(ana_with_expenses)[1]["amount"] == ""
    assert len(ana_with_expenses.expenses()) == 6


def test_the_first_of_two_values_counts_everywhere(ana_with_expenses):
    page = ana_with_expenses.page("/expenses?search=&search=tea&min_amount=&min_amount=50")

    assert page.one(id="count").text == "5"
    assert page.one(id="bulk")["action"] == "/expenses/bulk"


def test_the_category_is_chosen_by_the_description(ana_with_expenses):
    ana_with_expenses.post("/expenses", {"amount": "4", "description": "CAFE CREME"})
    ana_with_expenses.post("/expenses", {"amount": "4", "description": "train_to łódź"})

    made = ana_with_expenses.expenses()[:2]
    assert sorted(expense.category for expense in made) == ["Food", "Travel"]
    assert adding(ana_with_expenses)[1]["category"] == ""
    refused = ana_with_expenses.post("/expenses", {"amount": "4", "description": "something new"})
    assert refused.status_code == 422
    assert "Choose a category." in read(refused).one(id="category-error").text
    proposed = ana_with_expenses.page("/expenses").one("datalist").all("option")
    assert {"Café crème", "かき氷"} <= {option.text for option in proposed}


def test_a_refused_form_chooses_by_the_description_again(ana_with_expenses):
    refused = ana_with_expenses.post("/expenses", {"amount": "x", "description": "Café crème"})
    form = read(refused).one("form", class_="add-form")

    assert form_values(form)["category"] == ""
    ana_with_expenses.client.post(
        form["action"], data=form_values(form) | {"amount": "4", "description": "Train_to Łódź"}
    )
    assert ana_with_expenses.expenses()[0].category == "Travel"


@pytest.mark.parametrize(
    ("chosen", "typed", "kept"),
    [
        ("", "", ""),
        ("Travel", "", "Travel"),
        ("Travel", " gym ", "gym"),
        ("New …", "fOOD", "Food"),
        ("", "HOUSING", "Housing"),
    ],
)
def test_the_list_keeps_the_category_of_the_last_expense(ana_with_expenses, chosen, typed, kept):
    sent = {"amount": "4", "category": chosen, "new_category": typed, "description": "Café crème"}

    assert ana_with_expenses.post("/expenses", sent).status_code in REDIRECTS

    assert adding(ana_with_expenses)[1]["category"] == kept
    assert ana_with_expenses.expenses()[0].category == (kept or "Food")


def test_the_first_of_two_categories_in_a_form_is_kept(ana_with_expenses):
    assert (
        ana_with_expenses.post("/expenses", {"amount": "4", "category": ["Travel", "Food"]}).status_code
        in REDIRECTS
    )

    assert ana_with_expenses.expenses()[0].category == adding(ana_with_expenses)[1]["category"] == "Travel"


def test_the_address_can_fill_the_form_in(ana):
    page = ana.page("/expenses/add?amount=4,50&category=Food&description=Tea&date=2026-03-31")

    form = form_values(page.one("main").one("form"))

    assert (form["amount"], form["category"]) == ("4,50", "Food")
    assert (form["description"], form["date"]) == ("Tea", "2026-03-31")
    assert ana.expenses() == []
    assert form_values(ana.page("/expenses/add?amount=1").one("main").one("form"))["date"]


def test_money_that_came_back_is_below_zero(ana):
    ana.add("20", "Food")
    ana.add("5,50", "Food", refund="y", description="Bottles")

    assert ana.expenses()[0].amount == Decimal("-5.50")
    assert ana.rows()[0] == (ana.rows()[0][0], "Food", "Bottles refund", "−$5.50")
    assert ana.total() == "$14.50"
    assert ana.count("/expenses?min_amount=0") == 1


# --- Adding


def test_several_expenses_are_added_in_a_row(ana):
    response = ana.post(
        "/expenses/add", {"amount": "3", "category": "Travel", "date": "2026-01-01", "another": "y"}
    )

    assert response.location == "/expenses/add"
    form = form_values(ana.page(response.location).one("main").one("form"))
    assert (form["amount"], form["category"], form["date"]) == ("", "Travel", "2026-01-01")
    assert ana.count() == 1


@pytest.mark.parametrize(
    ("opened_from", "kept"),
    [
        ("", ""),
        ("category=Food&period=2026-03&sort=amount", "?category=Food&period=2026-03&sort=amount"),
        ("//evil.example/?category=Food", ""),
        ("%00=%FF&x=1", ""),
    ],
)
def test_adding_leads_back_to_the_list_it_was_opened_from(ana, opened_from, kept):
    url = f"/expenses/add?{urlencode({'list': opened_from})}"
    form = ana.page(url).one("main").one("form")
    assert form_values(form)["category"] == ""

    typed = form_values(form) | {"amount": "3", "category": "Travel"}
    added = ana.client.post(form["action"], data=typed)
    assert added.location == f"/expenses{kept}"

    again = ana.client.post(form["action"], data=typed | {"another": "y"})
    assert ana.page(again.location).one("main").one("form")["action"] == form["action"]


def test_an_added_expense_is_stored_as_it_was_typed(ana):
    response = ana.add(" 12,50 ", "Health", description="  Cafe\u0301 👨‍👩‍👧 <b>x</b> ", date="2024-02-29")

    assert response.status_code in REDIRECTS
    assert response.location == "/expenses"
    (expense,) = ana.expenses()
    assert (expense.amount, expense.category, expense.date) == (Decimal("12.50"), "Health", date(2024, 2, 29))
    assert expense.description == "Café 👨‍👩‍👧 <b>x</b>"
    assert abs(datetime.now(UTC) - expense.created_at) < timedelta(minutes=1)
    row = expense_rows(ana.page("/expenses"))[0]
    assert row.one("td", class_="description").text == "Café 👨‍👩‍👧 <b>x</b>"
    assert not row.all("b")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("amount", "", "Enter an amount such as 12.50."),
        ("amount", "1,234", "Are these thousands? Then write 1234."),
        ("amount", "0", "other than zero"),
        ("amount", "-5", "minus sign"),
        ("amount", "sNaN", "Your account uses USD."),
        ("amount", "1e9", "Your account uses USD."),
        ("amount", "5\0", "Your account uses USD."),
        ("category", "", "Choose a category."),
        ("category", "Nope", "Choose a category."),
        ("category", "food", "Choose a category."),
        ("description", "x" * 201, "at most 200"),
        ("description", "a\0b", "invisible"),
        ("description", "a\x1bb", "invisible"),
        ("description", "a\x85b\x9f", "invisible"),
        ("date", "", "Enter a date."),
        ("date", "31.03.2026", "year-month-day"),
        ("date", "2026-02-30", "year-month-day"),
        ("date", "9999-12-31", "between 1900 and 2100"),
    ],
)
def test_a_refused_expense_says_why_beside_the_field_and_loses_nothing(ana, field, value, message):
    typed = {"amount": "12,50", "category": "Food", "description": "Tea", "date": "2026-03-31"}

    response = ana.fill("/expenses/add", **(typed | {field: value}))

    assert response.status_code == 422
    page = read(response)
    assert message in page.one(id=f"{field}-error").text
    assert f"{field}-error" in page.one(id=field)["aria-describedby"].split()
    assert [element["id"] for element in page.all() if "autofocus" in element.attributes] == [field]
    assert ana.expenses() == []
    filled = form_values(page.one("main").one("form"))
    for name in typed.keys() - {field}:
        assert filled[name] == typed[name]


def test_fields_outside_the_form_are_ignored(ana, bob):
    with application.app_context():
        other, stored = str(bob.user().id), ana.user().password_hash

    ana.add("1", author_id=other, created_at="2001-02-03 04:05:06", description_key="x", password_hash="x")

    (expense,) = ana.expenses()
    assert (expense.created_at.year, expense.description_key) == (datetime.now(UTC).year, "")
    assert bob.expenses() == []
    with application.app_context():
        assert ana.user().password_hash == stored


@pytest.mark.parametrize("hours", [*range(-12, 0), *range(1, 15)])
def test_today_is_the_users_own_at_half_past_eleven(stranger, monkeypatch, hours):
    zone = f"Etc/GMT{-hours:+d}"
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: evening)
    stranger.register("ana", time_zone=zone)

    offered = stranger.page("/expenses/add").one(id="date")["value"]
    stranger.post("/expenses/add", {"amount": "1", "category": "Food"})

    assert offered == ("2027-01-01" if hours > 0 else "2026-12-31")
    assert [expense.date.isoformat() for expense in stranger.expenses()] == [offered]
    assert day_in(zone, evening).isoformat() == offered


# --- One press, one expense


def test_the_same_form_sent_twice_makes_one_expense_and_both_answers_are_the_same(ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "5", "category": "Food"}

    first = ana.client.post("/expenses/add", data=form)
    second = ana.client.post("/expenses/add", data=form)

    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert first.status_code in REDIRECTS
    assert first.location == "/expenses"
    assert ana.total() == "$5.00"
    assert ana.count() == 1


def test_the_same_form_sent_at_the_same_moment_makes_one_expense(app, ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "5", "category": "Food"}
    tabs = [Visitor(app) for _ in range(5)]
    answers = []
    for tab in tabs:
        tab.client._cookies.update(ana.client._cookies)

    def send(tab):
        answers.append(tab.client.post("/expenses/add", data=form).status_code)

    at_once(send, tabs)

    assert [answer in REDIRECTS for answer in answers] == [True] * 5
    assert ana.count() == 1


def test_a_form_sent_again_with_other_values_is_asked_about(ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "5", "category": "Food"}
    ana.client.post("/expenses/add", data=form)

    response = ana.client.post("/expenses/add", data=form | {"amount": "6"})

    assert response.status_code == 422
    page = read(response)
    assert "already saved, and its expense was changed" in page.one("p", role="alert").text
    assert ana.count() == 1
    again = form_values(page.one("main").one("form"))
    assert again["amount"] == "6"
    assert ana.client.post("/expenses/add", data=again).status_code in REDIRECTS
    assert ana.total() == "$11.00"


@pytest.mark.parametrize(
    "identity",
    [
        *(None, "", "x", "{0}", "1", "\0", "z" * 9999),
        # A random one, and one by time that isn't written as we write it.
        *("919108f7-52d1-4320-9bac-f847db4148a8", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
    ],
)
def test_a_form_without_an_id_of_ours_gets_a_fresh_one(ana, identity):
    values = {"amount": "5", "category": "Food", "date": "2026-03-31"}
    if identity is not None:
        values["id"] = identity

    assert ana.post("/expenses/add", values).status_code in REDIRECTS
    assert ana.post("/expenses/add", values).status_code in REDIRECTS
    assert ana.count() == 2
    assert str(ana.expenses()[0].id) != identity


def test_two_people_may_hold_the_same_id(ana, bob):
    identity = str(uuid7())

    for person in (ana, bob):
        response = person.post("/expenses/add", {"id": identity, "amount": "5", "category": "Food"})
        assert response.status_code in REDIRECTS

    assert str(ana.expenses()[0].id) == str(bob.expenses()[0].id) == identity


# --- Nothing typed is lost


def test_an_expired_session_brings_the_form_back_filled_in(app, ana):
    typed = {"amount": "12,5", "category": "Travel", "description": "車" * 200, "date": "2026-03-31"}
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | typed
    ana.client._cookies.clear()

    response = ana.client.post("/expenses/add", data=form)

    assert response.location == "/login?next=/expenses/add"
    response = ana.log_in_at(response.location)
    assert response.location == "/expenses/add"
    assert ana.expenses() == []
    ana.client.head(response.location)
    page = ana.page(response.location)
    assert "not saved yet" in page.one("p", role="alert").text
    assert not page.all("div", class_="message")
    again = form_values(page.one("main").one("form"))
    assert {name: again[name] for name in typed} == typed
    assert again["id"] == form["id"]
    assert ana.client.post("/expenses/add", data=again).status_code in REDIRECTS
    assert ana.count() == 1
    assert form_values(ana.page("/expenses/add").one("main").one("form"))["amount"] == ""


def test_a_session_ended_on_another_device_brings_the_form_back_as_well(app, ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "7", "category": "Food"}
    ana.end_sessions()

    response = ana.client.post("/expenses/add", data=form)

    assert response.location == "/login?next=/expenses/add"
    ana.log_in()
    assert ana.page("/expenses/add").one(id="amount")["value"] == "7"


def test_entries_of_one_user_are_not_shown_to_the_next(app, ana, bob):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {
        "description": "secret",
        "amount": "7",
    }
    ana.end_sessions()
    ana.client.post("/expenses/add", data=form)

    ana.log_in(email="bob@example.com")

    assert ana.page("/expenses/add").one(id="description")["value"] == ""


def test_a_draft_that_is_too_long_is_refused_and_not_cut(app, ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "7", "category": "Food"}
    ana.client._cookies.clear()
    ana.client.post("/expenses/add", data=form | {"description": "x" * 299})
    ana.log_in()

    response = ana.fill("/expenses/add")

    assert response.status_code == 422
    assert "at most 200" in read(response).one(id="description-error").text


def test_a_stale_token_brings_the_form_back_filled_in_and_saves_nothing(ana):
    form = form_values(ana.page("/expenses/add").one("main").one("form")) | {"amount": "7", "category": "Food"}

    response = ana.client.post("/expenses/add", data=form | {"csrf_token": "stale"})

    assert response.status_code == 400
    page = read(response)
    assert "This page had expired" in page.one("p", role="alert").text
    assert ana.expenses() == []
    again = form_values(page.one("main").one("form"))
    assert again["amount"] == "7"
    assert ana.client.post("/expenses/add", data=again).status_code in REDIRECTS
    assert ana.total() == "$7.00"


# --- Deleting


def press_delete(visitor, page, index):
    """Press the button of a row, which sends the form around the table to its own URL."""
    button = expense_rows(page)[index].one("button")
    return visitor.client.post(button["formaction"], data=form_values(page.one("form", id="bulk")))


def test_one_button_deletes_and_the_filter_survives(ana):
    ana.add("1", "Food", description="Tea")
    ana.add("2", "Food", description="Cake")
    ana.add("4", "Travel")

    response = press_delete(ana, ana.page("/expenses?category=Food"), 0)

    assert response.location == "/expenses?category=Food"
    assert [row[2] for row in ana.rows(response.location)] == ["Tea"]
    assert ana.total() == "$5.00"


@pytest.fixture
def long_query(ana):
    """A filter with every category of a user who writes Ukrainian, which URLs encode."""
    names = [f"Ресторани та кафе {number}" for number in range(20)]
    with ana.app.app_context():
        user = ana.user()
        for name in names:
            categories.create(user, uuid7(), name, clock.now())
        db.session.commit()
    query = urlencode({"category": [*names, "Food"]}, doseq=True)
    assert len(query) > FIELD_MAX_LENGTH
    return query


def test_a_long_filter_survives_undo(ana, long_query):
    ana.add("4")

    ana.post(f"/expenses/{ana.expenses()[0].id}/delete?{long_query}")
    response = ana.undo(f"/expenses?{long_query}")

    assert response.status_code in REDIRECTS
    assert len(ana.expenses()) == 1
    assert urlsplit(response.location).query == long_query
    assert ana.total(response.location) == "$4.00"


def test_a_long_filter_survives_the_login_in_another_language(ana, long_query):
    ana.end_sessions()

    login = ana.get(f"/expenses?{long_query}").location
    link = next(link for link in ana.page(login).all("a") if link.text == "Deutsch")
    response = ana.log_in_at(f"/login{link['href']}")

    assert response.location == f"/expenses?{long_query}"


def test_a_form_comes_back_after_the_login_without_a_filter_that_is_too_long_for_a_url(ana, long_query):
    ana.add("4")
    url = f"/expenses/{ana.expenses()[0].id}/edit"
    ana.end_sessions()

    sent = ana.post(f"{url}?{long_query}&{long_query}", {"amount": "5", "category": "Food", "date": "2026-01-05"})
    response = ana.log_in_at(sent.location)

    assert response.location == url
    assert ana.page(url).one(id="amount")["value"] == "5"


def test_for_another_user_an_expense_does_not_exist(ana, bob):
    ana.add("1")
    theirs = ana.expenses()[0].id

    foreign = bob.post(f"/expenses/{theirs}/delete")
    missing = bob.post(f"/expenses/{uuid7()}/delete")

    assert foreign.status_code == missing.status_code == 404
    assert foreign.data == missing.data
    assert ana.count() == 1


def test_deleting_twice_finds_nothing_the_second_time(ana):
    ana.add("1")
    address = f"/expenses/{ana.expenses()[0].id}/delete"

    assert ana.post(address).status_code in REDIRECTS
    assert ana.post(address).status_code == 404


def test_only_one_of_several_concurrent_deletions_deletes(app, ana):
    ana.add("1")
    address = f"/expenses/{ana.expenses()[0].id}/delete"
    token, answers, tabs = ana.token(), [], [Visitor(app) for _ in range(4)]
    for tab in tabs:
        tab.client._cookies.update(ana.client._cookies)

    def send(tab):
        answers.append(tab.client.post(address, data={"csrf_token": token}).status_code)

    at_once(send, tabs)

    assert sorted(answers) in [[status, 404, 404, 404] for status in REDIRECTS]


@pytest.mark.parametrize("query", ["_external=1&_scheme=javascript", "_anchor=x", "next=//evil.example", "x=1"])
def test_an_address_after_deleting_holds_only_what_the_list_knows(ana, query):
    ana.add("1")

    response = ana.post(f"/expenses/{ana.expenses()[0].id}/delete?{query}")

    assert response.location == "/expenses"


def test_every_matching_expense_is_printed_with_the_total(ana, bob):
    for number in range(60):
        ana.add("1.50", "Food" if number % 2 else "Travel", description=f"Tea {number}")
    bob.add("99")

    page = ana.page("/expenses/print?category=Food")

    rows = page.all("table")[-1].one("tbody").all("tr")
    assert [row.one("td", class_="description").text for row in rows] == [f"Tea {n}" for n in range(59, 0, -2)]
    assert page.one("p", class_="total").text == "$45.00"
    assert "30 expenses" in page.one("main").text
    assert page.one("main").all("a")[0]["href"] == "/expenses?category=Food"
    assert not page.one("main").all("form")


def test_the_list_links_to_its_print_view_when_it_has_more_pages(ana):
    for _ in range(51):
        ana.add("1")

    link = ana.page("/expenses?category=Food").one("a", href="/expenses/print?category=Food")

    assert link.text == "Print all"
    ana.post("/expenses/bulk", {"action": "delete", "all_matching": "y"})
    assert not ana.page("/expenses").all("a", href="/expenses/print")


def test_only_so_many_expenses_are_printed_and_the_page_says_so(ana, monkeypatch):
    monkeypatch.setattr(spending, "MAX_PRINTED", 2)
    for amount in ("1", "2", "3"):
        ana.add(amount)

    page = ana.page("/expenses/print?sort=-amount")

    assert [row.one("td", class_="amount").text for row in page.all("table")[-1].one("tbody").all("tr")] == [
        "$3.00",
        "$2.00",
    ]
    assert "The first 2 of 3 expenses." in page.one("main").text
    assert page.one("p", class_="total").text == "$6.00"


def test_how_many_expenses_are_printed_is_written_in_the_number_format_of_the_account(ana, app, monkeypatch):
    monkeypatch.setattr(spending, "MAX_PRINTED", 1_000)
    ana.save([("2026-01-01", "Food", "", "1")] * 1_001)
    assert "The first 1,000 of 1,001 expenses." in ana.page("/expenses/print").one("main").text

    with app.app_context():
        ana.user().locale = "de_DE"
        db.session.commit()

    assert "The first 1.000 of 1.001 expenses." in ana.page("/expenses/print").one("main").text


def test_a_filter_that_is_not_valid_is_shown_by_the_list_instead(ana):
    response = ana.get("/expenses/print?start_date=never")

    assert response.location == "/expenses?start_date=never"


def test_the_links_and_forms_of_the_list_of_an_import_stay_with_it(ana):
    ana.add("1")
    query = f"import={uuid7()}"

    page = ana.page(f"/expenses?{query}&sort=date")

    assert page.one(id="bulk")["action"] == f"/expenses/bulk?sort=date&{query}"
    assert page.one(id="add")["action"] == f"/expenses?sort=date&{query}"
    assert page.one(id="head-amount")["href"] == f"/expenses?sort=-amount&{query}"
    ana.post(f"/expenses/bulk?sort=date&{query}", {"all_matching": "y", "action": "delete"})
    assert len(ana.expenses()) == 1
