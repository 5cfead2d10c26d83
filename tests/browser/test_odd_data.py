"""Pages with long names, large amounts, long words and nothing at all."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from models import Budget, RecurringExpense
from tests.browser.person import LAPTOP, PHONE

TODAY = date.today()
LARGEST = "999999999.99"
LONGEST = "W" * 64
TABLET = {"width": 960, "height": 800}
# A phone whose letters are twice as large.
HALF_PHONE = {"width": 195, "height": 422}

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).map(box => box.value)"
RIGHT = "element => element.getBoundingClientRect().right"
TOUCHING = """row => {
    const cells = Array.from(row.querySelectorAll(".description bdi, small, .category, time"), cell => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        return text.getBoundingClientRect();
    }).filter(box => box.width);
    const touch = (box, other) =>
        box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom;
    return cells.filter((box, place) => cells.slice(0, place).some(other => touch(box, other))).length;
}"""


@pytest.fixture
def open_as_ana(server, visit):
    """Opens a page as ana, who is logged in."""

    def open_page(path, **options):
        ana = visit("ana", storage_state=server.log_in("ana"), **options)
        ana.go(path)
        return ana

    return open_page


def repeat(server, amount):
    """Save a monthly expense of ana's that is due today."""
    values = {"category": "Entertainment", "description": "Film streaming", "amount": Decimal(amount)}
    days = {"frequency": "month", "start_date": TODAY, "next_date": TODAY}
    with Session(server.engine) as session:
        session.add(RecurringExpense(author_id=server.user("ana").id, id=uuid7(), **values, **days))
        session.commit()


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_figures_of_a_year_are_seen_beside_a_long_name(server, open_as_ana, screen):
    server.create_person("ana")
    server.save("ana", [("2026-01-31", LONGEST, "", LARGEST)])

    ana = open_as_ana("/years/2026", viewport=screen)

    name, region = (ana.page.locator(selector).bounding_box() for selector in ("tbody th", ".scrolls-sideways"))
    assert name["width"] < region["width"] * 2 / 3


def test_a_refund_without_a_description_shows_its_category_beside_nothing_else(server, open_as_ana):
    server.create_person("ana")
    server.save("ana", [("2026-01-31", "Food", "", "-5"), ("2026-01-30", "Food", "", "5")])

    ana = open_as_ana("/expenses", viewport=PHONE)

    refund, expense = ana.page.locator(".expenses tr[id]").all()
    assert all(refund.get_by_text(text, exact=True).is_visible() for text in ("refund", "Food"))
    assert [row.evaluate(TOUCHING) for row in (refund, expense)] == [0, 0]


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_largest_amount_is_whole_in_its_box(server, open_as_ana, screen):
    server.create_person("ana")
    repeat(server, LARGEST)
    with Session(server.engine) as session:
        budget = {"author_id": server.user("ana").id, "start_date": TODAY.replace(day=1)}
        session.add(Budget(**budget, amount=Decimal(LARGEST)))
        session.commit()
    ana = open_as_ana("/categories", viewport=screen)
    budgets = ana.page.locator(".budget input:not([type=hidden])")
    assert budgets.last.input_value() == LARGEST
    assert budgets.evaluate_all(CUT) == []

    ana.go("/expenses")

    due = ana.page.locator(".due input:not([type=hidden])")
    assert due.input_value() == LARGEST
    assert due.evaluate_all(CUT) == []


@pytest.mark.parametrize(
    "page", ["/expenses?period=2020", "/recurring", "/history", "/months/2020-01", "/years/2020"]
)
def test_a_page_without_anything_says_so_in_the_middle_of_its_column(server, open_as_ana, page):
    server.create_person("ana")

    ana = open_as_ana(page)

    edges = [ana.page.locator(selector).evaluate(RIGHT) for selector in (".empty", ".navigation")]
    assert edges[0] == edges[1]


def test_the_legend_has_the_color_of_the_line_of_an_exceeded_budget(server, open_as_ana):
    server.create_person("ana")
    server.save("ana", [("2026-01-31", "Food", "", "20")])
    budget = {"author_id": server.user("ana").id, "start_date": date(2026, 1, 1), "amount": Decimal(30)}
    with Session(server.engine) as session:
        session.add(Budget(**budget))
        session.commit()
    ana = open_as_ana("/months/2026-01")

    def colors():
        line = ana.page.locator("polyline").evaluate("line => getComputedStyle(line).stroke")
        mark = "item => getComputedStyle(item, '::before').borderTopColor"
        return line, ana.page.locator(".legend .spent").evaluate(mark)

    (line, mark) = colors()
    assert line == mark
    server.save("ana", [("2026-01-30", "Food", "", "20")])
    ana.page.reload()
    (over_line, over_mark) = colors()
    assert over_line == over_mark != line


@pytest.mark.parametrize("language", ["de", "fr", "uk"])
def test_recurring_expenses_fit_a_small_laptop_in_languages_with_long_words(server, open_as_ana, language):
    server.create_person("ana", language=language)
    repeat(server, "1180")

    ana = open_as_ana("/recurring", viewport=TABLET)

    assert ana.page.evaluate(SIDEWAYS) <= 0


