"""Registration, login and logout, through the pages."""

import time
from datetime import UTC, datetime, timedelta

import email_validator
import pytest
from sqlalchemy import func, select, update

from app import app as application
from database import db
from ledger import accounts, sessions
from ledger.accounts import AccountError, check_email, check_new_password, check_username
from models import LoginSession, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, form_values, read


def errors(response):
    """The errors by field, and those of the whole form under None."""
    page = read(response)
    said = {element["id"].removesuffix("-error"): element.text for element in page.all("small", class_="error")}
    whole = [element.text for element in page.all("p", role="alert")]
    return said | ({None: whole[0]} if whole else {})


def count(model):
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


# --- Register


def test_registering_logs_in_and_lands_on_the_empty_list(stranger):
    response = stranger.fill(
        "/register",
        username="Ana",
        email="Ana@Example.com",
        password=PASSWORD,
        confirm_password=PASSWORD,
        currency="EUR",
        time_zone="Pacific/Auckland",
    )

    assert response.status_code in REDIRECTS
    assert response.location == "/expenses"
    with application.app_context():
        user = db.session.scalars(select(User)).one()
        assert (user.username, user.email) == ("Ana", "ana@example.com")
        assert (user.currency, user.time_zone) == ("EUR", "Pacific/Auckland")
        assert PASSWORD not in user.password_hash
    page = stranger.page("/")
    assert "Ana" in page.one("nav", aria_label="Main").text
    assert "No expenses yet." in page.one("main").text
    assert page.one(id="total").text == "€0.00"


def test_registering_takes_the_settings_currency_and_zone_unless_told_otherwise(app, stranger):
    app.config.update(DEFAULT_CURRENCY="CHF", TIMEZONE="Europe/Zurich")

    stranger.register("ana", time_zone="no/zone", currency="")

    with app.app_context():
        assert (stranger.user().currency, stranger.user().time_zone) == ("CHF", "Europe/Zurich")


@pytest.mark.parametrize(
    ("languages", "currency"),
    [
        ("de-CH,de;q=0.9,en-US;q=0.8", "CHF"),
        ("de,en-US;q=0.7,en;q=0.3", "EUR"),
        ("en-GB", "GBP"),
        ("en", "USD"),
        ("ja-JP", "JPY"),
        ("es-PA", "PAB"),
        ("zh-Hant", "TWD"),
        ("*, x-klingon, \x00, fr-XX, pt-BR", "BRL"),
        ("eo", "USD"),
        ("", "USD"),
    ],
)
def test_the_currency_of_the_browsers_country_is_proposed_unless_there_is_a_setting(
    app, stranger, languages, currency
):
    headers = {"Accept-Language": languages}

    form = read(stranger.get("/register", headers=headers)).one("main").one("form")
    assert form_values(form)["currency"] == currency

    app.config["DEFAULT_CURRENCY"] = "SEK"
    form = read(stranger.get("/register", headers=headers)).one("main").one("form")
    assert form_values(form)["currency"] == "SEK"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "", "Enter a username."),
        ("username", "a b", "Use letters, digits"),
        ("username", "a\0b", "invisible"),
        ("username", "\u3164", "Enter a username."),
        ("username", "\u0301a", "Use letters, digits"),
        ("username", "аna", "one alphabet"),
        ("username", "x" * 65, "at most 64"),
        ("username", "\ufdfa" * 20, "at most 64"),
        ("email", "", "Enter your email address."),
        ("email", "ana", "Enter an email address"),
        ("email", "ana@localhost", "Enter an email address"),
        ("email", "ana@example.com\r\nx", "Enter an email address"),
        ("email", "a\0@example.com", "invisible"),
        ("password", "", "Choose a password."),
        ("password", "short", "at least 8"),
        ("password", "x" * 1025, "at most 1,024"),
        ("password", "a quiet\0river", "NUL"),
        ("password", "password1", "less common"),
        ("password", "PassWord1", "less common"),
        ("password", "zzzzzzzzzz", "less common"),
        ("password", "23456789", "less common"),
        ("password", "passwordpassword", "less common"),
        ("password", "ana-the-first", "other than your username"),
        ("password", "ANA.first@example.com", "other than your username"),
        ("password", "ana.first", "other than your username"),
        ("confirm_password", "another one", "differ"),
        ("confirm_password", "", "again"),
        ("currency", "XXX", "from the list"),
    ],
)
def test_a_refused_registration_says_why_and_loses_nothing(stranger, field, value, message):
    typed = {"username": "ana-the-first", "email": "ana.first@example.com", "password": PASSWORD}
    typed |= {"confirm_password": PASSWORD} | {field: value}
    if field == "password":
        typed["confirm_password"] = value

    response = stranger.fill("/register", **typed)

    assert response.status_code == 422
    assert message in errors(response)[field]
    assert count(User) == 0
    page = read(response)
    wrong = page.one(id=field)
    assert f"{field}-error" in wrong["aria-describedby"].split()
    assert wrong["aria-invalid"] == "true"
    assert [element["id"] for element in page.all() if "autofocus" in element.attributes] == [field]
    for name in {"username", "email"} - {field}:
        assert page.one(id=name)["value"] == typed[name]
    assert not page.all("small", id=f"{field}-hint")
    assert "value" not in page.one(id="password").attributes or page.one(id="password")["value"] == ""


