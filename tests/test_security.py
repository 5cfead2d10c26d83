"""Login, sessions, throttling, headers and safe redirects."""

import base64
import io
import sqlite3
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

import clock
from app import app as application
from database import db
from ledger import accounts
from models import Expense, Throttle, User
from security import (
    TARGET_MAX,
    check_secret_key,
    load_or_create_secret_key,
    safe_redirect_target,
)
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, read
from views import rate_limits
from views.rate_limits import PasswordHashLimiter, RateLimitedError

# --- Return addresses


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/expenses",
        "/expenses?category=Food&x=%2F%2Fy",
        "/a//b",
        "/login?next=/x",
        "/x?a=/../b",
        "/.a/b../...",
        "/" + "x" * (TARGET_MAX - 1),
    ],
)
def test_an_address_within_the_application_is_safe(address):
    assert safe_redirect_target(address) == address


@pytest.mark.parametrize(
    "address",
    [
        *(None, "", "expenses", "//evil", "///evil", "/\\evil", "\\\\evil", "\t/x", "/\t/evil", "/x\n", "/x\r\ny"),
        *(
            "https:evil",
            "https://evil",
            "javascript:alert(1)",
            "http://[",
            " /x",
            "/x y",
            *("/..", "/../x", "/x/../../y", "/./x", "/%2e%2e/x", "/.%2E/x", "/..?x", "/x/..#y"),
            "/é",
            "/\x00",
            "/" + "x" * TARGET_MAX,
        ),
    ],
)
def test_any_other_redirect_target_is_not_safe(address):
    assert safe_redirect_target(address) is None


@given(st.text(max_size=40) | st.text("/\\.:?=%a\t\n ", max_size=10).map("/".__add__))
def test_a_safe_address_always_begins_with_one_slash(address):
    found = safe_redirect_target(address)

    assert found is None or (found == address and found[0] == "/" and found[1:2] not in {"/", "\\"})


# --- Throttling


@pytest.fixture
def ana(app):
    """A user who has registered on the page, which counts for the network address."""
    return Visitor(app).register("ana")


def at(app, address):
    """Somebody with an empty browser, at a network address."""
    visitor = Visitor(app)
    visitor.client.environ_base["REMOTE_ADDR"] = address
    return visitor


def fail(visitor, number, email="ana@example.com"):
    """Try to log in so many times, with a wrong password."""
    for _ in range(number):
        assert visitor.log_in(email=email, password="wrong one").status_code == 422


def let_time_pass(app, seconds):
    """Make everything that was counted that much older."""
    with app.app_context():
        older = {name: getattr(Throttle, name) - seconds for name in ("started_at", "expires_at")}
        db.session.execute(update(Throttle).values(older))
        db.session.commit()


def test_ten_failures_throttle_one_account_for_a_while(app, ana, bob):
    device = Visitor(app)
    fail(device, 10, email="Ana@example.com")

    response = device.log_in(email="ana@example.com", password=PASSWORD)

    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 900
    page = read(response)
    assert "Too many attempts. Try again in 15 minutes." in page.one("p", role="alert").text
    assert page.one(id="email")["value"] == "ana@example.com"
    assert device.log_in(email="bob@example.com").status_code in REDIRECTS
    assert ana.get("/expenses").status_code == 200


@pytest.mark.parametrize("email", ["ANA@Example.com", "ana＠example.com", "ana@example。com", "ana＠example。com"])
def test_no_spelling_of_an_address_has_failures_of_its_own(app, ana, email):
    device = Visitor(app)
    fail(device, 10)

    assert device.log_in(email=email, password=PASSWORD).status_code in {422, 429}
    assert device.get("/account").status_code in REDIRECTS


def test_an_account_that_does_not_exist_is_throttled_like_any_other(app, stranger):
    fail(stranger, 10, email="nobody@example.com")

    assert stranger.log_in(email="nobody@example.com").status_code == 429


def test_failures_elsewhere_do_not_lock_this_device_out(app, ana):
    attacker = at(app, "192.0.2.1")
    fail(attacker, 10)

    assert attacker.log_in(email="ana@example.com").status_code == 429
    assert at(app, "192.0.2.2").log_in(email="ana@example.com").status_code in REDIRECTS


