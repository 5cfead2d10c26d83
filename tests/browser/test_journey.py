"""A new user's journey through the whole application, including common mistakes."""

from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.browser.person import LAPTOP, PHONE

MONTH = [
    ("2026-03-01", "Housing", "Rent", "1180.00"),
    ("2026-03-02", "Transport", "Monthly pass", "49.00"),
    ("2026-03-02", "Food", "Groceries", "63.17"),
    ("2026-03-05", "Utilities", "Internet", "34.90"),
    ("2026-03-06", "Food", "Coffee", "0.10"),
    ("2026-03-06", "Food", "Coffee", "0.10"),
    ("2026-03-06", "Food", "Coffee", "0.10"),
    ("2026-03-09", "Health", "Pharmacy", "12.35"),
    ("2026-03-12", "Entertainment", "Cinema", "11.50"),
    ("2026-03-14", "Food", "Ramen & tea", "27.80"),
    ("2026-03-15", "Shopping", "Señora's lamp", "89.99"),
    ("2026-03-19", "Education", "Language course", "140.00"),
    ("2026-03-22", "Travel", "Train to the lake", "46.20"),
    ("2026-03-28", "Food", "Market", "38.05"),
    ("2026-03-31", "Other", "", "5.00"),
]

scripts = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])


def newest_first(expenses):
    """In the order of the list: by day, and within a day the last one added first."""
    return sorted(expenses, key=lambda expense: expense[0])[::-1]


def in_dollars(expenses):
    """As the table shows them."""
    return [(day, category, text, f"${Decimal(amount):,.2f}") for day, category, text, amount in expenses]


def saved(expenses):
    """As the database holds them."""
    return [(day, category, text, Decimal(amount)) for day, category, text, amount in expenses]


def sum_of(expenses):
    """Their exact sum, as the total shows it."""
    return f"${sum(Decimal(expense[3]) for expense in expenses):,.2f}"


@pytest.mark.parametrize(
    ("scripts", "screen"),
    [(True, LAPTOP), (False, PHONE)],
    ids=["laptop", "phone without JavaScript"],
)
def test_a_newcomer_keeps_a_month_of_expenses(server, visit, scripts, screen):
    ana = visit(java_script_enabled=scripts, viewport=screen)

    ana.register("ana")

    assert ana.path == "/expenses"
    assert "No expenses yet." in ana.text
    assert (ana.total, ana.count, ana.rows) == ("$0.00", 0, [])
    ana.page.locator(".menu summary").click()
    assert "ana" in ana.page.get_by_role("navigation", name="Main").inner_text().split()
    ana.page.locator(".menu summary").click()

    for day, category, description, amount in MONTH:
        ana.add(amount, category, description, day)
        assert [text[:6] for text in ana.messages] == ["Added "]
        if screen == LAPTOP:
            assert (ana.values()["amount"], ana.values()["category"], ana.values()["date"]) == ("", category, day)

    assert ana.rows == in_dollars(newest_first(MONTH))
    assert (ana.total, ana.count) == (sum_of(MONTH), len(MONTH))
    assert server.expenses("ana") == saved(newest_first(MONTH))

    ana.find(category="Food")

    food = [expense for expense in MONTH if expense[1] == "Food"]
    assert ana.query["category"] == ["Food"]
    assert ana.heading == f"Food · {len(food)} expenses"
    assert ana.rows == in_dollars(newest_first(food))
    assert (ana.total, ana.count, ana.shown_category) == (sum_of(food), len(food), "Food")

    ana.press("Delete", "Ramen & tea")

    food = [expense for expense in food if expense[2] != "Ramen & tea"]
    rest = [expense for expense in MONTH if expense[2] != "Ramen & tea"]
    assert ana.query["category"] == ["Food"]
    assert ana.messages == ["Expense deleted."]
    assert ana.rows == in_dollars(newest_first(food))
    assert (ana.total, ana.count, ana.shown_category) == (sum_of(food), len(food), "Food")
    assert server.expenses("ana") == saved(newest_first(rest))

    ana.log_out()

    assert ana.path == "/login"
    assert ana.messages_with_buttons == ["You are logged out."]
    assert server.count_sessions() == 0

    ana.go("/expenses?category=Food")
    assert urlsplit(ana.path).path == "/login"
    assert ana.query == {"next": ["/expenses?category=Food"]}
    ana.log_in(remember=True)

    assert ana.path == "/expenses?category=Food"
    assert (ana.total, ana.count, ana.shown_category) == (sum_of(food), len(food), "Food")

    # What closing the browser does.
    ana.context.clear_cookies(name="session")
    ana.go("/expenses")

    assert ana.path == "/expenses"
    assert (ana.total, ana.count) == (sum_of(rest), len(rest))


