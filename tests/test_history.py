"""What was deleted and changed, and how it is taken back: through the pages, and by random histories."""

import csv
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select, update

from app import app as application
from database import db
from ledger import history
from ledger.csv_export import write_csv
from ledger.spending import CATEGORIES, ExpenseFilter, add_once, ordered_query, read_page, summarise
from models import ChangedExpense, DeletedExpense, Expense, User
from tests.people import Visitor, at_once, empty_tables, form_values, kept_months, read, summed_months

FIRST = date(2026, 1, 1)


def everything(visitor):
    """Every column of every expense of a person."""
    with visitor.app.app_context():
        rows = db.session.execute(
            select(Expense.__table__).where(Expense.author_id == visitor.user().id).order_by(Expense.id)
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def four(ana):
    """Ana, who has four expenses."""
    for amount, category, description in (
        ("1", "Food", "Tea"),
        ("2", "Food", "Cake"),
        ("4", "Travel", ""),
        ("8", "Food", "Tea"),
    ):
        ana.add(amount, category, description=description, date="2026-03-31")
    return ana


def ids(visitor):
    return [str(expense.id) for expense in visitor.expenses()]


# --- One


def test_undo_brings_back_exactly_the_same_row(four):
    before, gone = everything(four), ids(four)[1]

    four.post(f"/expenses/{gone}/delete?category=Food")
    assert len(everything(four)) == 3
    response = four.undo("/expenses?category=Food")

    assert everything(four) == before
    assert response.location == f"/expenses?category=Food#e{gone}"
    assert "Taken back for 1 expense." in four.message().text


def test_undo_twice_says_that_it_was_taken_back_already(four):
    before = everything(four)
    four.post(f"/expenses/{ids(four)[0]}/delete")
    form = four.message().one("form")

    four.client.post(form["action"], data=form_values(form))
    four.page("/expenses")
    four.client.post(form["action"], data=form_values(form))

    assert "This was taken back already." in four.message().text
    assert everything(four) == before


def test_undo_works_after_a_reload_and_after_logging_out(app, four):
    before = everything(four)
    four.post(f"/expenses/{ids(four)[0]}/delete")
    four.page("/expenses")
    four.post("/logout")
    device = Visitor(app)
    device.name = "ana"
    device.log_in()

    page = device.page("/expenses/deleted")
    form = page.one("section", class_="act").all("form")[0]
    response = device.client.post(form["action"], data=form_values(form))

    assert response.location == "/expenses/deleted"
    assert everything(four) == before
    assert "Nothing was deleted or changed." in device.page("/expenses/deleted").one("main").text


def test_nobody_takes_back_what_another_did(four, bob):
    four.post(f"/expenses/{ids(four)[0]}/delete")
    batch = form_values(four.message().one("form"))["batch"]

    bob.post("/expenses/restore", {"batch": batch})

    assert "taken back already" in bob.message().text
    assert len(four.expenses()) == 3
    assert bob.expenses() == []
    assert "Nothing was deleted" in bob.page("/expenses/deleted").one("main").text


@pytest.mark.parametrize("batch", [None, "", "x", "\0", "0" * 99])
def test_a_garbled_act_is_refused(four, batch):
    four.post(f"/expenses/{ids(four)[0]}/delete")

    response = four.post("/expenses/restore", {} if batch is None else {"batch": batch})

    assert response.status_code == 400
    assert len(four.expenses()) == 3


def test_an_act_of_nobody_takes_nothing_back(four):
    four.post(f"/expenses/{ids(four)[0]}/delete")

    four.post("/expenses/restore", {"batch": str(uuid.UUID(int=5))})

    assert "taken back already" in four.message().text
    assert len(four.expenses()) == 3


def test_an_edit_changes_every_field_and_can_be_undone(four):
    before = everything(four)
    address = f"/expenses/{ids(four)[0]}/edit?category=Food"

    response = four.fill(address, amount="9.5", category="Health", description="Té", date="2026-04-01", refund="y")

    assert response.location == f"/expenses?category=Food#e{ids(four)[0]}"
    changed = four.expenses()[0]
    assert (changed.amount, changed.category, changed.date) == (Decimal("-9.50"), "Health", date(2026, 4, 1))
    assert (changed.description, changed.description_key) == ("Té", "te")
    four.undo()
    assert everything(four) == before


def test_an_edit_form_shows_what_is_there_and_saving_it_unchanged_changes_nothing(stranger):
    stranger.register("ana", currency="EUR")
    stranger.add("1234,5", "Travel", description="Tea", date="2026-03-31", refund="y")
    before = everything(stranger)
    address = f"/expenses/{ids(stranger)[0]}/edit"

    page = read(stranger.get(address, headers={"Accept-Language": "de"}))
    shown = form_values(page.one("main").one("form"))
    response = stranger.client.post(address, data=shown, headers={"Accept-Language": "de"})

    assert (shown["amount"], shown["refund"], shown["category"]) == ("1234.50", "y", "Travel")
    assert response.status_code == 302
    assert everything(stranger) == before
    assert "Nothing was deleted or changed." in stranger.page("/expenses/deleted").one("main").text


def test_a_refused_edit_and_a_lost_log_in_keep_what_was_typed(app, four):
    address = f"/expenses/{ids(four)[0]}/edit?category=Food"
    refused = four.fill(address, amount="1,234", description="Typed")
    assert refused.status_code == 422
    assert read(refused).one(id="description")["value"] == "Typed"
    form = read(refused).one("main").one("form")
    four.lose_log_ins()

    response = four.client.post(form["action"], data=form_values(form) | {"amount": "5"})
    response = four.log_in_at(response.location)

    assert response.location == address
    page = four.page(response.location)
    assert (page.one(id="amount")["value"], page.one(id="description")["value"]) == ("5", "Typed")
    assert four.expenses()[0].description == "Tea"
    four.add("1")
    assert four.page(address).one(id="description")["value"] == "Typed"
    four.fill(address)
    assert four.expenses()[1].description == "Typed"


def test_a_duplicate_is_like_its_model_but_of_today(four):
    model = four.expenses()[0]

    page = four.page(f"/expenses/{model.id}/duplicate?category=Food")
    form = form_values(page.one("main").one("form"))
    response = four.client.post(page.one("main").one("form")["action"], data=form)

    assert response.location == f"/expenses?category=Food#e{form['id']}"
    made = next(each for each in four.expenses() if str(each.id) == form["id"])
    assert made.id != model.id
    assert (made.amount, made.category, made.description) == (model.amount, model.category, model.description)
    assert made.date == datetime.now(UTC).date()


# --- Many


def bulk(visitor, action, chosen=(), address="/expenses/bulk", **values):
    return visitor.post(address, {"ids": list(chosen), "action": action, **values})


def test_many_get_a_category_at_once_and_undo_restores_each(four):
    before, chosen = everything(four), ids(four)[1:4]

    response = bulk(four, "category", chosen, "/expenses/bulk?sort=amount", category="Health")

    assert response.location == "/expenses?sort=amount"
    assert sorted(each.category for each in four.expenses()) == ["Food", "Health", "Health", "Health"]
    assert "Changed 3 expenses, $7.00." in four.message().text
    bulk(four, "date", chosen, date="2024-02-29")
    four.undo()
    bulk(four, "category", chosen, category="Other")
    four.undo()
    acts = four.page("/expenses/deleted").all("section", class_="act")
    form = acts[0].all("form")[0]
    four.client.post(form["action"], data=form_values(form))
    assert everything(four) == before


def test_all_that_match_are_deleted_at_once_and_undone_at_once(four):
    before = everything(four)

    bulk(four, "delete", address="/expenses/bulk?category=Food", all_matching="y")

    assert [each.category for each in four.expenses()] == ["Travel"]
    assert "Deleted 3 expenses, $11.00." in four.message("/expenses?category=Food").text
    form = four.page("/expenses/deleted").all("form", method="post")[1]
    four.client.post(form["action"], data=form_values(form))
    assert everything(four) == before


def test_each_of_a_batch_can_be_restored_by_itself(four):
    before = everything(four)
    bulk(four, "delete", ids(four))
    assert four.expenses() == []

    for left in (3, 2, 1, 0):
        page = four.page("/expenses/deleted")
        form = page.one("section", class_="act").all("li")[0].one("form")
        four.client.post(form["action"], data=form_values(form))
        assert len(four.expenses()) == 4 - left

    assert everything(four) == before


def test_what_was_changed_since_is_left_alone_and_named(four):
    chosen = ids(four)
    bulk(four, "category", chosen, category="Health")
    form = four.message().one("form")
    four.fill(f"/expenses/{chosen[0]}/edit", amount="99")
    four.post(f"/expenses/{chosen[2]}/delete")

    four.page("/expenses")
    four.client.post(form["action"], data=form_values(form))

    assert "Taken back for 2 expenses. Changed since and left alone: Cake, Tea." in four.message().text
    found = {str(each.id): (each.category, each.amount) for each in four.expenses()}
    assert found[chosen[0]] == ("Health", 99)
    assert found[chosen[1]] == ("Travel", 4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "delete"}, "Tick the expenses first."),
        ({"ids": "x", "action": "delete"}, "Tick the expenses first."),
        ({"all_matching": "y"}, "Choose what to do"),
        ({"all_matching": "y", "action": "drop"}, "Choose what to do"),
        ({"all_matching": "y", "action": "category"}, "Choose the category to set."),
        ({"all_matching": "y", "action": "category", "category": "Nope"}, "Choose the category to set."),
        ({"all_matching": "y", "action": "date"}, "Enter the date to set."),
        ({"all_matching": "y", "action": "date", "date": "2026-02-30"}, "Enter the date as"),
    ],
)
def test_a_refused_bulk_change_says_why_and_changes_nothing(four, values, words):
    before = everything(four)

    response = four.post("/expenses/bulk", values)

    assert response.status_code == 422
    assert words in read(response).one(id="bulk").text
    assert everything(four) == before


