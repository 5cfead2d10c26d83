"""Everyday use on a phone and a desktop, with and without JavaScript: add, find, edit, undo."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Expense, Operation
from tests.browser.person import LAPTOP, PHONE, Person

WAYS = {
    "phone": {"viewport": PHONE},
    "phone without JavaScript": {"viewport": PHONE, "java_script_enabled": False},
    "desktop": {"viewport": LAPTOP},
    "desktop without JavaScript": {"viewport": LAPTOP, "java_script_enabled": False},
}
# Newest first, as the list shows them.
KEPT = [
    ("2026-03-12", "Health", "Pharmacy", "12.35"),
    ("2026-03-09", "Travel", "Train to the lake", "46.20"),
    ("2026-03-05", "Food", 'Groceries, "100%"', "63.17"),
    ("2026-03-02", "Food", "Café Noir", "4.20"),
    ("2026-02-14", "Food", "CAFE CENTRAL", "3.10"),
    ("2025-12-24", "Travel", "Flight", "240.00"),
]
PHARMACY, TRAIN, GROCERIES, CAFE, CENTRAL, FLIGHT = KEPT


def in_dollars(*expenses):
    """As the table shows them."""
    return [(day, category, text, f"${Decimal(amount):,.2f}") for day, category, text, amount in expenses]


def sum_of(*expenses):
    """Their exact sum, as the total shows it."""
    return f"${sum(Decimal(expense[3]) for expense in expenses):,.2f}"


def today():
    """The day it is for people of the site's own time zone."""
    return datetime.now(UTC).date()


@pytest.fixture(scope="module")
def state(chromium, running_server):
    """The cookies of ana, who logs in once for all of these tests; bob logs in by himself."""
    running_server.empty_tables()
    for name in ("ana", "bob"):
        running_server.create_person(name)
    with chromium.new_context() as context:
        person = Person(context, running_server.address, "ana")
        person.go("/login")
        person.log_in()
        return context.storage_state()


@pytest.fixture
def ledger(state, running_server):
    """The server with nobody's expenses."""
    with Session(running_server.engine) as session:
        for model in (Expense, Operation):
            session.execute(sa.delete(model))
        session.commit()
    return running_server


@pytest.fixture(params=WAYS)
def ana_everywhere(request, ledger, state, visit):
    """Somebody who is logged in, in each of the ways."""
    return visit("ana", storage_state=state, **WAYS[request.param])


@pytest.fixture(params=["phone without JavaScript", "desktop"])
def ana(request, ledger, state, visit):
    """Somebody who is logged in, in the two ways that differ the most."""
    return visit("ana", storage_state=state, **WAYS[request.param])


@pytest.fixture
def bob(ledger, visit):
    """Somebody who logs in and out as the test goes."""
    bob = visit("bob")
    bob.go("/login")
    return bob


@pytest.fixture
def ana_at_a_desk(ledger, state, visit):
    """Somebody who is logged in, for what does not depend on the way."""
    return visit("ana", storage_state=state)


def ids(server):
    """The ids of all expenses, by description."""
    with Session(server.engine) as session:
        return dict(session.execute(sa.select(Expense.description, Expense.id)).all())


# --- Add


def test_an_expense_is_added_on_the_list(ana_everywhere, ledger):
    ana = ana_everywhere
    older = [("2026-02-01", "Housing", f"Number {number}", "10.00") for number in range(30)]
    ledger.save("ana", older)
    ana.go("/expenses")

    ana.add("12+3.50", "Food", "Ramen", "2026-01-15")

    ramen = ("2026-01-15", "Food", "Ramen", "$15.50")
    assert ana.messages == ["Added $15.50 to Food. It is dated Jan 15, 2026."]
    assert (ana.rows[-1], ana.count, ana.total) == (ramen, 31, "$315.50")
    ana.page.locator(".message").get_by_role("link", name="Show").click()
    assert urlsplit(ana.path).fragment == f"e{ids(ledger)['Ramen']}"
    assert ana.target_row == [ramen]
    assert ledger.expenses("ana")[-1] == ("2026-01-15", "Food", "Ramen", Decimal("15.50"))


