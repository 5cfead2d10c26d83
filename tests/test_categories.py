"""A person's own categories and their budgets, through the pages."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from database import db
from ledger import categories
from ledger.spending import CATEGORIES
from models import Category, Expense, RecurringExpense
from tests.people import REDIRECTS, at_once, form_values, operations_shown, press, read

DAY = date(2026, 1, 1)


def names(visitor):
    with visitor.app.app_context():
        return [category.name for category in categories.categories_of(visitor.user())]


def state(visitor):
    """Somebody's categories with their budgets, and the one for all."""
    with visitor.app.app_context():
        return categories.categories_of(visitor.user()), visitor.user().monthly_budget


def table(visitor):
    """The form of the table of categories, as a browser would send it."""
    return form_values(visitor.page("/categories").one("main").one("form"))


def key(visitor, name):
    """The prefix of the fields of a category."""
    with visitor.app.app_context():
        return next(str(each.id) for each in categories.categories_of(visitor.user()) if each.name == name)


def offered(page, label="category"):
    return [option.text for option in page.one("form", class_="add-form").one(id=label).all("option")]


def test_a_new_person_has_ten_and_reading_writes_none(ana):
    assert names(ana) == list(CATEGORIES)
    ana.page("/categories")

    with ana.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Category)) == 0


def test_everything_is_saved_at_once_and_undone_at_once(ana):
    ana.add("3", "Food")
    ana.add("4", "Travel")
    before, was, rows = table(ana), state(ana), ana.rows()
    food, travel = key(ana, "Food"), key(ana, "Travel")
    new = before["new_id"]

    response = ana.post(
        "/categories",
        before
        | {"monthly_budget": "1000", f"{food}-name": " Groceries ", f"{food}-monthly_budget": "99.50"}
        | {f"{food}-position": "3", f"{travel}-archived": "y", f"{new}-name": "Gifts"},
    )

    assert response.location == "/categories"
    assert names(ana)[:3] == ["Housing", "Transport", "Groceries"]
    assert names(ana)[-1] == "Gifts"
    assert {row[1] for row in ana.rows()} == {"Groceries", "Travel"}
    page = ana.page("/expenses")
    assert "Travel" not in offered(page)
    assert "Gifts" in offered(page)
    saved = operations_shown(ana)[0]
    for text in ("Food → Groceries", "monthly budget none → $99.50", "Travel: archived", "Added category Gifts"):
        assert text in saved.text
    assert "Total monthly budget: none → $1,000.00" in saved.text
    press(ana, saved.one("form"))
    assert state(ana) == was
    assert ana.rows() == rows


def test_undo_in_the_message_goes_back_to_the_categories(ana):
    food = key(ana, "Food")
    ana.fill("/categories", **{f"{food}-name": "Meals"})

    response = ana.undo("/categories")

    assert response.location == "/categories"
    assert "Undone." in ana.message("/categories").text
    assert names(ana) == list(CATEGORIES)


@pytest.mark.parametrize("name", ["travel", " TRAVEL ", "Ｔravel"])
def test_a_name_that_is_taken_is_refused_beside_it_and_nothing_is_lost(ana, name):
    food = key(ana, "Food")

    response = ana.fill("/categories", **{f"{food}-name": name, "monthly_budget": "77"})

    assert response.status_code == 422
    page = read(response)
    assert "There is a category “Travel” already" in page.one(id=f"{food}-name-error").text
    assert page.one(id=f"{food}-name")["value"] == name.strip()
    assert page.one(id="monthly_budget")["value"] == "77"
    assert names(ana) == list(CATEGORIES)


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", ""), ("name", "x" * 65), ("name", "a\u202eb"), ("monthly_budget", "-1"), ("position", "0")],
)
def test_a_value_that_makes_no_sense_is_refused_beside_it(ana, field, typed):
    name = f"{key(ana, 'Food')}-{field}"

    response = ana.fill("/categories", **{name: typed})

    assert response.status_code == 422
    assert read(response).one(id=f"{name}-error").text
    assert names(ana) == list(CATEGORIES)


