"""Every page: accessibility, screen sizes, color schemes, and print."""

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle, pairwise

import pytest

from tests.browser.person import LAPTOP, PHONE, Person
from tests.statements import STATEMENT

WIDTHS = (320, 390, 768, 1280)
TOUCH_TARGET = 44
MOST_STOPS = 400
LONGEST = ("2026-03-31", "Entertainment", "W" * 200, "999999999.99")
SIXTY = [
    LONGEST,
    ("2026-03-01", "Travel", "Round the world", "12345.67"),
    *(
        (f"2026-{month:02}-{day:02}", category, f"Number {month}-{day}", f"{day}.{month:02}")
        for month in (1, 2)
        for day, category in zip(range(1, 28), cycle(["Food", "Transport", "Housing", "Health"]), strict=False)
    ),
    ("2025-12-24", "Education", "Evening class", "140.00"),
    ("2025-12-24", "Education", "", "9.90"),
    ("2025-12-01", "Shopping", "Lamp", "89.99"),
    ("2025-12-01", "Shopping", "Chair", "120.00"),
]


def address(path):
    """Opens a page by its address."""
    return lambda person: person.go(path)


def refuse_log_in(person):
    """Opens the login page after a mistake."""
    person.go("/login")
    person.log_in(password="not the river")


def log_out(person):
    """Opens the login page after logging out."""
    person.go("/login")
    person.log_in()
    person.log_out()


def refuse_registration(person):
    """Opens the register page after four mistakes."""
    person.go("/register")
    person.page.get_by_label("Username").fill("a na")
    person.page.get_by_label("Email").fill("ana@localhost")
    person.page.get_by_label("Password", exact=True).fill("12345678")
    person.page.get_by_label("Repeat password").fill("something else")
    person.press("Create account")
    assert person.page.locator(".error").count() == 4


def refuse_expense(person):
    """Opens the form as it is after a mistake."""
    person.go("/expenses/add")
    person.fill_expense("1,234", "Food", "W" * 200, "2026-03-14")
    person.press("Add expense")


def refuse_entry(person):
    """Opens the list as it is after a mistake in the form that adds."""
    person.go("/expenses?category=Education")
    person.fill_expense("1,234", "", "Something new", "2026-03-14")
    person.press("Add")
    assert person.page.locator(".error").count() == 2


def refuse_bulk(person):
    """Opens the list as it is when no category was chosen for the selected expenses."""
    person.go("/expenses?category=Education")
    person.select("Evening class")
    person.press("Set category")
    assert person.page.locator(".error").count() == 2


def edit(person):
    """Opens the form for an expense that exists."""
    person.go("/expenses?category=Education")
    person.follow("Edit", "Evening class")


def refuse_edit(person):
    """Opens the form for an existing expense as it is after a mistake."""
    edit(person)
    person.fill_expense("-3", "Education")
    person.press("Save changes")
    assert person.page.locator(".error").count() == 1


def duplicate(person):
    """Opens the form for an expense like another one."""
    person.go("/expenses?category=Education")
    person.follow("Edit", "Evening class")
    person.follow("Duplicate")


def change_twice(person):
    """Opens the list as it is after a change, with a marked row, and restores everything."""
    names = ["Evening class", "Evening class, paid", "Evening class"]
    for former, description in pairwise(names):
        person.go("/expenses?category=Education")
        person.follow("Edit", former)
        person.expense_form.get_by_label("Description").fill(description)
        person.press("Save changes")
    assert person.messages == ["Expense changed."]
    assert person.page.get_by_role("button", name="Undo", exact=True).is_visible()


def repeat(person):
    """Add what has been due three times since."""
    person.go("/expenses/add")
    person.fill_expense("500", "Housing", "W" * 200, str(date.today() - timedelta(weeks=3)))
    person.expense_form.get_by_label("Repeat").select_option("Every week")
    person.press("Add expense")


def refuse_due(person):
    """Opens the list after a mistake in a due expense."""
    person.go("/expenses")
    person.page.get_by_label("Amount of").nth(1).fill("1,234")
    with person.page.expect_navigation():
        person.page.get_by_role("button", name="Add all").click()
    assert person.page.locator(".error").count() == 1


