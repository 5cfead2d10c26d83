"""Operations on expenses and their undo: through the pages, and by random histories."""

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
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import history, operations, pieces, retention
from ledger.csv_export import write_csv
from ledger.spending import VALUES, ExpenseFilter, ExpenseValues, ordered_query, read_page, summarise
from ledger.undo import undo
from models import DEFAULT_CATEGORIES, Expense, ExpenseChange, Operation, User
from tests.browsing import (
    REDIRECTS,
    Visitor,
    at_once,
    empty_tables,
    form_values,
    kept_months,
    operations_shown,
    press,
    read,
    summed_months,
    unknown_descriptions,
)

FIRST = date(2026, 1, 1)


def everything(visitor):
    """Every column of every expense of a person."""
    with visitor.app.app_context():
        rows = db.session.execute(
            select(Expense.__table__).where(Expense.author_id == visitor.user().id).order_by(Expense.id)
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def ana_with_expenses(ana):
    """Ana, who has four expenses."""
    rows = (("Food", "Tea", "1"), ("Food", "Cake", "2"), ("Travel", "", "4"), ("Food", "Tea", "8"))
    ana.save([("2026-03-31", *row) for row in rows])
    return ana


def ids(visitor):
    return [str(expense.id) for expense in visitor.expenses()]


# --- One


def test_undo_brings_back_exactly_the_same_row(ana_with_expenses):
    before, gone = everything(ana_with_expenses), ids(ana_with_expenses)[1]

    ana_with_expenses.post(f"/expenses/{gone}/delete?category=Food")
    assert len(everything(ana_with_expenses)) == 3
    response = ana_with_expenses.undo("/expenses?category=Food")

    assert everything(ana_with_expenses) == before
    assert response.location == f"/expenses?category=Food#e{gone}"
    assert "Undone: 1 expense restored." in ana_with_expenses.message().text


def test_undo_twice_says_that_it_is_already_undone(ana_with_expenses):
    before = everything(ana_with_expenses)
    ana_with_expenses.post(f"/expenses/{ids(ana_with_expenses)[0]}/delete")
    form = ana_with_expenses.message().one("form")

    ana_with_expenses.client.post(form["action"], data=form_values(form))
    ana_with_expenses.page("/expenses")
    ana_with_expenses.client.post(form["action"], data=form_values(form))

    assert "Already undone." in ana_with_expenses.message().text
    assert everything(ana_with_expenses) == before


def test_undo_works_after_a_reload_and_after_logging_out(app, ana_with_expenses):
    before = everything(ana_with_expenses)
    ana_with_expenses.post(f"/expenses/{ids(ana_with_expenses)[0]}/delete")
    ana_with_expenses.page("/expenses")
    ana_with_expenses.post("/logout")
    device = Visitor(app)
    device.name = "ana"
    device.log_in()

    response = press(device, operations_shown(device)[0].one("form"))

    assert response.location == "/history"
    assert everything(ana_with_expenses) == before
    undone = operations_shown(device)[1]
    assert "Undone" in undone.one("header").text
    assert not undone.all("form")


def test_another_users_operation_does_not_exist(ana_with_expenses, bob):
    ana_with_expenses.post(f"/expenses/{ids(ana_with_expenses)[0]}/delete")
    address = ana_with_expenses.message().one("form")["action"]

    assert bob.post(address).status_code == 404

    assert len(ana_with_expenses.expenses()) == 3
    assert bob.expenses() == []
    assert operations_shown(bob) == []


@pytest.mark.parametrize("operation", ["", "x", "%00", str(uuid.UUID(int=5)).upper(), "0" * 99])
def test_an_operation_that_does_not_exist_is_not_found(ana_with_expenses, operation):
    assert ana_with_expenses.post(f"/history/{operation}/undo").status_code == 404
    assert len(ana_with_expenses.expenses()) == 4


def test_an_undo_can_be_undone_and_that_too(ana_with_expenses):
    before, gone = everything(ana_with_expenses), ids(ana_with_expenses)[1]
    ana_with_expenses.post(f"/expenses/{gone}/delete")
    after = everything(ana_with_expenses)

    ana_with_expenses.undo()
    assert everything(ana_with_expenses) == before
    for expected in (after, before, after):
        ana_with_expenses.undo()
        assert everything(ana_with_expenses) == expected

    # The deletion stands again, and so do the undo of its undo and the last one; the two others are undone.
    shown = operations_shown(ana_with_expenses)[:5]
    assert ["Undone" in element.one("header").text for element in shown] == [False, True, False, True, False]
    assert [element.one("header").all("button") != [] for element in shown] == [True, False, True, False, True]


def test_adding_an_expense_can_be_undone_and_the_form_does_not_add_it_again(ana_with_expenses):
    form = form_values(ana_with_expenses.page("/expenses/add").one("main").one("form"))
    values = form | {"amount": "16", "category": "Food"}
    ana_with_expenses.client.post("/expenses/add", data=values)
    before = everything(ana_with_expenses)
    assert len(before) == 5

    ana_with_expenses.undo()
    assert "Undone: 1 expense removed." in ana_with_expenses.message().text
    assert len(everything(ana_with_expenses)) == 4
    assert ana_with_expenses.client.post("/expenses/add", data=values).status_code == 422
    assert len(everything(ana_with_expenses)) == 4
    press(ana_with_expenses, operations_shown(ana_with_expenses)[0].one("form"))

    assert everything(ana_with_expenses) == before


def test_an_undo_returns_to_where_the_button_was_and_never_to_another_site(ana_with_expenses):
    for address, expected in (
        ("/months/2026-03", "/months/2026-03"),
        ("//evil.example/", "/history"),
        ("https://evil.example/", "/history"),
        ("", "/history"),
    ):
        ana_with_expenses.post(f"/expenses/{ids(ana_with_expenses)[0]}/delete")
        action = ana_with_expenses.message().one("form")["action"]
        assert ana_with_expenses.post(action, {"next": address}).location == expected


def test_an_edit_that_was_made_later_to_another_field_stays(ana_with_expenses):
    chosen = ids(ana_with_expenses)[0]
    ana_with_expenses.fill(f"/expenses/{chosen}/edit", amount="9")
    first = ana_with_expenses.message().one("form")
    ana_with_expenses.fill(f"/expenses/{chosen}/edit", description="Green tea")

    press(ana_with_expenses, first)

    (expense,) = (item for item in ana_with_expenses.expenses() if str(item.id) == chosen)
    assert (expense.amount, expense.description, expense.description_key) == (8, "Green tea", "green tea")


def test_history_shows_values_before_and_after(ana_with_expenses):
    ana_with_expenses.fill(
        f"/expenses/{ids(ana_with_expenses)[0]}/edit", category="Health", amount="9", date="2026-04-01"
    )

    row = operations_shown(ana_with_expenses)[0].one("tr").text

    assert "Mar 31, 2026 → Apr 1, 2026" in row
    assert "Food → Health" in row
    assert "$8.00 → $9.00" in row
    assert "Tea →" not in row


def test_an_operation_with_later_changes_has_no_undo_button(ana_with_expenses):
    chosen = ids(ana_with_expenses)[0]
    ana_with_expenses.fill(f"/expenses/{chosen}/edit", amount="9")
    ana_with_expenses.fill(f"/expenses/{chosen}/edit", amount="10")

    later, earlier = operations_shown(ana_with_expenses)[:2]

    assert later.all("form")
    assert not earlier.all("form")
    assert "Changed later" in earlier.one("header").text


def test_an_edit_changes_every_field_and_can_be_undone(ana_with_expenses):
    before = everything(ana_with_expenses)
    address = f"/expenses/{ids(ana_with_expenses)[0]}/edit?category=Food"

    response = ana_with_expenses.fill(
        address, amount="9.5", category="Health", description="Té", date="2026-04-01", refund="y"
    )

    assert response.location == f"/expenses?category=Food#e{ids(ana_with_expenses)[0]}"
    changed = ana_with_expenses.expenses()[0]
    assert (changed.amount, changed.category, changed.date) == (Decimal("-9.50"), "Health", date(2026, 4, 1))
    assert (changed.description, changed.description_key) == ("Té", "te")
    ana_with_expenses.undo()
    assert everything(ana_with_expenses) == before


def test_an_edit_form_shows_what_is_there_and_saving_it_unchanged_changes_nothing(stranger):
    stranger.register("ana", currency="EUR")
    stranger.add("1234,5", "Travel", description="Tea", date="2026-03-31", refund="y")
    before = everything(stranger)
    address = f"/expenses/{ids(stranger)[0]}/edit"

    page = read(stranger.get(address, headers={"Accept-Language": "de"}))
    shown = form_values(page.one("main").one("form"))
    response = stranger.client.post(address, data=shown, headers={"Accept-Language": "de"})

    assert (shown["amount"], shown["refund"], shown["category"]) == ("1234,50", "y", "Travel")
    assert response.status_code in REDIRECTS
    assert everything(stranger) == before
    assert len(operations_shown(stranger)) == 1


def test_a_rejected_edit_and_a_lost_session_keep_the_typed_values(app, ana_with_expenses):
    address = f"/expenses/{ids(ana_with_expenses)[0]}/edit?category=Food"
    refused = ana_with_expenses.fill(address, amount="1,234", description="Typed")
    assert refused.status_code == 422
    assert read(refused).one(id="description")["value"] == "Typed"
    form = read(refused).one("main").one("form")
    ana_with_expenses.end_sessions()

    response = ana_with_expenses.client.post(form["action"], data=form_values(form) | {"amount": "5"})
    response = ana_with_expenses.log_in_at(response.location)

    assert response.location == address
    page = ana_with_expenses.page(response.location)
    assert (page.one(id="amount")["value"], page.one(id="description")["value"]) == ("5", "Typed")
    assert ana_with_expenses.expenses()[0].description == "Tea"
    ana_with_expenses.add("1")
    assert ana_with_expenses.page(address).one(id="description")["value"] == "Typed"
    ana_with_expenses.fill(address)
    assert ana_with_expenses.expenses()[1].description == "Typed"


def test_a_duplicate_is_like_its_model_but_of_today(ana_with_expenses):
    model = ana_with_expenses.expenses()[0]

    page = ana_with_expenses.page(f"/expenses/{model.id}/duplicate?category=Food")
    form = form_values(page.one("main").one("form"))
    response = ana_with_expenses.client.post(page.one("main").one("form")["action"], data=form)

    assert response.location == "/expenses?category=Food"
    made = next(expense for expense in ana_with_expenses.expenses() if str(expense.id) == form["id"])
    assert made.id != model.id
    assert (made.amount, made.category, made.description) == (model.amount, model.category, model.description)
    assert made.date == datetime.now(UTC).date()


# --- Many


def bulk(visitor, action, chosen=(), address="/expenses/bulk", **values):
    return visitor.post(address, {"ids": list(chosen), "action": action, **values})


def test_many_get_a_category_at_once_and_undo_restores_each(ana_with_expenses):
    before, chosen = everything(ana_with_expenses), ids(ana_with_expenses)[1:4]

    response = bulk(ana_with_expenses, "category", chosen, "/expenses/bulk?sort=amount", category="Health")

    assert response.location == "/expenses?sort=amount"
    assert sorted(expense.category for expense in ana_with_expenses.expenses()) == [
        "Food",
        "Health",
        "Health",
        "Health",
    ]
    assert "Changed 3 expenses, $7.00." in ana_with_expenses.message().text
    bulk(ana_with_expenses, "date", chosen, date="2024-02-29")
    ana_with_expenses.undo()
    bulk(ana_with_expenses, "category", chosen, category="Other")
    ana_with_expenses.undo()
    # The change of the date is the fourth from the top: after it was undone, a category was set and that undone.
    press(ana_with_expenses, operations_shown(ana_with_expenses)[4].all("form")[0])
    assert everything(ana_with_expenses) == before


def test_all_that_match_are_deleted_at_once_and_undone_at_once(ana_with_expenses):
    before = everything(ana_with_expenses)

    bulk(ana_with_expenses, "delete", address="/expenses/bulk?category=Food", all_matching="y")

    assert [expense.category for expense in ana_with_expenses.expenses()] == ["Travel"]
    assert "Deleted 3 expenses, $11.00." in ana_with_expenses.message("/expenses?category=Food").text
    press(ana_with_expenses, operations_shown(ana_with_expenses)[0].all("form")[0])
    assert everything(ana_with_expenses) == before


def test_each_expense_of_an_operation_can_be_restored_by_itself(ana_with_expenses):
    before = everything(ana_with_expenses)
    bulk(ana_with_expenses, "delete", ids(ana_with_expenses))
    assert ana_with_expenses.expenses() == []

    for left in (3, 2, 1, 0):
        deletion = operations_shown(ana_with_expenses)[3 - left]
        press(ana_with_expenses, next(line for line in deletion.all("tr") if line.all("form")).one("form"))
        assert len(ana_with_expenses.expenses()) == 4 - left

    assert everything(ana_with_expenses) == before
    assert not operations_shown(ana_with_expenses)[4].all("form")
    assert "Undone" in operations_shown(ana_with_expenses)[4].one("header").text


def test_expenses_that_were_changed_since_are_left_alone_and_named(ana_with_expenses):
    chosen = ids(ana_with_expenses)
    bulk(ana_with_expenses, "category", chosen, category="Health")
    form = ana_with_expenses.message().one("form")
    ana_with_expenses.fill(f"/expenses/{chosen[0]}/edit", category="Other")
    ana_with_expenses.post(f"/expenses/{chosen[2]}/delete")

    ana_with_expenses.page("/expenses")
    press(ana_with_expenses, form)

    said = ana_with_expenses.message().text
    assert "Undone: 2 expenses changed back. Not undone because they were changed later: Cake, Tea." in said
    found = {str(expense.id): expense.category for expense in ana_with_expenses.expenses()}
    assert (found[chosen[0]], found[chosen[1]]) == ("Other", "Travel")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "delete"}, "Select the expenses first."),
        ({"ids": "x", "action": "delete"}, "Select the expenses first."),
        ({"all_matching": "y"}, "Choose what to do"),
        ({"all_matching": "y", "action": "drop"}, "Choose what to do"),
        ({"all_matching": "y", "action": "category"}, "Choose the category to set."),
        ({"all_matching": "y", "action": "category", "category": "Nope"}, "Choose the category to set."),
        ({"all_matching": "y", "action": "date"}, "Enter the date to set."),
        ({"all_matching": "y", "action": "date", "date": "2026-02-30"}, "Enter the date as"),
    ],
)
def test_a_refused_bulk_change_says_why_and_changes_nothing(ana_with_expenses, values, words):
    before = everything(ana_with_expenses)

    response = ana_with_expenses.post("/expenses/bulk", values)

    assert response.status_code == 422
    assert words in read(response).one(id="bulk").text
    assert everything(ana_with_expenses) == before