def test_merge_moves_the_expenses_and_undo_gives_them_back(ana):
    ana.add("3", "Food")
    ana.add("4", "Travel")
    rows = ana.rows()

    ana.fill(f"/categories/{key(ana, 'Food')}/merge", into=key(ana, "Travel"))

    assert {row[1] for row in ana.rows()} == {"Travel"}
    assert names(ana) == list(CATEGORIES[1:])
    merger = operations_shown(ana)[0]
    assert "Merged a category into Travel: 1 expense" in merger.text
    press(ana, merger.one("header").one("form"))
    assert ana.rows() == rows
    assert names(ana) == list(CATEGORIES)


def test_what_is_used_is_not_deleted_and_what_is_not_used_comes_back_by_undo(ana):
    ana.add("3", "Food")
    food, travel = key(ana, "Food"), key(ana, "Travel")

    ana.post(f"/categories/{food}/delete")
    assert "Food has expenses. Merge it" in ana.message("/categories").text
    ana.post(f"/categories/{travel}/delete")
    assert "Travel" not in names(ana)
    ana.undo("/categories")

    assert names(ana) == list(CATEGORIES)


def test_a_new_category_is_typed_while_entering_an_expense(ana):
    ana.add("3", category="", new_category=" Gifts ")
    ana.add("4", category="Food", new_category="GIFTS")

    assert [row[1] for row in ana.rows()] == ["Gifts", "Gifts"]
    assert names(ana) == [*CATEGORIES, "Gifts"]


def test_on_the_list_a_new_category_asks_for_its_name_and_keeps_the_rest(ana):
    response = ana.fill("/expenses", amount="7", category="New …", description="Scarf")

    assert response.status_code == 422
    form = read(response).one("main").one("form")
    assert "Enter the name" in form.one(id="new_category-error").text
    assert form.one(id="description")["value"] == "Scarf"
    ana.client.post(form["action"], data=form_values(form) | {"new_category": "Gifts"})
    assert [(row[1], row[2]) for row in ana.rows()] == [("Gifts", "Scarf")]


def test_an_edit_into_a_new_category_is_undone_with_it(ana):
    ana.add("3", "Food")
    rows = ana.rows()

    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", new_category="Gifts")
    assert ana.expenses()[0].category == "Gifts"
    ana.undo()

    assert ana.rows() == rows
    assert names(ana) == list(CATEGORIES)


@pytest.mark.parametrize("category", ["Gifts", "food", "x" * 65, "\0"])
def test_a_category_that_is_nobodys_is_refused(ana, category):
    response = ana.post("/expenses", {"amount": "3", "category": category, "date": "2026-01-01"})

    assert response.status_code == 422
    assert "Choose a category." in read(response).one(id="category-error").text
    assert ana.expenses() == []


def test_an_archived_category_is_not_chosen_for_anybody_but_kept_and_found(ana):
    ana.add("3", "Travel", description="Tram")
    ana.fill("/categories", **{f"{key(ana, 'Travel')}-archived": "y"})

    refused = ana.fill("/expenses/add", amount="4", category="", description="Tram")
    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", amount="5")

    assert refused.status_code == 422
    assert [(row[1], row[3]) for row in ana.rows("/expenses?category=Travel")] == [("Travel", "$5.00")]
    finding = ana.page("/expenses").one("form", class_="filter-form")
    assert "Travel" not in [option.text for option in finding.one(id="filter-category").all("option")]
    assert "Travel" in [label.text for label in finding.one("fieldset").all("label")]


def test_an_expense_whose_category_is_gone_brings_it_back(ana):
    ana.add("3", "Travel")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    form = operations_shown(ana)[0].one("form")
    ana.post(f"/categories/{key(ana, 'Travel')}/delete")

    press(ana, form)

    assert [row[1] for row in ana.rows()] == ["Travel"]
    assert names(ana)[-1] == "Travel"