def test_the_longest_words_of_the_navigation_fit_a_small_phone(server, open_as_ana):
    server.create_person("ana", language="tr")

    ana = open_as_ana("/expenses/add", viewport={"width": 320, "height": 700})

    assert ana.page.evaluate(SIDEWAYS) <= 0


@pytest.mark.parametrize("page", ["/categories", "/months/2026-01", "/years/2026"])
def test_nothing_is_wider_than_a_phone_with_letters_twice_as_large(server, open_as_ana, page):
    server.create_person("ana", language="de")
    server.save("ana", [(f"2026-{month:02}-31", "Entertainment", "", "1180") for month in (1, 3, 5, 7, 8, 10, 12)])

    ana = open_as_ana(page, viewport=HALF_PHONE)

    assert ana.page.evaluate(SIDEWAYS) <= 0
    assert ana.overlapping_texts() == []


def test_the_words_before_a_figure_stand_on_its_line(server, open_as_ana):
    server.create_person("ana")
    days = [str(TODAY.replace(day=1) - timedelta(days=days)) for days in (1, 35, 65)]
    server.save("ana", [(day, "Food", "", "5") for day in days])

    ana = open_as_ana("/categories", viewport=PHONE)

    words = "cell => getComputedStyle(cell, '::before')"
    average = ana.page.locator("td.average").first
    assert "average" in average.evaluate(f"{words}.content")
    assert average.evaluate(f"{words}.verticalAlign") == "baseline"


def test_the_whole_table_of_a_year_is_on_paper(server, open_as_ana):
    server.create_person("ana")
    server.save("ana", [(f"2026-{month:02}-01", "Food", "", LARGEST) for month in range(1, 13)])
    ana = open_as_ana("/years/2026")

    ana.page.emulate_media(media="print")

    # What is cut off or scrolls on the screen: a browser makes a sheet smaller only for what is visible.
    region = ana.page.locator(".scrolls-sideways")
    assert region.evaluate("region => getComputedStyle(region).overflow") == "visible"


def test_budgets_are_on_paper(server, open_as_ana):
    server.create_person("ana")
    ana = open_as_ana("/categories")

    ana.page.emulate_media(media="print")

    assert ana.page.get_by_role("rowheader", name="Food").is_visible()
    assert not ana.page.locator("main :is(a, button)").filter(visible=True).count()


def test_nothing_covers_the_buttons_for_what_is_selected_without_a_script(server, open_as_ana):
    server.create_person("ana")
    server.save("ana", [("2026-01-31", "Food", "", "5")])
    ana = open_as_ana("/expenses", viewport=PHONE, java_script_enabled=False)
    assert ana.is_on_screen(".floating-add a")

    ana.page.locator(".select-rows").click()

    assert ana.is_on_screen(".bulk-actions .danger")
    assert not ana.page.locator(".floating-add a").is_visible()


def test_the_search_has_room_for_its_words_on_a_phone(server, open_as_ana):
    server.create_person("ana")
    server.save("ana", [("2026-01-31", "Food", "", "5")])
    ana = open_as_ana("/expenses", viewport=PHONE)

    ana.page.locator(".filter > summary").click()

    # A placeholder says how wide it is only as a value.
    search = ana.page.locator("#filter-search")
    search.fill(search.get_attribute("placeholder"))
    assert search.evaluate_all(CUT) == []


def test_the_username_in_the_menu_of_a_phone_does_not_look_like_a_page(server, open_as_ana):
    server.create_person("ana")
    ana = open_as_ana("/expenses", viewport=PHONE)

    ana.page.locator(".menu summary").click()

    color = "item => getComputedStyle(item).color"
    items = [ana.page.locator(f".menu li {name}").filter(visible=True).first for name in (".username", "a")]
    assert items[0].evaluate(color) != items[1].evaluate(color)


def test_a_command_has_the_colors_of_the_page(server, visit):
    stranger = visit()
    stranger.go("/forgot-password")

    colors = "element => [getComputedStyle(element).color, getComputedStyle(element).backgroundColor]"
    command, paragraph = (stranger.page.locator(name).first.evaluate(colors) for name in ("main code", "main p"))
    assert command[0] == paragraph[0]
    # The tint: not the blue that Pico has there.
    red, green, blue = map(int, re.findall(r"\d+", command[1]))
    assert green > max(red, blue)


def test_the_button_that_chooses_a_file_is_below_its_label_even_with_an_error(server, open_as_ana):
    server.create_person("ana")
    ana = open_as_ana("/imports")
    padding = "field => getComputedStyle(field).paddingInlineStart"

    file = ana.page.locator("#file")
    assert file.evaluate(padding) == "0px"
    ana.page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"nothing"})
    ana.press("Upload")

    assert file.get_attribute("aria-invalid") == "true"
    assert file.evaluate(padding) == "0px"
