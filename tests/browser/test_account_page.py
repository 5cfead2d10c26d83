"""The account page in a browser: on two devices, with and without JavaScript."""

import pytest

from tests.browser.person import PHONE
from tests.browsing import PASSWORD

scripts = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
NEW = "a wide lake at dawn"


def part(person, name):
    """The form of one part of the page."""
    return person.page.get_by_role("region", name=name)


@scripts
def test_somebody_settles_in_and_throws_another_device_out(server, visit, scripts):
    server.create_person("ana")
    server.save("ana", [("2026-03-31", "Food", "Groceries", "1234.50")])
    ana, phone = visit("ana", java_script_enabled=scripts), visit("ana", viewport=PHONE)
    for device in (ana, phone):
        device.go("/login")
        device.log_in(remember=True)
    ana.open_from_menu("Account")

    settings = part(ana, "Preferences")
    settings.get_by_label("Currency").select_option("EUR")
    settings.get_by_label("Time zone").select_option("Europe/Berlin")
    settings.get_by_label("Number and date format").select_option("de_DE")
    settings.get_by_label("First day of the month").select_option("25")
    ana.press("Save preferences")
    assert ana.messages == ["Saved."]
    ana.follow("Ledger")
    assert ana.total == "1.234,50\u00a0€"
    ana.row("Groceries").get_by_role("checkbox").check()
    if scripts:
        assert ana.page.locator("#ticked").inner_text() == "1 selected, 1.234,50\u00a0€"

    ana.open_from_menu("Account")
    password = part(ana, "Password")
    password.get_by_label("Current password").fill("not the river")
    password.get_by_label("New password", exact=True).fill(NEW)
    password.get_by_label("Repeat new password").fill(NEW)
    ana.press("Change password")
    assert ana.focused == "password-current_password"
    assert "This is not your current password." in ana.text
    password.get_by_label("Current password").fill(PASSWORD)
    password.get_by_label("New password", exact=True).fill(NEW)
    password.get_by_label("Repeat new password").fill(NEW)
    ana.press("Change password")
    assert ana.messages == ["Your password is changed. Other devices have to log in again."]
    phone.go("/expenses")
    assert phone.path == "/login?next=/expenses"

    phone.log_in(password=NEW)
    assert phone.path == "/expenses"
    ana.go("/account")
    sessions = part(ana, "Active sessions")
    assert sessions.get_by_role("listitem").count() == 2
    with ana.page.expect_navigation():
        sessions.get_by_role("listitem").nth(1).get_by_role("button").click()
    assert ana.messages == ["That device is logged out."]
    phone.go("/expenses")
    assert phone.path == "/login?next=/expenses"

    ana.press("Log out on all devices")
    assert ana.messages == ["You are logged out on all devices."]
    assert ana.path == "/login"


def test_a_part_of_the_page_survives_a_session_that_has_ended(server, visit):
    ana = visit().register("ana")
    ana.open_from_menu("Account")
    profile = part(ana, "Profile")
    profile.get_by_label("Username").fill("anna")
    profile.get_by_label("Current password").fill(PASSWORD)
    server.end_sessions("ana")

    ana.press("Save profile")
    ana.log_in()

    assert ana.path == "/account/profile"
    assert ana.messages_with_buttons == [
        "Your session had ended. Your entries are still here; they are not saved yet."
    ]
    assert profile.get_by_label("Username").input_value() == "anna"
    assert profile.get_by_label("Current password").input_value() == ""
    profile.get_by_label("Current password").fill(PASSWORD)
    ana.press("Save profile")
    assert ana.messages == ["Saved."]
    assert ana.path == "/account"
    assert server.user("ana").username == "anna"