def test_a_category_from_elsewhere_can_be_found_and_becomes_ones_own(ana):
    with ana.app.app_context():
        db.session.add(Expense(author_id=ana.user().id, amount=Decimal(3), category="Pets", date=DAY))
        db.session.commit()

    assert ana.count("/expenses?category=Pets") == 1
    assert "Pets" in ana.page("/categories").one("main").one("table").one("tbody").text
    ana.fill("/categories", monthly_budget="5")
    assert names(ana) == [*CATEGORIES, "Pets"]


def test_nobody_touches_the_categories_of_another(ana, bob):
    ana.fill("/categories", monthly_budget="5")
    food = key(ana, "Food")

    for address in (f"/categories/{food}/merge", f"/categories/{food}/delete"):
        assert bob.post(address, {"into": key(bob, "Travel")}).status_code == 404
    bob.post("/categories", {f"{food}-name": "Mine"})

    assert names(ana) == names(bob) == list(CATEGORIES)


def test_of_many_who_add_the_same_name_at_once_all_get_the_one(app, ana):
    token = ana.token()
    cookie = ana.client.get_cookie("session").value

    def add(number):
        client = app.test_client()
        client.set_cookie("session", cookie)
        name = "Gifts" if number % 2 else "gifts"
        data = {"csrf_token": token, "amount": "1", "new_category": name, "date": "2026-01-01"}
        assert client.post("/expenses", data=data).status_code in REDIRECTS

    at_once(add, range(6))

    (name,) = set(names(ana)) - set(CATEGORIES)
    assert {expense.category for expense in ana.expenses()} == {name}
    assert len(ana.expenses()) == 6


# --- What repeats, and what is typed carelessly


def own(visitor):
    with visitor.app.app_context():
        return categories.categories_of(visitor.user())


@pytest.mark.parametrize("undone", [False, True])
def test_an_expense_deleted_before_its_category_was_renamed_returns_to_the_renamed_one(ana, undone):
    ana.add("3", "Food")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    deletion = ana.message().one("form")
    food = key(ana, "Food")
    ana.fill("/categories", **{f"{food}-name": "Meals"})
    if undone:
        ana.undo("/categories")

    press(ana, deletion)

    assert [row[1] for row in ana.rows()] == ["Food" if undone else "Meals"]
    assert len(names(ana)) == len(CATEGORIES)


def test_a_change_of_category_can_be_undone_after_both_categories_were_renamed(ana):
    ana.add("3", "Food")
    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", category="Travel")
    change = ana.message().one("form")
    ana.fill("/categories", **{f"{key(ana, 'Food')}-name": "Meals", f"{key(ana, 'Travel')}-name": "Journeys"})
    assert [row[1] for row in ana.rows()] == ["Journeys"]

    press(ana, change)

    assert [row[1] for row in ana.rows()] == ["Meals"]


def test_a_name_that_was_another_categorys_before_means_the_right_one(ana):
    ana.add("3", "Food")
    ana.add("4", "Travel")
    ana.post(f"/categories/{key(ana, 'Travel')}/merge", {"into": key(ana, "Food")})
    merger = ana.message("/categories").one("form")
    food = key(ana, "Food")
    ana.fill("/categories", **{f"{food}-name": "Travel"})
    ana.fill("/categories", **{f"{food}-name": "Meals"})

    press(ana, merger)

    assert sorted(row[1] for row in ana.rows()) == ["Meals", "Travel"]


def test_what_repeats_goes_where_its_category_is_merged_into_and_keeps_one_in_use(ana, app):
    ana.add("10", "Food", frequency="week", date="2026-01-01")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})

    ana.post(f"/categories/{food}/merge", {"into": str(travel)})

    with app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Travel"]
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    ana.post(f"/categories/{travel}/delete")
    assert "Travel" in [category.name for category in own(ana)]


def test_what_repeats_comes_back_when_a_merge_is_undone(ana, app):
    ana.add("10", "Food", frequency="week", date="2026-01-01")
    ana.post(f"/categories/{key(ana, 'Food')}/merge", {"into": key(ana, "Travel")})

    ana.undo("/categories")

    with app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Food"]
    assert [row[1] for row in ana.rows()] == ["Food"]
    assert names(ana) == list(CATEGORIES)