def test_ticks_survive_a_refusal(ana_with_expenses):
    chosen = ids(ana_with_expenses)[1:3]

    page = read(ana_with_expenses.post("/expenses/bulk", {"ids": chosen, "action": "category"}))

    ticked = [box["value"] for box in page.all("input", name="ids") if "checked" in box.attributes]
    assert ticked == chosen


@pytest.mark.parametrize("query", ["category=Nope", "min_amount=x", "sort=sideways", "period=never", "after=x"])
def test_under_a_garbled_address_all_that_match_are_none(ana_with_expenses, query):
    before = everything(ana_with_expenses)

    bulk(ana_with_expenses, "delete", address=f"/expenses/bulk?{query}", all_matching="y")

    assert everything(ana_with_expenses) == before


def test_the_data_of_another_user_cannot_be_changed(ana_with_expenses, bob):
    before = everything(ana_with_expenses)

    bulk(bob, "delete", ids(ana_with_expenses))
    bulk(bob, "category", ids(ana_with_expenses), category="Health")
    bulk(bob, "delete", all_matching="y")

    assert everything(ana_with_expenses) == before


def test_only_one_of_many_concurrent_undos_takes_effect(app, ana_with_expenses):
    before = everything(ana_with_expenses)
    bulk(ana_with_expenses, "delete", ids(ana_with_expenses))
    form = ana_with_expenses.message().one("form")
    tabs, answers = [Visitor(app) for _ in range(4)], []
    for tab in tabs:
        tab.client._cookies.update(ana_with_expenses.client._cookies)

    def send(tab):
        answers.append(press(tab, form).status_code)

    at_once(send, tabs)

    assert [answer in REDIRECTS for answer in answers] == [True] * 4
    assert everything(ana_with_expenses) == before
    assert len(operations_shown(ana_with_expenses)) == 6


