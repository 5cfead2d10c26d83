"""A person's own categories and their budgets: by random acts, and through the pages."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import categories, history, recurring
from ledger.categories import CategoryError, OwnCategory
from ledger.csv_export import write_csv
from ledger.spending import CATEGORIES, ExpenseFilter, add_once, ordered_query
from models import Category, Expense, RecurringExpense, User, category_key
from tests.people import at_once, empty_tables, form_values, kept_months, read, summed_months

DAY = date(2026, 1, 1)
NAMES = st.sampled_from(
    ["Food", "food", "Gifts", "gifts", "Café", "Cafe\u0301", "CAFÉ", "Travel", "Straße", "New …", "new ..."]
)


def now():
    return datetime.now(UTC)


class Acts(RuleBasedStateMachine):
    """Two people do to their categories and expenses whatever can be done, and take it back."""

    def __init__(self):
        super().__init__()
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.people = [
            User(username=name, email=f"{name}@example.com", password_hash="x") for name in ("ana", "bob")
        ]
        db.session.add_all(self.people)
        db.session.commit()
        self.there = [self.note(user) for user in self.people]
        self.acts = [[], []]

    def teardown(self):
        db.session.remove()
        self.context.pop()

    def note(self, user):
        """Everything that an act can change: the categories, the budgets, the bytes of the export."""
        db.session.expire_all()
        lines = "".join(write_csv(db.engine, ordered_query(user, ExpenseFilter()), "USD"))
        return categories.categories_of(user), user.monthly_budget, lines

    def act(self, who, do):
        """Do something as an act, take it back at once, see that nothing has changed, and do it again."""
        user = self.people[who]
        before = self.note(user)
        for undone in (True, False):
            try:
                batch = do(user)
            except CategoryError:
                db.session.rollback()
                assert self.note(user) == before
                return
            db.session.commit()
            if batch is None:
                assert self.note(user) == before
                return
            if undone:
                restored = history.take_back(user, batch)
                db.session.commit()
                assert restored.left_alone == ""
                assert self.note(user) == before
        self.acts[who].append(batch)
        self.there[who] = self.note(user)

    def one(self, who, data):
        return data.draw(st.sampled_from(categories.categories_of(self.people[who])))

    @rule(who=st.integers(0, 1), every=st.sampled_from(["", "month"]), data=st.data())
    def spend(self, who, every, data):
        category, user, row_id = self.one(who, data).name, self.people[who], uuid7()
        assert add_once(Expense(author_id=user.id, id=row_id, amount=Decimal(1), category=category, date=DAY))
        if every:
            recurring.repeat(user, row_id, every)
        db.session.commit()
        self.there[who] = self.note(self.people[who])

    @rule(who=st.integers(0, 1), name=NAMES)
    def add(self, who, name):
        self.act(who, lambda user: categories.add(user, name, now())[0])

    @rule(
        who=st.integers(0, 1),
        name=NAMES,
        position=st.integers(1, 12),
        archived=st.booleans(),
        budget=st.sampled_from([None, Decimal("0"), Decimal("12.50")]),
        overall=st.sampled_from([None, Decimal("99")]),
        data=st.data(),
    )
    def save(self, who, name, position, archived, budget, overall, data):
        chosen = self.one(who, data)
        new = OwnCategory(chosen.id, data.draw(st.sampled_from([name, chosen.name])), position, archived, budget)

        def do(user):
            saved = categories.save(user, [new], overall, now())
            return saved and saved[0]

        self.act(who, do)

    @rule(who=st.integers(0, 1), data=st.data())
    def merge(self, who, data):
        former, into = self.one(who, data), self.one(who, data)
        self.act(who, lambda user: history.merge_category(user, former, into, now())[0])

    @rule(who=st.integers(0, 1), data=st.data())
    def delete(self, who, data):
        chosen = self.one(who, data).id
        self.act(who, lambda user: categories.delete(user, chosen, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def delete_expenses(self, who, data):
        chosen = Expense.category == self.one(who, data).name
        batch, gone = history.delete_expenses(self.people[who], chosen, now())
        db.session.commit()
        if gone.count:
            self.acts[who].append(batch)
        self.there[who] = self.note(self.people[who])

    @rule(who=st.integers(0, 1), data=st.data())
    def undo(self, who, data):
        if self.acts[who]:
            batch = self.acts[who].pop(data.draw(st.integers(0, len(self.acts[who]) - 1)))
            history.take_back(self.people[who], batch)
            db.session.commit()
            self.there[who] = self.note(self.people[who])

    @invariant()
    def every_expense_is_of_a_category_of_its_owner(self):
        for user in self.people:
            own = [category.name for category in categories.categories_of(user)]
            assert len({category_key(name) for name in own}) == len(own) > 0
            assert set(categories.numbers_of(user)) <= set(own)
            assert {series.category for series in recurring.all_recurring(user)} <= set(own)
            assert not {"New …", "new ..."} & set(own)

    @invariant()
    def nobody_touched_the_other(self):
        assert [self.note(user) for user in self.people] == self.there

    @invariant()
    def kept_months_are_those_of_the_expenses(self):
        assert kept_months() == summed_months()


Acts.TestCase.settings = settings(max_examples=9, stateful_step_count=12, deadline=None)


@pytest.mark.usefixtures("app")
class TestActs(Acts.TestCase):
    pass


# --- Through the pages


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
    """What the fields of a category begin with."""
    with visitor.app.app_context():
        return next(str(each.id) for each in categories.categories_of(visitor.user()) if each.name == name)


def offered(page, label="category"):
    return [option.text for option in page.one("form", class_="adding").one(id=label).all("option")]


def test_a_new_person_has_ten_and_reading_writes_none(ana):
    assert names(ana) == list(CATEGORIES)
    ana.page("/categories")

    with ana.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Category)) == 0


def test_everything_is_saved_at_once_and_taken_back_at_once(ana):
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
    ana.page("/expenses/deleted")
    acts = ana.page("/expenses/deleted").all("section", class_="act")
    assert "renamed Food to Groceries (1 expense)" in acts[0].one("h2").text
    ana.client.post("/expenses/restore", data=form_values(acts[0].all("form")[0]))
    assert state(ana) == was
    assert ana.rows() == rows


def test_undo_in_the_message_goes_back_to_the_categories(ana):
    food = key(ana, "Food")
    ana.fill("/categories", **{f"{food}-name": "Meals"})

    response = ana.undo("/categories")

    assert response.location == "/categories"
    assert "Taken back." in ana.message("/categories").text
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
    batch = form_values(ana.page("/expenses/deleted").all("section", class_="act")[0].all("form")[0])
    ana.client.post("/expenses/restore", data=batch)
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
    assert "Type the name" in form.one(id="new_category-error").text
    assert form.one(id="description")["value"] == "Scarf"
    ana.client.post(form["action"], data=form_values(form) | {"new_category": "Gifts"})
    assert [(row[1], row[2]) for row in ana.rows()] == [("Gifts", "Scarf")]


def test_an_edit_into_a_new_category_is_taken_back_with_it(ana):
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
    finding = ana.page("/expenses").one("form", class_="finding")
    assert "Travel" not in [option.text for option in finding.one(id="filter-category").all("option")]
    assert "Travel" in [label.text for label in finding.one("fieldset").all("label")]


def test_an_expense_whose_category_is_gone_brings_it_back(ana):
    ana.add("3", "Travel")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    form = form_values(ana.page("/expenses/deleted").all("section", class_="act")[0].all("form")[0])
    ana.post(f"/categories/{key(ana, 'Travel')}/delete")

    ana.client.post("/expenses/restore", data=form)

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
        assert client.post("/expenses", data=data).status_code == 302

    at_once(add, range(6))

    (name,) = set(names(ana)) - set(CATEGORIES)
    assert {expense.category for expense in ana.expenses()} == {name}
    assert len(ana.expenses()) == 6


# --- What repeats, and what is typed carelessly


def own(visitor):
    with visitor.app.app_context():
        return categories.categories_of(visitor.user())


def test_what_repeats_goes_where_its_category_is_merged_into_and_keeps_one_in_use(ana, app):
    ana.add("10", "Food", every="week", date="2026-01-01")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})

    ana.post(f"/categories/{food}/merge", {"into": str(travel)})

    with app.app_context():
        assert db.session.scalars(select(RecurringExpense.category)).all() == ["Travel"]
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    ana.post(f"/categories/{travel}/delete")
    assert "Travel" in [category.name for category in own(ana)]


def test_a_name_has_single_spaces_as_a_browser_sends_it(ana):
    ana.add("5", "New …", new_category="Eating  out")

    (expense,) = ana.expenses()
    assert expense.category == "Eating out"
    assert ana.fill(f"/expenses/{expense.id}/edit", amount="6").status_code == 302
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
    assert again.status_code == 302
    assert "Food" in [category.name for category in own(ana)]


def test_a_merger_that_is_taken_back_one_by_one_gives_back_place_and_budget(ana):
    for amount in ("10", "20"):
        ana.add(amount, "Food")
    food, travel = (category.id for category in own(ana) if category.name in {"Food", "Travel"})
    ana.fill("/categories", **{f"{food}-monthly_budget": "100"})
    before = own(ana)
    ana.post(f"/categories/{food}/merge", {"into": str(travel)})
    merged = ana.page("/expenses/deleted").all("section", class_="act")[0]

    for item in merged.all("li"):
        form = item.one("form")
        assert ana.client.post(form["action"], data=form_values(form)).status_code == 302

    assert own(ana) == before
    assert {each.category for each in ana.expenses()} == {"Food"}


# --- The name that the dropdown has for a category still to be named

RESERVED = ["New …", " new  ... ", "ＮＥＷ …"]


@pytest.mark.parametrize("name", RESERVED)
def test_no_expense_gets_a_category_that_is_called_like_the_choice_of_a_new_one(ana, name):
    for chosen in ("", "New …", "Food"):
        response = ana.fill("/expenses/add", amount="3", category=chosen, new_category=name, every="month")

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

    assert ana.fill("/categories", monthly_budget="5").status_code == 302
    assert ana.fill("/categories", **{f"{key(ana, 'New …')}-position": "1"}).status_code == 302
    assert names(ana)[0] == "New …"
    assert ana.fill("/categories", **{f"{key(ana, 'New …')}-name": "Club"}).status_code == 302
    assert [row[1] for row in ana.rows()] == ["Club"]
    assert names(ana) == ["Club", *CATEGORIES]