def test_hints_describe_their_fields(stranger):
    page = stranger.page("/register")
    assert page.one(id="username-hint").text == "No spaces. Shown only to you."
    assert page.one(id="password-hint").text.startswith("At least 8 characters")


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ({"username": "ANA", "email": "new@example.com"}, {"username"}),
        ({"username": "ａｎａ", "email": "new@example.com"}, {"username"}),
        ({"username": "new", "email": "ANA@EXAMPLE.COM"}, {"email"}),
        ({"username": "ana", "email": "ana@example.com"}, {"username", "email"}),
    ],
)
def test_a_taken_name_or_address_is_an_error_beside_its_field(app, ana, typed, taken):
    other = Visitor(app)

    response = other.fill("/register", password=PASSWORD, confirm_password=PASSWORD, **typed)

    assert response.status_code == 422
    assert errors(response).keys() == taken
    assert count(User) == 1


def test_only_one_of_many_concurrent_registrations_gets_the_name(app, stranger):
    visitors = [Visitor(app) for _ in range(6)]
    forms = [form_values(visitor.page("/register").one("main").one("form")) for visitor in visitors]
    answers = []

    def send(visitor, form):
        typed = {"username": "ana", "email": "ana@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
        answers.append(visitor.client.post("/register", data=form | typed).status_code)

    at_once(lambda pair: send(*pair), zip(visitors, forms, strict=True))

    assert sum(answer in REDIRECTS for answer in answers) == 1
    assert set(answers) <= {*REDIRECTS, 422, 503}
    assert count(User) == 1


def test_registration_can_be_closed(app, stranger):
    app.config["REGISTRATION"] = False

    response = stranger.get("/register")

    assert response.status_code == 403
    assert "Registration is closed." in read(response).text
    assert not stranger.page("/login").one("main").all("a", href="/register")


@pytest.mark.parametrize(
    "name", ["ana", "Ana-Ω".replace("Ω", "1"), "José", "Ольга", "太郎たろう", "मीरा", "สมชัย", "ana@home", "o_o"]
)
def test_usernames_of_any_one_alphabet_are_welcome(name):
    assert check_username(f" {name} ") == name


def test_addresses_of_a_home_network_are_a_setting(monkeypatch):
    names = list(email_validator.SPECIAL_USE_DOMAIN_NAMES)
    monkeypatch.setattr(email_validator, "SPECIAL_USE_DOMAIN_NAMES", names)
    monkeypatch.setattr(email_validator, "GLOBALLY_DELIVERABLE", True)
    for address in ("ana@localhost", "ana@nas.local"):
        with pytest.raises(AccountError):
            check_email(address)

    accounts.allow_local_emails()

    assert check_email("ana@localhost") == "ana@localhost"
    assert check_email("Ana@NAS.local") == "ana@nas.local"


@pytest.mark.parametrize(
    "password", ["correct horse", "ünïcödé!", "  a quiet river  ", "🦊🐻🐴🐭🐹🐨🐯🦁", "x1" * 512]
)
def test_any_uncommon_password_is_welcome_as_it_is(password):
    check_new_password(password, 8, "ana", "ana@example.com")


@pytest.mark.parametrize(
    "password",
    [
        "anaanaana",
        "ana19850412",
        "ana_2026!",
        "1985.ana",
        "first.ana1",
        "anafirst123",
        "4n4.f1rst",
        "Ledger2026!",
        "anA-12345",
    ],
)
def test_a_password_of_the_users_own_names_is_refused(password):
    with pytest.raises(AccountError, match="password_guessable"):
        check_new_password(password, 8, "ana", "ana.first@example.com")


def test_long_names_cost_no_time():
    begun = time.process_time()

    check_new_password(PASSWORD, 8, "\ufdfa" * 400_000, "\ufdfa" * 400_000)

    assert time.process_time() - begun < 1


# --- Log in


def test_logging_in_goes_to_the_list(app, ana):
    device = Visitor(app)
    device.name = "ana"

    response = device.log_in(email=" ANA@example.com ")

    assert response.status_code in REDIRECTS
    assert response.location == "/expenses"
    assert "ana" in device.page("/expenses").one("nav", aria_label="Main").text


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("ana@example.com", PASSWORD + "\0"),
        ("ana@example.com", f" {PASSWORD}"),
        ("ana@example.com", "x" * 2000),
        ("a\0@example.com", PASSWORD),
    ],
)
def test_a_failed_login_always_has_the_same_message(app, ana, email, password):
    device = Visitor(app)

    response = device.fill("/login", email=email, password=password)

    assert response.status_code == 422
    assert errors(response) == {None: "The email address or password is wrong."}
    # A parser replaces characters that a page cannot contain.
    assert read(response).one(id="email")["value"] == email.replace("\0", "\ufffd")
    assert read(response).one(id="password").get("value", "") == ""
    assert device.get("/expenses").status_code in REDIRECTS