def test_a_conflict_can_be_undone_after_the_later_change_is_undone(ana_with_expenses):
    chosen = ids(ana_with_expenses)[0]
    before = everything(ana_with_expenses)
    forms = []
    for category in ("Travel", "Health"):
        ana_with_expenses.fill(f"/expenses/{chosen}/edit", category=category)
        forms.append(ana_with_expenses.message().one("form"))

    for number, category in ((0, "Health"), (1, "Travel"), (0, "Food")):
        press(ana_with_expenses, forms[number])
        assert {str(expense.id): expense.category for expense in ana_with_expenses.expenses()}[chosen] == category

    assert everything(ana_with_expenses) == before


def test_a_long_list_of_names_is_cut(app, ana):
    for number in range(12):
        ana.add("1", description=f"{number} " + "車" * 190)
    bulk(ana, "category", all_matching="y", category="Health")
    form = ana.message().one("form")
    bulk(ana, "category", all_matching="y", category="Other")
    ana.page("/expenses")

    response = press(ana, form)

    assert all(len(cookie) < 4000 for cookie in response.headers.getlist("Set-Cookie"))
    said = ana.message().text
    assert said.startswith("Not undone because they were changed later: 0 車車")
    assert said.endswith("車… and 9 more.")


@pytest.mark.parametrize("value", ["0", "false", "off", "no", ""])
def test_a_box_that_is_sent_unticked_is_not_ticked(ana_with_expenses, value):
    response = bulk(ana_with_expenses, "delete", ["x"], all_matching=value)

    assert response.status_code == 422
    assert len(ana_with_expenses.expenses()) == 4


