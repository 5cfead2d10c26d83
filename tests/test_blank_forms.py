"""Blank forms, which pages share."""

from uuid_utils.compat import uuid7

from tests.browsing import form_values, read
from views import blank_forms


def test_every_page_has_an_id_and_a_token_of_its_own(ana, bob):
    pages = [ana.page("/expenses"), ana.page("/expenses"), bob.page("/expenses")]

    first, second, bobs = (form_values(page.one(id="add")) | {"amount": "1", "category": "Food"} for page in pages)

    assert len({first["id"], second["id"], bobs["id"]}) == 3
    assert bob.client.post("/expenses", data=first).status_code == 400
    assert bob.client.post("/expenses", data=bobs).location == "/expenses"
    assert (len(ana.expenses()), len(bob.expenses())) == (0, 1)


def test_forms_follow_the_settings_and_the_categories_of_the_user(ana, bob):
    ana.add("1", new_category="Gifts")
    bob.add("1")
    settings = {"currency": "JPY", "time_zone": "Asia/Tokyo", "locale": "ja_JP", "first_day_of_month": "1"}
    bob.post("/account/settings", settings)

    anas, bobs = ana.page("/expenses"), bob.page("/expenses")

    for field in ("category", "filter-category", "bulk-category"):
        assert "Gifts" in anas.one(id=field).text
        assert "Gifts" not in bobs.one(id=field).text
    assert anas.one(id="amount")["placeholder"] == "USD"
    assert bobs.one(id="amount")["placeholder"] == "JPY"
    assert bobs.one("input", name="date_proposed")["data-zone"] == "Asia/Tokyo"


def test_users_with_the_same_settings_and_categories_share_them(ana, bob):
    ana.page("/expenses")
    made = blank_forms._blank_form.cache_info().misses

    bob.page("/expenses")
    assert blank_forms._blank_form.cache_info().misses == made

    bob.add("1", new_category="Bees")
    bob.page("/expenses")
    assert blank_forms._blank_form.cache_info().misses == made + 3


def test_typed_text_is_on_no_other_page(ana):
    refused = ana.post("/expenses", {"amount": "much", "category": "Food", "description": "Tea"})
    assert read(refused).one("input", name="amount")["value"] == "much"

    page = ana.page("/expenses")

    assert page.one("input", name="amount")["value"] == ""
    assert page.one("input", name="description")["value"] == ""


def test_a_later_page_of_the_whole_list_has_the_blank_filter_and_any_other_one_its_own(ana):
    ana.add("1", description="Tea")
    after = f"after=2099-01-01_{uuid7()}"

    whole, searched, broken = (
        ana.page(f"/expenses?{query}") for query in (after, f"search=tea&{after}", "after=x")
    )

    assert whole.one(id="filter-search")["value"] == ""
    assert searched.one(id="filter-search")["value"] == "tea"
    assert "There is no such page." in broken.one("details", class_="filter").text
    assert ["Tea" in page.one("table").text for page in (whole, searched, broken)] == [True, True, False]