def edit_recurring(person):
    """Opens the form for what repeats."""
    person.go("/recurring")
    person.page.get_by_role("link", name="Edit").click()


def turn_page(person):
    """Opens the second page of the list."""
    person.go("/expenses")
    person.follow("Older")


def refuse_budget(person):
    """Opens the categories as they are after a wrong budget."""
    person.go("/categories")
    person.page.get_by_label("Monthly budget of Food").fill("1,234")
    person.press("Save budgets")
    assert person.page.locator(".error").count() == 1


def edit_category(person):
    """Opens the page of a category."""
    person.go("/categories")
    person.follow("Edit Education")


def upload(person):
    """Opens the review of a statement, with one payee unfolded."""
    person.go("/imports")
    file = {"name": "bank.csv", "mimeType": "text/csv", "buffer": STATEMENT}
    person.page.set_input_files("#file", file)
    person.press("Upload")
    person.page.locator("summary", has_text="Coffee bar").click()


def choose_columns(person):
    """Opens the questions about a statement."""
    upload(person)
    person.follow("Change columns")


def refuse_export(person):
    """Send a file that is not an export."""
    person.go("/account/restore")
    person.page.get_by_label("Export file").set_input_files(__file__)
    person.press("Restore export")


def refuse_settings(person):
    """Opens the account page as it is after two mistakes."""
    person.go("/account")
    person.page.locator("#profile-username").fill("a na")
    person.page.locator("#profile-email").fill("ana@localhost")
    person.page.locator("#profile-current_password").fill("not the river")
    person.press("Save profile")
    assert person.page.locator(".error").count() == 2


# Who opens the page, how, and the heading by which one knows to be there.
PAGES = {
    "login": ("stranger", address("/login"), "Log in"),
    "login, refused": ("stranger", refuse_log_in, "Log in"),
    "login, after logging out": ("stranger", log_out, "Log in"),
    "register": ("stranger", address("/register"), "Create an account"),
    "register, refused": ("stranger", refuse_registration, "Create an account"),
    # First: later pages need something to be changed.
    "history, empty": ("ana", address("/history"), "History"),
    "list, empty": ("bob", address("/expenses"), "All categories · 0 expenses"),
    "list": ("ana", address("/expenses"), "All categories · 60 expenses"),
    "list, last page": ("ana", turn_page, "All categories · 60 expenses"),
    "list, filtered": ("ana", address("/expenses?category=Education"), "Education · 2 expenses"),
    "list, filtered, empty": ("ana", address("/expenses?category=Other"), "Other · 0 expenses"),
    "list, unknown category": ("ana", address("/expenses?category=Fud"), "Nothing · 0 expenses"),
    "list, everything asked": (
        "ana",
        address(
            "/expenses?category=Education&category=Travel&start_date=2025-12-01&end_date=2026-03-31"
            "&search=E&min_amount=100&max_amount=99999&sort=-amount"
        ),
        "Education and Travel, Dec 1, 2025 to Mar 31, 2026, containing “E”, at least $100.00, "
        "at most $99,999.00 · 2 expenses",
    ),
    "list, wrong in every field": (
        "ana",
        address(
            "/expenses?category=Fud&period=2026-13&start_date=1&end_date=31.12.&search=%00&min_amount=abc&max_amount=1,234"
            "&sort=up&after=here&before=there"
        ),
        "Nothing · 0 expenses",
    ),
    "list, refused entry": ("ana", refuse_entry, "Education · 2 expenses"),
    "list, nothing chosen": ("ana", refuse_bulk, "Education · 2 expenses"),
    "list, after a change": ("ana", change_twice, "Education · 2 expenses"),
    "month": ("ana", address("/months/2026-02"), "February 2026"),
    "month, one large": ("ana", address("/months/2026-03"), "March 2026"),
    "month, empty": ("ana", address("/months/2025-01"), "January 2025"),
    "year": ("ana", address("/years/2026"), "2026"),
    "year, empty": ("ana", address("/years/2024"), "2024"),
    "edit": ("ana", edit, "Edit expense"),
    "edit, refused": ("ana", refuse_edit, "Edit expense"),
    "duplicate": ("ana", duplicate, "Add expense"),
    "history": ("bob", address("/history"), "History"),
    "add": ("ana", address("/expenses/add"), "Add expense"),
    "print": ("ana", address("/expenses/print"), "All categories"),
    "add, refused": ("ana", refuse_expense, "Add expense"),
    "categories": ("ana", address("/categories"), "Categories and budgets"),
    "categories, refused": ("ana", refuse_budget, "Categories and budgets"),
    "category": ("ana", edit_category, "Edit category"),
    "account": ("bob", address("/account"), "Your account"),
    "account, refused": ("ana", refuse_settings, "Your account"),
    "restore": ("ana", address("/account/restore"), "Restore an export"),
    "restore, empty": ("dora", address("/account/restore"), "Restore an export"),
    "restore, refused": ("dora", refuse_export, "Restore an export"),
    "delete account": ("ana", address("/account/delete"), "Delete your account"),
    "security": ("bob", address("/account/security"), "Security"),
    "two-factor authentication": ("bob", address("/account/two-factor"), "Two-factor authentication"),
    "list, due": ("cleo", address("/expenses"), "All categories · 1 expense"),
    "list, due, refused": ("cleo", refuse_due, "All categories · 1 expense"),
    "import, first": ("cleo", address("/imports"), "Import"),
    "import, review": ("bob", upload, "Review statement"),
    "import, columns": ("bob", choose_columns, "How to read this file"),
    "import": ("bob", address("/imports"), "Import"),
    "recurring": ("cleo", address("/recurring"), "Recurring expenses"),
    "recurring, empty": ("bob", address("/recurring"), "Recurring expenses"),
    "recurring, change": ("cleo", edit_recurring, "Edit recurring expense"),
    "log-out": ("ana", address("/logout"), "Log out"),
    "not found": ("ana", address("/nowhere"), "Not found"),
}