def test_an_expense_is_never_both_there_and_deleted(app, ana_with_expenses):
    form = form_values(ana_with_expenses.page("/expenses/add").one("main").one("form")) | {
        "amount": "5",
        "category": "Food",
    }
    ana_with_expenses.client.post("/expenses/add", data=form)
    tabs = [Visitor(app) for _ in range(4)]
    token, answers = ana_with_expenses.token(), []
    for tab in tabs:
        tab.client._cookies.update(ana_with_expenses.client._cookies)

    def send(tab, address, data):
        answers.append(tab.client.post(address, data=data).status_code)

    calls = [(tab, "/expenses/add", form) for tab in tabs[:2]]
    calls += [(tab, f"/expenses/{form['id']}/delete", {"csrf_token": token}) for tab in tabs[2:]]
    at_once(lambda pair: send(*pair), calls)

    assert set(answers) <= {*REDIRECTS, 404, 422}
    with app.app_context():
        there = db.session.get(Expense, (ana_with_expenses.user().id, uuid.UUID(form["id"]))) is not None
        query = select(ExpenseChange.change).where(ExpenseChange.id == uuid.UUID(form["id"]))
        changes = db.session.scalars(query.order_by(ExpenseChange.operation_id)).all()
    assert changes == (["added"] if there else ["added", "deleted"])


