"""The review of a statement: payees and lines, whatever their texts are."""

import pytest

from ledger.import_preview import LINES_ON_PAGE
from ledger.import_summary import LINES_OF_PAYEE, ROWS_ON_PAGE
from tests.browsing import read
from tests.statements import store_draft
from tests.test_import_pages import review, send, upload, values_of

HEBREW = "קפה"
STATEMENT = f"""Date;Payee;Text;Amount;Currency
2026-01-13;<b>50 %(name)s & more</b>;<i>100 % "rye"</i>;-3.00;USD
2026-01-14;{HEBREW};{HEBREW};-4.00;USD
2026-01-15;;;-5.00;USD
2026-01-16;Abroad;Taxi;-6.00;CHF
2026-01-31;Shop;Bread;1.x;USD
"""


@pytest.fixture
def url(ana):
    """The review of the statement."""
    return upload(ana, STATEMENT).location.removesuffix("/columns")


def payees(page):
    """The payees of a review, by their names."""
    return {payee.one("summary").one("bdi").text: payee for payee in page.all("li", class_="payee")}


def test_texts_are_shown_as_they_are_whatever_is_in_them(ana, url):
    found = payees(ana.page(url))

    payee = found["<b>50 %(name)s & more</b>"]
    assert payee.one("input", name="payee")["aria-label"] == "Add <b>50 %(name)s & more</b>"
    assert payee.one("select")["aria-label"] == "Category of <b>50 %(name)s & more</b>"
    line = payee.one("ul", class_="payee-lines").one("li")
    assert line.one("bdi").text == '<b>50 %(name)s & more</b> <i>100 % "rye"</i>'
    assert line.one("time")["datetime"] == "2026-01-13"
    assert line.text.endswith("$3.00")
    assert "Without a name" in found


@pytest.mark.parametrize(
    ("language", "name", "label"),
    [
        ("en", HEBREW, f"Add \u2068{HEBREW}\u2069"),
        ("ar", HEBREW, f"\u2068{HEBREW}\u2069"),
        ("ar", "<b>50 %(name)s & more</b>", "\u2068<b>50 %(name)s & more</b>\u2069"),
    ],
)
def test_a_name_is_isolated_once_in_the_label_of_its_box(ana, url, language, name, label):
    page = read(ana.client.get(url, headers={"Accept-Language": language}))

    found = payees(page)[name].one("input", name="payee")["aria-label"]

    assert label in found
    assert found.count("\u2068") == 1


def test_a_line_in_another_currency_is_shown_in_it_and_cannot_be_added(ana, url):
    payee = payees(ana.page(f"{url}?show=left"))["Abroad"]

    assert "disabled" in payee.one("input", name="payee").attributes
    assert payee.all("input", name="line") == []
    assert payee.one("ul", class_="payee-lines").text == "Jan 16, 2026 Abroad Taxi another currency CHF6.00"


def test_a_form_that_is_shown_again_has_what_was_chosen(ana, url):
    page = ana.page(url)
    values = values_of(review(page))
    chosen = {"category": ["Travel", "No such category", "Food"], "line": values["line"][:1], "payee": []}

    refused = send(ana, page, "add", **chosen)

    assert refused.status_code == 422
    again = values_of(review(read(refused)))
    # What does not exist cannot be shown.
    assert again["category"] == ["Travel", "", "Food"]
    assert again["line"] == chosen["line"]
    assert "payee" not in again


def test_the_rest_of_the_lines_of_a_payee_is_on_pages_of_their_own(ana):
    rows = (f"2026-01-{number % 28 + 1:02},Shop,-{number}.00" for number in range(1, LINES_ON_PAGE + 6))
    draft = store_draft(ana, "\n".join(["Date,Payee,Amount", *rows]).encode())
    payee = payees(ana.page(f"/imports/{draft}"))["Shop"]
    button = payee.one("ul", class_="payee-lines").one("button")

    assert len(payee.all("time")) == LINES_OF_PAYEE
    assert button.text == f"Show {LINES_ON_PAGE + 5 - LINES_OF_PAYEE} more lines"
    rest = read(ana.get(send(ana, ana.page(f"/imports/{draft}"), button["value"]).location))
    assert len(rest.one("main").all("time")) == LINES_ON_PAGE
    last = read(ana.get(send(ana, rest, "2").location))
    assert len(last.one("main").all("time")) == 5


@pytest.mark.parametrize("section", ["none", "bad"])
def test_lines_that_are_not_bookings_have_no_payee_page(ana, url, section):
    page = ana.page(f"{url}?show=bad")
    number = page.one("ul", class_="row-list").one("li").text.split()[1].rstrip(":")

    assert ana.get(f"{url}/payees/{number}?show={section}").status_code == 404


@pytest.fixture
def long_url(ana):
    """The review of a statement whose payees, and whose lines that cannot be read, fill more than one page."""
    days = ["2026-01-13"] * (ROWS_ON_PAGE + 1) + ["2026-02-30"] * (ROWS_ON_PAGE + 1)
    names = (chr(65 + number // 26) + chr(65 + number % 26) for number in range(len(days)))
    rows = (f"{day},Shop {name},-1.00" for day, name in zip(days, names, strict=True))
    content = "\n".join(["Date,Payee,Amount", *rows])
    return f"/imports/{store_draft(ana, content.encode())}"


@pytest.mark.parametrize("page", ["0", "-1", "²", "9999999999", "x", ""])
@pytest.mark.parametrize("section", ["add", "bad"])
def test_an_invalid_page_number_means_the_first_page(ana, long_url, section, page):
    first = ana.page(f"{long_url}?show={section}").one("main").text

    assert ana.page(f"{long_url}?show={section}&page={page}").one("main").text == first
    assert ana.get(f"{long_url}?show={section}&page=999999999").status_code == 200


@pytest.mark.parametrize("section", ["add", "bad"])
def test_every_list_has_pages_that_lead_to_each_other(ana, long_url, section):
    first = ana.page(f"{long_url}?show={section}")
    second = read(ana.get(send(ana, first, f"{section}:2").location))

    buttons = [page.one("nav", class_="pages").one("button") for page in (first, second)]
    assert [(button.text, button["value"]) for button in buttons] == [
        ("Next", f"{section}:2"),
        ("Previous", f"{section}:1"),
    ]
    assert "Page 2 of 2" in second.one("main").text
    assert len(second.all("li", class_="payee" if section == "add" else "unreadable")) == 1


@pytest.mark.parametrize("go", ["add:payee-²", "add:payee-9999999999", "add:²", "add:payee-", "nothing"])
def test_a_button_that_does_not_exist_leads_back_to_the_review(ana, url, go):
    assert "/payees/" not in send(ana, ana.page(url), go).location


@pytest.mark.parametrize("number", [10**20, "٢", "２"])
def test_a_payee_of_a_number_that_no_line_can_have_does_not_exist(ana, url, number):
    assert ana.get(f"{url}/payees/2").status_code == 200
    assert ana.get(f"{url}/payees/{number}").status_code == 404
