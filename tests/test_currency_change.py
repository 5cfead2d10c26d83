"""An amount keeps its currency while the currency of the account is being changed, on PostgreSQL."""

import threading

import pytest
from sqlalchemy import text

from database import db
from ledger import operations
from tests.browsing import REDIRECTS, form_values, read

pytestmark = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="SQLite lets one request write at a time"
)


def settings_form(visitor, currency):
    """The filled-in settings form of the account page."""
    form = visitor.page("/account").one("form", action="/account/settings")
    return form_values(form) | {"currency": currency}


def test_an_amount_typed_in_the_old_currency_is_not_saved_in_the_new_one(ana, app, monkeypatch):
    lock = operations.lock_account

    def change_first(user, running):
        with db.engine.connect() as other:
            other.execute(text("UPDATE \"user\" SET currency = 'JPY'"))
            other.commit()
        lock(user, running)

    monkeypatch.setattr(operations, "lock_account", change_first)

    response = ana.add("1.25")

    assert response.status_code == 409
    assert "Nothing was saved, because your currency was just changed" in read(response).text
    assert ana.expenses() == []


@pytest.mark.parametrize("amount", ["1.25", "2"])
def test_a_change_of_currency_waits_for_an_expense_that_is_being_saved(ana, monkeypatch, amount):
    lock = operations.lock_account
    token = {"csrf_token": ana.token()}
    form = settings_form(ana, "JPY")
    other = ana.app.test_client()
    other.set_cookie("session", ana.client.get_cookie("session").value)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(other.post("/account/settings", data=form)))

    def change_meanwhile(user, running):
        lock(user, running)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()

    monkeypatch.setattr(operations, "lock_account", change_meanwhile)
    response = ana.client.post("/expenses/add", data=token | {"amount": amount, "category": "Food"})
    thread.join()

    assert response.status_code in REDIRECTS
    assert answers[0].status_code in (REDIRECTS if amount == "2" else {422})
    assert ana.total() == ("¥2" if amount == "2" else "$1.25")