def test_unknown_accounts_cost_the_same_work(app, ana, monkeypatch):
    checked = []
    real = accounts.check_password_hash
    monkeypatch.setattr(accounts, "check_password_hash", lambda *pair: checked.append(pair[0]) or real(*pair))

    Visitor(app).log_in(email="ana@example.com", password="wrong one")
    Visitor(app).log_in(email="nobody@example.com", password="wrong one")
    Visitor(app).log_in(email="ana@example.com", password="x" * 5000)

    methods = [password_hash.partition("$")[0] for password_hash in checked]
    assert methods == [User.HASH_METHOD] * 3
    with app.app_context():
        assert len(checked[1]) >= len(ana.user().password_hash)


def test_an_older_hash_is_renewed_at_login(app, ana, monkeypatch):
    monkeypatch.setattr(User, "HASH_METHOD", "pbkdf2:sha256:2000")

    Visitor(app).log_in(email="ana@example.com")

    with app.app_context():
        assert ana.user().password_hash.startswith("pbkdf2:sha256:2000$")
        assert ana.user().check_password(PASSWORD)


@pytest.mark.parametrize("written", ["i@xn--mnchen-3ya.de", "I@München.de", "i@mu\u0308nchen.de"])
def test_an_international_address_logs_in_however_it_is_written(app, stranger, written):
    stranger.register("ana", email="i@xn--mnchen-3ya.de")

    assert Visitor(app).log_in(email=written).status_code in REDIRECTS


