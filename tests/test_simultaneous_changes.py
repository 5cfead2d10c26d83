"""Changes on two devices of one user at the same moment."""

import threading
import uuid
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

import clock
from database import db
from forms import ExpenseForm
from ledger import categories, history, import_drafts, import_preview, operations, pieces
from ledger.categories import CategoryError
from models import Expense, LoginSession
from tests.browsing import PASSWORD, REDIRECTS, Visitor, form_values
from tests.test_categories import category_id, names
from tests.test_category_races import other_window
from tests.test_import_pages import send, upload

NEW_PASSWORD = "a slow river at dusk"
STATEMENT = "Date;Text;Amount;Currency\n2026-01-13;Bakery;-1.25;USD\n2026-01-14;Bakery;-2.50;USD\n"
on_postgresql = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="SQLite lets one request write at a time"
)


class Sending(threading.Thread):
    """A form that is sent in another thread, for half a second before the test goes on."""

    def __init__(self, client, url, data):
        super().__init__()
        self.client, self.url, self.data = client, url, data
        self.start()
        self.join(0.5)

    def run(self):
        self.response = self.client.post(self.url, data=self.data)

    def status(self):
        self.join()
        return self.response.status_code


def rename_form(visitor, name, new_name):
    """The URL and the fields of the form that renames a category."""
    url = f"/categories/{category_id(visitor, name)}/edit"
    form = visitor.page(url).one("main").one("form", action=url)
    return url, form_values(form) | {"name": new_name}


