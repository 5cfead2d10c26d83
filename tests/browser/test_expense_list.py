"""The list of expenses: how much of it is seen at once, and adding several expenses with the keyboard alone."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Budget, Category
from tests.browser.person import LAPTOP, PHONE

WIDTHS = (320, 390, 768, 1280, 1920)
CATEGORIES = ("Food", "Housing", "Transport", "Utilities", "Health", "Shopping")
TODAY = date.today()
FORTY = [
    (str(TODAY - timedelta(days=40 + number // 2)), CATEGORIES[number % 6], f"Thing {number}", f"{number + 1}.20")
    for number in range(40)
]
DUE_WEEKS = 4

ROWS_IN_SIGHT = """() => Array.from(document.querySelectorAll(".expenses tr[id]"))
    .map(row => row.getBoundingClientRect())
    .filter(box => box.height && box.top >= 0 && box.bottom <= innerHeight).length
"""
LARGEST_TEXT = """() => Math.max(...Array.from(document.querySelectorAll("body *"))
    .filter(element => element.checkVisibility() && element.childNodes.length)
    .map(element => parseFloat(getComputedStyle(element).fontSize)))
"""
STOPS = """row => Array.from(row.querySelectorAll("a, button, input"))
    .map(stop => stop.ariaLabel || stop.innerText)