def test_a_password_that_is_reset_while_it_is_checked_opens_nothing(app, ana, monkeypatch):
    def reset_meanwhile(stored, password):
        with app.app_context():
            user = ana.user()
            user.set_password("another river")
            sessions.revoke_all_sessions(user)
            db.session.commit()
        return real(stored, password)

    real = accounts.check_password_hash
    monkeypatch.setattr(accounts, "check_password_hash", reset_meanwhile)
    monkeypatch.setattr(User, "HASH_METHOD", "pbkdf2:sha256:2000")

    assert Visitor(app).log_in(email="ana@example.com").status_code == 422

    with app.app_context():
        assert ana.user().check_password("another river")
        assert db.session.scalar(select(func.count()).select_from(LoginSession)) == 0


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/expenses?category=Food&x=%C3%A9", "/expenses?category=Food&x=%C3%A9"),
        ("/expenses/add", "/expenses/add"),
        ("//evil.example", "/expenses"),
        ("https://evil.example/", "/expenses"),
        ("/\\evil.example", "/expenses"),
        ("\t//evil.example", "/expenses"),
        ("javascript:alert(1)", "/expenses"),
        ("/a\nb", "/expenses"),
        ("http://[", "/expenses"),
    ],
)
def test_login_redirects_to_the_requested_page_but_never_to_another_site(app, ana, target, location):
    device = Visitor(app)
    form = device.client.get("/login", query_string={"next": target})
    values = form_values(read(form).one("main").one("form")) | {"email": "ana@example.com"}
    action = read(form).one("main").one("form")["action"]

    failed = device.client.post(action, data=values | {"password": "wrong one"})
    again = read(failed).one("main").one("form")["action"]
    response = device.client.post(again, data=values | {"password": PASSWORD})

    assert response.location == location
    assert device.client.get("/login", query_string={"next": target}).location == location


def test_a_visitor_is_redirected_to_the_login_and_returns(stranger, app, ana):
    response = stranger.get("/expenses?category=Food&category=Travel")

    assert response.location == "/login?next=/expenses?category%3DFood%26category%3DTravel"
    form = read(stranger.get(response.location)).one("main").one("form")
    values = form_values(form) | {"email": "ana@example.com", "password": PASSWORD}
    response = stranger.client.post(form["action"], data=values)
    assert response.location == "/expenses?category=Food&category=Travel"


def test_login_starts_a_new_session(app, ana):
    device = Visitor(app)
    device.name = "ana"
    before = device.token()
    with device.client.session_transaction() as session:
        session["planted"] = "x"

    device.log_in()

    with device.client.session_transaction() as session:
        assert "planted" not in session
    assert device.client.post("/logout", data={"csrf_token": before}).status_code == 400


# --- Remember me, logging out, and copied cookies


def cookies(visitor):
    return {cookie.key: cookie.value for cookie in visitor.client._cookies.values()}


def with_cookies(app, jar):
    """Somebody who has copied these cookies."""
    thief = Visitor(app)
    for name, value in jar.items():
        thief.client.set_cookie(name, value)
    return thief


def test_remember_me_outlives_the_browsers_session_only_when_ticked(app, ana):
    device, forgetful = Visitor(app), Visitor(app)
    device.name = forgetful.name = "ana"

    device.log_in(remember_me="y")
    forgetful.log_in()

    assert "remember_token" in cookies(device)
    assert "remember_token" not in cookies(forgetful)
    restarted = with_cookies(app, {"remember_token": cookies(device)["remember_token"]})
    assert restarted.get("/expenses").status_code == 200