def delete_everything(person):
    """Change some expenses, delete one, then change and delete all of them."""
    person.select("Lamp", "Chair")
    person.bulk_form.get_by_label("Category").select_option("Housing")
    person.press("Set category")
    person.press("Delete", "Lamp")
    for button in ("Set date", "Delete selected"):
        person.select("Chair")
        person.bulk_form.get_by_label("Date", exact=True).fill("2026-03-31")
        person.bulk_form.get_by_role("checkbox").check()
        person.press(button)
    assert person.count == 0


@pytest.fixture(scope="module")
def states(chromium, running_server):
    """The cookies of all users: ana has sixty expenses; bob has none any more, and a long name;
    cleo has due expenses; dora has just registered."""
    running_server.empty_tables()
    running_server.create_person("ana")
    running_server.save("ana", SIXTY)
    running_server.create_person("cleo")
    running_server.create_person("dora")
    running_server.create_person("bob", username="b" * 64)
    running_server.save("bob", [LONGEST, *SIXTY[-4:]])
    states = {"stranger": None}
    for name in ("ana", "bob", "cleo", "dora"):
        context = chromium.new_context()
        person = Person(context, running_server.address, name)
        person.go("/login")
        person.log_in()
        if name == "bob":
            delete_everything(person)
        if name == "cleo":
            repeat(person)
        states[name] = context.storage_state()
        context.close()
    return states


@pytest.fixture(scope="module", params=PAGES)
def opened(request, chromium, running_server, states):
    """Each of the pages in turn, opened once for all that is asked of it."""
    who, open_page, heading = PAGES[request.param]
    context = chromium.new_context(storage_state=states[who], viewport=LAPTOP, locale="en-US")
    # The stranger is bob, wherever a page needs a name.
    person = Person(context, running_server.address, "bob" if who == "stranger" else who)
    open_page(person)
    assert " ".join(person.page.locator("h1").inner_text().split()) == heading
    yield person.page
    complaints = person.complaints()
    context.close()
    assert complaints == []


@pytest.fixture
def ana(states, visit):
    """Somebody with sixty expenses."""
    return visit("ana", storage_state=states["ana"])


def look(page, screen=LAPTOP, **media):
    """Show the page on this screen."""
    page.set_viewport_size(screen)
    page.emulate_media(**({"color_scheme": "light", "media": "screen", "reduced_motion": "reduce"} | media))