def test_a_refused_entry_comes_back_on_the_list_as_it_was_typed(ana, ledger):
    ledger.save("ana", KEPT)
    ana.go("/expenses?category=Travel")

    button = ana.open_add_form()
    ana.fill_expense("1,234", "Travel", "Hotel", "2026-03-14")
    ana.check_refund()
    ana.press(button)

    assert ana.path.endswith("?category=Travel" if button == "Add" else "?list=category%3DTravel")
    assert ana.values() == {"amount": "1,234", "category": "Travel", "description": "Hotel", "date": "2026-03-14"}
    assert ana.expense_form.get_by_label("Refund").is_checked()
    assert ana.page.locator("#amount-error").inner_text() == "Are these thousands? Then write 1234."
    assert ana.focused == "amount"
    assert len(ledger.expenses("ana")) == len(KEPT)

    ana.expense_form.get_by_label("Refund").uncheck()
    ana.expense_form.get_by_label("Amount").fill("1234")
    ana.press(button)

    assert ana.query == {"category": ["Travel"]}
    assert ana.target_row == [("2026-03-14", "Travel", "Hotel", "$1,234.00")]
    assert len(ledger.expenses("ana")) == len(KEPT) + 1


def test_the_category_is_learnt_from_the_description(ana, ledger):
    ledger.save("ana", [("2026-03-02", "Entertainment", "Café Noir", "4.20")])
    ana.go("/expenses")

    ana.add("5", "By description", "CAFE noir", "2026-03-14")

    assert ana.target_row == [("2026-03-14", "Entertainment", "CAFE noir", "$5.00")]

    button = ana.open_add_form()
    ana.fill_expense("6", "By description", "Never before")
    ana.press(button)

    assert ana.page.locator("#category-error").inner_text() == "Choose a category."
    assert ana.focused == "category"
    assert len(ledger.expenses("ana")) == 2


def test_money_that_came_back_is_below_zero_and_says_so(ana, ledger):
    ledger.save("ana", [CAFE])
    ana.go("/expenses")

    button = ana.open_add_form()
    ana.fill_expense("-3", "Food", "Deposit", "2026-03-14")
    ana.press(button)

    assert "Refund" in ana.page.locator("#amount-error").inner_text()

    ana.expense_form.get_by_label("Amount").fill("3")
    ana.check_refund()
    ana.press(button)

    assert ana.target_row == [("2026-03-14", "Food", "Deposit refund", "−$3.00")]
    assert ana.total == "$1.20"
    assert ana.breakdown == [("Food", "$1.20")]
    assert not ana.expense_form.get_by_label("Refund").is_checked()
    assert ledger.expenses("ana")[0][3] == Decimal(-3)


def test_an_entry_on_the_list_survives_the_end_of_the_session(bob, ledger):
    bob.log_in()
    bob.fill_expense("27.80", "Food", "Ramen & tea", "2026-03-14")
    bob.check_refund()

    ledger.end_sessions("bob")
    bob.press("Add")
    bob.log_in()

    typed = {"amount": "27.80", "category": "Food", "description": "Ramen & tea", "date": "2026-03-14"}
    assert bob.values() == typed
    assert bob.expense_form.get_by_label("Refund").is_checked()

    bob.press("Add")

    assert bob.rows == [("2026-03-14", "Food", "Ramen & tea refund", "−$27.80")]


# --- Correct


def test_an_expense_is_changed_and_changed_back(ana_everywhere, ledger):
    ana = ana_everywhere
    ledger.save("ana", KEPT[::-1])
    before, saved = ids(ledger), ledger.expenses("ana")
    ana.go("/expenses?category=Food&sort=date")

    ana.follow("Edit", "Café Noir")
    assert ana.values() == {"amount": "4.20", "category": "Food", "description": "Café Noir", "date": "2026-03-02"}
    ana.fill_expense("20-2.5", "Food", "Café Blanc", "2026-03-20")
    ana.press("Save changes")

    changed = ("2026-03-20", "Food", "Café Blanc", "$17.50")
    assert ana.query == {"category": ["Food"], "sort": ["date"]}
    assert ana.messages == ["Expense changed."]
    assert ana.rows == [*in_dollars(CENTRAL, GROCERIES), changed]
    assert ana.target_row == [changed]

    ana.press("Undo")

    assert ana.query == {"category": ["Food"], "sort": ["date"]}
    assert ana.messages == ["Undone: 1 expense changed back."]
    assert ana.rows == in_dollars(CENTRAL, CAFE, GROCERIES)
    assert (ids(ledger), ledger.expenses("ana")) == (before, saved)


