"""Deletion of accounts: the grace period, and the removal of every row."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

import clock
from database import Base, db
from database.citus import owner_column
from database.pace import Pace
from ledger import account_rows, backups, deletion, pieces
from ledger.deletion import GRACE_PERIOD
from models import Operation, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, press, read
from tests.schema import fill
from tests.statements import store_draft
from tests.test_categories import set_budgets

EMAIL = "ana@example.com"


@pytest.fixture
def ana_with_rows(ana):
    """A user who has rows of every kind."""
    ana.add("3.50", "Food", description="Coffee", frequency="month")
    ana.add("12", "Travel", refund="y")
    set_budgets(ana, Food="100")
    store_draft(ana)
    with ana.app.app_context():
        assert ana.user().delete_at is None
    return ana


def delete(visitor, password=PASSWORD):
    """Fill in the form that deletes the account."""
    return visitor.fill("/account/delete", current_password=password)


def is_logged_in(visitor):
    return visitor.get("/expenses").status_code == 200


def rows_of(user_id):
    """The number of a user's rows in each table that has any, by any column that references the user."""
    found = {}
    for table in Base.metadata.sorted_tables:
        owners = [column for column in table.c for key in column.foreign_keys if key.column.table.name == "user"]
        owners += [table.c.id] if table.name == "user" else []
        for owner in owners:
            count = db.session.scalar(sa.select(sa.func.count()).select_from(table).where(owner == user_id))
            if count:
                found[f"{table.name}.{owner.name}"] = count
    return found


def later(monkeypatch, **time):
    """Let time pass."""
    now = datetime.now(UTC) + timedelta(**time)
    monkeypatch.setattr(clock, "now", lambda: now)
    monkeypatch.setattr("ledger.accounts.utc_now", lambda: now)


# --- Deleting it


def test_the_page_offers_a_copy_of_the_data_and_asks_for_the_password(ana):
    account = ana.page("/account")
    page = ana.page("/account/delete")

    assert [link["href"] for link in account.all("a") if "Delete" in link.text] == ["/account/delete"]
    assert "for 7 days: log in again" in page.one("main").text
    assert [link["href"] for link in page.one("main").all("a")] == ["/account/export", "/account"]
    assert page.one("input", name="current_password")["type"] == "password"


def test_deleting_the_account_ends_every_session_and_says_until_when_it_is_kept(app, ana_with_rows, caplog):
    phone = Visitor(app)
    phone.name = "ana"
    phone.log_in()

    with caplog.at_level(logging.INFO, "ledger"):
        response = delete(ana_with_rows)

    assert response.status_code in REDIRECTS
    assert response.location == "/login"
    assert not is_logged_in(phone)
    message = ana_with_rows.message("/login").text
    assert message.startswith("Your account will be deleted on ")
    assert message.endswith("To keep it, log in before then.")
    with app.app_context():
        user = ana_with_rows.user()
        assert user.delete_at - datetime.now(UTC) > GRACE_PERIOD - timedelta(minutes=1)
        assert "login_session.user_id" not in rows_of(user.id)
        assert len(user.expenses) == 2
    assert "deletion scheduled: user" in caplog.text


def test_another_password_deletes_nothing(app, ana):
    response = delete(ana, "another one")

    assert response.status_code == 422
    assert "This is not your current password." in read(response).one("main").text
    assert is_logged_in(ana)
    with app.app_context():
        assert ana.user().delete_at is None


def test_guessing_the_password_is_throttled(app, ana):
    app.config["THROTTLE_ACCOUNT"] = 2
    answers = [delete(ana, f"another {number}").status_code for number in range(2)]

    response = delete(ana)

    assert answers == [422, 422]
    assert response.status_code == 429
    with app.app_context():
        assert ana.user().delete_at is None