def test_failures_from_many_addresses_lock_the_account_except_for_known_devices(app, ana):
    app.config["THROTTLE_ACCOUNT"] = 2
    known = at(app, "198.51.100.1")
    known.log_in(email="ana@example.com")
    known.post("/logout")
    for number in range(10):
        fail(at(app, f"192.0.2.{number}"), 2)

    assert at(app, "198.51.100.2").log_in(email="ana@example.com").status_code == 429
    assert ana.get("/expenses").status_code == 200
    assert ana.add("1").status_code in REDIRECTS
    assert known.log_in(email="ana@example.com").status_code in REDIRECTS
    assert at(app, "198.51.100.2").log_in(email="ana@example.com").status_code == 429


def test_a_device_that_is_known_waits_for_its_own_failures_alone(app, ana):
    app.config.update(THROTTLE_ACCOUNT=3, THROTTLE_ADDRESS=4)
    ana.post("/logout")
    fail(Visitor(app), 3)
    assert Visitor(app).log_in(email="bob@example.com").status_code == 429

    fail(ana, 3)

    response = ana.log_in()
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 900
    let_time_pass(app, 900)
    assert ana.log_in().status_code in REDIRECTS


def test_all_known_devices_together_get_no_more_guesses_than_all_addresses(app, ana):
    app.config.update(THROTTLE_ACCOUNT=1, THROTTLE_ADDRESS=0)
    # Whoever has had the password can have logged in any number of times.
    visitors = [Visitor(app) for _ in range(11)]
    for visitor in visitors:
        visitor.log_in("ana@example.com")
        visitor.post("/logout")

    for visitor in visitors[:10]:
        fail(visitor, 1)

    assert visitors[10].log_in("ana@example.com").status_code == 429
    assert Visitor(app).log_in("ana@example.com").status_code in REDIRECTS


def test_a_device_is_known_to_the_account_that_it_has_logged_in_to_only(app, ana, bob):
    app.config["THROTTLE_ACCOUNT"] = 1
    bob.post("/logout")
    fail(bob, 1)

    assert bob.log_in(email="ana@example.com").status_code == 429


@pytest.mark.parametrize("change", ["x{}", "{}x", "", "e30.x.y"])
def test_a_device_cannot_call_itself_known(app, ana, change):
    app.config["THROTTLE_ACCOUNT"] = 1
    fail(Visitor(app), 1)
    genuine = ana.client.get_cookie("device").value
    forger, copy = Visitor(app), Visitor(app)
    forger.client.set_cookie("device", change.format(genuine))
    copy.client.set_cookie("device", genuine)

    assert forger.log_in(email="ana@example.com").status_code == 429
    assert copy.log_in(email="ana@example.com").status_code in REDIRECTS


def test_the_device_cookie_opens_nothing_and_does_not_name_its_owner(app, ana):
    cookie = ana.client.get_cookie("device").value
    thief = Visitor(app)
    thief.client.set_cookie("device", cookie)

    assert thief.get("/expenses").status_code in REDIRECTS
    assert b"ana" not in base64.urlsafe_b64decode(cookie.partition(".")[0] + "==")


def test_a_device_is_known_after_the_secret_key_was_changed(app, ana):
    app.config.update(THROTTLE_ACCOUNT=1, SECRET_KEY_FALLBACKS=[app.config["SECRET_KEY"]], SECRET_KEY="n" * 40)
    ana.post("/logout")
    fail(Visitor(app), 1)

    assert ana.log_in().status_code in REDIRECTS


def test_the_wait_ends_with_the_window(app, ana):
    app.config["THROTTLE_ACCOUNT"] = 1
    device = Visitor(app)
    fail(device, 1)
    assert device.log_in(email="ana@example.com").status_code == 429

    let_time_pass(app, 901)

    assert device.log_in(email="ana@example.com").status_code in REDIRECTS


def test_each_wait_is_longer_and_says_so(app, ana):
    app.config["THROTTLE_ACCOUNT"] = 1
    device, said = Visitor(app), []
    for _ in range(9):
        fail(device, 1)
        response = device.log_in(email="ana@example.com")
        assert response.status_code == 429
        said.append(read(response).one("p", role="alert").text.removeprefix("Too many attempts. Try again in "))
        let_time_pass(app, int(response.headers["Retry-After"]))

    assert said == [
        *("15 minutes.", "30 minutes.", "60 minutes.", "2 hours.", "4 hours.", "8 hours.", "16 hours."),
        *("24 hours.", "24 hours."),
    ]
    assert device.log_in(email="ana@example.com").status_code in REDIRECTS