def test_a_log_in_without_remember_me_ends_with_the_browser(server, visit):
    server.create_person("ana")
    ana = visit(name="ana")
    ana.go("/login")

    ana.log_in(remember=False)
    assert ana.path == "/expenses"
    ana.context.clear_cookies(name="session")
    ana.go("/expenses")

    assert urlsplit(ana.path).path == "/login"


def test_a_wrong_password_shows_an_error_and_the_email_stays(server, visit):
    server.create_person("ana")
    ana = visit(name="ana")
    ana.go("/login?next=/expenses/add")

    ana.log_in(password="not the river")

    assert ana.page.get_by_role("alert").all_inner_texts() == ["The email address or password is wrong."]
    assert ana.page.get_by_label("Email").input_value() == "ana@example.com"
    assert ana.page.get_by_label("Password").input_value() == ""
    ana.page.locator("#email:focus, #password:focus").wait_for(timeout=10_000)
    assert server.count_sessions() == 0

    ana.log_in()

    assert ana.path == "/expenses/add"
    assert server.count_sessions() == 1


def test_after_logging_out_the_back_button_shows_no_expenses(server, visit):
    ana = visit().register("ana")
    ana.add("12.50", "Food", "A secret dinner")

    ana.log_out()
    ana.page.go_back()

    assert urlsplit(ana.path).path == "/login"
    assert "A secret dinner" not in ana.page.content()


@scripts
def test_a_refused_amount_comes_back_filled_in_with_its_error_and_the_focus(server, visit, scripts):
    ana = visit(java_script_enabled=scripts).register("ana")
    ana.go("/expenses/add")

    ana.fill_expense("1,234", "Travel", "Flight", "2026-03-14")
    ana.press("Add expense")

    typed = {"amount": "1,234", "category": "Travel", "description": "Flight", "date": "2026-03-14"}
    assert ana.values() == typed
    amount = ana.page.get_by_label("Amount")
    described_by = amount.get_attribute("aria-describedby").split()
    errors = [ana.page.locator(f"#{name}").inner_text() for name in described_by]
    assert errors == ["Are these thousands? Then write 1234."]
    assert amount.get_attribute("aria-invalid") == "true"
    ana.page.locator("#amount:focus").wait_for(timeout=10_000)
    assert server.expenses("ana") == []

    amount.fill("1234")
    ana.press("Add expense")

    assert ana.rows == [("2026-03-14", "Travel", "Flight", "$1,234.00")]
    assert server.expenses("ana") == [("2026-03-14", "Travel", "Flight", Decimal("1234"))]


# Whatever the hour, it is another day than in London in one of the two.
@pytest.mark.parametrize("time_zone", ["Pacific/Auckland", "Pacific/Pago_Pago"])
def test_today_is_the_day_in_the_users_time_zone(server, visit, time_zone):
    ana = visit(timezone_id=time_zone)

    before = datetime.now(ZoneInfo(time_zone)).date()
    ana.register("ana")
    on_the_list = ana.values()["date"]
    ana.follow("Add expense")
    after = datetime.now(ZoneInfo(time_zone)).date()

    assert {on_the_list, ana.values()["date"]} <= {str(before), str(after)}
    assert server.user("ana").time_zone == time_zone


def test_without_javascript_a_new_account_has_the_time_zone_of_the_site(server, visit):
    ana = visit(timezone_id="Pacific/Auckland", java_script_enabled=False)

    ana.register("ana")

    assert ana.path == "/expenses"
    assert server.user("ana").time_zone == "UTC"