def test_an_expense_that_is_edited_and_deleted_at_once_is_one_of_both(app, ana_with_expenses):
    chosen, token = ids(ana_with_expenses)[0], ana_with_expenses.token()
    edit = {"amount": "9", "category": "", "new_category": "Gifts", "date": "2026-03-31", "frequency": "year"}
    tabs, answers = [Visitor(app) for _ in range(4)], []
    for tab in tabs:
        tab.client._cookies.update(ana_with_expenses.client._cookies)
    calls = list(zip(tabs, ["edit", "edit", "delete", "delete"], strict=True))

    def send(call):
        tab, action = call
        data = {"csrf_token": token} | (edit if action == "edit" else {})
        answers.append(tab.client.post(f"/expenses/{chosen}/{action}", data=data).status_code)

    at_once(send, calls)

    assert set(answers) <= {*REDIRECTS, 303, 404}
    kinds = ["delete", *(["edit"] if len(operations_shown(ana_with_expenses)) == 6 else [])]
    with app.app_context():
        found = db.session.scalars(select(Operation.kind).order_by(Operation.id.desc()).limit(len(kinds))).all()
    # Their ids, made before they waited for each other, do not say which one was first.
    assert sorted(found) == kinds
    assert chosen not in ids(ana_with_expenses)


def test_every_operation_of_30_days_can_be_reached(ana, monkeypatch):
    monkeypatch.setattr(history, "PAGE_SIZE", 2)
    for amount in ("1", "2", "3"):
        ana.add(amount)
    for chosen in ids(ana):
        ana.post(f"/expenses/{chosen}/delete")

    pages = [ana.page("/history")]
    while older := pages[-1].all("a", rel="next"):
        pages.append(ana.page(older[0]["href"]))

    shown = [section for page in pages for section in page.all("section")]
    amounts = [section.one("td", class_="amount").text for section in shown]
    assert amounts == ["$1.00", "$2.00", "$3.00", "$3.00", "$2.00", "$1.00"]
    assert len(pages) == 3