def test_deleting_it_twice_at_once_does_it_once(app, ana):
    form = ana.page("/account/delete").one("main").one("form")
    clients = [Visitor(app), Visitor(app)]
    for visitor in clients:
        visitor.client = app.test_client()
        for cookie in ana.client._cookies.values():
            visitor.client._cookies[cookie._storage_key] = cookie
    answers = []

    at_once(lambda visitor: answers.append(press(visitor, form, current_password=PASSWORD)), clients)

    assert [answer.status_code in REDIRECTS for answer in answers] == [True, True]
    with app.app_context():
        assert ana.user().delete_at is not None


# --- Changing one's mind


def test_logging_in_again_keeps_the_account_and_says_so(app, ana_with_rows, caplog):
    delete(ana_with_rows)

    with caplog.at_level(logging.INFO, "ledger"):
        response = ana_with_rows.log_in()

    assert response.location == "/expenses"
    assert "Your account will not be deleted." in ana_with_rows.message().text
    assert ana_with_rows.count() == 2
    with app.app_context():
        assert ana_with_rows.user().delete_at is None
    assert "deletion cancelled: user" in caplog.text
    ana_with_rows.post("/logout")
    ana_with_rows.log_in()
    assert ana_with_rows.page("/expenses").all("div", class_="message") == []


def test_a_session_that_is_left_does_not_open_a_deleted_account(app, ana):
    # As of a login that was under way while the account was deleted.
    with app.app_context():
        ana.user().delete_at = datetime.now(UTC) + GRACE_PERIOD
        db.session.commit()

    assert not is_logged_in(ana)


def test_after_the_grace_period_nobody_can_log_in(app, ana, monkeypatch):
    delete(ana)
    wrong = ana.log_in(password="another one")

    later(monkeypatch, days=7, seconds=1)
    response = ana.log_in()

    assert (response.status_code, read(response).one("main").text) == (
        wrong.status_code,
        read(wrong).one("main").text,
    )
    assert not is_logged_in(ana)
    with app.app_context():
        assert ana.user().delete_at is not None


def test_until_it_is_removed_its_names_are_taken(app, ana, run, monkeypatch):
    delete(ana)
    names = {"username": "ana", "email": EMAIL, "password": PASSWORD, "confirm_password": PASSWORD}

    refused = Visitor(app).post("/register", names)
    later(monkeypatch, days=8)
    run("purge")
    ana_again = Visitor(app).register("ana")

    assert refused.status_code == 422
    assert "This username is taken." in read(refused).text
    assert "An account with this email address already exists." in read(refused).text
    assert ana_again.count() == 0


# --- Removing it


def test_purge_removes_every_row_of_an_account_whose_time_has_come(app, ana_with_rows, bob, run, monkeypatch):
    monkeypatch.setattr(account_rows, "ROWS_AT_ONCE", 2)
    bob.add("1")
    with app.app_context():
        ana_id, bob_id = ana_with_rows.user().id, bob.user().id
        before = rows_of(bob_id)
    delete(ana_with_rows)
    early = run("purge")
    with app.app_context():
        kept = rows_of(ana_id)

    later(monkeypatch, days=7, seconds=1)
    code, printed = run("purge")

    assert "Removed" not in early[1]
    assert {"expense.author_id", "operation.author_id", "occurrence.author_id", "budget.author_id"} < kept.keys()
    assert (code, printed) == (0, "Deleted 0 operations.\nRemoved 1 account.\n")
    with app.app_context():
        assert rows_of(ana_id) == {}
        assert rows_of(bob_id) == before


def test_the_removal_empties_every_table_that_there_is(app, ana):
    with app.app_context():
        db.session.execute(sa.delete(User))
        db.session.commit()
        fill(sa.create_engine(db.engine.url, poolclass=sa.NullPool))
        user = db.session.get(User, 1)
        owned = {table.name for table in Base.metadata.sorted_tables if owner_column(table) is not None}
        assert {name.partition(".")[0] for name in rows_of(1)} == owned | {"user"}

        deletion.remove(user)

        assert rows_of(1) == {}


