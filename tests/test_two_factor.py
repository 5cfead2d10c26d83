"""Two-factor authentication: setting it up, logging in with it, recovery codes, and the secret key."""

import logging
import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import func, select, update

import clock
from app import app as application
from database import db
from ledger import two_factor
from ledger.encryption import SecretBox
from models import Draft, RecoveryCode, Throttle, TwoFactor
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, empty_tables, form_values, read
from tests.test_account import device, is_in, send
from tests.test_accounts import cookies, errors, with_cookies

NEW = "a wide lake at dawn"
WRONG = "This code is wrong or was already used. Enter the next one that your app shows."
KEY, OTHER_KEY = "k" * 20 + "0123456789abcdef", "o" * 20 + "0123456789abcdef"


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """A clock that only moves when a test says so, at the middle of a step."""
    return Time(monkeypatch)


class Time:
    def __init__(self, monkeypatch):
        self.now = datetime.fromtimestamp(datetime.now(UTC).timestamp() // 30 * 30 + 15, UTC)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def pass_(self, **passed):
        self.now += timedelta(**passed)


class App:
    """An authenticator app with the account of a user, and the recovery codes."""

    def __init__(self, visitor, time):
        self.time = time
        page = visitor.page("/account/two-factor").one("main")
        self.secret = page.one("code", class_="secret").text.replace(" ", "")
        self.form = page.one("form")

    def code(self, steps=0):
        return pyotp.TOTP(self.secret).at(self.time.now, counter_offset=steps)

    def next_code(self):
        """A code that was not used yet."""
        self.time.pass_(seconds=30)
        return self.code()


def set_up(visitor, time):
    """Turn two-factor authentication on, as on the page."""
    app = App(visitor, time)
    typed = {"current_password": PASSWORD, "code": app.code()}
    response = visitor.client.post(app.form["action"], data=form_values(app.form) | typed)
    assert response.status_code == 200, errors(response)
    app.recovery_codes = [item.text for item in read(response).one("ol", class_="recovery-codes").all("code")]
    return app


@pytest.fixture
def authenticator(ana, time):
    """Ana's app, after she has set it up."""
    return set_up(ana, time)


def begin_login(app, **typed):
    """Somebody who has entered Ana's password, in a browser of their own."""
    visitor = Visitor(app)
    visitor.name = "ana"
    response = visitor.log_in(**typed)
    assert response.location.startswith("/login/code"), response.location
    return visitor


def enter(visitor, code, url="/login/code"):
    return visitor.post(url, {"code": code})


def rows(model):
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


# --- Turning it on


def test_a_code_of_the_app_turns_it_on_and_shows_the_recovery_codes_once(app, ana, time, caplog):
    caplog.set_level(logging.INFO)
    assert "It is off" in ana.page("/account/security").text

    authenticator = set_up(ana, time)

    assert len(set(authenticator.recovery_codes)) == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){5}[a-z2-7]{4}", code) for code in authenticator.recovery_codes)
    assert is_in(ana)
    assert "It is on" in ana.page("/account/security").text
    page = ana.page("/account/two-factor").text
    assert "10 recovery codes are left" in page
    assert not any(code in page for code in authenticator.recovery_codes)
    assert "two-factor authentication turned on: user" in caplog.text
    with application.app_context():
        row = db.session.scalars(select(TwoFactor)).one()
        hashes = set(db.session.scalars(select(RecoveryCode.code_hash)))
    stored = f"{row.secret} {hashes}"
    for secret in (authenticator.secret, *authenticator.recovery_codes):
        assert secret not in stored
        assert secret not in caplog.text


