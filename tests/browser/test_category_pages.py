"""Categories of one's own, from the first one typed to the last one merged, and back."""

import pytest

from tests.browser.person import LAPTOP, PHONE


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("scripts", "screen"),
    [(True, LAPTOP), (False, PHONE)],
    ids=["laptop", "phone without JavaScript"],
)
def test_a_category_is_typed_renamed_merged_and_taken_back(visit, scripts, screen):
    ana = visit(java_script_enabled=scripts, viewport=screen)
    ana.register("ana")
    ana.fill_expense("20", "New …", "Scarf", "2026-03-01")
    ana.press("Add expense")
    ana.page.get_by_label("New category").fill("Gifts")
    ana.press("Add expense")
    assert ana.said == ["Expense added, in the new category Gifts."]
    assert ana.rows == [("2026-03-01", "Gifts", "Scarf", "$20.00")]

    ana.go("/categories")
    ana.page.get_by_label("Name of Gifts").fill("Presents")
    ana.page.get_by_label("Place of Gifts").fill("1")
    ana.page.get_by_label("Monthly budget of Gifts").fill("30")
    ana.press("Save all")
    assert ana.said == ["Saved."]
    assert ana.page.get_by_label("Monthly budget of Presents").input_value() == "30.00"

    ana.follow("Merge or delete Presents")
    ana.page.get_by_label("Merge it into").select_option("Shopping")
    ana.press("Merge")
    assert ana.said == ["Merged Presents into Shopping: 1 expense."]
    ana.press("Undo")
    assert ana.path == "/categories"
    ana.follow("1 expense")

    assert ana.rows == [("2026-03-01", "Presents", "Scarf", "$20.00")]
