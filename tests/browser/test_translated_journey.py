"""The way of a new user through the application in other languages, by the names that the catalogues give."""

import re

import pytest

from languages import LANGUAGES, catalogues, language_tag
from tests.browser.person import LAPTOP
from tests.browsing import PASSWORD

LEFT_EDGES = "texts => texts.map(text => text.getBoundingClientRect().left)"
LINES = """buttons => buttons.map(button => {
  const range = document.createRange();
  range.selectNodeContents(button.lastChild);
  return range.getClientRects().length;
})"""
ICON_PLACES = "fields => fields.map(field => getComputedStyle(field).backgroundPosition)"
MARKS = re.compile("[\u200e\u200f\u2066-\u2069]")


class Reader:
    """Somebody who reads one language, in a window of the browser."""

    def __init__(self, person, code):
        self.person, self.page = person, person.page
        self.translations = catalogues.load(code)

    def name(self, english):
        """Return what the language calls something."""
        return self.translations.gettext(english)

    def fill(self, label, text, within=None):
        (within or self.page).get_by_label(self.name(label), exact=True).fill(text)

    def press(self, english):
        self.person.press(self.name(english))

    def english_texts(self):
        """The lines of the page that are English and should not be."""
        lines = {line.strip() for line in self.page.locator("body").inner_text().splitlines()}
        translated = {text for text in self.translations._catalog if isinstance(text, str)}
        return {line for line in lines & translated if line and self.name(line) != line}

    def total(self):
        return MARKS.sub("", self.person.total).strip()

    def register(self):
        self.fill("Username", "ana")
        self.fill("Email", "ana@example.com")
        self.fill("Password", PASSWORD)
        self.fill("Repeat password", PASSWORD)
        self.press("Create account")

    def add(self, amount, category, description):
        form = self.person.expense_form
        self.fill("Amount", amount, form)
        form.get_by_label(self.name("Category"), exact=True).select_option(self.name(category))
        self.fill("Description", description, form)
        self.press("Add")

    def find(self, category):
        form = self.page.get_by_role("form", name=self.name("Find expenses"))
        form.get_by_label(self.name("Category"), exact=True).select_option(self.name(category))
        self.press("Filter")

    def delete(self, description):
        with self.page.expect_navigation():
            self.person.row(description).get_by_text(self.name("Delete"), exact=True).click()


@pytest.fixture
def newcomer(server, visit):
    """Returns a new user, ana, who reads this language."""

    def register(code):
        ana = visit(viewport=LAPTOP)
        reader = Reader(ana, code)
        ana.go("/register")
        ana.follow(LANGUAGES[code])
        reader.register()
        return reader

    return register


@pytest.mark.parametrize("code", ["de", "ja", "ar"])
def test_a_newcomer_reads_one_language_all_the_way(newcomer, code):
    reader = newcomer(code)
    ana = reader.person

    root = reader.page.locator("html")
    direction = "rtl" if code == "ar" else "ltr"
    assert (root.get_attribute("lang"), root.get_attribute("dir")) == (language_tag(code), direction)
    for expense in (("12.50", "Food", "Ramen"), ("3", "Food", "茶"), ("49", "Travel", "قطار")):
        reader.add(*expense)
    assert reader.total() == "$64.50"

    reader.find("Food")
    assert (reader.total(), ana.count, ana.shown_category) == ("$15.50", 2, reader.name("Food"))

    reader.delete("Ramen")
    assert (ana.messages, reader.total(), ana.count) == ([reader.name("Expense deleted.")], "$3.00", 1)
    assert reader.english_texts() == set()

    reader.press("Undo")
    assert (reader.total(), ana.count) == ("$15.50", 2)
    assert reader.english_texts() == set()

    ana.go("/months")
    boxes = reader.page.locator(".chart").first.locator("text").evaluate_all(LEFT_EDGES)
    # The figures of the axis come first, then the days.
    assert (boxes[0] > boxes[-1]) == (code == "ar")
    assert reader.english_texts() == set()


def test_undo_in_history_is_one_line_in_japanese(server, newcomer):
    reader = newcomer("ja")
    server.save("ana", [("2026-11-05", "Food", name, "3") for name in ("茶", "Ramen")])
    reader.person.go("/expenses")

    reader.page.locator("tbody input[name=ids]").evaluate_all("boxes => boxes.forEach(box => box.click())")
    reader.press("Delete selected")
    reader.person.go("/history")

    assert reader.page.locator(".operation td button").evaluate_all(LINES) == [1, 1]


def test_the_icon_of_a_date_stays_in_its_place_in_arabic_where_the_date_is_wrong(newcomer):
    reader = newcomer("ar")

    reader.person.go("/expenses?start_date=2026-11-05&end_date=tomorrow")

    fields = reader.page.locator("form[method=get] input[type=date]")
    assert fields.evaluate_all("fields => fields.map(field => field.ariaInvalid)") == [None, "true"]
    assert len(set(fields.evaluate_all(ICON_PLACES))) == 1