@pytest.mark.parametrize(
    ("wait", "words"),
    [(1, "a minute"), (60, "a minute"), (61, "2 minutes"), (5400, "90 minutes"), (5401, "2 hours")],
)
def test_a_wait_is_never_longer_than_announced(app, wait, words):
    with app.test_request_context():
        assert rate_limits._wait_message(wait) == f"Too many attempts. Try again in {words}."


def test_success_forgets_the_failures_of_its_account_and_does_not_count_for_the_address(app, ana):
    app.config.update(THROTTLE_ACCOUNT=3, THROTTLE_ADDRESS=6)
    for _ in range(4):
        fail(Visitor(app), 1)
        assert Visitor(app).log_in(email="ana@example.com").status_code in REDIRECTS

    # One registration and four failures have been counted for the address.
    fail(Visitor(app), 1, email="bob@example.com")
    assert Visitor(app).log_in(email="bob@example.com").status_code == 429


def test_an_address_that_tries_many_accounts_is_throttled_too(app, stranger):
    app.config["THROTTLE_ADDRESS"] = 3
    for number in range(3):
        fail(stranger, 1, email=f"a{number}@example.com")

    assert stranger.log_in(email="b@example.com").status_code == 429
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    form = {"csrf_token": stranger.token(), "email": "b@example.com", "password": PASSWORD}
    assert stranger.client.post("/login", data=form, environ_overrides=elsewhere).status_code == 422
    forged = {"X-Forwarded-For": "192.0.2.8", "Forwarded": "for=192.0.2.8"}
    assert stranger.client.post("/login", data=form, headers=forged).status_code == 429


