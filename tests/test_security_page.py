"""The security page of an account: active sessions, recent events, and what both cost."""

import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import event, func, select, update

from app import app as application
from database import db
from ledger import accounts, security_events
from ledger.security_events import MAX_EVENTS, shorten_address
from ledger.sessions import MAX_SESSIONS_SHOWN
from models import LoginSession, SecurityEvent
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, read
from tests.test_account import device, hashes, is_in
from tests.test_accounts import cookies, errors, with_cookies

PAGE = "/account/security"
END, END_ALL = "/account/sessions/end", "/account/sessions/end-all"
NEW = "a wide lake at dawn"


def sessions_shown(visitor):
    return visitor.page(PAGE).one(class_="sessions").all("li")


def end(visitor, *token_hashes, **typed):
    return visitor.post(END, {"token_hash": list(token_hashes), "current_password": PASSWORD} | typed)


def events_shown(visitor):
    """The rows of the table of events: what, and where: the device with its address."""
    rows = visitor.page(PAGE).one("table", class_="events").one("tbody").all("tr")
    return [(row.one("th").text, row.one("td", class_="category").text) for row in rows]


def kinds(visitor):
    """The kinds of a user's events, the oldest first."""
    with application.app_context():
        query = select(SecurityEvent.kind).where(SecurityEvent.user_id == visitor.user().id)
        return list(db.session.scalars(query.order_by(SecurityEvent.id)))


# --- Active sessions


def test_the_account_page_leads_to_it(ana):
    assert ana.page("/account").one("main").one("a", href=PAGE).text == "Open the security page"
    page = ana.page(PAGE)
    assert page.one("h1").text == "Security"
    assert page.one("a", href="/account/two-factor").text == "Turn on two-factor authentication"


def test_no_two_things_on_the_page_have_the_same_id(app, ana):
    device(app)

    ids = [element["id"] for element in ana.page(PAGE).all() if "id" in element.attributes]

    assert len(ids) == len(set(ids))


def test_the_page_lists_the_active_sessions(app, ana):
    phone = Visitor(app)
    phone.client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0"
    phone.name = "ana"
    phone.log_in(remember_me="y")

    here, other = sessions_shown(ana)

    assert "this one" in here.text
    assert not here.all("input")
    assert "this session only" in here.text
    assert other.text.startswith("Firefox on Android")
    assert "this one" not in other.text
    assert "remembered" in other.text
    assert other.one("label")["for"] == other.one("input")["id"]


def test_expired_sessions_are_not_listed(app, ana):
    device(app)
    with app.app_context():
        mine = select(func.min(LoginSession.created_at)).scalar_subquery()
        old = datetime.now(UTC) - timedelta(hours=25)
        db.session.execute(
            update(LoginSession).where(LoginSession.created_at > mine).values(created_at=old, last_seen_at=old)
        )
        db.session.commit()

    assert len(sessions_shown(ana)) == 1


def test_a_long_list_of_sessions_is_cut_and_starts_with_the_current_one(app, ana):
    now = datetime.now(UTC) + timedelta(seconds=1)
    with app.app_context():
        values = {"remember": True, "user_agent": "x", "created_at": now, "last_seen_at": now}
        rows = [
            LoginSession(user_id=ana.user().id, token_hash=f"{number:064x}", **values) for number in range(150)
        ]
        db.session.add_all(rows)
        db.session.commit()

    listed = sessions_shown(ana)

    assert len(listed) == MAX_SESSIONS_SHOWN
    assert ["this one" in element.text for element in listed] == [True] + [False] * (MAX_SESSIONS_SHOWN - 1)


def test_selected_sessions_are_ended_with_the_password(app, ana, caplog):
    caplog.set_level(logging.INFO)
    here = hashes(ana)
    phone, tablet = device(app, remember=True), device(app)
    of_both = hashes(ana) - here
    laptop = device(app)

    response = end(ana, *of_both)

    assert response.location == PAGE
    assert "2 devices are logged out." in ana.message(PAGE).text
    assert [is_in(visitor) for visitor in (phone, tablet, laptop, ana)] == [False, False, True, True]
    assert "sessions ended: user" in caplog.text
    assert not any(token_hash in caplog.text for token_hash in of_both)
    assert end(ana, *of_both).status_code == 404


def test_each_box_belongs_to_the_session_beside_it(app, ana):
    for _ in range(2):
        device(app)
    boxes = [box["value"] for box in ana.page(PAGE).one(class_="sessions").all("input")]

    assert len(boxes) == 2
    for before, after in pairwise([*boxes, None]):
        assert end(ana, before).status_code in REDIRECTS
        assert before not in hashes(ana)
        assert after is None or after in hashes(ana)
    assert is_in(ana)


