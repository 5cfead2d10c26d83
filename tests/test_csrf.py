"""CSRF protection: after a failed check nothing can be changed, whatever the view does."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import flash, redirect, render_template, session
from flask_login import current_user, login_user, logout_user

import clock
from app import app as application
from app import end_reading
from database import db
from models import Category, LoginSession, Throttle, User
from security import csrf_failed, fail_csrf
from tests.browsing import PASSWORD, REDIRECTS, Visitor, form_values, read

RENAME = sa.update(User).where(User.username == "ana").values(username="eve", username_key="eve")


def commit_session():
    db.session.add(Category(author_id=current_user.id, name="Planted", position=99))
    db.session.commit()
    return redirect("/expenses")


def commit_loaded_row():
    current_user.username = "eve"
    db.session.commit()
    return redirect("/expenses")


def commit_and_ignore_the_error():
    current_user.username = "eve"
    for _ in range(2):
        try:
            db.session.commit()
        except Exception:
            db.session.rollback()
            db.session.execute(RENAME)
    return redirect("/expenses")


def commit_savepoint():
    with db.session.begin_nested():
        db.session.execute(RENAME)
    db.session.commit()
    return "saved"


def begin_on_the_engine():
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(RENAME)
    return redirect("/expenses")


def commit_connection():
    db.session.rollback()
    with db.engine.connect() as connection:
        connection.execute(RENAME)
        connection.commit()
    return redirect("/expenses")


def commit_new_engine():
    db.session.rollback()
    engine = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(RENAME)
    return redirect("/expenses")


def show_page():
    return render_template("recurring/list.html", recurring=[])


def show_page_without_a_form_after_a_change():
    current_user.username = "eve"
    db.session.flush()
    return "done", 201


def redirect_elsewhere():
    return redirect("/months")


def log_out():
    session.clear()
    logout_user()
    return redirect("/login")


def log_in_as_another():
    login_user(db.session.scalars(sa.select(User).where(User.username == "bob")).one())
    return redirect("/expenses")


def write_to_the_session():
    session["last"] = {"category": "Planted", "date": "2026-01-01"}
    session.pop("csrf_token", None)
    return "written"


def write_to_the_session_and_refuse():
    session["last"] = {"category": "Planted", "date": "2026-01-01"}
    session["csrf_token"] = "planted"
    return "refused", 422


def flash_and_redirect():
    flash({"text": "Everything is deleted."})
    return redirect("/expenses")


def flash_and_show():
    flash({"text": "Everything is deleted."})
    return show_page()


def flash_and_commit():
    flash({"text": "Everything is deleted."})
    return commit_session()


VIEWS = [
    *(commit_session, commit_loaded_row, commit_and_ignore_the_error, commit_savepoint, begin_on_the_engine),
    *(commit_connection, commit_new_engine, show_page, show_page_without_a_form_after_a_change),
    *(redirect_elsewhere, log_out, log_in_as_another, write_to_the_session, write_to_the_session_and_refuse),
    *(flash_and_redirect, flash_and_show, flash_and_commit),
]


def rows():
    """Every row that one of the views above would change."""
    with application.app_context():
        return {
            table: sorted(map(str, db.session.execute(sa.select(table.__table__))))
            for table in (User, Category, LoginSession)
        }


def cookie_session(visitor):
    with visitor.client.session_transaction() as found:
        return dict(found)


@pytest.mark.parametrize("token", [None, "stale"])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_after_a_failed_check_no_view_can_change_anything(app, ana, bob, monkeypatch, view, token):
    monkeypatch.setitem(application.view_functions, "end_all_sessions", view)
    ana.token()
    before, cookies = rows(), cookie_session(ana)

    response = ana.client.post("/account/sessions/end-all", data={"csrf_token": token} if token else {})

    assert response.status_code == (422 if view is write_to_the_session_and_refuse else 400)
    assert "Everything is deleted." not in response.text
    assert rows() == before
    assert cookie_session(ana) == cookies
    page = ana.page("/expenses")
    assert page.one("nav").one("summary").text == "ana Menu"
    assert page.one("select", name="category", id="category").get("value") != "Planted"
    assert not page.all("div", role="status")


@pytest.mark.parametrize("view", [commit_session, commit_loaded_row, begin_on_the_engine, commit_connection])
def test_with_a_good_token_the_same_views_do_their_work(app, ana, bob, monkeypatch, view):
    monkeypatch.setitem(application.view_functions, "end_all_sessions", view)
    before = rows()

    assert ana.post("/account/sessions/end-all").status_code in REDIRECTS

    assert rows() != before


def test_a_message_that_was_waiting_is_still_shown_after_a_refused_form(ana):
    ana.add("1")

    assert ana.client.post("/recurring/due/skip").status_code == 400

    assert "Added $1.00 to Food." in ana.message().text


def test_a_message_that_was_shown_with_a_refused_form_is_not_shown_again(ana):
    ana.add("1")

    response = ana.client.post("/expenses/add", data={"amount": "5"})

    assert "Added $1.00 to Food." in read(response).one("div", role="status").text
    assert not ana.page("/expenses").all("div", role="status")


def test_the_form_of_a_new_browser_can_be_sent_once_more(app, ana):
    device = Visitor(app)
    response = device.client.post("/login", data={"email": "ana@example.com", "password": PASSWORD})
    assert response.status_code == 400

    again = form_values(read(response).one("main").one("form"))

    assert again["email"] == "ana@example.com"
    assert device.client.post("/login", data=again | {"password": PASSWORD}).location == "/expenses"


def test_a_login_whose_csrf_check_fails_is_not_counted(app, ana, stranger):
    with application.app_context():
        db.session.execute(sa.delete(Throttle))
        db.session.commit()
    values = {"email": "ana@example.com", "password": "wrong", "current_password": "wrong"}
    passwords = {"password": "a new river at noon", "confirm_password": "a new river at noon"}
    names = {"username": "eve", "email": "eve@example.com"}

    assert stranger.client.post("/login", data=values).status_code == 400
    assert stranger.client.post("/register", data=names | passwords).status_code == 400
    assert ana.client.post("/account/password", data=values | passwords).status_code == 400
    assert ana.client.post("/account/profile", data=values | names).status_code == 400

    with application.app_context():
        assert db.session.scalars(sa.select(Throttle)).all() == []


@pytest.mark.parametrize("failed", [False, True])
def test_the_transaction_of_a_page_ends_without_an_error_after_a_failed_check_too(app, ana, failed):
    with application.test_request_context("/expenses/add"):
        if failed:
            fail_csrf()
        user = db.session.scalars(sa.select(User)).one()
        user.username = "eve"
        db.session.flush()

        # Only an application on PostgreSQL calls it.
        end_reading(None)

        assert db.session().in_transaction() == failed
    with application.app_context():
        assert db.session.scalars(sa.select(User.username)).one() == ("ana" if failed else "eve")


@pytest.mark.parametrize("token", [{}, {"csrf_token": "stale"}])
def test_a_visitor_is_redirected_to_the_login_before_any_token_is_checked(stranger, token):
    response = stranger.client.post("/recurring/due", data=token)

    assert response.status_code in REDIRECTS
    assert response.location.startswith("/login")


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_login_in_another_tab_makes_an_open_login_page_redirect(app, ana, page):
    stale = {"csrf_token": "stale", "email": "ana@example.com", "password": PASSWORD}

    response = ana.client.post(f"{page}?next=/months", data=stale)

    assert response.location == "/months"


@pytest.mark.parametrize(("url", "status"), [("/logout", 400), ("/forgot-password", 400)])
def test_a_page_that_looks_the_user_up_after_a_failed_check_notes_no_use_of_the_session(app, ana, url, status):
    with app.app_context():
        long_ago = clock.now() - timedelta(minutes=10)
        db.session.execute(sa.update(LoginSession).values(last_seen_at=long_ago))
        db.session.commit()

    response = ana.client.post(url, data={"csrf_token": "wrong"})

    assert response.status_code == status
    with app.app_context():
        assert db.session.scalars(sa.select(LoginSession.last_seen_at)).one() == long_ago
    assert ana.page("/expenses").one(id="total")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://"])
@pytest.mark.parametrize("url", ["/login", "/register", "/expenses/add", "/logout", "/categories", "/nope"])
def test_a_form_that_another_site_sends_is_refused_at_once(ana, stranger, url, origin):
    for visitor in (ana, stranger):
        response = visitor.client.post(url, data={"amount": "5"}, headers={"Origin": origin})

        assert response.status_code == 400
        assert "Set-Cookie" not in response.headers


def test_no_flag_of_one_request_is_left_for_the_next(ana):
    with application.app_context():
        assert not csrf_failed()
    assert ana.client.post("/expenses/add", data={"amount": "5", "category": "Food"}).status_code == 400
    assert ana.add("5").status_code in REDIRECTS
