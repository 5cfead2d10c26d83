"""The account page in a browser: on two devices, with and without JavaScript."""

import re
import subprocess
import sys

import pyotp
import pytest

from tests.browser.person import PHONE
from tests.browsing import PASSWORD
from tests.mailbox import serve_mail
from tests.server import ROOT, Server

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
    ana.follow("Open the security page")
    sessions = part(ana, "Active sessions")
    assert sessions.get_by_role("listitem").count() == 2
    sessions.get_by_role("checkbox").check()
    sessions.get_by_label("Current password").fill(NEW)
    ana.press("End selected sessions")
    assert ana.messages == ["1 device is logged out."]
    phone.go("/expenses")
    assert phone.path == "/login?next=/expenses"

    sessions.get_by_label("Current password").fill(NEW)
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


@scripts
def test_somebody_uses_an_authenticator_app_on_a_phone(server, visit, scripts):
    server.create_person("ana")
    ana = visit("ana", viewport=PHONE, java_script_enabled=scripts)
    ana.go("/login")
    ana.log_in()
    ana.go("/account/security")
    ana.follow("Turn on two-factor authentication")
    assert ana.page.locator(".qr-box svg").bounding_box()["width"] > 150
    secret = ana.page.locator("code.secret").inner_text().replace(" ", "")
    ana.page.get_by_label("Code from your app").fill(pyotp.TOTP(secret).now())
    ana.page.get_by_label("Current password").fill(PASSWORD)
    ana.press("Turn on two-factor authentication")
    codes = ana.page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    ana.follow("I have saved them")
    assert "10 recovery codes are left" in ana.text

    other = visit("ana", viewport=PHONE, java_script_enabled=scripts)
    other.go("/history")
    other.log_in(remember=True)
    assert other.heading == "Enter a code"
    other.follow("Use a recovery code")
    other.page.get_by_label("Code").fill(codes[0].upper())
    other.press("Log in")
    assert other.path == "/history"
    other.go("/account/security")
    assert "Recovery code used" in part(other, "Recent activity").inner_text()

    other.go("/account/two-factor")
    turn_off = part(other, "Turn off")
    turn_off.get_by_label("Current password").fill(PASSWORD)
    turn_off.get_by_label("Code from your app").fill(codes[1])
    other.press("Turn off two-factor authentication")
    assert other.messages == ["Two-factor authentication is off. Other devices have to log in again."]
    ana.go("/expenses")
    assert ana.path == "/login?next=/expenses"


@scripts
def test_somebody_who_was_invited_registers(visit, tmp_path, scripts):
    server = Server(tmp_path, f"sqlite:///{tmp_path / 'invited.db'}", REGISTRATION="invite")
    server.start()
    try:
        command = [sys.executable, "-m", "flask", "--app", "app", "invite"]
        printed = subprocess.run(
            command, cwd=ROOT, env=server.environment, check=True, capture_output=True, text=True
        )
        link = re.search(r"/register\?invitation=\S+", printed.stdout)[0]
        bob = visit(java_script_enabled=scripts)
        bob.address = server.address
        bob.go("/login")
        assert "You need an invitation." in bob.text
        bob.go(link)
        for label, text in (("Username", "bob"), ("Email", "bob@example.com"), ("Repeat password", PASSWORD)):
            bob.page.get_by_label(label).fill(text)
        bob.page.get_by_label("Password", exact=True).fill(PASSWORD)
        bob.press("Create account")
        assert bob.path == "/expenses"
    finally:
        server.stop()


@scripts
def test_somebody_forgot_the_password(visit, tmp_path, unused_port, scripts):
    controller, mailbox = serve_mail(unused_port)
    settings = {"MAIL_URL": f"smtp://127.0.0.1:{unused_port}", "MAIL_FROM": "ledger@example.org"}
    server = Server(
        tmp_path, f"sqlite:///{tmp_path / 'forgotten.db'}", PUBLIC_URL="http://ledger.example", **settings
    )
    server.start()
    try:
        server.create_person("ana")
        ana = visit("ana", viewport=PHONE, java_script_enabled=scripts)
        ana.address = server.address
        ana.go("/login")
        ana.follow("Forgot your password?")
        ana.page.get_by_label("Email").fill("ana@example.com")
        ana.press("Send link")
        assert ana.messages[0].startswith("If an account has this email address")
        for _ in range(500):
            if mailbox.messages:
                break
            ana.page.wait_for_timeout(20)
        ana.go(re.search(r"/reset-password/\S+", mailbox.messages[0].get_content())[0])
        ana.page.get_by_label("New password", exact=True).fill(NEW)
        ana.page.get_by_label("Repeat new password").fill(NEW)
        ana.press("Change password")
        ana.log_in(password=NEW)
        assert ana.path == "/expenses"
    finally:
        server.stop()
        controller.stop()
