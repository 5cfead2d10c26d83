"""Recurring expenses, from the form to the due list, with and without JavaScript."""

from datetime import date, timedelta

import pytest

from tests.browser.person import LAPTOP, PHONE


@pytest.mark.parametrize(
    ("scripts", "screen"),
    [(True, LAPTOP), (False, PHONE)],
    ids=["laptop", "phone without JavaScript"],
)
def test_a_recurring_expense_is_added_when_it_is_due(server, visit, scripts, screen):
    ana = visit(java_script_enabled=scripts, viewport=screen)
    ana.register("ana")
    ana.go("/expenses/add")
    ana.fill_expense("500", "Housing", "Rent", str(date.today() - timedelta(weeks=2)))
    ana.expense_form.get_by_label("Repeat").select_option("Every week")
    ana.press("Add expense")
    (message,) = ana.messages
    assert message.startswith("Added $500.00 to Housing. It repeats every week. It is dated ")

    lines = ana.page.locator(".due li")
    assert lines.count() == 2
    ana.page.get_by_label("Amount of Rent").first.fill("512,50")
    with ana.page.expect_navigation():
        lines.first.get_by_role("button", name="Add").click()
    assert ana.messages == ["Added 1 expense, $512.50."]
    assert (ana.total, lines.count()) == ("$1,012.50", 1)

    ana.press("Undo")
    assert (ana.total, lines.count()) == ("$500.00", 2)
    with ana.page.expect_navigation():
        ana.page.get_by_role("button", name="Add all").click()
    assert (ana.total, lines.count()) == ("$1,500.00", 0)

    ana.open_from_menu("Recurring")
    with ana.page.expect_navigation():
        ana.page.get_by_role("button", name="Stop").click()
    assert ana.messages == ["Stopped."]
    assert "stopped" in ana.text