def test_an_expense_is_repeated_today(ana, ledger):
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses?search=lake")

    before = today()
    ana.follow("Edit", "Train to the lake")
    ana.follow("Duplicate")
    shown = ana.values()
    assert shown.pop("date") in {str(before), str(today())}
    assert shown == {"amount": "46.20", "category": "Travel", "description": "Train to the lake"}
    ana.press("Add expense")

    assert ana.messages == ["Added $46.20 to Travel."]
    twins = [row for row in ana.rows if row[2] == "Train to the lake"]
    assert [row[1:] for row in twins] == [in_dollars(TRAIN)[0][1:]] * 2
    assert len(ledger.expenses("ana")) == len(KEPT) + 1


def test_the_address_is_kept_by_a_duplicate(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses?category=Travel&sort=amount")

    ana.follow("Edit", "Flight")
    ana.follow("Duplicate")
    ana.press("Add expense")

    assert ana.query == {"category": ["Travel"], "sort": ["amount"]}
    assert [row[2] for row in ana.target_row] == ["Flight"]


# --- Take back


def test_a_deleted_expense_comes_back(ana_everywhere, ledger):
    ana = ana_everywhere
    ledger.save("ana", KEPT[::-1])
    before, saved = ids(ledger), ledger.expenses("ana")
    ana.go("/expenses?category=Travel&sort=amount")

    ana.press("Delete", "Train to the lake")

    assert ana.query == {"category": ["Travel"], "sort": ["amount"]}
    assert ana.messages == ["Expense deleted."]
    assert (ana.rows, ana.total) == (in_dollars(FLIGHT), "$240.00")

    ana.press("Undo")

    assert ana.query == {"category": ["Travel"], "sort": ["amount"]}
    assert ana.messages == ["Undone: 1 expense restored."]
    assert (ana.rows, ana.total) == (in_dollars(TRAIN, FLIGHT), "$286.20")
    assert (ids(ledger), ledger.expenses("ana")) == (before, saved)

    ana.press("Delete", "Flight")
    ana.page.reload()
    assert ana.messages == []
    ana.go("/history")
    assert "Deleted an expense" in ana.text
    with ana.page.expect_navigation():
        ana.page.locator("section").first.get_by_role("button", name="Undo").click()

    assert urlsplit(ana.path).path == "/history"
    assert ana.messages == ["Undone: 1 expense restored."]
    assert "Undone" in ana.page.locator("section").nth(1).inner_text()
    assert (ids(ledger), ledger.expenses("ana")) == (before, saved)


def test_a_deleted_expense_comes_back_after_logging_out_and_in(bob, ledger):
    ledger.save("bob", KEPT[::-1])
    before, saved = ids(ledger), ledger.expenses("bob")
    bob.log_in()
    bob.select("Flight", "Pharmacy", "Café Noir")
    bob.press("Delete selected")
    assert bob.messages == ["Deleted 3 expenses, $256.55."]

    bob.log_out()
    bob.log_in()
    bob.go("/history")
    bob.press("Undo Pharmacy")
    assert bob.messages == ["Undone: 1 expense restored."]
    with bob.page.expect_navigation():
        bob.page.get_by_role("button", name="Undo all").last.click()

    assert bob.messages == ["Undone: 2 expenses restored."]
    assert (ids(ledger), ledger.expenses("bob")) == (before, saved)


def test_undo_pressed_twice_says_that_it_is_already_undone(ana, ledger):
    ledger.save("ana", [CAFE, TRAIN])
    ana.go("/expenses")
    ana.press("Delete", "Café Noir")
    # The same page in a second window, as it also is behind the Back button.
    undo = ana.page.locator(".message form").evaluate(
        "form => [form.getAttribute('action'), Object.fromEntries(new FormData(form))]"
    )

    ana.press("Undo")
    ana.page.go_back()
    if ana.messages == ["Expense deleted."]:
        ana.press("Undo")
    else:
        ana.context.request.post(ana.address + undo[0], form=undo[1], max_redirects=0)
        ana.go("/expenses")

    assert ana.messages == ["Already undone."]
    assert ana.rows == in_dollars(TRAIN, CAFE)


@pytest.mark.parametrize("action", ["Edit", "Delete"])
def test_the_row_that_was_brought_back_is_marked(ana_at_a_desk, ledger, action):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses")
    if action == "Edit":
        ana.follow("Edit", "Flight")
        ana.expense_form.get_by_label("Amount").fill("250")
        ana.press("Save changes")
    else:
        ana.press("Delete", "Flight")

    ana.press("Undo")

    assert ana.target_row == in_dollars(FLIGHT)


def test_undo_can_be_seen_beside_the_row_that_was_changed(ana, ledger):
    ledger.save("ana", [("2026-02-01", "Housing", f"Number {number}", "10.00") for number in range(30)])
    ana.go("/expenses")

    ana.follow("Edit", "Number 0")
    ana.expense_form.get_by_label("Amount").fill("11")
    ana.press("Save changes")

    assert [row[2:] for row in ana.target_row] == [("Number 0", "$11.00")]
    assert ana.is_on_screen(".message button")


# --- Find


def test_expenses_are_found_by_category_and_text_and_amount(ana, ledger):
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses")

    ana.find(category="Food", also=("Travel",))
    assert ana.heading == "Food and Travel · 5 expenses"
    assert ana.rows == in_dollars(TRAIN, GROCERIES, CAFE, CENTRAL, FLIGHT)

    ana.find(search="café")
    assert ana.heading == "Food and Travel, containing “café” · 2 expenses"
    assert (ana.rows, ana.total) == (in_dollars(CAFE, CENTRAL), sum_of(CAFE, CENTRAL))

    ana.find(search="%", min_amount="10+10")
    assert ana.heading == "Food and Travel, containing “%”, at least $20.00 · 1 expense"
    assert ana.rows == in_dollars(GROCERIES)

    ana.find(search="", min_amount="10", max_amount="63.17", sort="Smallest first")
    assert ana.heading == "Food and Travel, at least $10.00, at most $63.17 · 2 expenses"
    assert ana.rows == in_dollars(TRAIN, GROCERIES)
    assert ana.shown_category == "Food"

    ana.find(search="nowhere")
    assert (ana.count, ana.total, ana.rows) == (0, "$0.00", [])
    ana.follow("Show all expenses")
    assert ana.heading == "All categories · 6 expenses"


def test_expenses_are_found_by_time(ana, ledger):
    first = today().replace(day=1)
    now, then = [(str(first), "Food", "Now", "1.00")], [(str(first - timedelta(days=1)), "Food", "Then", "2.00")]
    ledger.save("ana", [*KEPT, *now, *then])
    ana.go("/expenses")

    ana.find(period="This month")
    assert ana.heading == f"{first:%B %Y} · 1 expense"
    assert ana.rows == in_dollars(*now)

    ana.find(period="Last month")
    assert ana.heading == f"{first - timedelta(days=1):%B %Y} · 1 expense"
    assert ana.rows == in_dollars(*then)

    ana.find(period="Any time", start_date="2026-02-14", end_date="2026-03-05")
    assert ana.heading == "All categories, Feb 14, 2026 to Mar 5, 2026 · 3 expenses"
    assert ana.rows == in_dollars(GROCERIES, CAFE, CENTRAL)

    ana.find(start_date="2026-03-01", end_date="2026-03-31")
    assert ana.heading == "March 2026 · 4 expenses"


def test_a_slip_in_the_form_that_finds_shows_nothing_and_says_why(ana, ledger):
    ledger.save("ana", KEPT)
    ana.go("/expenses")

    ana.find(min_amount="20", max_amount="10")

    assert ana.heading == "Nothing · 0 expenses"
    assert ana.page.locator("#filter-max_amount-error").inner_text() == "The maximum is less than the minimum."
    assert ana.page.locator("#filter-max_amount-error").is_visible()

    ana.find(max_amount="100")

    assert ana.rows == in_dollars(TRAIN, GROCERIES)


def test_unused_filters_stay_folded(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT)
    ana.go("/expenses")

    ana.find(category="Food", search="a")

    assert ana.filter_form.locator("details").get_attribute("open") is None


def test_the_heads_of_the_columns_turn_the_order(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses?category=Food&category=Travel")
    by_day = [TRAIN, GROCERIES, CAFE, CENTRAL, FLIGHT]
    by_amount = sorted(by_day, key=lambda expense: Decimal(expense[3]))

    for head, order in (
        ("Amount", by_amount[::-1]),
        ("Amount", by_amount),
        ("Date", by_day),
        ("Date", by_day[::-1]),
    ):
        with ana.page.expect_navigation():
            ana.page.locator("th a", has_text=head).click()
        assert ana.rows == in_dollars(*order)
        assert ana.heading == "Food and Travel · 5 expenses"


def test_turning_the_order_opens_nothing(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT)
    ana.go("/expenses")

    ana.follow("Amount")

    assert ana.filter_form.locator("details").get_attribute("open") is None


def test_every_part_leads_to_its_rows(ana, ledger):
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses?start_date=2026-01-01&sort=amount")

    parts = ana.breakdown
    assert parts == [
        ("Food", sum_of(GROCERIES, CAFE, CENTRAL)),
        ("Travel", sum_of(TRAIN)),
        ("Health", sum_of(PHARMACY)),
    ]
    for (name, total), number in zip(parts, (3, 1, 1), strict=True):
        ana.go("/expenses?start_date=2026-01-01&sort=amount")
        ana.page.locator("#breakdown").get_by_role("link", name=name).click()
        ana.page.wait_for_url("**category=**")
        assert ana.heading == f"{name}, since Jan 1, 2026 · {number} expense{'s' * (number > 1)}"
        assert (ana.total, len(ana.rows)) == (total, number)
        assert ana.query == {"category": [name], "start_date": ["2026-01-01"], "sort": ["amount"]}


# --- Many at once


def test_ticked_expenses_are_changed_and_deleted_and_brought_back(ana_everywhere, request, ledger):
    ana = ana_everywhere
    ledger.save("ana", KEPT[::-1])
    before, saved = ids(ledger), ledger.expenses("ana")
    ana.go("/expenses?start_date=2026-01-01&sort=amount")
    kept = {"start_date": ["2026-01-01"], "sort": ["amount"]}
    rows = in_dollars(CENTRAL, CAFE, PHARMACY, TRAIN, GROCERIES)

    ana.select("Café Noir", "Pharmacy")
    if "without JavaScript" in request.node.name:
        assert ana.page.locator("#ticked").inner_text() == ""
    else:
        assert ana.page.locator("#ticked").inner_text() == "2 selected, $16.55"
    ana.bulk_form.get_by_label("Category").select_option("Travel")
    ana.press("Set category")
    assert (ana.messages, ana.query) == (["Changed 2 expenses, $16.55."], kept)
    assert [row[1] for row in ana.rows] == ["Food", "Travel", "Travel", "Travel", "Food"]
    ana.press("Undo")
    assert (ana.messages, ana.query, ana.rows) == (["Undone: 2 expenses changed back."], kept, rows)

    ana.select("Café Noir", "CAFE CENTRAL")
    ana.bulk_form.get_by_label("Date", exact=True).fill("2026-03-31")
    ana.press("Set date")
    assert (ana.messages, ana.query) == (["Changed 2 expenses, $7.30."], kept)
    assert [row[0] for row in ana.rows[:3]] == ["2026-03-31", "2026-03-31", "2026-03-12"]
    ana.press("Undo")
    assert (ana.messages, ana.query, ana.rows) == (["Undone: 2 expenses changed back."], kept, rows)

    ana.select("Pharmacy", "Train to the lake")
    ana.press("Delete selected")
    assert (ana.messages, ana.query) == (["Deleted 2 expenses, $58.55."], kept)
    assert ana.rows == in_dollars(CENTRAL, CAFE, GROCERIES)
    ana.press("Undo")
    assert (ana.messages, ana.query, ana.rows) == (["Undone: 2 expenses restored."], kept, rows)

    assert (ids(ledger), ledger.expenses("ana")) == (before, saved)


def test_ticked_expenses_are_counted_again_after_going_back(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT)
    ana.go("/expenses")
    ana.select("Café Noir")

    ana.follow("Edit", "Pharmacy")
    ana.page.go_back()
    # The browser restores the checkboxes only after everything is loaded.
    ana.page.wait_for_load_state("load")
    ana.page.wait_for_timeout(200)

    ticked = (
        "1 selected, $4.20" if ana.row("Café Noir").get_by_role("checkbox").is_checked() else "0 selected, $0.00"
    )
    assert ana.page.locator("#ticked").inner_text() == ticked


def test_all_that_match_are_changed_also_on_other_pages(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    many = [("2026-02-01", "Food", f"Number {number}", "1.00") for number in range(60)]
    ledger.save("ana", [*many, TRAIN, FLIGHT])
    before, saved = ids(ledger), ledger.expenses("ana")
    ana.go("/expenses?category=Food")

    ana.select("Number 59")
    ana.bulk_form.get_by_label("Select all 60 matching expenses").check()
    ana.bulk_form.get_by_label("Category").select_option("Housing")
    ana.press("Set category")

    assert ana.messages == ["Changed 60 expenses, $60.00."]
    assert (ana.count, ana.heading) == (0, "Food · 0 expenses")

    ana.press("Undo")

    assert (ana.messages, ana.count) == (["Undone: 60 expenses changed back."], 60)
    assert (ids(ledger), ledger.expenses("ana")) == (before, saved)


def test_expenses_that_were_changed_since_are_left_alone_and_named(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", [CAFE, PHARMACY])
    ana.go("/expenses")
    ana.select("Café Noir", "Pharmacy")
    ana.bulk_form.get_by_label("Category").select_option("Travel")
    ana.press("Set category")
    ana.follow("Edit", "Pharmacy")
    ana.expense_form.get_by_label("Category", exact=True).select_option("Other")
    ana.press("Save changes")

    ana.go("/history")
    assert [head.split(",")[0] for head in ana.page.locator("h2").all_inner_texts()][:2] == [
        "Changed an expense",
        "Changed 2 expenses",
    ]
    with ana.page.expect_navigation():
        ana.page.get_by_role("button", name="Undo all").last.click()

    assert ana.messages == ["Undone: 1 expense changed back. Not undone because it was changed later: Pharmacy."]
    ana.go("/expenses")
    assert ana.rows == [("2026-03-12", "Other", *in_dollars(PHARMACY)[0][2:]), *in_dollars(CAFE)]


def test_with_nothing_ticked_the_page_says_what_to_do(ledger, state, visit):
    # With a script, the bar appears with the selection.
    ana = visit("ana", storage_state=state, java_script_enabled=False)
    ledger.save("ana", [("2026-02-01", "Food", f"Number {number}", "1.00") for number in range(30)])
    ana.go("/expenses")

    ana.press("Delete selected")

    assert ana.page.locator("#bulk-ids-error").inner_text() == "Select the expenses first."
    assert ana.count == len(ledger.expenses("ana")) == 30
    assert ana.is_on_screen("p.message.error")


def test_ticked_expenses_stay_ticked_when_the_change_is_refused(ana, ledger):
    ledger.save("ana", KEPT)
    ana.go("/expenses?category=Food")
    ana.select("Café Noir")

    ana.press("Set date")

    assert ana.page.locator("#bulk-date-error").inner_text() == "Enter the date to set."
    assert ana.row("Café Noir").get_by_role("checkbox").is_checked()
    assert ana.rows == in_dollars(GROCERIES, CAFE, CENTRAL)


# --- Take along, and keys


def test_the_file_holds_what_the_page_shows(ana, ledger):
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses?category=Food&category=Travel&sort=-amount")

    with ana.page.expect_download() as download:
        ana.page.locator("main").get_by_role("link", name="Export CSV").click()

    text = download.value.path().read_bytes().decode()
    lines = list(csv.reader(StringIO(text, newline="")))
    assert download.value.suggested_filename == "expenses.csv"
    assert lines[0] == ["date", "category", "description", "amount", "currency"]
    assert in_dollars(*(line[:4] for line in lines[1:])) == ana.rows
    assert [line[4] for line in lines[1:]] == ["USD"] * 5


def test_keys_go_through_the_rows_and_to_the_forms(ana_at_a_desk, ledger):
    ana = ana_at_a_desk
    ledger.save("ana", KEPT[::-1])
    ana.go("/expenses")
    keyboard = ana.page.keyboard
    focused = ana.page.locator(":focus")

    ana.page.locator("#description:focus").wait_for()
    keyboard.type("n/jke?")
    assert ana.values()["description"] == "n/jke?"
    ana.page.locator("h1").click()

    for key, name in (("j", "Pharmacy"), ("j", "Train to the lake"), ("k", "Pharmacy"), ("k", "Pharmacy")):
        keyboard.press(key)
        assert ana.row(name).filter(has=focused).is_visible()
    keyboard.press("Space")
    assert ana.page.locator("#ticked").inner_text() == "1 selected, $12.35"
    keyboard.press("n")
    assert (ana.focused, ana.values()["description"]) == ("description", "n/jke?")
    ana.page.locator("h1").click()
    keyboard.press("/")
    assert (ana.focused, ana.filter_form.get_by_label("Search").input_value()) == ("filter-search", "")
    ana.page.locator("h1").click()
    assert not ana.page.get_by_text("next and previous row").is_visible()
    keyboard.press("?")
    assert ana.page.get_by_text("next and previous row").is_visible()
    keyboard.press("j")
    with ana.page.expect_navigation():
        keyboard.press("e")

    assert ana.values()["description"] == "Pharmacy"


def test_without_javascript_no_keys_are_promised(ledger, state, visit):
    ana = visit("ana", storage_state=state, java_script_enabled=False)
    ana.go("/expenses")

    assert not ana.page.locator("#keys").is_visible()


# --- Months and years


def test_every_bar_of_a_month_and_a_year_leads_to_its_rows(ana, ledger):
    ledger.save("ana", KEPT[::-1])
    ana.go("/months/2026-03")
    assert ana.total == sum_of(*KEPT[:4])

    for bar, opened in (
        ("Food, $67.37", [GROCERIES, CAFE]),
        ("Mar 9, 2026, $46.20", [TRAIN]),
    ):
        ana.go("/months/2026-03")
        ana.page.get_by_role("link", name=bar).first.click()
        ana.page.wait_for_url("**/expenses?**")
        assert (ana.rows, ana.total) == (in_dollars(*opened), sum_of(*opened))

    ana.go("/months/2026-03")
    ana.follow("Year")
    ana.page.get_by_role("link", name="February 2026, $3.10").first.click()
    ana.page.wait_for_url("**/expenses?period=2026-02")
    assert ana.rows == in_dollars(CENTRAL)


@pytest.mark.parametrize("locale", ["en-US", "de-DE", "hi-IN", "pl-PL"])
def test_letters_of_pictures_keep_apart_whatever_they_say(ledger, state, visit, locale):
    kept = [
        ("2026-03-01", "W" * 64, "", "999999999.99"),
        ("2026-03-02", "Food", "", "-888888888.88"),
        ("2026-03-31", "Travel", "", "1.00"),
    ]
    ledger.save("ana", kept)
    ana = visit("ana", storage_state=state, viewport={"width": 320, "height": 800}, locale=locale)

    for page in ("/months/2026-03", "/years/2026"):
        ana.go(page)

        assert ana.page.locator("svg text").count() > 12
        assert ana.overlapping_texts() == []
        assert ana.page.evaluate("document.documentElement.scrollWidth") <= 320
