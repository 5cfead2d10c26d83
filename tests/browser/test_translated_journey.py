"""The way of a new user through the application in other languages, by the names that the catalogues give."""

import re

import pytest

from languages import LANGUAGES, catalogues, language_tag
from tests.browser.person import LAPTOP
from tests.browsing import PASSWORD

LEFT_EDGES = "texts => texts.map(text => text.getBoundingClientRect().left)"
MARKS = re.compile("[\u200e\u200f\u2066-\u2069]")


class Reader:
    """Somebody who reads one language, in a window of the browser."""

    def __init__(self, person, code):
        self.person, self.page = person, person.page
        self.translations = catalogues.load(code)

    def name(self, english):
        """The name of something in the language."""
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


@pytest.mark.parametrize("code", ["de", "ja", "ar"])
def test_a_newcomer_reads_one_language_all_the_way(server, visit, code):
    ana = visit(viewport=LAPTOP)
    reader = Reader(ana, code)
    ana.go("/register")

    ana.follow(LANGUAGES[code])
    reader.register()

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