def test_an_address_never_waits_longer_than_an_hour_because_many_may_share_it(app, stranger, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    app.config["THROTTLE_ADDRESS"] = 1
    for _ in range(6):
        fail(stranger, 1)
        response = stranger.log_in(email="b@example.com")
        let_time_pass(app, int(response.headers["Retry-After"]))

    assert response.headers["Retry-After"] == "3600"


def test_registrations_count_and_a_throttled_one_loses_nothing(app, stranger):
    app.config["THROTTLE_ADDRESS"] = 1
    stranger.register("ana")
    typed = {"username": "bob", "email": "bob@example.com", "password": PASSWORD, "confirm_password": PASSWORD}

    response = Visitor(app).fill("/register", **typed)

    assert response.status_code == 429
    assert "Retry-After" in response.headers
    assert read(response).one(id="username")["value"] == "bob"
    assert ana_only(app)


def ana_only(app):
    with app.app_context():
        return db.session.scalars(select(User.username)).all() == ["ana"]


def test_zero_switches_throttling_off(app, ana):
    app.config.update(THROTTLE_ACCOUNT=0, THROTTLE_ADDRESS=0)
    device = Visitor(app)

    fail(device, 12)
    ana.post("/logout")
    fail(ana, 12)


def test_without_a_limit_for_accounts_a_known_device_counts_for_its_address(app, ana):
    app.config.update(THROTTLE_ACCOUNT=0, THROTTLE_ADDRESS=3)
    ana.post("/logout")
    # The registration has been counted as well.
    fail(ana, 2)

    assert ana.log_in().status_code == 429


def test_a_window_of_zero_means_no_wait(app, ana):
    app.config.update(THROTTLE_ACCOUNT=1, THROTTLE_WINDOW=0)

    fail(Visitor(app), 5)


@pytest.fixture
def closed(app, ana, request):
    """Somebody whose address, or whose account at this address, has to wait; it costs nobody else anything."""
    app.config.update({request.param: 1})
    device = Visitor(app)
    if request.param == "THROTTLE_ACCOUNT":
        fail(device, 1)
    device.form = {"csrf_token": device.token(), "email": "ana@example.com", "password": PASSWORD}
    return device


@pytest.mark.parametrize("closed", ["THROTTLE_ACCOUNT", "THROTTLE_ADDRESS"], indirect=True)
def test_a_throttled_attempt_takes_no_hashing_slot(closed, monkeypatch):
    monkeypatch.setattr("views.sessions.hashing", PasswordHashLimiter(places=0))

    assert closed.client.post("/login", data=closed.form).status_code == 429


@pytest.mark.parametrize("closed", ["THROTTLE_ACCOUNT", "THROTTLE_ADDRESS"], indirect=True)
def test_a_throttled_attempt_costs_a_read_and_no_lock(closed):
    statements = []
    with closed.app.app_context():
        engine = db.engine
    note = lambda _c, _cursor, statement, *_: statements.append(statement)  # noqa: E731
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert closed.client.post("/login", data=closed.form).status_code == 429
    finally:
        event.remove(engine, "before_cursor_execute", note)

    kinds = [statement.split()[0] for statement in statements if not statement.startswith("SET TRANSACTION")]
    assert set(kinds) <= {"BEGIN", "SELECT"}
    assert kinds.count("SELECT") <= 2
    assert not any("IMMEDIATE" in statement for statement in statements)


@pytest.mark.parametrize("closed", ["THROTTLE_ADDRESS"], indirect=True)
@pytest.mark.parametrize("page", ["/login", "/register"])
def test_nothing_is_examined_for_an_address_that_has_to_wait(closed, page, monkeypatch):
    def examine(*_args):
        raise AssertionError("too early")

    monkeypatch.setattr("forms.Form.validate", examine)

    assert closed.client.post(page, data=closed.form).status_code == 429


@pytest.mark.parametrize("closed", ["THROTTLE_ADDRESS"], indirect=True)
def test_a_throttled_visitor_can_open_pages(closed):
    for page in ("/login", "/register"):
        assert closed.get(page).status_code == 200


def test_the_limits_hold_when_all_try_at_once(app, ana, bob):
    app.config["THROTTLE_ADDRESS"] = 0
    devices = [Visitor(app) for _ in range(16)]
    tokens = [device.token() for device in devices]
    answers = Counter()

    def send(number):
        form = {"csrf_token": tokens[number], "email": "ana@example.com", "password": "wrong one"}
        while (status := devices[number].client.post("/login", data=form).status_code) == 503:
            time.sleep(0.01)
        answers[status] += 1

    at_once(send, range(16))

    assert answers == {422: 10, 429: 6}


def test_an_ipv6_household_is_one_address():
    one, same, other = map(rate_limits._network, ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"])

    assert one == same != other
    assert rate_limits._network("fe80::1%eth0") == rate_limits._network("fe80::2")


def test_an_ipv4_address_counts_once_however_it_is_written():
    one, mapped, other = map(rate_limits._network, ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"])

    assert one == mapped != other
    assert len({rate_limits._network(address) for address in ("", "192.0.2.1:5678", "[::1]:443", "a:b")}) == 4


def test_a_clock_that_is_set_back_locks_nobody_out(app, ana):
    app.config["THROTTLE_ACCOUNT"] = 1
    fail(Visitor(app), 1)

    let_time_pass(app, -400 * 86400)

    assert Visitor(app).log_in(email="ana@example.com").status_code in REDIRECTS


def test_an_attempt_that_was_turned_away_for_lack_of_room_does_not_count(app, ana, monkeypatch):
    app.config["THROTTLE_ACCOUNT"] = 2
    monkeypatch.setattr("views.sessions.hashing", PasswordHashLimiter(places=0))
    for _ in range(3):
        response = Visitor(app).log_in(email="ana@example.com")
        assert response.status_code == 503
        assert read(response).one(id="email")["value"] == "ana@example.com"
    monkeypatch.undo()

    assert Visitor(app).log_in(email="ana@example.com").status_code in REDIRECTS


# --- Hashing


def test_one_hashes_two_wait_and_the_rest_come_back_later():
    slots, entered, release = PasswordHashLimiter(), threading.Event(), threading.Event()
    finished = []

    def hash_slowly():
        with slots.slot():
            entered.set()
            release.wait(30)
            finished.append(1)

    threads = [threading.Thread(target=hash_slowly) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    for _ in range(500):
        if not slots._places.acquire(blocking=False):
            break
        slots._places.release()
        time.sleep(0.01)

    with pytest.raises(RateLimitedError) as refusal, slots.slot():
        pass

    assert (refusal.value.status, refusal.value.headers) == (503, {"Retry-After": "2"})
    release.set()
    for thread in threads:
        thread.join()
    assert len(finished) == 3
    with slots.slot():
        pass


def test_no_transaction_is_open_while_a_password_is_hashed(app, ana, monkeypatch):
    def look(stored, _password):
        connections.append(db.engine.pool.checkedout())
        return False

    connections = []
    monkeypatch.setattr(accounts, "check_password_hash", look)

    Visitor(app).log_in(email="ana@example.com")

    assert connections == [0]


# --- The secret key


def test_a_key_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    folder = tmp_path / "instance"
    found = []
    at_once(lambda _: found.append(load_or_create_secret_key(str(folder))), range(8))

    assert len(set(found)) == 1
    assert len(check_secret_key(found[0])) == 64
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in folder.iterdir()] == ["secret_key"]


def test_a_kept_key_that_others_could_read_is_closed(tmp_path):
    (tmp_path / "secret_key").write_text("0123456789abcdef" * 4)
    (tmp_path / "secret_key").chmod(0o644)

    assert load_or_create_secret_key(str(tmp_path)) == "0123456789abcdef" * 4
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "key", ["dev", "x" * 40, "change-me-change-me-change-me-now", "abcdefghijklmnopqrstuvwxyz12345"]
)
def test_a_short_or_well_known_key_is_refused(key):
    with pytest.raises(RuntimeError, match="random characters"):
        check_secret_key(key)


# --- Headers


@pytest.mark.parametrize(
    "address", ["/login", "/expenses", "/nope", "/static/{version}/app.css", "/static/nope", "/logout"]
)
def test_every_answer_carries_the_headers(ana, address):
    with ana.get(address.format(version=ana.app.config["STATIC_VERSION"])) as response:
        headers = response.headers

    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers
    if "app.css" not in address:
        assert headers["Cache-Control"] == "no-store"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(app, ana):
    device = Visitor(app)
    device.name = "ana"

    cookies = device.log_in(remember_me="y").headers.getlist("Set-Cookie")

    assert {cookie.partition("=")[0] for cookie in cookies} == {"session", "remember_token", "device"}
    for cookie in cookies:
        attributes = set(cookie.split("; ")[1:])
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
        assert not any(attribute.startswith("Domain") for attribute in attributes)


# --- Errors


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/nope", 404), ("GET", "/expenses/", 404), ("DELETE", "/expenses", 405), ("TRACE", "/expenses", 405)],
)
def test_an_error_has_its_own_page(ana, method, address, status):
    response = ana.client.open(address, method=method)

    assert response.status_code == status
    page = read(response)
    assert page.one("main").one("a").text == "Go to your expenses"
    assert page.one("nav").one("a")["href"] == "/"
    if status == 405:
        assert {"GET", "HEAD", "OPTIONS"} <= set(response.headers["Allow"].split(", "))


def test_too_large_a_form_is_refused_with_a_page(ana):
    response = ana.client.post("/expenses/add", data={"description": "x" * 3_000_000})

    assert response.status_code == 413
    assert read(response).one("h1").text == "Form too large"


def test_an_unknown_host_is_refused_with_a_page(app, stranger):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    assert stranger.get("/login", headers={"Host": "ledger.example"}).status_code == 200
    response = stranger.get("/login", headers={"Host": "evil.example"})
    assert response.status_code == 400
    page = read(response)
    assert page.one("h1").text == "Unknown host name"
    assert page.one("main").one("a")["href"] == "/"
    assert page.one("link", rel="stylesheet", href=f"/static/{app.config['STATIC_VERSION']}/app.css")
    assert "evil.example" not in response.text


@pytest.mark.parametrize("host", ["ledger.example", "evil.example"])
def test_the_links_of_an_error_page_have_the_prefix_of_the_application(app, stranger, host):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    response = stranger.get("/nope", headers={"Host": host}, environ_overrides={"SCRIPT_NAME": "/money"})

    page = read(response)
    assert page.one("main").one("a")["href"] == "/money/"
    assert page.one("nav").one("a")["href"] == "/money/"
    assert page.one("link", rel="stylesheet", href=f"/money/static/{app.config['STATIC_VERSION']}/app.css")


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "", "a b"])
def test_an_invalid_host_name_is_not_a_server_error(stranger, host):
    assert stranger.get("/login", headers={"Host": host}).status_code < 500