def test_ticks_survive_a_refusal(four):
    chosen = ids(four)[1:3]

    page = read(four.post("/expenses/bulk", {"ids": chosen, "action": "category"}))

    ticked = [box["value"] for box in page.all("input", name="ids") if "checked" in box.attributes]
    assert ticked == chosen


@pytest.mark.parametrize("query", ["category=Nope", "min_amount=x", "sort=sideways", "period=never", "after=x"])
def test_under_a_garbled_address_all_that_match_are_none(four, query):
    before = everything(four)

    bulk(four, "delete", address=f"/expenses/bulk?{query}", all_matching="y")

    assert everything(four) == before


def test_nobody_changes_what_is_another_persons(four, bob):
    before = everything(four)

    bulk(bob, "delete", ids(four))
    bulk(bob, "category", ids(four), category="Health")
    bulk(bob, "delete", all_matching="y")

    assert everything(four) == before


def test_of_two_who_take_the_same_back_at_once_one_does(app, four):
    before = everything(four)
    bulk(four, "delete", ids(four))
    values = form_values(four.message().one("form"))
    tabs, answers = [Visitor(app) for _ in range(4)], []
    for tab in tabs:
        tab.client._cookies.update(four.client._cookies)

    def send(tab):
        answers.append(tab.client.post("/expenses/restore", data=values).status_code)

    at_once(send, tabs)

    assert answers == [302] * 4
    assert everything(four) == before