@pytest.mark.parametrize("url", [END, END_ALL])
@pytest.mark.parametrize(
    ("typed", "message"),
    [("", "Enter your current password."), ("guess", "This is not your current password.")],
)
def test_no_session_is_ended_without_the_password(app, ana, url, typed, message):
    here = hashes(ana)
    other = device(app)
    (of_other,) = hashes(ana) - here

    response = ana.post(url, {"token_hash": of_other, "current_password": typed})

    assert response.status_code == 422
    assert errors(response) == {"end-sessions-current_password": message}
    assert "checked" in read(response).one("input", value=of_other).attributes
    assert is_in(other)
    assert is_in(ana)


@pytest.mark.parametrize("url", [END, END_ALL])
def test_no_session_is_ended_without_a_token(app, ana, url):
    other = device(app)

    response = ana.client.post(url, data={"token_hash": list(hashes(ana)), "current_password": PASSWORD})

    assert response.status_code == 400
    assert is_in(other)
    assert is_in(ana)


@pytest.mark.parametrize("url", [END, END_ALL])
def test_an_anonymous_visitor_ends_no_session_and_returns_after_login(app, ana, url):
    stranger = Visitor(app)

    response = stranger.post(url, {"current_password": PASSWORD})

    assert response.location == "/login?next=/account"
    assert is_in(ana)


def test_guesses_at_the_password_are_throttled_here_too(app, ana):
    other = device(app)
    for _ in range(10):
        assert ana.post(END_ALL, {"current_password": "guess"}).status_code == 422

    response = ana.post(END_ALL, {"current_password": PASSWORD})

    assert response.status_code == 429
    assert is_in(other)


def test_without_a_selection_nothing_is_ended(app, ana):
    other = device(app)

    response = end(ana)

    assert response.status_code == 422
    assert errors(response) == {None: "Select the sessions that you want to end."}
    assert is_in(other)


def test_the_session_of_another_user_does_not_exist(ana, bob):
    (bobs,) = hashes(bob)
    tries = [bobs, "f" * 64, bobs.upper(), bobs[:10], "\0", "x\0" * 32, "é", f"{bobs}\n", "%"]

    answers = [end(ana, token_hash) for token_hash in tries]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert is_in(bob)
    assert is_in(ana)


def test_log_out_everywhere_ends_all_of_them_and_this_one(app, ana, bob):
    others = [device(app), device(app, remember=True)]
    copied = [cookies(visitor) for visitor in (ana, *others)]
    assert ana.page(PAGE).one("button", formaction=END_ALL).text == "Log out on all devices"

    response = ana.post(END_ALL, {"current_password": PASSWORD})

    assert response.location == "/login"
    assert response.headers["Clear-Site-Data"] == '"cache"'
    assert "You are logged out on all devices." in ana.message("/login").text
    assert not any(is_in(visitor) for visitor in (ana, *others, *(with_cookies(app, jar) for jar in copied)))
    assert hashes(ana) == set()
    assert is_in(bob)


def test_only_one_of_two_sessions_that_end_each_other_ends(app, ana):
    first = hashes(ana)
    other = device(app)
    keys = [*(hashes(ana) - first), *first]
    two, tokens = [ana, other], [visitor.token() for visitor in (ana, other)]

    def send(number):
        values = {"csrf_token": tokens[number], "token_hash": keys[number], "current_password": PASSWORD}
        assert two[number].client.post(END, data=values).status_code < 500

    at_once(send, range(2))

    assert sum(map(is_in, two)) <= 1


# --- Recent events


def test_security_events_are_listed_latest_first(app, ana):
    phone = Visitor(app)
    phone.client.environ_base.update(
        HTTP_USER_AGENT="Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0", REMOTE_ADDR="192.0.2.77"
    )
    phone.log_in(email="ana@example.com", password="guess")
    phone.log_in(email="ana@example.com")
    new = {"password": NEW, "confirm_password": NEW, "current_password": PASSWORD}
    ana.post("/account/password", new)
    ana.post("/account/profile", {"username": "ana", "email": "ana@new.example", "current_password": NEW})

    assert [what for what, *_rest in events_shown(ana)] == [
        "Email address changed",
        "Password changed",
        "Logged in",
        "Failed login: wrong password",
        "Account created",
    ]
    assert events_shown(ana)[2] == ("Logged in", "Firefox on Android 192.0.2.0/24")
    assert "192.0.2.77" not in ana.get(PAGE).text