def open_raw(visitor, address, query, **options):
    """Send a query as some programs do: its bytes as they are, without percent signs."""
    raw = {"QUERY_STRING": query.decode("latin-1")}
    return visitor.client.open(address, environ_overrides=raw, **options)


@pytest.mark.parametrize("address", ["/login", "/expenses", "/expenses.csv", "/nope"])
def test_bytes_in_a_url_that_are_not_text_are_not_a_server_error(ana, app, address):
    for visitor in (ana, Visitor(app)):
        assert open_raw(visitor, address, b"search=\xff&next=\x80").status_code < 500


def test_an_address_with_bytes_beyond_ascii_means_what_it_says_everywhere(app, ana):
    ana.add("1", description="café")
    query = "search=café".encode()

    page = read(open_raw(ana, "/expenses", query))
    assert page.one(id="count").text == "1"
    assert open_raw(Visitor(app), "/expenses", query).location == "/login?next=/expenses?search%3Dcaf%25C3%25A9"
    open_raw(
        ana, f"/expenses/{ana.expenses()[0].id}/delete", query, method="POST", data={"csrf_token": ana.token()}
    )
    undo = read(open_raw(ana, "/expenses", query)).one("div", role="status").one("form")
    assert undo.one("input", name="next")["value"].startswith("/expenses?search=caf%C3%A9#e")