def test_what_was_left_alone_can_be_taken_back_later(four):
    chosen = ids(four)[0]
    before = everything(four)
    acts = []
    for category in ("Travel", "Health"):
        four.fill(f"/expenses/{chosen}/edit", category=category)
        acts.append(form_values(four.message().one("form")))

    for act, category in ((0, "Health"), (1, "Travel"), (0, "Food")):
        four.post("/expenses/restore", acts[act])
        assert {str(each.id): each.category for each in four.expenses()}[chosen] == category

    assert everything(four) == before


def test_a_long_list_of_names_is_cut(app, ana):
    for number in range(12):
        ana.add("1", description=f"{number} " + "車" * 190)
    bulk(ana, "category", all_matching="y", category="Health")
    act = form_values(ana.message().one("form"))
    bulk(ana, "category", all_matching="y", category="Other")
    ana.page("/expenses")

    response = ana.post("/expenses/restore", act)

    assert all(len(cookie) < 4000 for cookie in response.headers.getlist("Set-Cookie"))
    said = ana.message().text
    assert said.startswith("Taken back for 0 expenses. Changed since and left alone: 0 車車")
    assert said.endswith("車… and 9 more.")


@pytest.mark.parametrize("value", ["0", "false", "off", "no", ""])
def test_a_box_that_is_sent_unticked_is_not_ticked(four, value):
    response = bulk(four, "delete", ["x"], all_matching=value)

    assert response.status_code == 422
    assert len(four.expenses()) == 4


