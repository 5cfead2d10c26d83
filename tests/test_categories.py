"""Categories and budgets, through their pages."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from database import db
from ledger import categories, pieces
from ledger.budgets import get_history, valid_budgets
from ledger.periods import Period
from models import DEFAULT_CATEGORIES, Category, RecurringExpense
from tests.browsing import REDIRECTS, at_once, form_values, operations_shown, press, read

DAY = date(2026, 1, 1)


def names(visitor):
    with visitor.app.app_context():
        return [category.name for category in categories.get_categories(visitor.user())]


def state(visitor):
    """The user's categories, and this month's budgets by the names of the categories, the total one by None."""
    with visitor.app.app_context():
        known = categories.get_categories(visitor.user())
        names = {category.id: category.name for category in known} | {None: None}
        valid = valid_budgets(get_history(visitor.user()), Period.month(datetime.now(UTC).date()))
        budgets = {names[key]: budget.amount for key, budget in valid.items() if budget.amount is not None}
        return known, budgets


def category_id(visitor, name):
    with visitor.app.app_context():
        return next(str(row.id) for row in categories.get_categories(visitor.user()) if row.name == name)


def edit_url(visitor, name):
    return f"/categories/{category_id(visitor, name)}/edit"


def form_to(page, url):
    """The form of a page that is sent to this URL."""
    return next(form for form in page.one("main").all("form") if form["action"] == url)


def edit(visitor, category, **changes):
    """Fill in the page of a category as a browser would, and send it."""
    url = edit_url(visitor, category)
    return visitor.client.post(url, data=form_values(form_to(visitor.page(url), url)) | changes)


def set_budgets(visitor, total=None, **budgets):
    """Fill in budgets by the names of their categories, and send them."""
    fields = {f"{category_id(visitor, name)}-monthly_budget": text for name, text in budgets.items()}
    if total is not None:
        fields["total-monthly_budget"] = total
    values = form_values(form_to(visitor.page("/categories"), "/categories"))
    return visitor.client.post("/categories", data=values | fields)


def offered(page, label="category"):
    return [option.text for option in page.one("tbody", class_="adding").one(id=label).all("option")]


def test_a_new_user_has_the_ten_default_categories(ana):
    assert names(ana) == list(DEFAULT_CATEGORIES)

    with ana.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Category)) == 10


def test_budgets_are_saved_together_and_undone_together(ana):
    before = state(ana)

    response = set_budgets(ana, total="1000", Food="99.50", Travel="1,000.00")

    assert response.location == "/categories"
    assert "Saved: 3 budgets." in ana.message("/categories").text
    assert state(ana)[1] == {"Food": Decimal("99.5"), "Travel": Decimal(1000), None: Decimal(1000)}
    saved = operations_shown(ana)[0]
    assert "All categories together: monthly budget $1,000.00 from" in saved.text
    assert "Food: monthly budget $99.50 from" in saved.text
    press(ana, saved.one("form"))
    assert state(ana) == before


def test_budgets_that_stay_are_nothing_to_save(ana):
    set_budgets(ana, total="50")

    set_budgets(ana, total="50.00")

    assert "No changes to save." in ana.message("/categories").text


def test_a_budget_that_makes_no_sense_is_refused_beside_it_and_nothing_is_lost(ana):
    response = set_budgets(ana, total="77", Food="-1")

    assert response.status_code == 422
    page = read(response)
    assert page.one(id=f"{category_id(ana, 'Food')}-monthly_budget-error").text
    assert page.one(id="total-monthly_budget")["value"] == "77"
    assert state(ana)[1] == {}


def test_another_window_does_not_overwrite_a_budget_silently(ana):
    opened = form_values(form_to(ana.page("/categories"), "/categories"))
    set_budgets(ana, total="40", Food="20")
    food = f"{category_id(ana, 'Food')}-monthly_budget"

    refused = ana.client.post("/categories", data=opened | {food: "30"})

    assert refused.status_code == 422
    page = read(refused)
    assert "Another window changed this to 20.00." in page.one(id=f"{food}-error").text
    assert state(ana)[1][None] == Decimal(40)
    again = form_values(form_to(page, "/categories"))
    assert again[food] == "30"
    assert ana.client.post("/categories", data=again).status_code in REDIRECTS
    assert state(ana)[1]["Food"] == Decimal(30)


def test_a_category_is_added_once_and_undone(ana):
    form = form_to(ana.page("/categories"), "/categories/add")
    values = form_values(form) | {"name": "  Eating   out "}

    for _press in range(2):
        assert ana.client.post("/categories/add", data=values).location == "/categories"

    assert names(ana) == [*DEFAULT_CATEGORIES, "Eating out"]
    assert "Added the category Eating out." in ana.message("/categories").text
    assert "Eating out" in offered(ana.page("/expenses"))
    press(ana, operations_shown(ana)[0].one("form"))
    assert names(ana) == list(DEFAULT_CATEGORIES)


@pytest.mark.parametrize(
    ("name", "message"), [("", "Enter a name."), ("food", "There is already a category Food")]
)
def test_a_new_category_needs_a_name_of_its_own(ana, name, message):
    form = form_to(ana.page("/categories"), "/categories/add")

    response = ana.client.post("/categories/add", data=form_values(form) | {"name": name})

    assert response.status_code == 422
    assert message in read(response).one(id="category-name-error").text
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_the_number_of_categories_has_a_limit(ana, monkeypatch):
    monkeypatch.setattr(categories, "MAX_CATEGORIES", 10)
    form = form_to(ana.page("/categories"), "/categories/add")

    response = ana.client.post("/categories/add", data=form_values(form) | {"name": "Gifts"})

    assert "You have 10 categories already." in read(response).one(id="category-name-error").text
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_a_category_is_renamed_with_its_expenses_and_undo_goes_back_to_the_categories(ana):
    ana.add("3", "Food")
    rows = ana.rows()

    response = edit(ana, "Food", name=" Groceries ")

    assert response.location == "/categories"
    message = ana.message("/categories")
    assert "Renamed Food to Groceries." in message.text
    assert {row[1] for row in ana.rows()} == {"Groceries"}
    assert "Food → Groceries" in operations_shown(ana)[0].text
    assert press(ana, message.one("form")).location == "/categories"
    assert "Undone." in ana.message("/categories").text
    assert (names(ana), ana.rows()) == (list(DEFAULT_CATEGORIES), rows)


def test_a_category_is_moved(ana):
    edit(ana, "Travel", order="first")
    edit(ana, "Housing", order=category_id(ana, "Other"))

    assert (names(ana)[0], names(ana)[-1]) == ("Travel", "Housing")
    assert "Moved Housing." in ana.message("/categories").text
    moves = operations_shown(ana)
    for move in moves:
        press(ana, move.one("form"))
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_an_archived_category_is_listed_apart_and_can_come_back(ana):
    edit(ana, "Travel", archived="y")

    page = ana.page("/categories")
    assert "Archived categories" in page.one("main").text
    assert "Travel" not in page.one("main").one("table").text
    assert "Travel" not in offered(ana.page("/expenses"))
    url = edit_url(ana, "Travel")
    values = form_values(form_to(ana.page(url), url))
    del values["archived"]
    ana.client.post(url, data=values)
    assert "Travel" in offered(ana.page("/expenses"))


@pytest.mark.parametrize("name", ["travel", " TRAVEL ", "Ｔravel"])
def test_a_name_that_is_taken_is_refused_beside_it_and_a_merge_is_proposed(ana, name):
    response = edit(ana, "Food", name=name)

    assert response.status_code == 422
    page = read(response)
    assert "There is already a category Travel." in page.one(id="name-error").text
    assert page.one(id="name")["value"] == name.strip()
    merge = form_to(page, edit_url(ana, "Food").replace("/edit", "/merge"))
    assert form_values(merge)["into"] == category_id(ana, "Travel")
    assert names(ana) == list(DEFAULT_CATEGORIES)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_two_categories_swap_their_names_and_expenses_follow(ana, steps):
    ana.add("3", "Food", description="Tea")
    ana.add("4", "Travel", description="Bus", date="2025-01-01", frequency="year")
    set_budgets(ana, Food="50")
    page = read(edit(ana, "Food", name="travel"))
    swap = form_to(page, edit_url(ana, "Food").replace("/edit", "/swap"))

    assert press(ana, swap).location == "/categories"

    assert "Swapped the names Food and Travel." in ana.message("/categories").text
    for _step in range(steps):
        press(ana, operations_shown(ana)[0].one("form"))
        assert "Undone." in ana.message("/history").text
    food, travel = ("Food", "Travel") if steps == 1 else ("Travel", "Food")
    assert {row[2]: row[1] for row in ana.rows()} == {"Tea": food, "Bus": travel}
    assert names(ana)[0] == food
    assert state(ana)[1] == {food: Decimal(50)}
    with ana.app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == [travel]


def test_a_swap_is_left_alone_by_an_undo_after_one_of_them_was_renamed(ana):
    ana.post(f"/categories/{category_id(ana, 'Food')}/swap", {"into": category_id(ana, "Travel")})
    swap = operations_shown(ana)[0].one("form")
    edit(ana, "Travel", name="Trips")
    before = names(ana)

    press(ana, swap)

    assert "Not undone because they were changed later" in ana.message("/history").text
    assert names(ana) == before


def test_an_expense_deleted_before_a_swap_returns_to_its_category(ana):
    ana.add("3", "Food")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    deletion = ana.message().one("form")
    ana.post(f"/categories/{category_id(ana, 'Food')}/swap", {"into": category_id(ana, "Travel")})

    press(ana, deletion)

    assert [row[1] for row in ana.rows()] == ["Travel"]


@pytest.mark.parametrize(("field", "typed"), [("name", ""), ("name", "x" * 65), ("order", "last")])
def test_a_value_that_makes_no_sense_is_refused_beside_it(ana, field, typed):
    response = edit(ana, "Food", **{field: typed})

    assert response.status_code == 422
    assert read(response).one(id=f"{field}-error").text
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_another_window_does_not_overwrite_a_category_silently(ana):
    url = edit_url(ana, "Food")
    opened = form_values(form_to(ana.page(url), url))
    edit(ana, "Food", name="Groceries")

    refused = ana.client.post(url, data=opened | {"name": "Meals"})

    assert refused.status_code == 422
    form = form_to(read(refused), url)
    assert "changed in another window" in read(refused).one("main").text
    assert form_values(form)["name"] == "Meals"
    assert "Groceries" in names(ana)
    assert ana.client.post(url, data=form_values(form)).status_code in REDIRECTS
    assert "Meals" in names(ana)


def test_merge_moves_the_expenses_and_undo_gives_them_back(ana):
    ana.add("3", "Food")
    ana.add("4", "Travel")
    rows = ana.rows()

    ana.post(f"/categories/{category_id(ana, 'Food')}/merge", {"into": category_id(ana, "Travel")})

    assert {row[1] for row in ana.rows()} == {"Travel"}
    assert names(ana) == list(DEFAULT_CATEGORIES[1:])
    merger = operations_shown(ana)[0]
    assert "Merged a category into Travel: 1 expense" in merger.text
    press(ana, merger.one("header").one("form"))
    assert ana.rows() == rows
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_a_category_in_use_is_not_deleted_and_an_unused_one_returns_by_undo(ana):
    ana.add("3", "Food")
    food, travel = category_id(ana, "Food"), category_id(ana, "Travel")

    ana.post(f"/categories/{food}/delete")
    assert "Food is in use. Merge it" in ana.message(f"/categories/{food}/edit").text
    ana.post(f"/categories/{travel}/delete")
    assert "Travel" not in names(ana)
    ana.undo("/categories")

    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_a_new_category_is_typed_while_entering_an_expense(ana):
    ana.add("3", category="", new_category=" Gifts ")
    ana.add("4", category="Food", new_category="GIFTS")

    assert [row[1] for row in ana.rows()] == ["Gifts", "Gifts"]
    assert names(ana) == [*DEFAULT_CATEGORIES, "Gifts"]


def test_on_the_list_a_new_category_asks_for_its_name_and_keeps_the_rest(ana):
    response = ana.fill("/expenses", amount="7", category="New …", description="Scarf")

    assert response.status_code == 422
    page = read(response)
    form = page.one("form", class_="add-form")
    assert "Enter the name" in page.one(id="new_category-error").text
    assert "open" in page.one("tbody", class_="adding").one("details").attributes
    assert page.one(id="description")["value"] == "Scarf"
    ana.client.post(form["action"], data=form_values(form) | {"new_category": "Gifts"})
    assert [(row[1], row[2]) for row in ana.rows()] == [("Gifts", "Scarf")]


def test_an_edit_into_a_new_category_is_undone_with_it(ana):
    ana.add("3", "Food")
    rows = ana.rows()

    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", new_category="Gifts")
    assert ana.expenses()[0].category == "Gifts"
    ana.undo()

    assert ana.rows() == rows
    assert names(ana) == list(DEFAULT_CATEGORIES)


@pytest.mark.parametrize("category", ["Gifts", "food", "x" * 65, "\0"])
def test_an_unknown_category_is_rejected(ana, category):
    response = ana.post("/expenses", {"amount": "3", "category": category, "date": "2026-01-01"})

    assert response.status_code == 422
    assert "Choose a category." in read(response).one(id="category-error").text
    assert ana.expenses() == []


def test_an_archived_category_is_not_suggested_but_kept_and_found(ana):
    ana.add("3", "Travel", description="Tram")
    edit(ana, "Travel", archived="y")

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
    ana.post(f"/categories/{category_id(ana, 'Travel')}/delete")

    press(ana, form)

    assert [row[1] for row in ana.rows()] == ["Travel"]
    assert names(ana)[-1] == "Travel"


def test_another_users_categories_do_not_exist(ana, bob):
    set_budgets(ana, total="5")
    food = category_id(ana, "Food")

    assert bob.client.get(f"/categories/{food}/edit").status_code == 404
    for page in ("edit", "merge", "swap", "delete"):
        assert bob.post(f"/categories/{food}/{page}", {"into": category_id(bob, "Travel")}).status_code == 404
    bob.post("/categories", {f"{food}-monthly_budget": "9"})

    assert names(ana) == names(bob) == list(DEFAULT_CATEGORIES)
    assert state(ana)[1] == {None: Decimal(5)}


def test_many_who_add_the_same_name_at_once_share_one_category(app, ana):
    token = ana.token()
    cookie = ana.client.get_cookie("session").value

    def add(number):
        client = app.test_client()
        client.set_cookie("session", cookie)
        name = "Gifts" if number % 2 else "gifts"
        data = {"csrf_token": token, "amount": "1", "new_category": name, "date": "2026-01-01"}
        assert client.post("/expenses", data=data).status_code in REDIRECTS

    at_once(add, range(6))

    (name,) = set(names(ana)) - set(DEFAULT_CATEGORIES)
    assert {expense.category for expense in ana.expenses()} == {name}
    assert len(ana.expenses()) == 6


# --- Recurring expenses, and careless input


def own(visitor):
    with visitor.app.app_context():
        return categories.get_categories(visitor.user())


@pytest.mark.parametrize("undone", [False, True])
def test_an_expense_deleted_before_its_category_was_renamed_returns_to_the_renamed_one(ana, undone):
    ana.add("3", "Food")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    deletion = ana.message().one("form")
    edit(ana, "Food", name="Meals")
    if undone:
        ana.undo("/categories")

    press(ana, deletion)

    assert [row[1] for row in ana.rows()] == ["Food" if undone else "Meals"]
    assert len(names(ana)) == len(DEFAULT_CATEGORIES)


@pytest.mark.parametrize("change", ["merge", "swap"])
@pytest.mark.parametrize(("deleted", "status"), [("Food", 404), ("Travel", 422)])
def test_a_category_that_another_window_has_just_deleted_is_neither_merged_nor_swapped(
    ana, monkeypatch, change, deleted, status
):
    def delete_meanwhile(ids):
        other = ana.app.test_client()
        other.set_cookie("session", ana.client.get_cookie("session").value)
        assert other.post(f"/categories/{gone}/delete", data=token).status_code in REDIRECTS
        return real(ids)

    token, gone, real = {"csrf_token": ana.token()}, category_id(ana, deleted), pieces.is_large
    monkeypatch.setattr(pieces, "is_large", delete_meanwhile)

    response = ana.post(f"/categories/{category_id(ana, 'Food')}/{change}", {"into": category_id(ana, "Travel")})

    assert response.status_code == status
    assert names(ana) == [name for name in DEFAULT_CATEGORIES if name != deleted]
    if status == 422:
        assert (
            read(response).one(id="into-error").text
            == "This category does not exist any more. Choose another one."
        )


@pytest.mark.parametrize("undone", [False, True])
def test_an_expense_deleted_before_its_category_was_merged_returns_to_the_other_one(ana, undone):
    ana.add("3", "Food")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    deletion = ana.message().one("form")
    ana.post(f"/categories/{category_id(ana, 'Food')}/merge", {"into": category_id(ana, "Travel")})
    edit(ana, "Travel", name="Trips")
    if undone:
        press(ana, operations_shown(ana)[1].one("form"))

    press(ana, deletion)

    assert [row[1] for row in ana.rows()] == ["Food" if undone else "Trips"]
    assert len(names(ana)) == len(DEFAULT_CATEGORIES) - (not undone)


def test_a_change_is_undone_after_the_former_category_was_merged(ana):
    ana.add("3", "Food")
    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", category="Health")
    change = ana.message().one("form")
    ana.post(f"/categories/{category_id(ana, 'Food')}/merge", {"into": category_id(ana, "Travel")})

    press(ana, change)

    assert [row[1] for row in ana.rows()] == ["Travel"]
    assert "Food" not in names(ana)


def test_a_series_deleted_before_its_category_was_renamed_returns_to_the_renamed_one(ana):
    ana.add("10", "Food", frequency="week", date="2026-01-01")
    with ana.app.app_context():
        series = db.session.scalars(select(RecurringExpense.id)).one()
    ana.post(f"/recurring/{series}/delete")
    deletion = ana.message("/recurring").one("form")
    edit(ana, "Food", name="Meals")

    press(ana, deletion)

    with ana.app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Meals"]
    assert "Food" not in names(ana)


def test_a_change_of_category_can_be_undone_after_both_categories_were_renamed(ana):
    ana.add("3", "Food")
    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", category="Travel")
    change = ana.message().one("form")
    edit(ana, "Food", name="Meals")
    edit(ana, "Travel", name="Journeys")
    assert [row[1] for row in ana.rows()] == ["Journeys"]

    press(ana, change)

    assert [row[1] for row in ana.rows()] == ["Meals"]


def test_a_name_that_was_another_categorys_before_means_the_right_one(ana):
    ana.add("3", "Food")
    ana.add("4", "Travel")
    ana.post(f"/categories/{category_id(ana, 'Travel')}/merge", {"into": category_id(ana, "Food")})
    merger = ana.message("/categories").one("form")
    edit(ana, "Food", name="Travel")
    edit(ana, "Travel", name="Meals")

    press(ana, merger)

    assert sorted(row[1] for row in ana.rows()) == ["Meals", "Travel"]


def test_recurring_expenses_follow_a_merge_and_keep_a_category_in_use(ana, app):
    ana.add("10", "Food", frequency="week", date="2026-01-01")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})

    ana.post(f"/categories/{food}/merge", {"into": str(travel)})

    with app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Travel"]
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    ana.post(f"/categories/{travel}/delete")
    assert "Travel" in [category.name for category in own(ana)]


def test_recurring_expenses_return_when_a_merge_is_undone(ana, app):
    ana.add("10", "Food", frequency="week", date="2026-01-01")
    ana.post(f"/categories/{category_id(ana, 'Food')}/merge", {"into": category_id(ana, "Travel")})

    ana.undo("/categories")

    with app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Food"]
    assert [row[1] for row in ana.rows()] == ["Food"]
    assert names(ana) == list(DEFAULT_CATEGORIES)


def test_a_name_has_single_spaces_as_a_browser_sends_it(ana):
    ana.add("5", "New …", new_category="Eating  out")

    (expense,) = ana.expenses()
    assert expense.category == "Eating out"
    assert ana.fill(f"/expenses/{expense.id}/edit", amount="6").status_code in REDIRECTS
    assert ana.total("/expenses?category=Eating+out") == "$6.00"


def test_a_merge_that_is_undone_one_by_one_gives_back_place_and_budget(ana):
    for amount in ("10", "20"):
        ana.add(amount, "Food")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})
    set_budgets(ana, Food="100")
    before = state(ana)
    ana.post(f"/categories/{food}/merge", {"into": str(travel)})
    assert state(ana)[1] == {}
    merged = operations_shown(ana)[0]

    for line in merged.one("table").all("tr"):
        assert press(ana, line.one("form")).status_code in REDIRECTS

    assert state(ana) == before
    assert {expense.category for expense in ana.expenses()} == {"Food"}


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
    assert names(ana) == list(DEFAULT_CATEGORIES)


@pytest.mark.parametrize("name", RESERVED)
def test_no_category_is_named_like_the_choice_of_a_new_one(ana, name):
    renamed = edit(ana, "Food", name=name)
    added = ana.client.post(
        "/categories/add", data=form_values(form_to(ana.page("/categories"), "/categories/add")) | {"name": name}
    )

    assert (renamed.status_code, added.status_code) == (422, 422)
    assert "Use another name." in read(renamed).one(id="name-error").text
    assert "Use another name." in read(added).one(id="category-name-error").text
    assert names(ana) == list(DEFAULT_CATEGORIES)


# --- The limit


@pytest.fixture
def full(ana, monkeypatch):
    """Ana, who has as many categories as she can have."""
    monkeypatch.setattr(categories, "MAX_CATEGORIES", len(DEFAULT_CATEGORIES))
    return ana


def test_no_category_is_added_beyond_the_limit(full):
    for response in (
        full.post("/categories/add", {"name": "Gifts"}),
        full.add("3", "New …", new_category="Gifts"),
    ):
        assert response.status_code == 422
        assert "You have 10 categories already." in read(response).text
    assert names(full) == list(DEFAULT_CATEGORIES)


@pytest.mark.parametrize("change", ["delete", "merge", "expense"])
def test_the_limit_cannot_be_passed_by_deleting_adding_and_undoing(full, change):
    food = category_id(full, "Food")
    if change == "expense":
        full.add("3", "Food")
        full.post(f"/expenses/{full.expenses()[0].id}/delete")
        undo = full.message().one("form")
    full.post(
        f"/categories/{food}/{'merge' if change == 'merge' else 'delete'}", {"into": category_id(full, "Travel")}
    )
    if change != "expense":
        undo = operations_shown(full)[0].one("form")
    full.post("/categories/add", {"name": "Gifts"})
    before = names(full)
    assert "Gifts" in before

    press(full, undo)

    assert "You have 10 categories already." in full.message().text
    assert names(full) == before
    assert full.expenses() == []
    full.post(f"/categories/{category_id(full, 'Gifts')}/delete")
    press(full, undo)
    assert sorted(names(full)) == sorted(DEFAULT_CATEGORIES)