def test_two_slashes_are_another_address_and_no_redirect_to_the_host_that_was_named(ana):
    for address in ("/expenses//add", "/static//app.css"):
        response = ana.get(address, headers={"Host": "evil.example"})

        assert response.status_code == 404


@pytest.fixture
def broken(app, ana, monkeypatch):
    """A list page that fails with the error that a test puts in here."""
    failures = []

    def fail(*_args):
        raise failures[0]

    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("ledger.spending.summarise", fail)
    return failures


def test_a_bug_shows_a_page_without_a_traceback(ana, broken):
    broken.append(ZeroDivisionError("the secret cause"))

    response = ana.get("/expenses")

    assert response.status_code == 500
    page = read(response)
    assert page.one("h1").text == "Something went wrong"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "ana" not in page.text


def sqlite_error(code):
    error = sqlite3.OperationalError("out of order")
    error.sqlite_errorcode = code
    return OperationalError("SELECT 1", {}, error)


@pytest.mark.parametrize(("code", "status"), [(sqlite3.SQLITE_BUSY, 503), (sqlite3.SQLITE_ERROR, 500)])
def test_a_database_that_is_away_asks_for_patience(ana, broken, code, status):
    broken.append(sqlite_error(code))

    response = ana.get("/expenses")

    assert response.status_code == status
    assert ("Retry-After" in response.headers) == (status == 503)
    assert response.headers["Content-Security-Policy"]


def test_a_database_that_is_away_altogether_is_a_503_everywhere_and_comes_back(app, ana, monkeypatch):
    real = application.login_manager._user_callback

    def fail(_login_id):
        raise sqlite_error(sqlite3.SQLITE_CANTOPEN)

    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(application.login_manager, "_user_callback", fail)

    for address in ("/expenses", "/expenses/add", "/logout", "/login"):
        response = ana.get(address)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert read(response).one("h1").text == "Back in a moment"
    assert ana.get("/nope").status_code == 404

    monkeypatch.setattr(application.login_manager, "_user_callback", real)
    assert ana.get("/expenses").status_code == 200


def test_a_database_that_goes_away_after_the_page_was_made_does_not_take_the_page_back(app, ana, monkeypatch):
    def fail(connection):
        if dialect.name == "postgresql":
            connection.driver_connection.pgconn.finish()
        error = dialect.dbapi.OperationalError("the connection is lost")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with app.app_context():
        dialect, pool = db.engine.dialect, db.engine.pool
    open_before = pool.checkedout()
    with monkeypatch.context() as away:
        away.setattr(dialect, "do_rollback", fail)
        answers = [ana.get(address).status_code for address in ("/expenses", "/nope")]

    assert answers == [200, 404]
    assert pool.checkedout() == open_before
    assert ana.get("/expenses").status_code == 200


# --- Foreign forms