def test_the_events_of_another_user_are_not_shown(ana, bob):
    Visitor(bob.app).log_in(email="bob@example.com", password="guess")

    assert events_shown(ana) == [("Account created", "An unknown device 127.0.0.0/24")]


def test_changes_by_the_administrator_are_listed_without_a_device(run, ana):
    run("end-sessions", "ana@example.com")
    run("reset-password", "ana@example.com", "--password", NEW)
    ana.log_in(password=NEW)

    assert events_shown(ana)[1:3] == [
        ("Password reset", "By the administrator"),
        ("Sessions ended", "By the administrator"),
    ]


def test_each_event_is_also_in_the_log(app, ana, caplog):
    caplog.set_level(logging.INFO)

    Visitor(app).log_in(email="ana@example.com", password="guess")
    Visitor(app).log_in(email="ana@example.com")

    with app.app_context():
        user_id = ana.user().id
    for text in ("login failed", "logged in"):
        assert f"{text}: user {user_id} from 127.0.0.1" in caplog.text
    assert "ana@" not in caplog.text


def test_failures_do_not_push_out_what_matters(app, ana):
    app.config.update(THROTTLE_ACCOUNT=0, THROTTLE_ADDRESS=0)
    with app.app_context():
        for _ in range(MAX_EVENTS + 5):
            security_events.record(ana.user().id, "login_failed", "x", "192.0.2.1", datetime.now(UTC))
        for _ in range(MAX_EVENTS + 5):
            security_events.record(ana.user().id, "login", "x", "192.0.2.1", datetime.now(UTC))
        db.session.commit()

    found = kinds(ana)

    assert (found.count("login_failed"), found.count("login")) == (MAX_EVENTS, MAX_EVENTS)
    assert len(events_shown(ana)) == 2 * MAX_EVENTS


def test_old_events_are_neither_shown_nor_kept(app, run, ana, bob):
    with app.app_context():
        old = datetime.now(UTC) - security_events.EVENT_MAX_AGE - timedelta(minutes=1)
        db.session.execute(update(SecurityEvent).values(created_at=old))
        db.session.commit()

    assert "Nothing yet." in ana.page(PAGE).text
    Visitor(app).log_in(email="ana@example.com")
    assert kinds(ana) == ["login"]
    assert kinds(bob) == ["registered"]
    assert run("purge")[0] == 0
    assert kinds(bob) == []


@pytest.mark.parametrize("user_agent", ["<script>alert(1)</script>", "x" * 5000, "\r\nX: 1", ""])
def test_a_hostile_user_agent_is_only_text(app, ana, user_agent):
    visitor = Visitor(app)
    visitor.client.environ_base["HTTP_USER_AGENT"] = user_agent

    visitor.log_in(email="ana@example.com", password="guess")

    assert events_shown(ana)[0] == ("Failed login: wrong password", "An unknown device 127.0.0.0/24")
    assert "<script>alert" not in ana.get(PAGE).text


@pytest.mark.parametrize(
    ("address", "shortened"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_shortened_to_its_network(address, shortened):
    assert shorten_address(address) == shortened


# --- Cost


def test_the_page_costs_the_same_number_of_queries_however_much_happened(app, ana, caplog):
    caplog.set_level(logging.INFO, logger="ledger.requests")

    def queries():
        ana.get(PAGE)
        return caplog.records[-1].fields["queries"]

    before = queries()
    for _ in range(5):
        device(app)

    assert queries() == before == 4


def test_a_failed_login_costs_as_many_hashes_and_commits_whether_or_not_an_account_exists(app, ana, monkeypatch):
    hashed, commits = [], []
    real = accounts.check_password_hash
    monkeypatch.setattr(accounts, "check_password_hash", lambda *pair: hashed.append(1) or real(*pair))
    with app.app_context():
        engine = db.engine
    note = lambda _connection: commits.append(1)  # noqa: E731
    event.listen(engine, "commit", note)
    found = []
    try:
        for email in ("ana@example.com", "nobody@example.com"):
            hashed.clear()
            commits.clear()
            visitor = Visitor(app)
            assert visitor.log_in(email=email, password="guess").status_code == 422
            found.append((len(hashed), len(commits)))
    finally:
        event.remove(engine, "commit", note)

    assert found[0] == found[1] == (1, 2)


# --- HSTS


@pytest.mark.parametrize(
    ("subdomains", "header"), [(False, "max-age=31536000"), (True, "max-age=31536000; includeSubDomains")]
)
def test_subdomains_are_included_when_the_setting_says_so(app, stranger, subdomains, header):
    app.config.update(SESSION_COOKIE_SECURE=True, HSTS_SUBDOMAINS=subdomains)

    assert stranger.get("/login").headers["Strict-Transport-Security"] == header
