"""Taking one's data along and deleting the account, in a browser: on a phone, with and without JavaScript."""

import pytest

from tests.browser.person import PHONE
from tests.browsing import PASSWORD

scripts = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])


@scripts
def test_somebody_downloads_everything_leaves_and_restores_it_in_a_new_account(server, visit, tmp_path, scripts):
    server.create_person("ana")
    server.create_person("bob")
    server.save("ana", [("2026-03-31", "Food", "Groceries", "1234.50"), ("2026-03-30", "Travel", "Tram", "2.40")])
    ana = visit("ana", viewport=PHONE, java_script_enabled=scripts)
    ana.go("/login")
    ana.log_in()
    ana.open_from_menu("Account")
    ana.follow("Delete your account")
    with ana.page.expect_download() as download:
        ana.page.get_by_role("link", name="Download your data").click()
    file = tmp_path / "ana.zip"
    download.value.save_as(file)

    ana.page.get_by_label("Current password").fill(PASSWORD)
    ana.press("Delete account")
    assert ana.path == "/login"
    assert ana.messages[0].startswith("Your account will be deleted on ")

    bob = visit("bob", viewport=PHONE, java_script_enabled=scripts)
    bob.go("/login")
    bob.log_in()
    bob.open_from_menu("Account")
    bob.follow("Restore an export")
    bob.page.get_by_label("Export file").set_input_files(__file__)
    bob.press("Restore export")
    assert "Nothing was restored." in bob.text
    bob.page.get_by_label("Export file").set_input_files(file)
    bob.press("Restore export")
    assert bob.path == "/expenses"
    assert bob.messages == ["Restored 2 expenses."]
    assert bob.total == "$1,236.90"

    ana.log_in()
    assert ana.messages == ["Welcome back. Your account will not be deleted."]
    assert ana.total == "$1,236.90"