@pytest.mark.parametrize("token", [None, "", "x", "stale"])
def test_no_form_is_carried_out_without_a_token_of_this_session(app, ana, bob, token):
    ana.add("1")
    address = f"/expenses/{ana.expenses()[0].id}/delete"
    forms = {address: {}, "/logout": {}, "/expenses/add": {"amount": "5", "category": "Food"}}
    if token is not None:
        token = bob.token() if token == "stale" else token
        forms = {name: values | {"csrf_token": token} for name, values in forms.items()}

    for name, values in forms.items():
        assert ana.client.post(name, data=values).status_code == 400

    assert (ana.count(), ana.total()) == (1, "$1.00")
    assert ana.get("/expenses").status_code == 200


def test_behind_tls_a_form_from_another_site_is_refused_even_with_a_good_token(ana):
    values = {"csrf_token": ana.token(), "amount": "5", "category": "Food"}
    https = {"base_url": "https://localhost"}
    jar = ana.client.get_cookie("session")
    ana.client.set_cookie("session", jar.value, secure=True)

    foreign = ana.client.post("/expenses/add", data=values, headers={"Referer": "https://evil.example/"}, **https)
    assert foreign.status_code == 400
    assert read(foreign).one(id="amount")["value"] == "5"
    assert "Nothing was saved" in read(foreign).one("p", role="alert").text
    assert ana.count() == 0

    own = ana.client.post("/expenses/add", data=values, headers={"Referer": "https://localhost/x"}, **https)
    assert own.status_code in REDIRECTS
    assert ana.count() == 1


@pytest.mark.parametrize("address", ["/login", "/register", "/expenses/add"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_site_cannot_reach_the_session(ana, app, address, origin):
    values = {"amount": "666", "category": "Food", "email": "x", "password": "x"}
    other = Visitor(app)

    response = other.client.post(address, data=values, headers={"Origin": origin})

    assert response.status_code == 400
    assert "Set-Cookie" not in response.headers
    own = ana.client.post(address, data=values, headers={"Origin": origin})
    assert own.status_code == 400
    assert ana.page("/expenses/add").one(id="amount")["value"] == ""


@pytest.mark.parametrize("referrer", ["https://[", "https://localhost:99999/", "x", ""])
def test_a_garbled_referrer_is_refused(ana, referrer):
    values = {"csrf_token": ana.token(), "amount": "5", "category": "Food"}
    ana.client.set_cookie("session", ana.client.get_cookie("session").value, secure=True)

    response = ana.client.post(
        "/expenses/add", data=values, headers={"Referer": referrer}, base_url="https://localhost"
    )

    assert response.status_code == 400
    assert ana.count() == 0


FORMS = [
    *("/login", "/register", "/expenses/add", "/account/profile", "/account/password", "/account/settings"),
    "/account/two-factor",
]


def assert_form_was_empty(visitor, address, response):
    """A form without values is refused; who must not see it is led away, to the list or to the login page."""
    is_shown = (visitor.name == "stranger") == (address in {"/login", "/register"})
    # Without values, the settings stay as they are.
    assert response.status_code in ({422} if is_shown and address != "/account/settings" else REDIRECTS)


def people_and_expenses():
    with application.app_context():
        users, expenses = (db.session.execute(select(model.__table__)).all() for model in (User, Expense))
        return users, expenses


@pytest.mark.parametrize("body", ["[1]", "{", '"x"', "5", '{"username": 5}', '{"amount": 12.5, "email": []}'])
@pytest.mark.parametrize("address", FORMS)
def test_a_json_body_is_no_form(app, ana, address, body):
    before = people_and_expenses()

    for visitor in (ana, Visitor(app)):
        token = {"X-CSRFToken": visitor.token()}
        response = visitor.client.post(address, data=body, content_type="application/json", headers=token)

        assert_form_was_empty(visitor, address, response)
    assert people_and_expenses() == before


@pytest.mark.slow
@pytest.mark.parametrize("field", ["username", "email", "password", "amount", "description", "date", "id"])
@pytest.mark.parametrize("address", FORMS)
def test_a_file_is_no_text(app, ana, address, field):
    before = people_and_expenses()

    for visitor in (ana, Visitor(app)):
        data = {"csrf_token": visitor.token(), field: (io.BytesIO(b"12"), "x.txt")}
        response = visitor.client.post(address, data=data, content_type="multipart/form-data")

        assert_form_was_empty(visitor, address, response)
    assert people_and_expenses() == before


def test_a_closed_registration_stays_closed_to_a_form_without_a_token(app, stranger):
    app.config["REGISTRATION"] = False

    assert stranger.client.post("/register", data={"username": "ana"}).status_code == 403
