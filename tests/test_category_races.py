"""Expenses that are saved while their category is being renamed, swapped, merged or deleted, on PostgreSQL."""

import threading

import pytest
from sqlalchemy import select

from database import db
from ledger import categories
from models import RecurringExpense
from tests.browsing import REDIRECTS
from tests.test_categories import category_id, names

pytestmark = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="SQLite lets one request write at a time"
)
CHANGES = {
    "rename": ("edit", {"name": "Meals", "order": "first"}),
    "swap": ("swap", {}),
    "merge": ("merge", {}),
    "delete": ("delete", {}),
}


def other_window(visitor):
    """Another browser that is logged in as the same user."""
    client = visitor.app.test_client()
    client.set_cookie("session", visitor.client.get_cookie("session").value)
    return client


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("saved", ["add", "edit", "bulk"])
def test_a_change_of_a_category_waits_for_an_expense_that_is_being_saved(ana, monkeypatch, saved, change):
    ana.add("1", "Health")
    expense = ana.expenses()[0].id
    token = {"csrf_token": ana.token()}
    food, travel = (category_id(ana, name) for name in ("Food", "Travel"))
    path, fields = CHANGES[change]
    seen = ana.page(f"/categories/{food}/edit").one(id="seen")["value"]
    other, answers = other_window(ana), []
    data = token | fields | {"into": travel, "seen": seen}
    thread = threading.Thread(target=lambda: answers.append(other.post(f"/categories/{food}/{path}", data=data)))
    lock = categories.lock_category

    def change_meanwhile(user, name):
        lock(user, name)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()

    monkeypatch.setattr(categories, "lock_category", change_meanwhile)
    url, values = {
        "add": ("/expenses/add", {"amount": "2", "category": "Food"}),
        "edit": (f"/expenses/{expense}/edit", {"amount": "2", "category": "Food"}),
        "bulk": ("/expenses/bulk", {"ids": str(expense), "action": "category", "category": "Food"}),
    }[saved]
    response = ana.client.post(url, data=token | values)
    thread.join()

    assert response.status_code in REDIRECTS
    assert answers[0].status_code in REDIRECTS
    expected = {"rename": "Meals", "swap": "Travel", "merge": "Travel", "delete": "Food"}[change]
    assert expected in {expense.category for expense in ana.expenses()}
    assert {expense.category for expense in ana.expenses()} <= set(names(ana))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("frequency", ["", "month"])
def test_an_expense_waits_for_a_change_of_its_category_and_never_gets_the_old_name(
    ana, monkeypatch, frequency, change
):
    token = {"csrf_token": ana.token()}
    food, travel = (category_id(ana, name) for name in ("Food", "Travel"))
    path, fields = CHANGES[change]
    seen = ana.page(f"/categories/{food}/edit").one(id="seen")["value"]
    other, answers = other_window(ana), []
    typed = token | {"amount": "2", "category": "Food", "date": "2099-01-01", "frequency": frequency}
    thread = threading.Thread(target=lambda: answers.append(other.post("/expenses/add", data=typed)))
    lock = categories.lock_and_get

    def add_meanwhile(user):
        known = lock(user)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        return known

    monkeypatch.setattr(categories, "lock_and_get", add_meanwhile)
    data = token | fields | {"into": travel, "seen": seen}
    response = ana.client.post(f"/categories/{food}/{path}", data=data)
    thread.join()

    assert response.status_code in REDIRECTS
    with ana.app.app_context():
        used = {*db.session.scalars(select(RecurringExpense.category))}
    used |= {expense.category for expense in ana.expenses()}
    assert used <= set(names(ana))
    # Also after a swap: the category that was chosen has another name now.
    assert (answers[0].status_code, used) == (422, set())