def test_an_unreadable_expense_undoes_nothing(ana_with_expenses):
    bulk(ana_with_expenses, "delete", ids(ana_with_expenses))
    action = ana_with_expenses.message().one("form")["action"]

    assert ana_with_expenses.post(action, {"expense": "x"}).status_code == 400
    assert ana_with_expenses.expenses() == []


def test_purge_deletes_the_operations_that_are_older_than_30_days(app, ana_with_expenses):
    bulk(ana_with_expenses, "delete", ids(ana_with_expenses)[:2])
    bulk(ana_with_expenses, "category", ids(ana_with_expenses), category="Health")
    form = ana_with_expenses.message().one("form")
    run = app.test_cli_runner()
    assert "Deleted 0 operations." in run.invoke(args=["purge"]).output
    with app.app_context():
        db.session.execute(update(Operation).values(created_at=datetime.now(UTC) - timedelta(days=31)))
        db.session.commit()
    assert operations_shown(ana_with_expenses) == []
    assert press(ana_with_expenses, form).status_code == 404

    assert "Deleted 6 operations." in run.invoke(args=["purge"]).output

    with app.app_context():
        for model in (Operation, ExpenseChange):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0
    assert len(ana_with_expenses.expenses()) == 2


def rows_of(app, model):
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


def test_the_oldest_operations_expire_when_later_ones_changed_too_many_expenses(
    app, ana_with_expenses, monkeypatch
):
    monkeypatch.setattr(retention, "UNDO_MAX_CHANGES", 10)
    monkeypatch.setattr(retention, "LARGE_OPERATION", 4)
    forms = []
    for category in ("Health", "Travel", "Other", "Health"):
        bulk(ana_with_expenses, "category", all_matching="y", category=category)
        forms.append(ana_with_expenses.message().one("form"))

    titles = [section.one("h2").text for section in ana_with_expenses.page("/history").all("section")]
    assert titles == ["Changed 4 expenses, $15.00"] * 2
    assert press(ana_with_expenses, forms[1]).status_code == 404
    assert press(ana_with_expenses, forms[3]).status_code in REDIRECTS
    assert {expense.category for expense in ana_with_expenses.expenses()} == {"Other"}
    # What had expired was deleted at once, without any command.
    assert rows_of(app, ExpenseChange) == 8


def test_the_latest_operation_is_kept_whole_whatever_its_size(app, ana_with_expenses, monkeypatch):
    monkeypatch.setattr(retention, "UNDO_MAX_CHANGES", 2)
    monkeypatch.setattr(retention, "LARGE_OPERATION", 4)
    bulk(ana_with_expenses, "delete", all_matching="y")
    assert ana_with_expenses.expenses() == []

    assert press(ana_with_expenses, ana_with_expenses.message().one("form")).status_code in REDIRECTS

    assert len(ana_with_expenses.expenses()) == 4


def test_expired_history_is_deleted_in_pieces_at_the_next_login(app, ana_with_expenses, monkeypatch):
    monkeypatch.setattr(retention, "PURGE_MAX_CHANGES", 3)
    bulk(ana_with_expenses, "category", all_matching="y", category="Health")
    with app.app_context():
        oldest = select(Operation.id).order_by(Operation.id.desc()).limit(1).scalar_subquery()
        expired = update(Operation).where(Operation.id == oldest)
        db.session.execute(expired.values(created_at=datetime.now(UTC) - timedelta(days=31)))
        db.session.commit()

    sizes = []
    for _ in range(3):
        Visitor(app).log_in("ana@example.com")
        sizes.append((rows_of(app, Operation), rows_of(app, ExpenseChange)))

    assert sizes == [(5, 5), (4, 4), (4, 4)]
    assert len(operations_shown(ana_with_expenses)) == 4


def test_one_purge_deletes_the_history_of_all_users_in_pieces(app, ana_with_expenses, bob, monkeypatch):
    monkeypatch.setattr(retention, "PURGE_MAX_CHANGES", 3)
    monkeypatch.setattr(retention, "PURGE_MAX_OPERATIONS", 2)
    bob.add("1", "Food")
    bulk(ana_with_expenses, "delete", all_matching="y")
    with app.app_context():
        db.session.execute(update(Operation).values(created_at=datetime.now(UTC) - timedelta(days=31)))
        db.session.commit()

    assert "Deleted 6 operations." in app.test_cli_runner().invoke(args=["purge"]).output

    assert (rows_of(app, Operation), rows_of(app, ExpenseChange)) == (0, 0)