def test_others_write_between_the_pieces_of_a_removal(app, ana_with_rows, bob, run, monkeypatch):
    monkeypatch.setattr(account_rows, "ROWS_AT_ONCE", 1)
    added = []

    def pause(_pace):
        added.append(bob.add("1").status_code)

    monkeypatch.setattr(Pace, "pause", pause)
    code, _printed = run("delete-user", EMAIL, "--yes")

    assert code == 0
    assert len(added) > 10
    assert set(added) <= REDIRECTS
    assert bob.count() == len(added)


def test_a_removal_that_was_interrupted_is_completed_and_no_login_stops_it(app, ana_with_rows, run, monkeypatch):
    with app.app_context():
        user_id = ana_with_rows.user().id
    monkeypatch.setattr(account_rows, "ROWS_AT_ONCE", 1)
    delete(ana_with_rows)
    with monkeypatch.context() as interrupted:
        later(interrupted, days=8)
        interrupted.setattr(deletion, "Pace", lambda _rows: SimpleNamespace(rows=1, pause="not a function"))
        with pytest.raises(TypeError):
            run("purge")
    # Also when the clock is set back.
    refused = ana_with_rows.log_in()

    code, printed = run("purge")

    assert refused.status_code == 422
    assert (code, printed) == (0, "Deleted 0 operations.\nRemoved 1 account.\n")
    with app.app_context():
        assert rows_of(user_id) == {}


def test_delete_user_asks_first_and_removes_the_account_at_once(app, ana_with_rows, bob, run):
    with app.app_context():
        user_id = ana_with_rows.user().id
    refused = run("delete-user", EMAIL, input="n\n")
    with app.app_context():
        assert len(rows_of(user_id)) > 5

    code, printed = run("delete-user", "Ana@Example.com", input="y\n")

    assert refused[0] == 1
    assert f"Remove the account ana ({EMAIL}) with all its data?" in printed
    assert (code, printed.splitlines()[-1]) == (0, "Removed the account ana with all its data.")
    with app.app_context():
        assert rows_of(user_id) == {}
        assert len(rows_of(bob.user().id)) > 1
    assert not is_logged_in(ana_with_rows)
    assert run("delete-user", EMAIL, "--yes") == (1, f"Error: No account has the email address {EMAIL}.\n")


def test_an_account_that_is_being_changed_is_not_removed(app, ana_with_rows, run):
    with app.app_context():
        user = ana_with_rows.user()
        operation = Operation(author_id=user.id, kind="bulk_edit", count=0)
        operation.row_changes = []
        pieces.start(operation)

    code, printed = run("delete-user", EMAIL, "--yes")

    assert code == 1
    assert "being changed. Try again" in printed
    assert ana_with_rows.count() == 2


def test_a_removed_account_leaves_no_failed_logins(app, ana, run):
    Visitor(app).post("/login", {"email": EMAIL, "password": "another one"})
    run("delete-user", EMAIL, "--yes")

    with app.app_context():
        keys = db.session.scalars(sa.select(Base.metadata.tables["throttle"].c.key)).all()
    assert [key for key in keys if key.startswith(deletion.throttling._half_key(f"account {EMAIL}"))] == []


# --- Backups, and the doctor


def test_a_backup_has_a_deleted_account_and_its_time(app, ana, tmp_path):
    delete(ana)
    with app.app_context():
        delete_at = ana.user().delete_at
        backups.write_backup(db.engine, tmp_path / "backup.db", lambda *_progress: None)
        user = ana.user()
        db.session.commit()
        deletion.remove(user)
        with backups.open_backup(tmp_path / "backup.db") as source, db.engine.begin() as target:
            backups.restore(source, target, lambda *_progress: None)
        db.session.expire_all()
        assert ana.user().delete_at == delete_at
    ana.log_in()
    assert "Your account will not be deleted." in ana.message().text


def test_the_doctor_counts_deleted_accounts_and_misses_the_cleanup(app, ana, bob, run, monkeypatch):
    delete(ana)

    waiting = run("doctor")[1]
    later(monkeypatch, days=10)
    overdue = run("doctor")[1]

    assert "  1 account deleted by the user and not removed yet" in waiting
    assert "should have been removed" not in waiting
    assert "! 1 account should have been removed. Run flask purge, and schedule it daily" in overdue