# Colours do not depend on the width, nor the order of things on the colours: two looks see it all.
@pytest.mark.parametrize(("screen", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["light", "dark"])
def test_axe_finds_nothing(opened, axe, screen, scheme):
    look(opened, screen, color_scheme=scheme)

    # It would read the imported style sheet once more, which the content policy forbids.
    results = axe.run(opened, options={"preload": False, "rules": {"target-size": {"enabled": True}}})

    assert results.violations_count == 0, results.generate_report()


OUT_OF_LINE = """() => Array.from(document.querySelectorAll("td.amount:last-child"))
    .filter(amount => amount.checkVisibility())
    .map(amount => [amount.innerText, amount.getBoundingClientRect().right,
        amount.closest("table").getBoundingClientRect().right])
    .filter(([text, end, edge]) => Math.abs(end - edge) > 1)
"""


def test_nothing_is_wider_than_the_screen_and_amounts_end_at_the_edge_of_their_table(opened):
    too_wide = {}

    for width in WIDTHS:
        look(opened, {"width": width, "height": 800})
        root = "document.documentElement"
        needed, shown = opened.evaluate(f"[{root}.scrollWidth, {root}.clientWidth]")
        if needed > shown:
            too_wide[width] = needed
        assert opened.evaluate(OUT_OF_LINE) == []

    assert too_wide == {}


# The words and figures that are broken at the end of a line, but for those that no line has room for.
BROKEN = """() => {
    const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const broken = [];
    while (texts.nextNode()) {
        const node = texts.currentNode;
        if (!node.parentElement.checkVisibility()) continue;
        for (const word of node.data.matchAll(/(?<!\\S)[\\p{L}\\d$.,]{2,24}(?!\\S)/gu)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const lines = new Set(Array.from(range.getClientRects(), box => box.top));
            if (lines.size > 1) broken.push(word[0]);
        }
    }
    return broken;
}"""


@pytest.mark.parametrize("media", ["screen", "print"])
def test_no_word_and_no_figure_is_broken(opened, media):
    look(opened, media=media)

    assert opened.evaluate(BROKEN) == []


@pytest.mark.parametrize("page", ["/expenses?category=Food", "/categories", "/months/2026-02"])
def test_no_word_is_broken_when_letters_are_twice_as_large_on_a_phone(ana, page):
    ana.go(page)

    look(ana.page, {"width": PHONE["width"] // 2, "height": PHONE["height"] // 2})

    assert ana.page.evaluate(BROKEN) == []


PADDED = """() => Array.from(document.querySelectorAll("input[aria-invalid]:not([type=date], [type=search])"))
    .map(field => [field.name, getComputedStyle(field)])
    .filter(([name, style]) => style.paddingInlineStart !== style.paddingInlineEnd)
    .map(([name, style]) => name)
"""


def test_a_wrong_value_stays_where_it_was_typed(opened):
    look(opened)

    assert opened.evaluate(PADDED) == []


BUTTONS = """() => Array.from(
    document.querySelectorAll("button, [role=button], summary, select, input:not([type=hidden])"))
    .filter(button => button.checkVisibility() && !button.ariaHidden)
    .map(button => {
        // A press on the label ticks its box.
        const boxes = [button, ...button.labels || []].map(element => element.getBoundingClientRect());
        return [button.innerText || button.name, Math.max(...boxes.map(box => box.height))];
    })
"""


def test_every_button_and_field_is_large_enough_for_a_finger_on_a_phone(opened):
    look(opened, PHONE)

    heights = opened.evaluate(BUTTONS)

    assert heights or opened.get_by_role("heading", name="Not found").is_visible()
    assert [button for button in heights if button[1] < TOUCH_TARGET] == []


TARGETS = """() => {
    const targets = Array.from(
        document.querySelectorAll(
            "main summary, .expenses td a, .pages a, .view-all a, .export a, input[type=checkbox]"
        ));
    return targets.filter(target => target.checkVisibility()).map(target => {
        // A press on the label ticks its box.
        const boxes = [target, ...target.labels || []].map(element => element.getBoundingClientRect());
        return [target.ariaLabel || target.innerText || target.id || target.value,
                Math.max(...boxes.map(box => box.height))];
    });
}"""


@pytest.mark.parametrize(
    "page", ["/expenses?category=Education&category=Shopping", "/expenses?sort=amount", "/expenses/add"]
)
def test_every_checkbox_and_link_of_the_list_is_large_enough_for_a_finger(ana, page):
    ana.go(page)

    look(ana.page, PHONE)

    targets = ana.page.evaluate(TARGETS)
    assert [target for target in targets if target[1] < TOUCH_TARGET][:6] == []


FOCUSED = """() => {
    const hides = element =>
        element && (getComputedStyle(element).clipPath !== "none" || hides(element.parentElement));
    const focused = document.activeElement;
    const labelledBy = document.getElementById(focused.getAttribute("aria-labelledby"));
    const label = labelledBy || focused.labels && focused.labels[0] || focused;
    const style = getComputedStyle(focused);
    const box = focused.getBoundingClientRect();
    const scroller = focused.closest(".scrolls-sideways");
    return {
        outside: focused === document.body,
        name: (focused.ariaLabel || label.innerText || label.textContent).trim().replace(/\\s+/g, " "),
        clipped: Boolean(focused.closest("main *") && hides(focused)),
        floating: Boolean(focused.closest(".floating-add")),
        outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
        left: box.left + (scroller ? scroller.scrollLeft : 0),
        top: box.top + scrollY, bottom: box.bottom + scrollY,
    };
}"""


def press_tab(page):
    """Press Tab from the top of the page to its end; return what had the focus, in that order."""
    # Some pages begin with the focus in a field.
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); scrollTo(0, 0); }")
    stops = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["outside"]:
            return stops
        # A date field is left after one Tab for each of its parts.
        if not stops or stops[-1]["name"] != stop["name"]:
            stops.append(stop)
    raise AssertionError("Tab never leaves the page")


def is_read_after(stop, before):
    """Tell whether the eye comes to `stop` after `before`: further right on a line, or further down."""
    same_line = stop["top"] < before["bottom"] and before["top"] < stop["bottom"]
    return stop["left"] > before["left"] if same_line else stop["top"] > before["top"]


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_tab_goes_as_the_eye_goes_and_the_focus_can_be_seen(opened, screen):
    look(opened, screen)

    stops = press_tab(opened)

    assert stops[0]["name"] == "Skip to the content"
    assert [stop["name"] for stop in stops if stop["outline"] < 1 or stop["clipped"]] == []
    # The link that skips is above everything, and the last one floats over the page, wherever they are drawn.
    pairs = list(pairwise(stop for stop in stops[1:] if not stop["floating"]))
    assert pairs
    jumps = [(before["name"], stop["name"]) for before, stop in pairs if not is_read_after(stop, before)]
    assert jumps == []


def test_tab_reaches_everything_in_the_list(ana):
    ana.go("/expenses?category=Education")

    names = [stop["name"] for stop in press_tab(ana.page)]

    assert names == [
        "Skip to the content",
        "Ledger",
        "Expenses",
        "Reports",
        "Recurring",
        "Categories",
        "Add expense",
        "History",
        "ana",
        "This month",
        "This year",
        "All",
        "Education $149.90",
        "Category",
        "Period",
        "Search",
        "Filter",
        "More filters",
        "Export CSV",
        "Import",
        "Remove the filter: Education",
        "Date",
        "Amount",
        *("Date", "Description", "Category", "Amount", "Add", "More"),
        *(f"{action} Education, Dec 24, 2025, $9.90" for action in ("Select", "Edit", "Delete")),
        *(f"{action} Evening class, Dec 24, 2025, $140.00" for action in ("Select", "Edit", "Delete")),
        "Keyboard shortcuts",
    ]


def test_tab_reaches_everything_in_the_form(ana):
    ana.go("/expenses/add")

    names = [stop["name"] for stop in press_tab(ana.page)]

    assert names == [
        "Skip to the content",
        "Ledger",
        "Expenses",
        "Reports",
        "Recurring",
        "Categories",
        "Add expense",
        "History",
        "ana",
        "Amount in USD",
        "Refund",
        "Category",
        "New category",
        "Description",
        "Date",
        "Repeat",
        "Add expense",
        "Add and add another",
        "Back to the list",
        "Categories",
    ]


def test_the_first_link_skips_the_navigation(ana):
    ana.go("/expenses?category=Education")

    # The list begins with the focus in a field.
    ana.page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); scrollTo(0, 0); }")
    ana.page.keyboard.press("Tab")
    skip = ana.page.get_by_role("link", name="Skip to the content")
    assert skip.bounding_box()["x"] >= 0
    ana.page.keyboard.press("Enter")
    ana.page.keyboard.press("Tab")

    assert ana.page.evaluate(FOCUSED)["name"] == "This month"