def test_the_first_expenses_of_a_large_operation_are_shown(ana_with_expenses, monkeypatch):
    monkeypatch.setattr(history, "MAX_ROWS_SHOWN", 3)
    bulk(ana_with_expenses, "category", all_matching="y", category="Health")
    bulk(ana_with_expenses, "delete", ids(ana_with_expenses)[:2])

    small, large = operations_shown(ana_with_expenses)[:2]

    assert len(small.all("tr")) == 2
    assert len(large.all("tr")) == 3
    assert "and 1 more expense" in large.text
    assert large.one("header").all("form")


# --- Random histories of two users


class HistoryMachine(RuleBasedStateMachine):
    """Whatever Ana and Bob do, the figures agree with each other and with an oracle, and undo is exact."""

    piece_size = pieces.PIECE_SIZE

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(pieces, "PIECE_SIZE", self.piece_size)
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.users = []
        for name in ("ana", "bob"):
            self.users.append(User(username=name, email=f"{name}@example.com", password_hash="x"))
        db.session.add_all(self.users)
        db.session.commit()
        # For each user: the expenses by id, and what each operation did to which of them.
        self.state = [{}, {}]
        self.operations = [{}, {}]

    def teardown(self) -> None:
        db.session.remove()
        self.context.pop()
        self.patches.undo()

    def read(self, who):
        """Read every column of the expenses that are there now."""
        query = select(Expense.__table__).where(Expense.author_id == self.users[who].id)
        return {row.id: dict(row._mapping) for row in db.session.execute(query)}

    def finish(self, who, operation_id, count):
        """Commit, and note what an operation did; return how many expenses that were."""
        db.session.commit()
        before, after = self.state[who], self.read(who)
        changed = {key: (before.get(key), after.get(key)) for key in before | after}
        changed = {key: pair for key, pair in changed.items() if pair[0] != pair[1]}
        assert count == len(changed)
        if changed:
            self.operations[who][operation_id] = changed
        self.state[who] = after

    def expected(self, who, operation_id, only=None):
        """Return what the expenses will be when an operation is undone, and how many conflicts there are."""
        state, conflicts = dict(self.state[who]), 0
        for key, (before, after) in self.operations[who][operation_id].items():
            current = state.get(key)
            if only not in {None, key}:
                continue
            if after is None:
                state[key] = current or before
            elif before is None:
                if current is not None and all(current[name] == after[name] for name in VALUES):
                    del state[key]
                conflicts += key in state
            else:
                touched = {name: before[name] for name in before if before[name] != after[name]}
                is_as_left = current is not None and all(current[name] == after[name] for name in touched)
                if is_as_left:
                    state[key] = current | touched
                conflicts += not is_as_left and (current is None or current != current | touched)
        return state, conflicts

    @rule(
        who=st.integers(0, 1),
        amount=st.decimals("-99.99", "999.99", places=2).filter(bool),
        category=st.sampled_from(DEFAULT_CATEGORIES[:3]),
        description=st.text("aÉte%", max_size=3),
        day=st.dates(FIRST, date(2026, 1, 5)),
    )
    def add(self, who, amount, category, description, day):
        with operations.record(self.users[who], "add", datetime.now(UTC)) as operation:
            operations.add_expense(operation, uuid7(), ExpenseValues(amount, category, description, day))
        assert operation.total == amount
        self.finish(who, operation.id, operation.count)

    def draw_user(self, data, pool):
        return data.draw(st.sampled_from([who for who in (0, 1) if pool[who]]))

    def record(self, who, kind, data):
        """Begin an operation on some expenses, which may be made in pieces."""
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.state[who])), unique=True))
        own = select(Expense.id).where(Expense.author_id == self.users[who].id, Expense.id.in_(chosen))
        return operations.record_in_pieces(self.users[who], kind, datetime.now(UTC), own)

    @precondition(lambda self: self.state[0] or self.state[1])
    @rule(data=st.data(), category=st.sampled_from(DEFAULT_CATEGORIES[:3]), day=st.dates(FIRST, date(2026, 1, 5)))
    def change(self, data, category, day):
        who = self.draw_user(data, self.state)
        values = data.draw(
            st.sampled_from([{"category": category}, {"date": day}, {"description": "Té", "amount": Decimal(7)}])
        )
        before = self.state[who]
        with self.record(who, "bulk_edit", data) as (operation, some):
            for ids in some:
                operations.change_expenses(operation, Expense.id.in_(ids), values)
        self.finish(who, operation.id, operation.count)
        changed = self.operations[who].get(operation.id, {})
        assert operation.total == sum(before[key]["amount"] for key in changed)

    @precondition(lambda self: self.state[0] or self.state[1])
    @rule(data=st.data())
    def delete(self, data):
        who = self.draw_user(data, self.state)
        with self.record(who, "bulk_delete", data) as (operation, some):
            for ids in some:
                operations.delete_expenses(operation, Expense.id.in_(ids))
        self.finish(who, operation.id, operation.count)

    @precondition(lambda self: self.operations[0] or self.operations[1])
    @rule(data=st.data(), for_one=st.booleans())
    def undo(self, data, for_one):
        who = self.draw_user(data, self.operations)
        operation_id = data.draw(st.sampled_from([*self.operations[who]]))
        only = data.draw(st.sampled_from([*self.operations[who][operation_id]])) if for_one else None
        expected, conflicts = self.expected(who, operation_id, only)

        undone = undo(self.users[who], operation_id, datetime.now(UTC), only)

        assert undone.conflict_count == conflicts
        assert len(undone.conflicts) == min(conflicts, 3)
        assert (undone.operation is not None) == (expected != self.state[who])
        count = undone.restored + undone.changed + undone.removed
        self.finish(who, undone.operation and undone.operation.id, count)
        assert self.state[who] == expected

    @precondition(lambda self: self.operations[0] or self.operations[1])
    @rule(data=st.data())
    def undo_and_undo_that(self, data):
        who = self.draw_user(data, self.operations)
        before = self.state[who]
        undone = self.undo_all(who, data.draw(st.sampled_from([*self.operations[who]])))
        if undone.operation is not None:
            assert self.undo_all(who, undone.operation.id).conflict_count == 0
        assert self.state[who] == before

    def undo_all(self, who, operation_id):
        undone = undo(self.users[who], operation_id, datetime.now(UTC))
        count = undone.restored + undone.changed + undone.removed
        self.finish(who, undone.operation and undone.operation.id, count)
        return undone

    @invariant()
    def nobody_touched_the_other(self):
        assert [self.read(0), self.read(1)] == self.state

    @invariant()
    def kept_months_are_those_of_the_expenses(self):
        assert kept_months() == summed_months()

    @invariant()
    def every_description_can_be_found(self):
        assert unknown_descriptions() == []

    @invariant()
    def history_offers_to_undo_what_can_be(self):
        for who, user in enumerate(self.users):
            shown = history.recent_operations(user, datetime.now(UTC)).operations
            assert {entry.operation.id for entry in shown} == set(self.operations[who])
            for entry in shown:
                assert entry.can_undo == (self.expected(who, entry.operation.id)[0] != self.state[who])
                assert {line.id for line in entry.expenses} == set(self.operations[who][entry.operation.id])

    @invariant()
    def all_figures_agree(self):
        for who, user in enumerate(self.users):
            for wanted in (
                ExpenseFilter(),
                ExpenseFilter(categories=DEFAULT_CATEGORIES[:2], search="t", sort="amount"),
            ):
                summary = summarise(user, wanted)
                rows = read_page(user, wanted).rows
                lines = "".join(write_csv(db.session.connection(), ordered_query(user, wanted), "USD"))
                amounts = [Decimal(line["amount"]) for line in csv.DictReader(StringIO(lines, newline=""))]
                assert summary.total == sum((part.total for part in summary.breakdown), Decimal(0))
                assert summary.total == sum((row.amount for row in rows), Decimal(0)) == sum(amounts, Decimal(0))
                assert summary.count == len(rows) == len(amounts)
            assert summarise(user, ExpenseFilter()).count == len(self.state[who])


HistoryMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)


class HistoryInPiecesMachine(HistoryMachine):
    """The same, with pieces so small that most operations have several."""

    piece_size = 2


HistoryInPiecesMachine.TestCase.settings = HistoryMachine.TestCase.settings


@pytest.mark.usefixtures("app")
class TestHistories(HistoryMachine.TestCase):
    pass


@pytest.mark.usefixtures("app")
@pytest.mark.slow
class TestHistoriesInPieces(HistoryInPiecesMachine.TestCase):
    pass