@on_postgresql
def test_a_new_password_does_not_wait_for_a_change_in_a_session_that_it_ends(ana, monkeypatch):
    other, sent = Visitor(ana.app), []
    other.name = ana.name
    other.log_in()
    with ana.app.app_context():
        db.session.execute(update(LoginSession).values(last_seen_at=clock.now() - timedelta(minutes=10)))
        db.session.commit()
    lock, token, other_token = operations.lock_account, {"csrf_token": ana.token()}, other.token()
    passwords = {"current_password": PASSWORD, "password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}

    def change_password_meanwhile(user, running):
        sent.append(Sending(other.client, "/account/password", passwords | {"csrf_token": other_token}))
        lock(user, running)

    monkeypatch.setattr(operations, "lock_account", change_password_meanwhile)
    response = ana.client.post("/expenses/add", data=token | {"amount": "2", "category": "Food"})

    assert response.status_code in REDIRECTS
    assert sent[0].status() in REDIRECTS
    assert ana.get("/expenses").location == "/login?next=/expenses"


@on_postgresql
def test_two_changes_that_note_the_same_session_do_not_wait_for_each_other(ana, monkeypatch):
    form = form_values(ana.page("/account").one("form", action="/account/settings")) | {"currency": "JPY"}
    with ana.app.app_context():
        db.session.execute(update(LoginSession).values(last_seen_at=clock.now() - timedelta(minutes=10)))
        db.session.commit()
    count, main, sent = history.count_unrepresentable_amounts, threading.current_thread(), []

    def save_again_meanwhile(*arguments):
        if threading.current_thread() is main:
            sent.append(Sending(other_window(ana), "/account/settings", form))
        return count(*arguments)

    monkeypatch.setattr(history, "count_unrepresentable_amounts", save_again_meanwhile)
    response = ana.client.post("/account/settings", data=form)

    assert response.status_code in REDIRECTS
    assert sent[0].status() in REDIRECTS
    with ana.app.app_context():
        assert ana.user().currency == "JPY"


@on_postgresql
def test_a_renamed_category_and_a_bulk_change_do_not_wait_for_each_other(ana):
    # The expenses are read in another order than that of their ids.
    ids = [uuid.UUID(int=2), uuid.UUID(int=1)]
    with ana.app.app_context():
        for number, expense_id in enumerate(ids, 1):
            values = {"amount": number, "category": "Food", "date": date(2026, 1, number)}
            db.session.add(Expense(author_id=ana.user().id, id=expense_id, **values))
            db.session.flush()
        db.session.commit()
    url, fields = rename_form(ana, "Food", "Meals")
    bulk = {
        "csrf_token": ana.token(),
        "ids": [str(row_id) for row_id in ids],
        "action": "date",
        "date": "2026-02-02",
    }

    with ana.app.app_context(), db.engine.connect() as holder:
        holder.execute(select(Expense.id).where(Expense.id == ids[1]).with_for_update())
        sent = [Sending(other_window(ana), "/expenses/bulk", bulk), Sending(other_window(ana), url, fields)]
        holder.rollback()

    assert REDIRECTS.issuperset(sending.status() for sending in sent)
    assert ana.rows() == [("2026-02-02", "Meals", "", f"${number}.00") for number in (1, 2)]


@on_postgresql
@pytest.mark.parametrize("action", ["delete", "bulk"])
def test_an_expense_that_was_deleted_during_a_swap_of_categories_returns_to_its_own(ana, monkeypatch, action):
    ana.add("1", "Food")
    [expense] = ana.expenses()
    token = {"csrf_token": ana.token()}
    food, travel = (category_id(ana, name) for name in ("Food", "Travel"))
    store, sent = operations.store, []

    def swap_meanwhile(operation):
        store(operation)
        if not sent:
            sent.append(Sending(other_window(ana), f"/categories/{food}/swap", token | {"into": travel}))

    monkeypatch.setattr(operations, "store", swap_meanwhile)
    url = f"/expenses/{expense.id}/delete" if action == "delete" else "/expenses/bulk"
    response = ana.client.post(url, data=token | {"ids": str(expense.id), "action": "delete"})

    assert response.status_code in REDIRECTS
    assert sent[0].status() in REDIRECTS
    ana.undo()
    assert [expense.category for expense in ana.expenses()] == ["Travel"]


@on_postgresql
def test_an_undo_that_waits_for_a_renamed_category_restores_its_expense_with_the_new_name(ana, monkeypatch):
    ana.add("1", "Food")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    form = ana.message().one("form")
    url, fields = rename_form(ana, "Food", "Meals")
    lock, main = categories.lock, threading.current_thread()

    def rename_first(user):
        if threading.current_thread() is main:
            assert Sending(other_window(ana), url, fields).status() in REDIRECTS
        lock(user)

    monkeypatch.setattr(categories, "lock", rename_first)
    response = ana.client.post(form["action"], data=form_values(form))

    assert response.status_code in REDIRECTS
    assert [expense.category for expense in ana.expenses()] == ["Meals"]
    assert "Food" not in names(ana)


@pytest.mark.parametrize("kind", ["expense", "recurring"])
def test_a_form_that_is_rejected_while_its_row_is_being_deleted_finds_nothing(ana, monkeypatch, kind):
    ana.add("1", "Food", frequency="month")
    [expense] = ana.expenses()
    row = f"/{'expenses' if kind == 'expense' else 'recurring'}/{expense.id}"
    token = {"csrf_token": ana.token()}
    add_error = ExpenseForm.add_error

    def refuse(user, name):
        raise CategoryError("category_gone")

    def delete_meanwhile(form, error):
        assert Sending(other_window(ana), f"{row}/delete", token).status() in REDIRECTS
        add_error(form, error)

    monkeypatch.setattr(categories, "lock_category", refuse)
    monkeypatch.setattr(ExpenseForm, "add_error", delete_meanwhile)
    values = {"amount": "2", "category": "Food", "date": "2026-01-13", "frequency": "month"}
    response = ana.client.post(f"{row}/edit", data=token | values)

    assert response.status_code == 404


@pytest.mark.parametrize("currency", ["JPY", "EUR"])
def test_the_currency_stays_while_an_import_is_running(ana, monkeypatch, currency):
    preview = ana.page(upload(ana, STATEMENT).location)
    form = form_values(ana.page("/account").one("form", action="/account/settings")) | {"currency": currency}
    commit, sent = pieces.commit, []

    def change_meanwhile(operation, leases=1):
        commit(operation, leases)
        if not sent:
            sent.append(Sending(other_window(ana), "/account/settings", form).status())

    monkeypatch.setattr(pieces, "commit", change_meanwhile)
    response = send(ana, preview, "add-all")

    assert response.status_code in REDIRECTS
    assert sent == [409]
    assert ana.total() == "$3.75"


def test_lines_that_are_read_while_a_category_is_being_renamed_get_its_new_name(ana, monkeypatch):
    ana.add("1", "Food", description="Bakery")
    url, fields = rename_form(ana, "Food", "Meals")
    build_rows = import_drafts.build_rows

    def rename_afterwards(*arguments):
        rows = build_rows(*arguments)
        assert Sending(other_window(ana), url, fields).status() in REDIRECTS
        return rows

    monkeypatch.setattr(import_drafts, "build_rows", rename_afterwards)
    preview = ana.page(upload(ana, STATEMENT).location)
    send(ana, preview, "add-all")

    assert [expense.category for expense in ana.expenses()] == ["Meals"] * 3
    assert "Food" not in names(ana)


@on_postgresql
def test_choices_in_a_preview_keep_a_category_that_is_being_renamed(ana, monkeypatch):
    ana.add("1", "Food", description="Bakery")
    location = upload(ana, STATEMENT).location
    url, fields = rename_form(ana, "Travel", "Trips")
    ana.client.post(url, data=fields)
    url, fields = rename_form(ana, "Food", "Meals")
    renamed_since, sent = import_preview.renamed_since, []
    preview = ana.page(location)

    def rename_meanwhile(user, statement_id):
        renamed = renamed_since(user, statement_id)
        if not sent:
            sent.append(Sending(other_window(ana), url, fields))
        return renamed

    monkeypatch.setattr(import_preview, "renamed_since", rename_meanwhile)
    send(ana, preview, "skip")
    assert sent[0].status() in REDIRECTS
    monkeypatch.undo()
    send(ana, ana.page(location), "add-all")

    assert [expense.category for expense in ana.expenses()] == ["Meals"] * 3
    assert "Food" not in names(ana)
