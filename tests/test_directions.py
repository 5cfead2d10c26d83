"""Text in both directions: right-to-left text keeps its place among the words of a page."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.categories import get_categories
from messages import isolate
from tests.browsing import REDIRECTS, expense_rows, form_values, read
from text import clean_text, is_right_to_left, isolated

ARABIC, HEBREW = "طعام", "אוכל"
ISOLATE, END = "\u2068", "\u2069"


@pytest.mark.parametrize("text", [ARABIC, HEBREW, "05\u200f/11", f"Tea {HEBREW}", "𞤀"])
def test_text_from_right_to_left_is_isolated(app, text):
    with app.test_request_context():
        assert isolate(text) == f"{ISOLATE}{text}{END}"


@pytest.mark.parametrize("value", ["Tea", "Łódź", "7.00 €", "", 5, None, "お茶"])
def test_other_values_stay_as_they_are(app, value):
    with app.test_request_context():
        assert isolate(value) == value


@given(st.text(max_size=30))
def test_an_isolated_text_ends_where_it_should(text):
    marked = isolated(clean_text(text))

    assert (marked.count(ISOLATE), marked.count(END)) == (1, 1)
    assert is_right_to_left(text) or not re.search("[א-תء-ي]", text)


@pytest.fixture
def listed(ana):
    """Expenses in a category with a name in Arabic, and amounts as Arabic writes them."""
    settings = form_values(ana.page("/account").one("form", action="/account/settings"))
    ana.post("/account/settings", settings | {"locale": "ar_EG"})
    ana.add("7", "New …", new_category=ARABIC, description=HEBREW, date="2026-11-05")
    return ana


def test_messages_isolate_names_and_amounts(listed):
    text = listed.message().one("p").raw_text().strip()

    amount = f"{ISOLATE}\u200f7.00\u00a0{ISOLATE}US${END}{END}"
    assert text.startswith(f"Added {amount} to the new category {ISOLATE}{ARABIC}{END}.")
    assert text.endswith(f"It is dated {ISOLATE}05\u200f/11\u200f/2026{END}.")


def test_the_list_isolates_names_dates_and_amounts(listed):
    page = listed.page(f"/expenses?category={ARABIC}&start_date=2026-11-05&search={HEBREW}")

    title = page.one("title").raw_text()
    assert f"{ISOLATE}{ARABIC}{END}, since {ISOLATE}05\u200f/11\u200f/2026{END}" in title
    assert f"containing “{ISOLATE}{HEBREW}{END}”" in title
    assert page.one(id="breakdown").one("bdi").raw_text() == ARABIC
    assert page.one(id="total").raw_text() == f"{ISOLATE}\u200f7.00\u00a0{ISOLATE}US${END}{END}"
    assert expense_rows(page)[0].one("time").raw_text() == f"{ISOLATE}05\u200f/11{END}"


def test_messages_about_categories_and_recurring_expenses_isolate_their_names(listed):
    listed.add("8", ARABIC, frequency="month", date="2026-11-05")
    recurring_id = re.search(r"/recurring/([0-9a-f-]{36})/edit", listed.get("/recurring").text)[1]
    day = listed.page("/recurring").one("input", name="day")["value"]
    with listed.app.app_context():
        ids = {category.name: category.id for category in get_categories(listed.user())}
    food, category = ids["Food"], ids[ARABIC]
    posts = {
        f"/recurring/{recurring_id}/add": {"day": day},
        f"/recurring/{recurring_id}/delete": {},
        f"/categories/{category}/swap": {"into": food},
        f"/categories/{food}/merge": {"into": category},
    }

    for address, form in posts.items():
        assert listed.post(address, form).status_code in REDIRECTS
        text = listed.message().one("p").raw_text()
        assert re.findall(f"(.){ARABIC}(.)", text) == [(ISOLATE, END)], text


@pytest.mark.parametrize(
    "address", ["/expenses", "/history", "/categories", "/months/2026-11", "/years/2026", "/recurring"]
)
def test_no_sentence_of_a_page_has_a_name_that_is_not_isolated(listed, address):
    page = listed.page(address)

    for element in page.all():
        for name in ("aria-label", "title"):
            if ARABIC in (element.get(name) or ""):
                assert f"{ISOLATE}{ARABIC}{END}" in element[name], element[name]
    for paragraph in [*page.all("p"), *page.all("h1"), *page.all("h2")]:
        for text in re.findall(f"[^\u2068]{ARABIC}", paragraph.raw_text()):
            assert paragraph.all("bdi") or not text.strip(), paragraph.text


def test_an_error_isolates_the_name_in_it(listed):
    response = listed.post("/categories/add", {"name": ARABIC})

    assert f"{ISOLATE}{ARABIC}{END}" in read(response).one("main").raw_text()


def test_the_links_in_a_sentence_from_right_to_left_lead_somewhere(ana):
    for month in ("01", "02", "03"):
        ana.add("7", "Food", date=f"2026-{month}-05")

    for page in ("/recurring", "/months/2026-03"):
        response = ana.client.get(page, headers={"Accept-Language": "ar"})

        assert read(response).one("html")["dir"] == "rtl"
        assert [link["href"] for link in read(response).all("a") if ISOLATE in link["href"]] == []
