"""Categories: adding, renaming, merging and undoing."""

import pytest

from tests.browser.person import LAPTOP, PHONE


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("scripts", "screen"),
    [(True, LAPTOP), (False, PHONE)],
    ids=["laptop", "phone without JavaScript"],
)
def test_a_category_is_added_renamed_merged_and_restored(visit, scripts, screen):
    ana = visit(java_script_enabled=scripts, viewport=screen)
    ana.register("ana")
    button = ana.open_add_form()
    ana.fill_expense("20", "New …", "Scarf", "2026-03-01")
    ana.press(button)
    ana.page.get_by_label("New category").fill("Gifts")
    ana.press(button)
    assert ana.messages == ["Added $20.00 to the new category Gifts. It is dated Mar 1, 2026."]
    assert ana.rows == [("2026-03-01", "Gifts", "Scarf", "$20.00")]

    ana.go("/categories")
    ana.page.get_by_label("Monthly budget of Gifts").fill("30")
    ana.press("Save budgets")
    assert ana.messages == ["Saved: 1 budget."]
    assert ana.page.get_by_label("Monthly budget of Gifts").input_value() == "30.00"

    ana.follow("Edit Gifts")
    ana.page.get_by_label("Name").fill("Presents")
    ana.page.get_by_label("Order").select_option("First")
    ana.press("Save changes")
    assert ana.messages == ["Renamed Gifts to Presents."]
    assert ana.page.locator("tbody th").first.inner_text() == "Presents"

    ana.follow("Edit Presents")
    ana.page.get_by_label("Merge into").select_option("Shopping")
    ana.press("Merge")
    assert ana.messages == ["Merged Presents into Shopping: 1 expense."]
    ana.press("Undo")
    assert ana.path == "/categories"
    ana.follow("Edit Presents")
    ana.follow("Show the expenses")

    assert ana.rows == [("2026-03-01", "Presents", "Scarf", "$20.00")]