def test_the_picture_is_a_qr_code_without_styles(ana, monkeypatch):
    drawn = []
    real = two_factor.provisioning_uri
    monkeypatch.setattr(two_factor, "provisioning_uri", lambda *args: drawn.append(real(*args)) or drawn[-1])

    response = ana.get("/account/two-factor")

    assert re.fullmatch(r"otpauth://totp/Ledger:ana%40example\.com\?secret=[A-Z2-7]{32}&issuer=Ledger", drawn[0])
    picture = read(response).one("svg")
    assert {name for element in picture.all() for name in element.attributes} == {"fill", "stroke", "d"}
    assert read(response).one("div", role="img")["aria-label"] == "QR code for the authenticator app"
    assert read(response).one("main").all("a")[0]["href"] == drawn[0]
    assert "style=" not in response.text


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"current_password": "guess"}, "current_password", "This is not your current password."),
        ({"current_password": ""}, "current_password", "Enter your current password."),
        ({"code": "000000"}, "code", WRONG),
        ({"code": ""}, "code", "Enter the code that your app shows."),
        ({"code": "x" * 5000}, "code", WRONG),
        ({"code": "١٢٣٤٥٦"}, "code", WRONG),
    ],
)
def test_a_mistake_in_the_setup_is_shown_with_the_same_key(ana, time, typed, field, message):
    app = App(ana, time)
    values = form_values(app.form) | {"current_password": PASSWORD, "code": app.code()} | typed

    response = ana.client.post(app.form["action"], data=values)

    assert response.status_code == 422
    assert errors(response) == {f"set-up-{field}": message}
    page = read(response)
    assert page.one("code", class_="secret").text.replace(" ", "") == app.secret
    assert page.one(id="set-up-code")["value"] == ""
    assert rows(TwoFactor) == 0
    again = form_values(page.one("main").one("form")) | {"current_password": PASSWORD, "code": app.code()}
    assert ana.client.post(app.form["action"], data=again).status_code == 200


@pytest.mark.parametrize("setup", ["", "x", "é", "\0", None])
def test_a_key_that_the_server_did_not_make_is_not_accepted(ana, time, setup):
    app = App(ana, time)
    values = form_values(app.form) | {"current_password": PASSWORD, "code": app.code()}
    values = values | {"setup": setup} if setup is not None else {k: v for k, v in values.items() if k != "setup"}

    assert ana.client.post(app.form["action"], data=values).status_code == 422
    assert rows(TwoFactor) == 0


def test_the_key_of_another_user_or_of_long_ago_is_not_accepted(ana, bob, time):
    app = App(ana, time)
    typed = {"setup": form_values(app.form)["setup"], "current_password": PASSWORD, "code": app.code()}

    assert bob.post("/account/two-factor", typed).status_code == 422
    time.pass_(minutes=61)
    assert ana.post("/account/two-factor", typed | {"code": app.code()}).status_code == 422
    assert rows(TwoFactor) == 0


def test_a_form_without_a_token_turns_nothing_on(ana, time):
    app = App(ana, time)
    values = form_values(app.form) | {"current_password": PASSWORD, "code": app.code(), "csrf_token": "x"}

    assert ana.client.post(app.form["action"], data=values).status_code == 400
    assert rows(TwoFactor) == 0


def test_other_sessions_end_when_it_is_turned_on_also_remembered_ones(app, ana, bob, time):
    others = [device(app), device(app, remember=True)]
    remembered = {"remember_token": cookies(others[1])["remember_token"]}

    set_up(ana, time)

    assert is_in(ana)
    assert is_in(bob)
    assert not any(map(is_in, [*others, with_cookies(app, remembered)]))


def test_turning_it_on_twice_changes_nothing(ana, authenticator):
    typed = form_values(authenticator.form) | {"current_password": PASSWORD, "code": authenticator.next_code()}

    response = ana.post("/account/two-factor", typed | {"csrf_token": ana.token()})

    assert response.location == "/account/two-factor"
    assert "It has been on since" in ana.page("/account/two-factor").text
    assert rows(TwoFactor) == 1


# --- Logging in