"""


@pytest.fixture
def ledger(server):
    """The server, where ana has forty expenses of six categories."""
    # In English, whatever the locale of the browser.
    server.create_person("ana", language="en")
    server.save("ana", FORTY)
    return server


@pytest.fixture
def open_list(ledger, visit):
    """Opens the list as ana, who is logged in."""

    def open_in(**options):
        ana = visit("ana", storage_state=ledger.log_in("ana"), **options)
        ana.go("/expenses")
        return ana

    return open_in


def repeat_weekly(ana):
    """Add an expense that has been due four times since."""
    ana.go("/expenses/add")
    ana.fill_expense("29.50", "Health", "Gym", str(TODAY - timedelta(weeks=DUE_WEEKS)))
    ana.expense_form.get_by_label("Repeat").select_option("Every week")
    ana.press("Add expense")
    assert ana.page.locator(".due li").count() == DUE_WEEKS


# --- What is seen at once


@pytest.mark.parametrize(
    ("screen", "due", "rows"),
    [(LAPTOP, False, 20), (PHONE, False, 8), (LAPTOP, True, 16), (PHONE, True, 4)],
    ids=["laptop", "phone", "laptop, four are due", "phone, four are due"],
)
def test_the_first_screen_is_for_the_rows(open_list, screen, due, rows):
    ana = open_list(viewport=screen)
    if due:
        repeat_weekly(ana)

    # Without the message about what was done before.
    ana.go("/expenses")
    ana.page.wait_for_load_state("networkidle")

    assert ana.page.evaluate(ROWS_IN_SIGHT) >= rows
    assert ana.page.evaluate("scrollY") == 0
    assert len(ana.rows) == len(FORTY) + due


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_message_offers_stays_on_one_line(open_list, width):
    ana = open_list(viewport={"width": width, "height": 800})

    repeat_weekly(ana)

    offers = [offer.bounding_box() for offer in ana.page.locator(".message :is(a, button)").all()]
    assert len(offers) == 2
    assert len({round(offer["y"] + offer["height"] / 2) for offer in offers}) == 1


def test_no_digit_of_a_date_is_cut_off(open_list):
    ana = open_list()
    field = ana.page.locator(".adding input[type=date]")
    field.fill("2026-03-28")
    box = field.bounding_box()
    # What is left of its icon.
    clip = {"x": box["x"] + 2, "y": box["y"] + 4, "width": box["width"] - 28, "height": box["height"] - 8}

    shown = ana.page.screenshot(clip=clip)
    field.evaluate("field => field.style.width = '20rem'")

    assert ana.page.screenshot(clip=clip) == shown


def test_the_total_is_the_largest_thing_and_is_read_first(open_list):
    ana = open_list()

    size = ana.page.locator("#total").evaluate("total => parseFloat(getComputedStyle(total).fontSize)")
    assert size == ana.page.evaluate(LARGEST_TEXT) >= 36
    assert ana.page.locator("#total").bounding_box()["y"] < ana.page.locator(".expenses").bounding_box()["y"]
    assert ana.heading == "All categories · 40 expenses"


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_one_button_is_filled(open_list, screen):
    ana = open_list(viewport=screen)
    repeat_weekly(ana)
    ana.go("/expenses")

    filled = ana.page.evaluate(
        """() => Array.from(document.querySelectorAll("button, .outline, .floating-add a"))
            .filter(button => !button.ariaHidden)
            .filter(button => button.checkVisibility() && button.getBoundingClientRect().width > 1
                && getComputedStyle(button).backgroundColor !== "rgba(0, 0, 0, 0)")
            .map(button => button.innerText)"""
    )

    assert filled == ["Add"]


def test_the_period_is_switched_and_the_other_filters_stay(open_list):
    ana = open_list()
    ana.go("/expenses?category=Food&period=2026-03&start_date=2026-03-05")

    for link, period in (("This year", "this-year"), ("Previous year", str(TODAY.year - 1)), ("All", None)):
        ana.follow(link)
        assert ana.query == {"category": ["Food"]} | ({"period": [period]} if period else {})
    ana.follow("This month")
    ana.follow("Previous month")
    last_month = TODAY.replace(day=1) - timedelta(days=1)
    assert ana.query == {"category": ["Food"], "period": [f"{last_month:%Y-%m}"]}
    assert ana.page.locator(".neighbours b").inner_text() == f"{last_month:%B %Y}"


def test_each_active_filter_is_named_and_can_be_removed(open_list):
    ana = open_list()
    ana.go("/expenses?category=Food&category=Health&start_date=2020-01-01&search=thing&min_amount=5&sort=amount")
    names = ["Food", "Health", "since Jan 1, 2020", "containing “thing”", "at least $5.00"]
    filters = ana.page.get_by_role("list", name="Active filters").get_by_role("listitem")

    while names:
        assert filters.all_inner_texts() == [f"{name} Remove" for name in names]
        ana.follow(f"Remove the filter: {names.pop(0)}")

    assert ana.query == {"sort": ["amount"]}
    assert filters.count() == 0


def test_a_month_says_what_is_left_of_its_budget(ledger, open_list):
    ana = open_list()
    author_id = ledger.user("ana").id
    with Session(ledger.engine) as session:
        food = session.scalars(
            select(Category.id).where(Category.author_id == author_id, Category.name == "Food")
        ).one()
        for category_id, amount in ((food, 10), (None, 100)):
            key = {"author_id": author_id, "category_id": category_id, "start_date": date(2026, 3, 1)}
            session.add(Budget(**key, amount=Decimal(amount)))
        session.commit()
    ledger.save("ana", [("2026-03-12", "Food", "Tea", "4.00"), ("2026-03-13", "Health", "Pills", "100.00")])
    left = ana.page.locator(".budget-left")

    for query, text in (
        ("?period=2026-03", "$4.00 over the budget of $100.00"),
        ("?period=2026-03&category=Food", "$6.00 of $10.00 left"),
    ):
        ana.go(f"/expenses{query}")
        assert left.inner_text() == text
    for query in ("", "?period=2026", "?period=2026-03&search=tea", "?period=2026-03&category=Health"):
        ana.go(f"/expenses{query}")
        assert left.count() == 0


# --- Rows


def test_a_row_has_three_stops_whose_names_say_which_expense_it_is(ledger, open_list):
    ledger.save("ana", [(f"{TODAY.year - 1}-03-02", "Food", "Thing", "4.20")])
    ana = open_list()

    stops = [row.evaluate(STOPS) for row in ana.page.locator(".expenses tr[id]").all()]

    assert stops[-1] == [
        f"{action} Thing, Mar 2, {TODAY.year - 1}, $4.20" for action in ("Select", "Edit", "Delete")
    ]
    assert {len(names) for names in stops} == {3}
    names = [name for names in stops for name in names]
    assert len(set(names)) == len(names)


def test_on_a_phone_a_row_opens_its_expense_and_select_shows_the_boxes(open_list):
    ana = open_list(viewport=PHONE)
    boxes = ana.page.locator(".expenses").get_by_role("checkbox")
    assert boxes.filter(visible=True).count() == 0
    sizes = [button.bounding_box() for button in ana.page.locator(".expenses tr[id] button").all()[:3]]
    assert min(min(size["width"], size["height"]) for size in sizes) >= 44

    ana.page.get_by_role("link", name="Select").click()
    boxes.filter(visible=True).nth(2).click()

    assert ana.page.locator("#ticked").inner_text() == "1 selected, $4.20"
    assert ana.is_on_screen(".bulk-actions")
    ana.go("/expenses")
    # The link covers the whole row.
    box = ana.row("Thing 3").locator(".description").bounding_box()
    with ana.page.expect_navigation():
        ana.page.mouse.click(box["x"] + 5, box["y"] + 5)
    assert ana.values()["description"] == "Thing 3"


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_bulk_bar_appears_with_the_selection(open_list, scripts):
    ana = open_list(java_script_enabled=scripts)
    assert ana.bulk_form.is_visible() != scripts

    ana.select("Thing 3")

    assert ana.bulk_form.is_visible()
    assert ana.is_on_screen(".bulk-actions") or not scripts


# --- Adding


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_after_adding_the_focus_is_back_and_the_new_row_is_seen(open_list, scripts):
    ana = open_list(java_script_enabled=scripts)
    assert ana.focused == "description"

    for number in (1, 2):
        ana.add("4.20", "Food", f"Coffee {number}", str(TODAY))

        assert ana.focused == "description"
        assert [row[2] for row in ana.target_row] == [f"Coffee {number}"]
        assert ana.page.evaluate("scrollY") == 0 if scripts else "#" not in ana.path
        assert ana.messages == ["Added $4.20 to Food."]
        assert ana.page.locator(".message").get_by_role("button", name="Undo").is_visible()
        assert ana.page.locator(".message a").all_inner_texts() == ["Edit"]


@pytest.mark.parametrize("query", ["?category=Travel", "?period=2020-01", "?search=zebra", "?sort=amount"])
def test_a_new_row_that_is_not_in_sight_can_be_shown(open_list, query):
    ana = open_list()
    ana.go(f"/expenses{query}")

    ana.add("88", "Food", "Lamp", str(TODAY))
    assert ana.query == {pair.partition("=")[0]: [pair.partition("=")[2]] for pair in query[1:].split("&")}
    ana.page.locator(".message").get_by_role("link", name="Show").click()
    ana.page.wait_for_url("**#e*")

    assert [row[2] for row in ana.target_row] == ["Lamp"]


def test_ten_expenses_are_added_by_keyboard_alone_on_a_slow_computer(ledger, open_list):
    ana = open_list()
    keyboard, page = ana.page.keyboard, ana.page
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    ana.go("/expenses")

    for number in range(10):
        assert ana.focused == "description"
        # Every letter is a shortcut elsewhere.
        keyboard.type(f"je/nk? {number}")
        keyboard.press("Tab")
        keyboard.type("Hea")
        keyboard.press("Tab")
        keyboard.type(f"{number + 1}.50")
        with page.expect_navigation():
            keyboard.press("Enter")

    assert ana.focused == "description"
    assert [expense for expense in ledger.expenses("ana") if expense[0] == str(TODAY)] == [
        (str(TODAY), "Health", f"je/nk? {number}", Decimal(f"{number + 1}.50")) for number in reversed(range(10))
    ]


def test_no_shortcut_is_taken_from_somebody_who_types(open_list):
    ana = open_list()
    ana.page.locator(".more > summary").click()
    ana.page.locator(".filter summary", has_text="More filters").click()

    for field in ("description", "amount", "new_category", "filter-search", "filter-min_amount"):
        ana.page.locator(f"#{field}").focus()
        ana.page.keyboard.type("n/jke?")
        assert ana.page.locator(f"#{field}").input_value() == "n/jke?"
        assert ana.focused == field
    for field in ("category", "frequency", "filter-sort"):
        ana.page.locator(f"#{field}").focus()
        ana.page.keyboard.type("nejk")
        assert ana.focused == field


def test_more_actions_are_one_step_away_in_the_same_row(open_list):
    ana = open_list()

    ana.fill_expense("5", "New …", "Bottles")
    ana.page.locator(".more > summary").click()
    ana.expense_form.get_by_label("Refund").check()
    ana.expense_form.get_by_label("New category").fill("Deposits")
    ana.press("Add")

    assert ana.messages == ["Added a refund of $5.00 to the new category Deposits."]
    assert [row[1:] for row in ana.target_row] == [("Deposits", "Bottles refund", "−$5.00")]
    assert not ana.page.locator(".more .panel").is_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_on_a_phone_several_expenses_are_added_on_a_page_of_its_own(ledger, open_list, scripts):
    ana = open_list(viewport=PHONE, java_script_enabled=scripts)
    assert not ana.page.locator("#description").is_visible()
    assert ana.is_on_screen(".floating-add a")
    with ana.page.expect_navigation():
        ana.page.locator(".floating-add a").click()

    for number in (1, 2):
        ana.fill_expense("4.20", "Travel", f"Bus {number}", "2026-03-14")
        ana.press("Add and add another")
        assert ana.path == "/expenses/add"
        assert ana.focused == "amount"
        assert ana.values() == {"amount": "", "category": "Travel", "description": "", "date": "2026-03-14"}
        assert ana.messages == ["Added $4.20 to Travel. It is dated Mar 14, 2026."]
    ana.fill_expense("4.20", "Travel", "Bus 3", str(TODAY))
    ana.press("Add expense")

    assert ana.path == "/expenses"
    assert [row[2] for row in ana.target_row] == ["Bus 3"]
    assert len(ledger.expenses("ana")) == len(FORTY) + 3


def test_due_expenses_do_not_take_the_focus_on_a_phone(open_list):
    ana = open_list(viewport=PHONE)
    repeat_weekly(ana)

    ana.go("/expenses")
    ana.page.wait_for_load_state("networkidle")

    assert ana.page.evaluate("[document.activeElement === document.body, scrollY]") == [True, 0]


def test_a_new_account_begins_with_three_steps(server, visit):
    ana = visit().register("ana")

    steps = ana.page.locator(".first-steps li")
    assert steps.count() == 3
    ana.add("4.20", "Food", "Coffee", str(TODAY))
    assert steps.count() == 0


# --- Every screen


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_nothing_is_wider_than_the_screen_in_either_direction(ledger, open_list, direction):
    ledger.save("ana", [("2026-03-02", "Food", text, "999999999.99") for text in ("W" * 200, "קפה (2)")])
    ana = open_list()
    repeat_weekly(ana)
    ana.go("/expenses?search=w&min_amount=1")
    too_wide = {}

    for address in ("/expenses", "/expenses?search=w&min_amount=1", "/expenses/add"):
        ana.go(address)
        ana.page.evaluate(f"document.documentElement.dir = '{direction}'")
        for width in WIDTHS:
            ana.page.set_viewport_size({"width": width, "height": 800})
            needed, shown = ana.page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            if needed > shown:
                too_wide[address, width] = needed

    assert too_wide == {}


def test_paper_shows_which_rows_of_how_many(ledger, open_list):
    ledger.save("ana", [(day, category, f"More {name}", amount) for day, category, name, amount in FORTY])
    ana = open_list()

    ana.page.emulate_media(media="print")

    assert ana.page.get_by_text("50 of 80 expenses are printed here.").is_visible()
    assert ana.page.locator("#total").is_visible()
    assert not ana.page.locator(".adding, .tools, .period-switch, .floating-add").filter(visible=True).count()
    ana.go("/expenses?category=Food")
    assert not ana.page.get_by_text("are printed here.").count()


@pytest.mark.parametrize("locale", ["ar-EG", "he-IL", "fa-IR"])
def test_dates_and_amounts_keep_their_own_direction(open_list, locale):
    ana = open_list(locale=locale)

    directions = ana.page.evaluate(
        """() => Array.from(document.querySelectorAll(".expenses tr[id] time, .expenses tr[id] .amount, #total"),
            element => [getComputedStyle(element).direction, getComputedStyle(element).unicodeBidi])"""
    )

    assert directions
    assert {tuple(pair) for pair in directions} == {("rtl", "isolate")}


def test_the_bulk_form_of_a_phone_is_opened_by_select_without_a_script(open_list):
    ana = open_list(viewport=PHONE, java_script_enabled=False)
    assert not ana.page.locator(".bulk-actions").is_visible()

    ana.page.get_by_role("link", name="Select").click()

    assert ana.page.locator(".bulk-actions").is_visible()
    assert ana.page.locator(".expenses tr[id] .select").first.is_visible()
