"""A user of a real browser: reads the visible page and presses its buttons and links."""

import re
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browsing import PASSWORD

PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}

LETTERS = """() => Array.from(document.querySelectorAll("svg text"))
    .filter(text => text.checkVisibility())
    .map(text => [text.textContent, text.getBoundingClientRect()])
    .map(([text, box]) => [text, box.left, box.top, box.right, box.bottom])
"""


class Person:
    """A user in one browser window; collects everything that the browser complained about."""

    def __init__(self, context: Any, address: str, name: str = "stranger") -> None:
        self.context = context
        self.address = address
        self.name = name
        self.page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.dialogs: list[str] = []
        self.sent: list[str] = []
        self.lost = 0
        self._errors: list[tuple[str, str]] = []
        self._refused: set[str] = set()
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self._errors.append((str(error), "")))
        self.page.on("dialog", self._note_dialog)
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_response)

    def _note_console(self, message: Any) -> None:
        if message.type == "error":
            self._errors.append((message.text, message.location["url"]))

    def _note_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note_request(self, request: Any) -> None:
        if request.method == "POST":
            self.sent.append(request.url.removeprefix(self.address))

    def _note_response(self, response: Any) -> None:
        if response.request.is_navigation_request() and 400 <= response.status < 500:
            self._refused.add(response.url)

    def complaints(self) -> list[str]:
        """Every error in the console, except that a page itself was answered with 4xx."""
        return [
            f"{text} ({url})"
            for text, url in self._errors
            if not (text.startswith("Failed to load resource") and url in self._refused)
        ]

    def overlapping_texts(self) -> list[str]:
        """The texts of pictures that extend beyond the screen or touch another one."""
        letters = self.page.evaluate(LETTERS)
        width = self.page.viewport_size["width"]
        found = [text for text, left, _top, right, _bottom in letters if left < 0 or right > width]
        for place, (text, left, top, right, bottom) in enumerate(letters):
            for other, other_left, other_top, other_right, other_bottom in letters[:place]:
                apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
                found += [] if apart else [f"{other} / {text}"]
        return found

    # --- What is done

    def go(self, address: str) -> Any:
        """Open a URL of the application."""
        return self.page.goto(self.address + address)

    def press(self, button: str, row: str | None = None) -> None:
        """Press the button of this name, on the page or in a row, and wait for the page it leads to."""
        with self.page.expect_navigation():
            self._named("button", button, row).click()

    def follow(self, link: str, row: str | None = None) -> None:
        """Follow the link of this name, on the page or in a row."""
        with self.page.expect_navigation():
            self._named("link", link, row).click()

    def _named(self, role: str, name: str, row: str | None) -> Any:
        """The button or link of this name; in a row, its name also includes the expense."""
        if row is None:
            return self.page.get_by_role(role, name=name, exact=True)
        return self.row(row).get_by_role(role, name=re.compile(f"^{name} "))

    def wait_for_path(self, path: str) -> None:
        """Wait until the browser shows this path, however many navigations were cut short on the way."""
        for _ in range(500):
            if urlsplit(self.path).path == path:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"the browser shows {self.path}")

    def type_day(self, day: str) -> None:
        """Type a day (`YYYY-MM-DD`) on the keyboard, as a date field in American English takes it."""
        field = self.expense_form.get_by_label("Date", exact=True)
        field.press_sequentially(f"{date.fromisoformat(day):%m%d%Y}")
        assert field.input_value() == day

    def fill_expense(self, amount: str, category: str, description: str = "", day: str | None = None) -> None:
        """Fill in the open form for an expense."""
        self.expense_form.get_by_label("Amount").fill(amount)
        self.expense_form.get_by_label("Category", exact=True).select_option(category)
        self.expense_form.get_by_label("Description").fill(description)
        if day is not None:
            self.type_day(day)

    def add(self, amount: str, category: str, description: str = "", day: str | None = None) -> None:
        """Add an expense on the open list, and stay there; on a phone, the form is on a separate page."""
        before = urlsplit(self.path)
        button = self.open_add_form()
        self.fill_expense(amount, category, description, day)
        self.press(button)
        assert any(text.startswith("Added ") for text in self.messages), self.text
        assert urlsplit(self.path)[:4] == before[:4]

    def open_add_form(self) -> str:
        """Open the form for a new expense where it is not on the list, and return the name of its button."""
        if self.page.locator(".adding").is_visible():
            return "Add"
        self.page.locator(".floating-add a").click()
        self.page.wait_for_url("**/expenses/add*")
        return "Add expense"

    def check_refund(self) -> None:
        """Select Refund, which is one step away on the list."""
        refund = self.expense_form.get_by_label("Refund")
        if not refund.is_visible():
            self.page.locator(".more > summary").click()
        refund.check()

    def find(self, also: tuple[str, ...] = (), **values: str) -> None:
        """Fill in the open form that finds expenses, and send it."""
        if not self.filter_form.is_visible():
            self.page.locator(".filter > summary").click()
        more = self.filter_form.locator("details")
        if (also or values.keys() - FIRST_FILTERS) and more.get_attribute("open") is None:
            more.locator("summary").click()
        for name in also:
            more.get_by_label(name, exact=True).check()
        for name, value in values.items():
            field = self.filter_form.locator(f"#filter-{name}")
            if name in CHOSEN_FILTERS:
                field.select_option(label=value)
            else:
                field.fill(value)
        self.press("Filter")

    def select(self, *names: str) -> None:
        """Tick expenses in the table, by their descriptions."""
        if self.page.locator(".select-rows").is_visible():
            self.page.locator(".select-rows").click()
        for name in names:
            self.row(name).get_by_role("checkbox").check()

    def register(self, name: str) -> "Person":
        """Create an account."""
        self.name = name
        self.go("/register")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Email").fill(f"{name}@example.com")
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_label("Repeat password").fill(PASSWORD)
        self.press("Create account")
        return self

    def log_in(self, password: str = PASSWORD, remember: bool = False) -> "Person":
        """Fill in the open login page, and send it."""
        self.page.get_by_label("Email").fill(f"{self.name}@example.com")
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_label("Remember me").set_checked(remember)
        self.press("Log in")
        return self

    def open_from_menu(self, name: str) -> None:
        """Go to a page of the navigation bar, which is in its menu where there is no room."""
        link = self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True)
        if not link.filter(visible=True).count():
            self.page.locator(".menu summary").click()
        with self.page.expect_navigation():
            link.filter(visible=True).click()

    def log_out(self) -> None:
        """Open the menu in the navigation bar and log out."""
        self.page.locator(".menu summary").click()
        self.press("Log out")

    def lose_the_next_answer(self, address: str) -> None:
        """Let the next form sent to this URL arrive, and lose the answer on the way back."""

        def lose(route: Any) -> None:
            if route.request.method != "POST" or self.lost:
                route.continue_()
                return
            self.lost = route.fetch(max_redirects=0).status
            # The browser stays where it was, as if the user had stopped loading.
            route.abort("aborted")

        self.lost = 0
        self.page.route(self.address + address, lose)

    def wait_for_lost_answer(self) -> None:
        """Wait until the server has answered what `lose_the_next_answer` is about."""
        for _ in range(250):
            if self.lost:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("the form was never answered")

    # --- What is seen

    @property
    def path(self) -> str:
        """The URL in the address bar, within the application."""
        return self.page.url.removeprefix(self.address)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query arguments of the list."""
        return parse_qs(urlsplit(self.path).query)

    def row(self, name: str) -> Any:
        """The row of the table with this description."""
        description = self.page.locator(".description > bdi").get_by_text(name, exact=True)
        return self.page.locator(".expenses tr[id]").filter(has=description)

    @property
    def expense_form(self) -> Any:
        """The form that adds or changes an expense."""
        return self.page.locator(".adding, main form:has(#amount):not(#bulk)")

    @property
    def filter_form(self) -> Any:
        """The form that finds expenses."""
        return self.page.get_by_role("form", name="Find expenses")

    @property
    def bulk_form(self) -> Any:
        """The form that changes many expenses."""
        return self.page.locator(".bulk-actions")

    @property
    def text(self) -> str:
        """The text of the page's content."""
        return self.page.locator("main").inner_text()

    @property
    def messages_with_buttons(self) -> list[str]:
        """The messages below the navigation bar or above the form."""
        return self.page.locator(".message").all_inner_texts()

    @property
    def messages(self) -> list[str]:
        """The messages, without their Undo button."""
        return self.page.locator(".message p, p.message").all_inner_texts()

    @property
    def heading(self) -> str:
        """The text of the main heading."""
        return " ".join(self.page.locator("h1").inner_text().split())

    @property
    def total(self) -> str:
        return self.page.locator("#total").inner_text()

    @property
    def count(self) -> int:
        return int(self.page.locator("#count").inner_text())

    @property
    def shown_category(self) -> str:
        """The selected option of the category filter."""
        return self.page.locator("#filter-category option:checked").text_content()

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The rows of the table: date, category, description, amount."""
        return self._read(".expenses tr[id]")

    @property
    def target_row(self) -> list[tuple[str, str, str, str]]:
        """The row that was added or changed, as long as it can be seen without scrolling."""
        marked = ".expenses tr:is(:target, .changed)"
        return [row for row in self._read(marked) if self.is_on_screen(marked)]

    def is_on_screen(self, selector: str) -> bool:
        """Tell whether an element can be seen without scrolling."""
        box, height = self.page.locator(selector).bounding_box(), self.page.viewport_size["height"]
        return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= height

    def _read(self, rows: str) -> list[tuple[str, str, str, str]]:
        return [tuple(row) for row in self.page.locator(rows).evaluate_all(READ_ROWS)]

    @property
    def breakdown(self) -> list[tuple[str, str]]:
        """The parts of the total: category and sum."""
        parts = self.page.locator("#breakdown a").all()
        return [(part.locator("bdi").inner_text(), part.locator(".amount").inner_text()) for part in parts]

    @property
    def focused(self) -> str | None:
        """The id of the element that has the focus."""
        return self.page.locator(":focus").get_attribute("id", timeout=10_000)

    def values(self) -> dict[str, str]:
        """The values of the expense form."""
        return {name: self.page.locator(f"main #{name}").input_value() for name in EXPENSE_FIELDS}


READ_ROWS = """rows => rows.map(row => [
    row.querySelector("time").dateTime,
    ...["category", "description", "amount"].map(name => row.querySelector("td." + name).innerText.trim())])
"""
FIRST_FILTERS = {"category", "period", "search"}
CHOSEN_FILTERS = {"category", "period", "sort"}
EXPENSE_FIELDS = ("amount", "category", "description", "date")