def test_the_menu_of_a_phone_has_each_page_once(ana):
    ana.page.set_viewport_size(PHONE)
    ana.go("/expenses")

    ana.page.locator("summary", has_text="Menu").click()

    names = [link.inner_text() for link in ana.page.locator(".navigation a").filter(visible=True).all()]
    assert names == [
        *("Ledger", "Expenses", "Reports", "Recurring", "Categories", "History", "Account", "Import", "Export CSV")
    ]


def test_an_everyday_total_stays_on_one_line_of_a_small_phone(ana):
    ana.page.set_viewport_size({"width": 320, "height": 700})

    ana.go("/expenses?category=Travel")

    total = ana.page.locator("#total")
    letter = float(total.evaluate("element => getComputedStyle(element).fontSize").removesuffix("px"))
    assert ana.total == "$12,345.67"
    assert total.bounding_box()["height"] < 2 * letter


def test_pages_turn_and_come_back(ana):
    ana.go("/expenses")
    first = ana.rows

    ana.follow("Older")
    second = ana.rows
    ana.follow("Newer")

    assert (len(first), len(second)) == (50, 10)
    assert ana.rows == first
    days = [row[0] for row in first + second]
    assert days == sorted((expense[0] for expense in SIXTY), reverse=True)
    assert (ana.total, ana.count) == (f"${sum(Decimal(expense[3]) for expense in SIXTY):,.2f}", 60)