def test_an_expense_is_never_both_there_and_deleted(app, four):
    form = form_values(four.page("/expenses/add").one("main").one("form")) | {"amount": "5", "category": "Food"}
    four.client.post("/expenses/add", data=form)
    tabs = [Visitor(app) for _ in range(4)]
    token, answers = four.token(), []
    for tab in tabs:
        tab.client._cookies.update(four.client._cookies)

    def send(tab, address, data):
        answers.append(tab.client.post(address, data=data).status_code)

    calls = [(tab, "/expenses/add", form) for tab in tabs[:2]]
    calls += [(tab, f"/expenses/{form['id']}/delete", {"csrf_token": token}) for tab in tabs[2:]]
    at_once(lambda pair: send(*pair), calls)

    assert set(answers) <= {302, 404, 422}
    with app.app_context():
        there = db.session.scalar(select(func.count()).where(Expense.id == uuid.UUID(form["id"])))
        deleted = db.session.scalar(select(func.count()).where(DeletedExpense.id == uuid.UUID(form["id"])))
    assert there + deleted == 1


def test_every_act_of_30_days_can_be_reached(ana, monkeypatch):
    monkeypatch.setattr(history, "ACTS", 2)
    for amount in ("1", "2", "3"):
        ana.add(amount)
    for chosen in ids(ana):
        ana.post(f"/expenses/{chosen}/delete")

    first = ana.page("/expenses/deleted")
    second = ana.page(first.one("a", rel="next")["href"])

    amounts = [act.one("span", class_="amount").text for page in (first, second) for act in page.all("section")]
    assert amounts == ["$1.00", "$2.00", "$3.00"]
    assert not second.all("a", rel="next")


def test_an_unreadable_expense_takes_nothing_back(four):
    bulk(four, "delete", ids(four))
    act = form_values(four.message().one("form"))

    assert four.post("/expenses/restore", act | {"id": "x"}).status_code == 400
    assert four.expenses() == []


def test_purge_forgets_what_is_older_than_30_days(app, four):
    bulk(four, "delete", ids(four)[:2])
    bulk(four, "category", ids(four), category="Health")
    run = app.test_cli_runner()
    assert "Forgot 0 rows." in run.invoke(args=["purge"]).output
    old = datetime.now(UTC) - timedelta(days=31)
    with app.app_context():
        db.session.execute(update(DeletedExpense).values(deleted_at=old))
        db.session.execute(update(ChangedExpense).values(changed_at=old))
        db.session.commit()
    assert "Nothing was deleted or changed." in four.page("/expenses/deleted").one("main").text

    assert "Forgot 4 rows." in run.invoke(args=["purge"]).output

    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(DeletedExpense)) == 0
    assert len(four.expenses()) == 2


# --- Random histories of two people


