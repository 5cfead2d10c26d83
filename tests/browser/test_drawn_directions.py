"""Text in both directions as a browser draws it: the order is that of the letters on the screen."""

import re

import pytest

from tests.browser.person import LAPTOP, PHONE

# The characters of an element from left to right, as they are drawn.
DRAWN = """element => {
  const drawn = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (let place = 0; place < node.length; place++) {
      const range = document.createRange();
      range.setStart(node, place);
      range.setEnd(node, place + 1);
      const box = range.getBoundingClientRect();
      if (box.width > 0.5) drawn.push([box.left, node.data[place]]);
    }
  }
  return drawn.sort((one, other) => one[0] - other[0]).map(([, letter]) => letter).join("");
}"""


def drawn(person, selector):
    """The text of the only such element from left to right, without spaces."""
    return re.sub(r"\s", "", person.page.locator(selector).evaluate(DRAWN))


@pytest.fixture
def expense(server, visit):
    """Opens the English list with an expense of this category in a browser of this language."""

    def open_list(language, category, **options):
        ana = visit("ana", locale=language, **options)
        ana.go("/login?language=en")
        ana.register("ana")
        ana.go("/expenses/add")
        ana.fill_expense("7", "New …", "", "2026-11-05")
        ana.expense_form.get_by_label("New category").fill(category)
        ana.press("Add expense")
        return ana

    return open_list


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_date_reads_correctly_in_arabic(expense, screen):
    ana = expense("ar", "Food and drink", viewport=screen)

    # It is read from the right: the fifth of November.
    assert drawn(ana, ".expenses tbody time") == "11/05"


@pytest.mark.parametrize("language", ["ar", "he"])
@pytest.mark.parametrize("category", ["Food and drink", "אוכל"])
def test_name_and_total_keep_their_order(expense, language, category):
    ana = expense(language, category)

    line = drawn(ana, "#breakdown li")

    assert line.index("7.00") > max(line.index(letter) for letter in set(category) - {" "})


def test_the_sign_of_a_currency_reads_correctly_in_arabic(expense):
    ana = expense("ar-US", "Food and drink")

    assert drawn(ana, "#total") == "US$7.00"


def test_an_amount_next_to_an_arabic_name_stays(expense):
    ana = expense("en-US", "طعام")

    assert drawn(ana, "#breakdown li").endswith("$7.00")
    assert drawn(ana, ".message p").startswith("Added$7.00tothenewcategory")
    assert drawn(ana, ".message p").endswith(".")


def test_the_sum_of_the_selected_expenses_stays_behind_their_number(expense):
    ana = expense("he", "אוכל")

    ana.page.locator("tbody input[name=ids]").check()

    assert drawn(ana, "#ticked").startswith("1selected,")