def test_paper_shows_the_table_and_the_total_and_nothing_to_press(ana):
    ana.go("/expenses?category=Education")

    look(ana.page, media="print")

    assert ana.page.locator("#total").is_visible()
    cells = ana.page.locator(".expenses tr[id] td:not(.select, .actions)").all()
    assert len(cells) == 2 * 4
    assert all(cell.is_visible() for cell in cells if cell.inner_text())
    heads = [head.inner_text() for head in ana.page.get_by_role("columnheader").all() if head.is_visible()]
    assert heads == ["Date", "Description", "Category", "Amount"]
    assert ana.heading == "Education · 2 expenses"
    # A head is a link on the screen, and a word on paper.
    pressable = ana.page.locator("a:not(th a), button, select, summary, input:not([type=hidden])").all()
    seen = [element.inner_text() or element.get_attribute("id") for element in pressable if element.is_visible()]
    assert seen == []
    assert [nav.is_visible() for nav in ana.page.get_by_role("navigation").all()] == []
    assert [form.is_visible() for form in ana.page.get_by_role("form").all()] == []


def test_nothing_moves_for_people_who_asked_for_that(ana):
    ana.go("/expenses")

    look(ana.page, reduced_motion="reduce")

    durations = ana.page.evaluate(
        "() => Array.from(document.querySelectorAll('*'), element => getComputedStyle(element).transitionDuration)"
    )
    assert set(durations) == {"0s"}


@pytest.mark.parametrize("page", ["/months/2026-02", "/months/2026-03", "/months/2025-12", "/years/2026"])
def test_no_letters_of_a_picture_touch_others_or_leave_the_screen(ana, page):
    ana.go(page)
    for width in WIDTHS:
        look(ana.page, {"width": width, "height": 800})

        assert ana.page.locator("svg text").count() >= 8
        assert ana.overlapping_texts() == []


@pytest.mark.parametrize("page", ["/months/2026-02", "/years/2026"])
def test_paper_shows_a_report_with_its_heading_and_its_pictures(ana, page):
    ana.go(page)

    look(ana.page, {"width": 720, "height": 1000}, media="print")

    assert ana.page.get_by_role("heading", level=1).is_visible()
    assert ana.page.locator(".chart").first.is_visible()
    assert not ana.page.locator("nav a, .floating-add, button, summary").filter(visible=True).count()
    # A sheet is narrower than a laptop, but it is not a phone.
    assert ana.page.locator("main thead").first.is_visible()