def test_a_login_asks_for_a_code_after_the_password(app, ana, authenticator, caplog):
    caplog.set_level(logging.INFO)
    visitor = begin_login(app)
    assert not is_in(visitor)
    assert "remember_token" not in cookies(visitor)

    response = visitor.fill("/login/code", code=authenticator.next_code())

    assert response.location == "/expenses"
    assert is_in(visitor)
    assert re.search("password accepted, code needed: user .*logged in: user", caplog.text, re.DOTALL)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_half_a_minute_ahead_or_behind(app, ana, authenticator, time, steps):
    visitor = begin_login(app)
    time.pass_(minutes=2)

    assert enter(visitor, authenticator.code(steps)).status_code in REDIRECTS


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_of_another_time_is_refused(app, ana, authenticator, time, steps):
    visitor = begin_login(app)
    time.pass_(minutes=2)

    response = enter(visitor, authenticator.code(steps))

    assert response.status_code == 422
    assert errors(response) == {"code": WRONG}
    assert not is_in(visitor)


def test_a_code_may_be_typed_with_spaces(app, ana, authenticator):
    code = authenticator.next_code()

    assert enter(begin_login(app), f" {code[:3]} {code[3:]} ").status_code in REDIRECTS


def test_a_code_works_once_and_none_before_it(app, ana, authenticator):
    before, code = authenticator.code(), authenticator.next_code()
    first = begin_login(app)
    assert enter(first, code).status_code in REDIRECTS

    for used in (code, before):
        assert enter(begin_login(app), used).status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize("code", ["", "x", "12345", "1234567", "0" * 6, "\0", "é" * 6, "١٢٣٤٥٦", "1" * 5000])
def test_garbage_is_no_code(app, ana, authenticator, code):
    visitor = begin_login(app)

    response = enter(visitor, code)

    assert response.status_code == 422
    assert read(response).one(id="code")["value"] == ""
    assert not is_in(visitor)


def test_only_one_of_two_requests_with_the_same_code_logs_in(app, ana, authenticator):
    visitors = [begin_login(app) for _ in range(2)]
    code, tokens = authenticator.next_code(), [visitor.token() for visitor in visitors]

    def send_code(number):
        form = {"csrf_token": tokens[number], "code": code}
        visitors[number].client.post("/login/code", data=form)

    at_once(send_code, range(2))

    # The other one is told that the code is wrong, or that its login has ended.
    assert sorted(map(is_in, visitors)) == [False, True]


def test_the_requested_page_and_remember_me_survive_the_code(app, ana, authenticator):
    visitor = Visitor(app)
    visitor.name = "ana"
    form = read(visitor.get("/login?next=/expenses?category%3DFood")).one("main").one("form")
    typed = {"email": "ana@example.com", "password": PASSWORD, "remember_me": "y"}
    response = visitor.client.post(form["action"], data=form_values(form) | typed)
    assert response.location == "/login/code?next=/expenses?category%3DFood"
    wrong = visitor.fill(response.location, code="000000")
    again = read(wrong).one("main").one("form")

    response = visitor.client.post(again["action"], data=form_values(again) | {"code": authenticator.next_code()})

    assert response.location == "/expenses?category=Food"
    restarted = with_cookies(app, {"remember_token": cookies(visitor)["remember_token"]})
    assert is_in(restarted)


def test_a_device_that_was_remembered_with_a_code_does_not_need_another(app, ana, authenticator):
    visitor = begin_login(app, remember_me="y")
    enter(visitor, authenticator.next_code())

    assert is_in(with_cookies(app, {"remember_token": cookies(visitor)["remember_token"]}))
    visitor.post("/logout")
    assert visitor.log_in().location.startswith("/login/code")


def test_a_form_that_was_interrupted_comes_back_after_the_code(app, ana, authenticator):
    ana.end_sessions()
    ana.client.post("/expenses/add", data={"amount": "12.50", "category": "Food", "description": "Tea"})

    response = ana.log_in_at("/login?next=/expenses/add")
    assert response.location == "/login/code?next=/expenses/add"
    response = ana.fill(response.location, code=authenticator.next_code())

    assert response.location == "/expenses/add"
    assert ana.page("/expenses/add").one(id="description")["value"] == "Tea"


# --- A half-finished login