def test_logging_out_ends_every_copy_of_the_cookies(app, ana):
    device = Visitor(app)
    device.name = "ana"
    device.log_in(remember_me="y")
    copied = cookies(device)

    response = device.post("/logout")

    assert response.location == "/login"
    assert response.headers["Clear-Site-Data"] == '"cache"'
    assert "You are logged out." in device.page("/login").one("div", role="status").text
    assert "remember_token" not in cookies(device)
    assert device.get("/expenses").location == "/login?next=/expenses"
    assert with_cookies(app, copied).get("/expenses").status_code in REDIRECTS
    assert (
        with_cookies(app, {"remember_token": copied["remember_token"]}).get("/expenses").status_code in REDIRECTS
    )
    assert ana.get("/expenses").status_code == 200


def test_opening_the_log_out_page_only_shows_a_button(ana):
    page = ana.page("/logout")

    assert page.one("main").one("button").text == "Log out"
    assert ana.get("/expenses").status_code == 200
    response = ana.fill("/logout")
    assert response.location == "/login"
    assert ana.get("/logout").location == "/login"


@pytest.mark.parametrize(
    ("remember", "seen", "made", "lasts"),
    [
        (False, timedelta(hours=23), timedelta(hours=23), True),
        (False, timedelta(hours=25), timedelta(hours=25), False),
        (True, timedelta(days=29), timedelta(days=29), True),
        (True, timedelta(days=0), timedelta(days=31), False),
        (False, timedelta(days=-400), timedelta(days=-400), True),
    ],
)
def test_a_session_expires_but_not_when_the_clock_jumps_back(app, ana, remember, seen, made, lasts):
    now = datetime.now(UTC)
    with app.app_context():
        values = {"remember": remember, "last_seen_at": now - seen, "created_at": now - made}
        db.session.execute(update(LoginSession).values(**values))
        db.session.commit()

    assert ana.get("/expenses").status_code in ({200} if lasts else REDIRECTS)


def test_a_session_from_the_future_starts_now_once_something_is_saved(app, ana):
    ahead = datetime.now(UTC) + timedelta(days=400)
    with app.app_context():
        db.session.execute(update(LoginSession).values(created_at=ahead, last_seen_at=ahead))
        db.session.commit()

    ana.add("1")

    with app.app_context():
        login = db.session.scalars(select(LoginSession)).one()
        assert max(login.created_at, login.last_seen_at) <= datetime.now(UTC)


def test_use_is_noted_by_what_is_saved_and_never_by_reading(app, ana):
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with app.app_context():
        db.session.execute(update(LoginSession).values(last_seen_at=an_hour_ago))
        db.session.commit()

    ana.page("/expenses")
    with app.app_context():
        assert db.session.scalars(select(LoginSession.last_seen_at)).one() == an_hour_ago

    ana.add()
    with app.app_context():
        assert db.session.scalars(select(LoginSession.last_seen_at)).one() > an_hour_ago


def test_the_stored_session_key_gives_no_access(app, ana):
    with app.app_context():
        row = db.session.scalars(select(LoginSession)).one()
        stored = f"{row.user_id}.{row.token_hash}"
    thief = Visitor(app)
    with thief.client.session_transaction() as session:
        session["_user_id"] = stored

    assert thief.get("/expenses").status_code in REDIRECTS


@pytest.mark.parametrize(
    "login_id", ["", "1", "1.", ".x", "1.x.y", "99999999999999999999.x", "-1.x", "١.x", "1.é", "1.\0", "x" * 9999]
)
def test_an_unknown_cookie_is_anonymous(app, stranger, login_id):
    with stranger.client.session_transaction() as session:
        session["_user_id"] = login_id

    assert stranger.get("/expenses").status_code in REDIRECTS


@pytest.mark.parametrize("value", ["é|é", "x|" + "a" * 128, "|", "1.x|é", "a" * 5000, "\x01"])
def test_an_unknown_remember_cookie_is_anonymous_and_not_an_error(app, value):
    raw = f"remember_token={value}; session={value}".encode().decode("latin-1")

    response = Visitor(app).client.get("/expenses", environ_overrides={"HTTP_COOKIE": raw})

    assert response.status_code in REDIRECTS