@pytest.mark.parametrize(
    "page", ["/expenses", "/months/2026-02", "/years/2026", "/categories", "/account", "/history"]
)
def test_nothing_moves_while_a_page_loads_and_the_bar_stays_on_one_line(ana, page):
    ana.page.add_init_script(
        "window.shift = 0;"
        "new PerformanceObserver(list => list.getEntries().forEach(entry => shift += entry.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    for width in (320, 390, 1280):
        ana.page.set_viewport_size({"width": width, "height": 800})
        ana.go(page)
        ana.page.wait_for_load_state("networkidle")

        # On a busy computer the font arrives late, and letters move a pixel: at most 0.006. A line adds 0.02.
        assert ana.page.evaluate("shift") < 0.01
        links = ana.page.locator(".navigation > ul > li").filter(visible=True).all()
        middles = {round(box["y"] + box["height"] / 2) for box in (link.bounding_box() for link in links)}
        assert max(middles) - min(middles) <= 1
        assert ana.page.locator(".navigation").bounding_box()["height"] <= (49 if width < 960 else 61)


def test_the_mark_of_a_changed_expense_does_not_lie_on_its_name(ana):
    change_twice(ana)
    row = ana.page.locator(".expenses tr.changed")

    for screen, is_inside in ((LAPTOP, True), (PHONE, False)):
        look(ana.page, screen)

        # A laptop has a column for it.
        assert ("inset" in row.evaluate("row => getComputedStyle(row).boxShadow")) == is_inside


def test_boxes_for_budgets_look_alike(ana):
    ana.go("/categories")

    boxes = ana.page.locator(".budget input:not([type=hidden])")
    assert boxes.count() == 11
    assert set(boxes.evaluate_all("boxes => boxes.map(box => getComputedStyle(box).borderTopWidth)")) == {"1px"}


def test_the_comparisons_of_a_report_are_as_wide_as_a_phone(ana):
    ana.page.set_viewport_size(PHONE)
    ana.go("/months/2026-02")

    name, difference = (ana.page.locator(f".comparisons {part}").first for part in ("dt", ".difference"))
    progress = ana.page.locator(".section-heading").first.bounding_box()
    assert name.bounding_box()["x"] == progress["x"]
    edges = [box["x"] + box["width"] for box in (difference.bounding_box(), progress)]
    assert edges[0] == pytest.approx(edges[1], abs=1)


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("query", ["", "?search=%00"], ids=["right", "wrong"])
def test_the_icon_of_the_search_does_not_touch_its_text(states, visit, language, query):
    ana = visit("ana", storage_state=states["ana"], locale=language)
    ana.go(f"/expenses{query}")

    names = ("backgroundPositionX", "backgroundSize", "paddingInlineStart")
    style = ana.page.locator("#filter-search").evaluate(
        "(field, names) => names.map(name => getComputedStyle(field)[name])", names
    )
    distance, icon, padding = (float(re.search(r"[\d.]+(?=px)", value)[0]) for value in style)
    assert ("100%" in style[0]) == (language == "ar")
    assert distance + icon + 8 <= padding


def test_what_is_transparent_stays_so_in_forced_colors(states, visit):
    ana = visit("ana", storage_state=states["ana"], viewport=PHONE, forced_colors="active")
    ana.go("/expenses?period=2026-02")

    border, paper = (
        ana.page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name)
        for selector, name in ((".switch a", "borderTopColor"), ("body", "backgroundColor"))
    )
    assert re.findall(r"\d+", border)[:3] == re.findall(r"\d+", paper)[:3]


@pytest.mark.parametrize("width", [320, 390, 768])
def test_each_button_for_what_is_selected_is_beside_its_field(ana, width):
    ana.page.set_viewport_size({"width": width, "height": 800})
    ana.go("/expenses?category=Education")
    ana.select("Evening class")

    for name in ("category", "date"):
        field = ana.page.locator(f".bulk-actions [name={name}]").bounding_box()
        button = ana.page.locator(f".bulk-actions button[value={name}]").bounding_box()
        assert (field["y"], field["height"]) == (button["y"], button["height"])
        edge = ana.page.locator(".bulk-actions").bounding_box()
        assert button["x"] + button["width"] == pytest.approx(edge["x"] + edge["width"], abs=1)