PAGES = ["/", "/expenses", "/account", "/account/two-factor", "/expenses.csv", "/history"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_half_finished_login_reaches_nothing(app, ana, authenticator, page):
    visitor = begin_login(app)

    response = visitor.get(page, follow_redirects=True)

    assert read(response).one("h1").text == "Log in"
    assert visitor.post("/account/two-factor/off", {"current_password": PASSWORD}).location.startswith("/login")
    assert rows(TwoFactor) == 1


def test_a_stolen_half_login_needs_a_code_as_well_and_ends_with_the_next_one(app, ana, authenticator):
    visitor = begin_login(app)
    thief = with_cookies(app, cookies(visitor))
    assert not is_in(thief)
    assert enter(visitor, authenticator.next_code()).status_code in REDIRECTS

    response = enter(thief, authenticator.next_code())

    assert response.location == "/login"
    assert "Log in again." in thief.message("/login").text
    assert not is_in(thief)


@pytest.mark.parametrize("passed", [{"minutes": 10}, {"days": -1}], ids=["later", "earlier"])
def test_a_half_finished_login_expires(app, ana, authenticator, time, passed):
    visitor = begin_login(app)
    time.pass_(**passed)

    assert enter(visitor, authenticator.code()).location == "/login"
    assert not is_in(visitor)


def test_a_half_finished_login_ends_with_a_new_password(app, ana, run, authenticator):
    visitor = begin_login(app)
    run("reset-password", "ana@example.com", "--password", NEW)

    assert enter(visitor, authenticator.next_code()).location == "/login"


def test_without_a_password_there_is_no_code_to_enter(app, ana, stranger, authenticator):
    for answer in (stranger.get("/login/code?next=/history"), stranger.post("/login/code", {"code": "000000"})):
        assert answer.location.startswith("/login")
    assert ana.get("/login/code").location == "/expenses"


@pytest.mark.parametrize("value", [{"user_id": 1}, "x", {}])
def test_a_half_finished_login_cannot_be_forged(app, ana, authenticator, value):
    copy = Visitor(app)
    genuine = cookies(begin_login(app))["session"]
    payload, _, rest = genuine.partition(".")
    for forged in (f"{payload}x.{rest}", f"{payload}.{rest}x", payload, "."):
        copy.client.set_cookie("session", forged)
        assert copy.get("/login/code").location == "/login"


def test_a_code_without_a_token_logs_nobody_in(app, ana, authenticator):
    visitor = begin_login(app)
    code = authenticator.next_code()

    assert visitor.client.post("/login/code", data={"code": code}).status_code == 400
    assert not is_in(visitor)
    assert enter(visitor, code).status_code in REDIRECTS


def test_the_session_before_the_code_is_not_the_one_after_it(app, ana, authenticator):
    visitor = begin_login(app)
    before = cookies(visitor)
    token = visitor.token()

    enter(visitor, authenticator.next_code())

    assert visitor.client.post("/logout", data={"csrf_token": token}).status_code == 400
    assert not is_in(with_cookies(app, before))
    with visitor.client.session_transaction() as session:
        assert "half_login" not in session


# --- Guessing


def test_ten_wrong_codes_throttle_every_new_device_for_a_while(app, ana, bob, authenticator, time):
    visitor = begin_login(app)
    for _ in range(10):
        assert enter(visitor, "000000").status_code == 422

    response = enter(visitor, authenticator.next_code())

    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 900
    assert enter(begin_login(app), authenticator.next_code()).status_code == 429
    assert is_in(ana)


def test_a_stolen_password_does_not_lock_out_a_known_device(app, ana, authenticator):
    ana.post("/logout")
    visitor = begin_login(app)
    for _ in range(11):
        enter(visitor, "000000")

    assert ana.log_in().location.startswith("/login/code")
    assert enter(ana, authenticator.next_code()).status_code in REDIRECTS


def test_all_known_devices_together_get_a_limited_number_of_guesses(app, ana, time):
    app.config.update(THROTTLE_ACCOUNT=1, THROTTLE_ADDRESS=0)
    # They were logged in before two-factor authentication was turned on, which ended their sessions.
    visitors = [Visitor(app) for _ in range(11)]
    for visitor in visitors:
        visitor.log_in("ana@example.com")
    set_up(ana, time)
    for visitor in visitors:
        assert visitor.log_in("ana@example.com").location.startswith("/login/code")

    for visitor in visitors[:10]:
        assert enter(visitor, "000000").status_code == 422

    assert enter(visitors[10], "000000").status_code == 429


def test_entering_the_password_again_gives_no_more_guesses(app, ana, authenticator):
    app.config["THROTTLE_ADDRESS"] = 0
    for _ in range(10):
        assert enter(begin_login(app), "000000").status_code == 422

    assert enter(begin_login(app), "000000").status_code == 429


def test_a_right_code_forgets_the_wrong_ones(app, ana, authenticator):
    for _ in range(2):
        visitor = begin_login(app)
        for _ in range(9):
            assert enter(visitor, "000000").status_code == 422
        assert enter(visitor, authenticator.next_code()).status_code in REDIRECTS


def test_wrong_codes_on_the_account_page_are_throttled_like_passwords(ana, authenticator):
    typed = {"current_password": PASSWORD, "code": "000000"}
    for _ in range(10):
        assert ana.post("/account/two-factor/off", typed).status_code == 422

    response = ana.post("/account/two-factor/off", typed | {"code": authenticator.next_code()})

    assert response.status_code == 429
    assert rows(TwoFactor) == 1


# --- Recovery codes


@pytest.mark.parametrize("written", ["{}", " {} ", "upper", "spaces"])
def test_each_recovery_code_works_once_however_it_is_written(app, ana, authenticator, written):
    code = authenticator.recovery_codes[3]
    other = {"upper": code.upper(), "spaces": code.replace("-", " ")}
    visitor = begin_login(app)
    assert "Use a recovery code" in visitor.page("/login/code").text

    assert (
        visitor.fill("/login/code?recovery=1", code=other.get(written, written.format(code))).location
        == "/expenses"
    )

    assert is_in(visitor)
    assert enter(begin_login(app), code).status_code == 422
    assert "9 recovery codes are left" in ana.page("/account/two-factor").text
    assert enter(begin_login(app), authenticator.recovery_codes[4]).status_code in REDIRECTS


def test_recovery_codes_are_of_one_user(app, ana, bob, authenticator, time):
    set_up(bob, time)
    visitor = Visitor(app)
    visitor.name = "bob"
    visitor.log_in()

    assert enter(visitor, authenticator.recovery_codes[0]).status_code == 422
    assert rows(RecoveryCode) == 20


def test_the_stored_hash_is_no_recovery_code(app, ana, authenticator):
    with application.app_context():
        stored = db.session.scalars(select(RecoveryCode.code_hash)).first()

    assert enter(begin_login(app), stored).status_code == 422


def test_new_recovery_codes_replace_the_former(app, ana, authenticator, caplog):
    caplog.set_level(logging.INFO)
    typed = {"current_password": PASSWORD, "code": authenticator.next_code()}

    response = ana.post("/account/two-factor/recovery-codes", typed)

    assert response.status_code == 200
    new = [item.text for item in read(response).one("ol", class_="recovery-codes").all("code")]
    assert not set(new) & set(authenticator.recovery_codes)
    assert rows(RecoveryCode) == 10
    assert enter(begin_login(app), authenticator.recovery_codes[0]).status_code == 422
    assert enter(begin_login(app), new[0]).status_code in REDIRECTS
    assert "recovery codes renewed" in caplog.text


@pytest.mark.parametrize("part", ["off", "recovery-codes"])
def test_while_it_is_off_there_is_nothing_to_change(ana, part):
    typed = {"current_password": PASSWORD, "code": "000000"}

    assert ana.post(f"/account/two-factor/{part}", typed).location == "/account/two-factor"
    assert "It is on" not in ana.page("/account/two-factor").text
    assert (rows(TwoFactor), rows(RecoveryCode)) == (0, 0)


# --- Password and code for changes


CHANGES = {
    "/account/two-factor/off": {},
    "/account/two-factor/recovery-codes": {},
    "/account/profile": {"username": "ana", "email": "new@example.com"},
    "/account/password": {"password": NEW, "confirm_password": NEW},
    "/account/delete": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("url", CHANGES)
@pytest.mark.parametrize("code", [None, "", "000000"])
def test_nothing_about_the_account_changes_without_a_code(app, ana, authenticator, url, code):
    other = begin_login(app)
    enter(other, authenticator.next_code())
    typed = CHANGES[url] | {"current_password": PASSWORD} | ({} if code is None else {"code": code})

    response = ana.post(url, typed)

    assert response.status_code == 422
    assert any(name.endswith("-code") for name in errors(response))
    with application.app_context():
        assert ana.user().email == "ana@example.com"
        assert ana.user().check_password(PASSWORD)
        assert ana.user().delete_at is None
    assert (rows(TwoFactor), rows(RecoveryCode)) == (1, 10)
    assert is_in(other)


@pytest.mark.parametrize("url", CHANGES)
def test_a_wrong_password_does_not_use_the_code_up(ana, authenticator, url):
    code = authenticator.next_code()

    refused = ana.post(url, CHANGES[url] | {"current_password": "guess", "code": code})

    assert refused.status_code == 422
    assert not any(name.endswith("-code") for name in errors(refused))
    assert ana.post(url, CHANGES[url] | {"current_password": PASSWORD, "code": code}).status_code in REDIRECTS | {
        200
    }


def test_password_and_email_change_with_a_code_or_a_recovery_code(app, ana, authenticator):
    values = {"current_password": PASSWORD, "code": authenticator.next_code()}
    assert send(ana, "password", password=NEW, confirm_password=NEW, **values).status_code in REDIRECTS
    values = {"current_password": NEW, "code": authenticator.recovery_codes[0]}

    assert send(ana, "profile", email="new@example.com", **values).status_code in REDIRECTS

    with app.app_context():
        assert rows(RecoveryCode) == 9


def test_a_taken_name_does_not_use_the_code_up(app, ana, bob, authenticator):
    code = authenticator.next_code()
    values = {"current_password": PASSWORD, "code": code, "email": "ana@example.com"}
    assert send(ana, "profile", username="bob", **values).status_code == 422

    assert send(ana, "profile", username="anna", **values).status_code in REDIRECTS


def test_it_is_turned_off_with_password_and_code(app, ana, authenticator, caplog):
    caplog.set_level(logging.INFO)
    other = begin_login(app)
    enter(other, authenticator.next_code())
    typed = {"current_password": PASSWORD, "code": authenticator.next_code()}

    response = ana.post("/account/two-factor/off", typed)

    assert response.location == "/account/two-factor"
    assert "Two-factor authentication is off." in ana.message("/account/two-factor").text
    assert (rows(TwoFactor), rows(RecoveryCode)) == (0, 0)
    assert is_in(ana)
    assert not is_in(other)
    assert Visitor(app).log_in(email="ana@example.com").location == "/expenses"
    assert "two-factor authentication turned off: user" in caplog.text


def test_codes_are_never_kept_in_a_draft_or_shown_again(app, ana, authenticator):
    ana.end_sessions()
    code = authenticator.next_code()
    ana.client.post("/account/password", data={"current_password": PASSWORD, "code": code, "password": NEW})

    with ana.client.session_transaction() as session:
        kept = str(dict(session))
    assert code not in kept
    assert NEW not in kept
    assert rows(Draft) == 0


# --- The administrator


def test_the_administrator_can_turn_it_off(app, run, ana, bob, authenticator):
    assert run("disable-two-factor", "ANA@example.com") == (0, "ana logs in with the password alone now.\n")

    assert Visitor(app).log_in(email="ana@example.com").location == "/expenses"
    assert (rows(TwoFactor), rows(RecoveryCode)) == (0, 0)
    assert run("disable-two-factor", "bob@example.com")[0] == 1
    assert run("disable-two-factor", "nobody@example.com")[0] == 1


def test_a_password_that_was_reset_still_needs_a_code(app, run, ana, authenticator):
    run("reset-password", "ana@example.com", "--password", NEW)

    visitor = begin_login(app, password=NEW)

    assert not is_in(visitor)
    assert enter(visitor, authenticator.next_code()).status_code in REDIRECTS


# --- The secret key


def rotate(app, keep):
    """Change the secret key, with or without the former one as a fallback."""
    former = app.config["SECRET_KEY"]
    app.config.update(SECRET_KEY="n" * 20 + "0123456789abcdef", SECRET_KEY_FALLBACKS=[former] if keep else [])


def secret_lines(run):
    return [line for line in run("doctor")[1].splitlines() if "authenticator app" in line]


def test_the_key_is_rotated_through_the_fallbacks(app, run, ana, authenticator):
    rotate(app, keep=True)
    (line,) = secret_lines(run)
    assert line == "  SECRET_KEY_FALLBACKS is still needed for 1 authenticator app, until their users log in"
    assert enter(begin_login(app), authenticator.next_code()).status_code in REDIRECTS
    app.config["SECRET_KEY_FALLBACKS"] = []

    assert secret_lines(run) == []
    assert enter(begin_login(app), authenticator.next_code()).status_code in REDIRECTS


def test_under_another_key_recovery_codes_still_work_and_the_doctor_warns(app, run, ana, authenticator):
    assert secret_lines(run) == []
    rotate(app, keep=False)

    assert enter(begin_login(app), authenticator.next_code()).status_code == 422
    assert enter(begin_login(app), authenticator.recovery_codes[0]).status_code in REDIRECTS
    (line,) = secret_lines(run)
    assert line.startswith("! 1 authenticator app cannot be checked, because SECRET_KEY has changed")


def test_after_a_restore_with_another_key_recovery_codes_still_work(app, run, ana, authenticator, tmp_path):
    assert run("backup", str(tmp_path / "backup.db"))[0] == 0
    empty_tables(app)
    assert run("restore", str(tmp_path / "backup.db"))[0] == 0
    assert enter(begin_login(app), authenticator.next_code()).status_code in REDIRECTS
    rotate(app, keep=False)

    assert enter(begin_login(app), authenticator.next_code()).status_code == 422
    assert enter(begin_login(app), authenticator.recovery_codes[0]).status_code in REDIRECTS


def test_an_encrypted_text_is_read_with_its_key_only():
    first, second = SecretBox([KEY]), SecretBox([OTHER_KEY])
    sealed = first.encrypt("secret")

    assert "secret" not in sealed
    assert first.encrypt("secret") != sealed
    assert (first.decrypt(sealed), second.decrypt(sealed)) == ("secret", None)
    assert (first.is_current(sealed), second.is_current(sealed)) == (True, False)
    both = SecretBox([OTHER_KEY, KEY])
    assert (both.decrypt(sealed), both.is_current(sealed)) == ("secret", False)
    assert [first.decrypt(text) for text in ("", "x", "é", "\ud800", sealed[:-2] + "x=", KEY)] == [None] * 6


# --- Time


def test_the_codes_are_those_of_the_standard():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B, for SHA-1
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        moment = datetime.fromtimestamp(seconds, UTC)

        assert two_factor.matching_step(secret, code, moment) == seconds // 30


def test_a_clock_that_is_set_back_locks_nobody_out(app, ana, authenticator, time):
    time.pass_(days=-400)
    with app.app_context():
        db.session.execute(update(Throttle).values(attempts=0))
        db.session.commit()

    assert enter(begin_login(app), authenticator.code()).status_code in REDIRECTS


# --- Cost


def test_the_pages_cost_a_constant_number_of_queries(app, ana, authenticator, caplog):
    caplog.set_level(logging.INFO, logger="ledger.requests")

    def queries(visitor, url):
        visitor.get(url)
        return caplog.records[-1].fields["queries"]

    assert queries(ana, "/account/two-factor") == 3
    assert queries(begin_login(app), "/login/code") == 2


def test_no_transaction_is_open_while_the_password_is_checked_for_a_change(ana, authenticator, monkeypatch):
    connections = []
    monkeypatch.setattr(
        "ledger.accounts.check_password_hash", lambda *_: connections.append(db.engine.pool.checkedout())
    )

    ana.post("/account/two-factor/off", {"current_password": PASSWORD, "code": authenticator.next_code()})

    assert connections == [0]
