"""Importing a statement in a real browser, on a phone and a desktop, with and without JavaScript."""

import pytest

from tests.browser.person import PHONE
from tests.browser.test_daily_loop import WAYS
from tests.browsing import PASSWORD
from tests.test_import_pages import BANK


@pytest.mark.parametrize("way", WAYS)
def test_a_statement_gets_from_the_upload_to_the_list_and_back(server, visit, tmp_path, way):
    server.create_person("ana")
    file = tmp_path / "bank.csv"
    file.write_text(BANK)
    ana = visit("ana", **WAYS[way])
    page = ana.page
    ana.go("/login")
    ana.log_in()

    ana.go("/imports")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Upload").click()
    assert "4 expenses" in page.locator(".import-figures").inner_text()
    page.get_by_label("Category of Farmers market").select_option("Food")
    page.locator("summary", has_text="Farmers market").click()
    page.locator(".payee-lines input").first.uncheck()
    with page.expect_navigation():
        page.get_by_role("button", name="Save choices").click()
    assert page.get_by_label("Category of Farmers market").input_value() == "Food"
    with page.expect_navigation():
        page.get_by_role("button", name="Add 3 expenses and 1 refund").click()

    assert "import=" in page.url
    assert page.locator("#count").inner_text() == "4"
    with page.expect_navigation():
        page.locator(".messages").get_by_role("button", name="Undo").click()
    assert page.locator("#count").inner_text() == "0"
    with page.expect_navigation():
        page.locator(".messages").get_by_role("button", name="Undo").click()
    assert page.locator("#count").inner_text() == "4"
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert ana.complaints() == []


def test_the_button_that_was_pressed_says_what_is_going_on_until_the_page_is_shown_again(server, visit, tmp_path):
    server.create_person("ana")
    ana = visit("ana")
    ana.go("/login")
    ana.log_in()
    ana.go("/imports")
    button = ana.page.locator("[data-busy]")

    press(button)
    assert (button.inner_text(), button.get_attribute("aria-busy")) == ("Reading the file…", "true")
    ana.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert (button.inner_text(), button.get_attribute("aria-busy")) == ("Upload", "false")

    file = tmp_path / "bank.csv"
    file.write_text(BANK)
    ana.page.set_input_files("#file", str(file))
    ana.press("Upload")
    add = ana.page.locator("[data-busy]")
    label = add.inner_text()
    press(ana.page.get_by_role("button", name="Save choices"))
    assert add.inner_text() == label
    press(add)
    assert (add.inner_text(), add.get_attribute("aria-busy")) == ("Adding…", "true")


LONG_NAME = "Hausverwaltung Huber & Söhne Immobilienmanagementgesellschaft mbH"


@pytest.mark.parametrize("language", ["en", "ar", "ja"])
def test_the_upload_button_is_below_the_fields_on_a_phone_in_every_language(server, visit, language):
    server.create_person("ana")
    ana = visit("ana", viewport=PHONE, locale=language)
    ana.go("/login")
    ana.page.locator("#email").fill("ana@example.com")
    ana.page.locator("#password").fill(PASSWORD)
    ana.page.locator("main form button").click()
    ana.go("/imports")

    field, button = (ana.page.locator(selector).bounding_box() for selector in ("#account", ".upload button"))

    assert button["y"] > field["y"] + field["height"]
    assert button["width"] == pytest.approx(field["width"], abs=1)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_large_amounts_and_long_names_have_room(server, visit, tmp_path, width):
    server.create_person("ana")
    file = tmp_path / "bank.csv"
    file.write_text(f"Date,Payee,Amount\n2026-01-13,{LONG_NAME},-98765432.10\n")
    ana = visit("ana", viewport={"width": width, "height": 800})
    page = ana.page
    ana.go("/login")
    ana.log_in()

    ana.go("/imports")
    picker = page.locator("#file").bounding_box()["width"]
    page.set_input_files("#file", str(file))
    ana.press("Upload")

    # The browser's own button, and the beginning of a name next to it.
    assert picker > 250
    room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert room[0] <= room[1]
    marker = page.locator(".payee summary").evaluate("it => getComputedStyle(it, '::after').width")
    assert marker == "16px"


def press(button):
    """Trigger the event of a button that sends its form, without leaving the page."""
    button.evaluate("it => it.form.dispatchEvent(new SubmitEvent('submit', {submitter: it}))")