@pytest.mark.parametrize(
    ("ended", "scripts"),
    [("by the browser", True), ("by the browser", False), ("by the server", True)],
)
def test_an_entry_survives_the_end_of_the_session(server, visit, ended, scripts):
    ana = visit(java_script_enabled=scripts).register("ana")
    ana.go("/expenses/add")
    ana.fill_expense("27.80", "Food", "Ramen & tea <3", "2026-03-14")

    if ended == "by the browser":
        ana.context.clear_cookies()
    else:
        server.end_sessions("ana")
    ana.press("Add expense")

    assert urlsplit(ana.path).path == "/login"
    assert ana.messages_with_buttons == ["Your session ended. Log in and what you typed will still be there."]
    assert server.expenses("ana") == []

    ana.log_in()

    typed = {"amount": "27.80", "category": "Food", "description": "Ramen & tea <3", "date": "2026-03-14"}
    assert ana.path == "/expenses/add"
    assert ana.messages_with_buttons == [
        "Your session had ended. Your entries are still here; they are not saved yet."
    ]
    assert ana.values() == typed
    assert server.expenses("ana") == []

    ana.press("Add expense")

    assert ana.rows == [("2026-03-14", "Food", "Ramen & tea <3", "$27.80")]
    assert server.expenses("ana") == [("2026-03-14", "Food", "Ramen & tea <3", Decimal("27.80"))]

    ana.go("/expenses/add")

    assert ana.values()["amount"] == ""


@scripts
def test_pressing_add_twice_adds_one(server, visit, scripts):
    ana = visit(java_script_enabled=scripts).register("ana")
    ana.go("/expenses/add")
    ana.fill_expense("27.80", "Food", "Ramen", "2026-03-14")

    # The second press ends the navigation that the first one began, which waiting for a navigation would report.
    ana.page.get_by_role("button", name="Add expense").dblclick()
    ana.wait_for_path("/expenses")
    ana.go("/expenses")
    assert ana.rows == [("2026-03-14", "Food", "Ramen", "$27.80")]
    assert server.expenses("ana") == [("2026-03-14", "Food", "Ramen", Decimal("27.80"))]


def test_pressing_add_again_when_the_answer_got_lost_adds_one(server, visit):
    ana = visit().register("ana")
    ana.go("/expenses/add")
    ana.fill_expense("27.80", "Food", "Ramen", "2026-03-14")

    ana.lose_the_next_answer("/expenses/add")
    ana.page.get_by_role("button", name="Add expense").click()
    ana.wait_for_lost_answer()
    assert len(server.expenses("ana")) == 1
    ana.press("Add expense")

    assert ana.sent.count("/expenses/add") == 2
    assert ana.path == "/expenses"
    assert ana.rows == [("2026-03-14", "Food", "Ramen", "$27.80")]
    assert server.expenses("ana") == [("2026-03-14", "Food", "Ramen", Decimal("27.80"))]


def test_going_back_after_adding_and_pressing_again_adds_no_second_one(server, visit):
    ana = visit().register("ana")
    ana.go("/expenses/add")
    ana.fill_expense("27.80", "Food", "Ramen", "2026-03-14")
    ana.press("Add expense")

    ana.page.go_back()
    assert ana.path == "/expenses/add"
    ana.page.get_by_role("button", name="Add expense").click()
    ana.page.wait_for_load_state()
    ana.go("/expenses")

    assert ana.rows == [("2026-03-14", "Food", "Ramen", "$27.80")]
    assert server.expenses("ana") == [("2026-03-14", "Food", "Ramen", Decimal("27.80"))]


def test_an_expense_is_added_with_the_keyboard_alone(server, visit):
    ana = visit().register("ana")
    keyboard = ana.page.keyboard

    ana.page.locator("#description:focus").wait_for(timeout=10_000)
    keyboard.press("Shift+Tab")
    for _ in range(3):
        # The year, the day and the month are parts of one field.
        keyboard.press("Shift+Tab")
    keyboard.type("03142026")
    keyboard.press("Tab")
    for typed in ("Ramen", "Food", "27.80"):
        keyboard.press("Tab")
        keyboard.type(typed)
    with ana.page.expect_navigation():
        keyboard.press("Enter")

    assert ana.rows == [("2026-03-14", "Food", "Ramen", "$27.80")]
    assert server.expenses("ana") == [("2026-03-14", "Food", "Ramen", Decimal("27.80"))]


def test_markup_in_a_description_is_shown_as_it_was_typed(server, visit):
    ana = visit().register("ana")

    ana.add("1.00", "Other", "<script>alert(1)</script>", "2026-03-14")

    assert ana.rows == [("2026-03-14", "Other", "<script>alert(1)</script>", "$1.00")]
    assert ana.row("<script>alert(1)</script>").get_by_role("button", name="Delete").is_visible()
    assert ana.dialogs == []
    assert server.expenses("ana")[0][2] == "<script>alert(1)</script>"