def test_a_name_has_single_spaces_as_a_browser_sends_it(ana):
    ana.add("5", "New …", new_category="Eating  out")

    (expense,) = ana.expenses()
    assert expense.category == "Eating out"
    assert ana.fill(f"/expenses/{expense.id}/edit", amount="6").status_code in REDIRECTS
    assert ana.total("/expenses?category=Eating+out") == "$6.00"


def test_a_budget_without_a_name_is_asked_about(ana):
    form = ana.page("/categories").one("main").one("form")
    values = form_values(form)

    refused = ana.client.post("/categories", data=values | {f"{values['new_id']}-monthly_budget": "50"})

    assert refused.status_code == 422
    assert "Enter a name for the new category." in read(refused).one("main").text


def test_a_page_left_open_does_not_undo_what_was_done_elsewhere(ana):
    opened = form_values(ana.page("/categories").one("main").one("form"))
    food = next(category.id for category in own(ana) if category.name == "Food")
    ana.fill("/categories", **{f"{food}-name": "Groceries"})

    refused = ana.client.post("/categories", data=opened | {"monthly_budget": "50"})

    assert refused.status_code == 422
    form = read(refused).one("main").one("form")
    assert "changed in another window" in read(refused).one("main").text
    assert form_values(form)["monthly_budget"] == "50"
    assert "Groceries" in [category.name for category in own(ana)]
    again = ana.client.post("/categories", data=form_values(form))
    assert again.status_code in REDIRECTS
    assert "Food" in [category.name for category in own(ana)]


def test_a_merge_that_is_undone_one_by_one_gives_back_place_and_budget(ana):
    for amount in ("10", "20"):
        ana.add(amount, "Food")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})
    ana.fill("/categories", **{f"{food}-monthly_budget": "100"})
    before = own(ana)
    ana.post(f"/categories/{food}/merge", {"into": str(travel)})
    merged = operations_shown(ana)[0]

    for line in merged.all("ul")[0].all("li"):
        assert press(ana, line.one("form")).status_code in REDIRECTS

    assert own(ana) == before
    assert {each.category for each in ana.expenses()} == {"Food"}


# --- The name that the dropdown has for a category still to be named

RESERVED = ["New …", " new  ... ", "ＮＥＷ …"]


@pytest.mark.parametrize("name", RESERVED)
def test_no_expense_gets_a_category_that_is_called_like_the_choice_of_a_new_one(ana, name):
    for chosen in ("", "New …", "Food"):
        response = ana.fill("/expenses/add", amount="3", category=chosen, new_category=name, frequency="month")

        assert response.status_code == 422
        assert "Use another name." in read(response).one(id="new_category-error").text
        assert form_values(read(response).one("main").one("form"))["amount"] == "3"
    assert ana.expenses() == []
    assert names(ana) == list(CATEGORIES)


@pytest.mark.parametrize("name", RESERVED)
def test_no_category_is_named_like_the_choice_of_a_new_one(ana, name):
    form = table(ana)
    for row in (key(ana, "Food"), form["new_id"]):
        response = ana.client.post("/categories", data=form | {f"{row}-name": name, "monthly_budget": "77"})

        assert response.status_code == 422
        page = read(response)
        assert "Use another name." in page.one(id=f"{row}-name-error").text
        assert page.one(id="monthly_budget")["value"] == "77"
    assert names(ana) == list(CATEGORIES)
    assert state(ana)[1] is None


def test_a_category_from_elsewhere_that_has_this_name_does_not_keep_others_from_being_saved(ana):
    with ana.app.app_context():
        db.session.add(Expense(author_id=ana.user().id, amount=Decimal(3), category="New …", date=DAY))
        db.session.commit()

    assert ana.fill("/categories", monthly_budget="5").status_code in REDIRECTS
    assert ana.fill("/categories", **{f"{key(ana, 'New …')}-position": "1"}).status_code in REDIRECTS
    assert names(ana)[0] == "New …"
    assert ana.fill("/categories", **{f"{key(ana, 'New …')}-name": "Club"}).status_code in REDIRECTS
    assert [row[1] for row in ana.rows()] == ["Club"]
    assert names(ana) == ["Club", *CATEGORIES]