class Histories(RuleBasedStateMachine):
    """Whatever Ana and Bob do, the figures agree with each other and with an oracle, and undo is exact."""

    def __init__(self) -> None:
        super().__init__()
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.people = []
        for name in ("ana", "bob"):
            self.people.append(User(username=name, email=f"{name}@example.com", password_hash="x"))
        db.session.add_all(self.people)
        db.session.commit()
        # For each person: what is there, by id, and the acts that can be taken back, with what was there before.
        self.there = [{}, {}]
        self.acts = [[], []]

    def teardown(self) -> None:
        db.session.remove()
        self.context.pop()

    def note(self, who):
        """Read what is there now; every later check compares with it."""
        query = select(Expense.__table__).where(Expense.author_id == self.people[who].id)
        return {row.id: tuple(row) for row in db.session.execute(query)}

    @rule(
        who=st.integers(0, 1),
        amount=st.decimals("-99.99", "999.99", places=2).filter(bool),
        category=st.sampled_from(CATEGORIES[:3]),
        description=st.text("aÉte%", max_size=3),
        day=st.dates(FIRST, date(2026, 1, 5)),
    )
    def add(self, who, amount, category, description, day):
        values = {"amount": amount, "category": category, "description": description, "date": day}
        assert add_once(Expense(author_id=self.people[who].id, **values))
        db.session.commit()
        self.there[who] = self.note(who)

    def act(self, who, do):
        before = self.there[who]
        batch, summary = do(self.people[who])
        db.session.commit()
        after = self.note(who)
        touched = {key for key in before if before[key] != after.get(key)}
        assert summary.count == len(touched)
        if touched:
            self.acts[who].append((batch, {key: before[key] for key in touched}, after))
        self.there[who] = after

    def chosen(self, who, data):
        ids = data.draw(st.lists(st.sampled_from(sorted(self.there[who])), unique=True))
        return Expense.id.in_(ids)

    @precondition(lambda self: self.there[0] or self.there[1])
    @rule(data=st.data(), category=st.sampled_from(CATEGORIES[:3]), day=st.dates(FIRST, date(2026, 1, 5)))
    def change(self, data, category, day):
        who = data.draw(st.sampled_from([who for who in (0, 1) if self.there[who]]))
        values = data.draw(
            st.sampled_from([{"category": category}, {"date": day}, {"description": "Té", "amount": 7}])
        )
        chosen = self.chosen(who, data)
        self.act(who, lambda user: history.change_expenses(user, chosen, values, datetime.now(UTC)))

    @precondition(lambda self: self.there[0] or self.there[1])
    @rule(data=st.data())
    def delete(self, data):
        who = data.draw(st.sampled_from([who for who in (0, 1) if self.there[who]]))
        chosen = self.chosen(who, data)
        self.act(who, lambda user: history.delete_expenses(user, chosen, datetime.now(UTC)))

    @precondition(lambda self: self.acts[0] or self.acts[1])
    @rule(data=st.data())
    def undo(self, data):
        who = data.draw(st.sampled_from([who for who in (0, 1) if self.acts[who]]))
        batch, former, after = self.acts[who].pop(data.draw(st.integers(0, len(self.acts[who]) - 1)))
        expected = dict(self.there[who])
        for key, row in former.items():
            # Undone where it is as the act left it: the same row, or none.
            if expected.get(key) == after.get(key):
                expected[key] = row

        history.take_back(self.people[who], batch)
        db.session.commit()

        assert self.note(who) == expected
        self.there[who] = expected
        left = {key: row for key, row in former.items() if expected.get(key) != row}
        if left:
            # What was changed since can still be taken back, once that has been.
            assert history.take_back(self.people[who], batch).number == 0
            self.acts[who].append((batch, left, after))
        else:
            with pytest.raises(history.HistoryError):
                history.take_back(self.people[who], batch)
        db.session.commit()

    @invariant()
    def nobody_touched_the_other(self):
        assert [self.note(0), self.note(1)] == self.there

    @invariant()
    def kept_months_are_those_of_the_expenses(self):
        assert kept_months() == summed_months()

    @invariant()
    def all_figures_agree(self):
        for who, user in enumerate(self.people):
            for wanted in (ExpenseFilter(), ExpenseFilter(categories=CATEGORIES[:2], search="t", sort="amount")):
                summary = summarise(user, wanted)
                rows = read_page(user, wanted).rows
                lines = "".join(write_csv(db.engine, ordered_query(user, wanted), "USD"))
                amounts = [Decimal(line["amount"]) for line in csv.DictReader(StringIO(lines, newline=""))]
                assert summary.total == sum((part.total for part in summary.breakdown), Decimal(0))
                assert summary.total == sum((row.amount for row in rows), Decimal(0)) == sum(amounts, Decimal(0))
                assert summary.count == len(rows) == len(amounts)
            assert summarise(user, ExpenseFilter()).count == len(self.there[who])


Histories.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)


@pytest.mark.usefixtures("app")
class TestHistories(Histories.TestCase):
    pass
