"""The account page: profile, password, settings, and active sessions."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from app import app as application
from database import db
from ledger import accounts, history
from ledger.money import currency_digits
from models import Expense, LoginSession, Operation, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, form_values, press, read
from tests.test_accounts import cookies, errors, with_cookies
from views.rate_limits import PasswordHashLimiter

NEW = "a wide lake at dawn"
NEW_PASSWORD = {"current_password": PASSWORD, "password": NEW, "confirm_password": NEW}
PARTS = ("profile", "password", "settings")


def send(visitor, part, **typed):
    """Fill one form of the page in, and send it."""
    form = visitor.page("/account").one("form", action=f"/account/{part}")
    return visitor.client.post(form["action"], data=form_values(form) | typed)


def device(app, remember=False):
    """Ana, on one device more."""
    visitor = Visitor(app)
    visitor.name = "ana"
    visitor.log_in(**({"remember_me": "y"} if remember else {}))
    assert is_in(visitor)
    return visitor


def is_in(visitor):
    return visitor.get("/expenses").status_code == 200


def stored(visitor, *names):
    with application.app_context():
        user = visitor.user()
        return tuple(getattr(user, name) for name in names)


def hashes(visitor):
    """The token hashes of a user's sessions."""
    with application.app_context():
        query = select(LoginSession.token_hash).where(LoginSession.user_id == visitor.user().id)
        return set(db.session.scalars(query))


# --- The page


def test_the_menu_under_the_username_leads_to_the_account(ana):
    menu = ana.page("/expenses").one("nav").one("details")

    assert "ana" in menu.one("summary").text
    assert menu.one("a", href="/account").text == "Account"
    assert menu.one("button").text == "Log out"
    page = ana.page("/account")
    assert page.one("h1").text == "Your account"
    assert page.one(id="profile-email")["value"] == "ana@example.com"
    assert PASSWORD not in ana.get("/account").text


def test_no_two_things_on_the_page_have_the_same_id(ana):
    ids = [element["id"] for element in ana.page("/account").all() if "id" in element.attributes]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("part", PARTS)
def test_an_anonymous_visitor_returns_to_the_page_after_login(app, ana, part):
    stranger = Visitor(app)

    response = stranger.post(f"/account/{part}", {"current_password": PASSWORD})

    assert response.location == "/login?next=/account"
    assert "Nothing was changed." in stranger.message("/login").text
    assert is_in(ana)


@pytest.mark.parametrize("part", PARTS)
def test_a_stale_form_comes_back_filled_in_and_changes_nothing(ana, part):
    typed = {"username": "anna", "locale": "de_DE", **NEW_PASSWORD}
    before = stored(ana, "username", "locale", "password_hash")

    response = send(ana, part, **typed, csrf_token="stale")

    assert response.status_code == 400
    assert "Press the button again." in errors(response)[None]
    assert stored(ana, "username", "locale", "password_hash") == before
    if part == "profile":
        assert read(response).one(id="profile-username")["value"] == "anna"


# --- The current password


@pytest.mark.parametrize("part", ["profile", "password"])
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Enter your current password."),
        ("not the river", "This is not your current password."),
        (f"{PASSWORD}\0", "This is not your current password."),
        (f" {PASSWORD}", "This is not your current password."),
        ("x" * 5000, "This is not your current password."),
    ],
)
def test_nobody_changes_how_to_log_in_without_the_current_password(app, ana, part, typed, message):
    other = device(app)
    values = {"username": "anna", "email": "anna@example.com", **NEW_PASSWORD, "current_password": typed}

    response = send(ana, part, **values)

    assert response.status_code == 422
    assert errors(response) == {f"{part}-current_password": message}
    page = read(response)
    assert [element["id"] for element in page.all() if "autofocus" in element.attributes] == [
        f"{part}-current_password"
    ]
    assert page.one(id="profile-username")["value"] == ("anna" if part == "profile" else "ana")
    assert stored(ana, "username", "email") == ("ana", "ana@example.com")
    assert is_in(other)
    assert device(app)


def test_guesses_at_the_current_password_are_throttled_in_this_browser_only(app, ana, bob, caplog):
    other = device(app)
    for _ in range(10):
        assert send(ana, "password", **NEW_PASSWORD | {"current_password": "guess"}).status_code == 422

    response = send(ana, "profile", username="anna", current_password=PASSWORD)

    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 900
    assert errors(response)[None] == "Too many attempts. Try again in 15 minutes."
    assert read(response).one(id="profile-username")["value"] == "anna"
    assert send(ana, "settings", locale="de_DE").status_code in REDIRECTS
    assert send(bob, "password", **NEW_PASSWORD).status_code in REDIRECTS
    assert send(other, "password", **NEW_PASSWORD).status_code in REDIRECTS
    assert "password check refused (429)" in caplog.text


def test_failed_logins_of_others_keep_nobody_from_changing_the_password(app, ana):
    app.config["THROTTLE_ADDRESS"] = 20
    for _ in range(20):
        Visitor(app).log_in(email="ana@example.com", password="guess")
    assert Visitor(app).log_in(email="ana@example.com").status_code == 429

    assert send(ana, "password", **NEW_PASSWORD).status_code in REDIRECTS
    assert send(ana, "profile", current_password=NEW).status_code in REDIRECTS


def test_a_throttled_browser_takes_no_hashing_slot(app, ana, monkeypatch):
    app.config["THROTTLE_ACCOUNT"] = 1
    send(ana, "password", **NEW_PASSWORD | {"current_password": "guess"})
    monkeypatch.setattr("views.reauthentication.hashing", PasswordHashLimiter(places=0))

    def examine(*_args):
        raise AssertionError("too early")

    monkeypatch.setattr("account_forms.CurrentPasswordForm.validate", examine)

    for part in ("profile", "password"):
        assert send(ana, part, **NEW_PASSWORD).status_code == 429


def test_the_current_password_is_not_checked_more_often_by_logging_in_and_out_with_it(app, ana):
    """A success forgets the failures of its own browser only."""
    other = device(app)
    for _ in range(10):
        send(other, "password", **NEW_PASSWORD | {"current_password": "guess"})

    assert send(ana, "profile", current_password=PASSWORD).status_code in REDIRECTS

    assert send(other, "profile", current_password=PASSWORD).status_code == 429


def test_the_right_password_forgets_the_failures(app, ana):
    for _ in range(2):
        for _ in range(9):
            send(ana, "password", **NEW_PASSWORD | {"current_password": "guess"})

        assert send(ana, "profile", current_password=PASSWORD).status_code in REDIRECTS


def test_no_transaction_is_open_while_the_current_password_is_checked(ana, monkeypatch):
    connections = []
    real = accounts.check_password_hash
    look = lambda *pair: connections.append(db.engine.pool.checkedout()) or real(*pair)  # noqa: E731
    monkeypatch.setattr(accounts, "check_password_hash", look)

    send(ana, "password", **NEW_PASSWORD)

    assert connections == [0]


# --- The password


def test_a_new_password_ends_every_other_session(app, ana, bob, caplog):
    caplog.set_level(logging.INFO)
    others = [device(app), device(app, remember=True)]
    remembered = {"remember_token": cookies(others[1])["remember_token"]}
    copied = cookies(ana)

    response = send(ana, "password", **NEW_PASSWORD)

    assert response.location == "/account"
    assert is_in(ana)
    assert is_in(bob)
    assert not any(map(is_in, others))
    assert not is_in(with_cookies(app, remembered))
    # Nor does a copy of this browser's own cookies go on.
    assert not is_in(with_cookies(app, copied))
    assert len(hashes(ana)) == 1
    assert Visitor(app).log_in(email="ana@example.com").status_code == 422
    assert Visitor(app).log_in(email="ana@example.com", password=NEW).status_code in REDIRECTS
    assert f"password changed: user {stored(ana, 'id')[0]} from 127.0.0.1" in caplog.text
    assert NEW not in caplog.text
    assert "ana@" not in caplog.text


def test_a_remembered_session_stays_remembered(app, ana):
    remembered = device(app, remember=True)
    before = cookies(remembered)["remember_token"]

    send(remembered, "password", **NEW_PASSWORD)

    after = cookies(remembered)["remember_token"]
    assert after != before
    assert is_in(with_cookies(app, {"remember_token": after}))
    assert not is_in(with_cookies(app, {"remember_token": before}))


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"password": "short", "confirm_password": "short"}, "password", "at least 8"),
        ({"password": "password1", "confirm_password": "password1"}, "password", "less common"),
        (
            {"password": "ana@example.com", "confirm_password": "ana@example.com"},
            "password",
            "other than",
        ),
        ({"confirm_password": "another one"}, "confirm_password", "differ"),
    ],
)
def test_a_new_password_follows_the_rules_of_every_password(ana, typed, field, message):
    before = stored(ana, "password_hash")

    response = send(ana, "password", **NEW_PASSWORD | typed)

    assert response.status_code == 422
    assert message in errors(response)[f"password-{field}"]
    assert errors(response).keys() == {f"password-{field}"}
    assert NEW not in response.text
    assert stored(ana, "password_hash") == before


def test_only_one_of_two_concurrent_password_changes_succeeds(app, ana):
    two = [ana, device(app)]
    forms = [visitor.page("/account").one("form", action="/account/password") for visitor in two]
    answers = {}

    def change(number):
        new = f"{NEW} {number}"
        values = form_values(forms[number]) | NEW_PASSWORD | {"password": new, "confirm_password": new}
        answers[number] = two[number].client.post("/account/password", data=values).status_code

    at_once(change, range(2))

    # The other was too late with the old password, or its session had ended before it was asked.
    won = [number for number, each in enumerate(two) if is_in(each)]
    assert len(won) == 1
    assert answers[won[0]] in REDIRECTS
    with app.app_context():
        assert ana.user().check_password(f"{NEW} {won[0]}")
    assert len(hashes(ana)) == 1


# --- The names


def test_a_new_username_ends_no_session(app, ana):
    other = device(app)

    response = send(ana, "profile", username=" Ána ", current_password=PASSWORD)

    assert response.location == "/account"
    assert stored(ana, "username", "username_key") == ("Ána", "ána")
    assert is_in(other)
    assert "Ána" in other.page("/expenses").one("nav").text


def test_a_new_email_ends_the_other_sessions(app, ana, caplog):
    caplog.set_level(logging.INFO)
    other = device(app)

    response = send(ana, "profile", email="New@Example.com", current_password=PASSWORD)

    assert response.location == "/account"
    assert is_in(ana)
    assert not is_in(other)
    assert Visitor(app).log_in(email="ana@example.com").status_code == 422
    assert Visitor(app).log_in(email="new@example.com").status_code in REDIRECTS
    assert "email changed: user" in caplog.text
    assert "@example.com" not in caplog.text


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ({"username": "BOB"}, {"username"}),
        ({"email": "BOB@example.com"}, {"email"}),
        ({"username": "bob", "email": "bob@example.com"}, {"username", "email"}),
    ],
)
def test_a_name_that_is_taken_is_an_error_beside_its_field(app, ana, bob, typed, taken):
    other = device(app)

    response = send(ana, "profile", **typed, current_password=PASSWORD)

    assert response.status_code == 422
    assert errors(response).keys() == {f"profile-{name}" for name in taken}
    for name, value in typed.items():
        assert read(response).one(id=f"profile-{name}")["value"].casefold() == value.casefold()
    assert stored(ana, "username", "email") == ("ana", "ana@example.com")
    assert is_in(ana)
    assert is_in(other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["username", "email"])
def test_trying_names_does_not_reveal_which_are_taken(app, ana, bob, name):
    def ask(visitor, number):
        taken = {"username": "bob", "email": "bob@example.com"}[name]
        return send(
            visitor, "profile", current_password=PASSWORD, **{name: taken if number % 2 else f"x{number}{taken}"}
        )

    other = device(app)
    for number in range(10):
        visitor = (ana, other)[number % 2]
        assert ask(visitor, number).status_code in REDIRECTS | {422}
        # Neither the right password nor another login gives further tries.
        assert send(visitor, "profile", current_password=PASSWORD).status_code in REDIRECTS
        if name == "email":
            ana = other = visitor

    for visitor in {ana, other}:
        response = ask(visitor, 1)
        assert response.status_code == 429
        assert "taken" not in read(response).text
    assert send(ana, "password", **NEW_PASSWORD).status_code in REDIRECTS


def test_new_names_count_for_the_address_like_registrations(app):
    ana, bob = (Visitor(app).register(name) for name in ("ana", "bob"))
    app.config["THROTTLE_ADDRESS"] = 3

    assert send(ana, "profile", current_password=PASSWORD, username="bob").status_code == 422

    assert send(bob, "profile", current_password=PASSWORD, username="ana").status_code == 429
    assert send(bob, "profile", current_password=PASSWORD).status_code in REDIRECTS


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"username": "a b"}, "Use letters, digits"),
        ({"username": "a\0b"}, "invisible"),
        ({"username": ""}, "Enter a username."),
        ({"email": "ana"}, "Enter an email address"),
        ({"email": "a\0@example.com"}, "invisible"),
    ],
)
def test_a_name_follows_the_rules_of_every_name(ana, typed, message):
    response = send(ana, "profile", **typed, current_password=PASSWORD)

    assert response.status_code == 422
    assert [message in said for said in errors(response).values()] == [True]


def test_only_one_of_many_concurrent_changes_gets_the_name(app):
    app.config.update(THROTTLE_ADDRESS=0)
    people = [Visitor(app).register(f"person{number}") for number in range(3)]
    forms = [visitor.page("/account").one("form", action="/account/profile") for visitor in people]
    answers = []

    def rename(number):
        typed = {"username": "ana", "current_password": PASSWORD}
        response = people[number].client.post("/account/profile", data=form_values(forms[number]) | typed)
        answers.append(response.status_code)

    at_once(rename, range(3))

    assert sorted(answers) in [[status, 422, 422] for status in REDIRECTS]
    with app.app_context():
        assert db.session.scalar(select(func.count()).where(User.username_key == "ana")) == 1


# --- The settings


def test_settings_are_kept(ana):
    typed = {"currency": "EUR", "time_zone": "Pacific/Auckland", "locale": "de_AT", "first_day_of_month": "28"}

    response = send(ana, "settings", **typed, month_name="end")

    assert response.location == "/account"
    assert stored(ana, *typed, "named_after_end") == ("EUR", "Pacific/Auckland", "de_AT", 28, True)
    form = ana.page("/account").one("form", action="/account/settings")
    assert form_values(form).items() >= (typed | {"month_name": "end"}).items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("currency", value) for value in ("", "XXX", "eur", "E\0R", "EUR ")),
        *(("time_zone", value) for value in ("", "no/zone", "../../etc/passwd", "utc", "\0")),
        *(("locale", value) for value in ("de-AT", "xx", "de_DE\0", "../../x", "en_US_POSIX" * 9)),
        *(("month_name", value) for value in ("", "middle", "End")),
        *(
            ("first_day_of_month", value)
            for value in ("", "0", "29", "-1", "1.0", " 1", "01", "١", "1e1", "9" * 40)
        ),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(ana, field, value):
    before = stored(ana, "currency", "time_zone", "locale", "first_day_of_month")

    response = send(ana, "settings", **{field: value})

    assert response.status_code == 422
    assert errors(response).keys() == {f"settings-{field}"}
    assert "from" in errors(response)[f"settings-{field}"]
    assert stored(ana, "currency", "time_zone", "locale", "first_day_of_month") == before


def test_months_begin_on_any_day_that_every_month_has(ana):
    for day in (-1, 0, 1, 2, 27, 28, 29, 31):
        response = send(ana, "settings", first_day_of_month=str(day))

        assert response.status_code in (REDIRECTS if 1 <= day <= User.FIRST_DAY_MAX else {422})


def test_another_currency_keeps_the_digits_of_every_amount(ana):
    ana.add("1234.50")

    send(ana, "settings", currency="EUR")

    assert ana.total() == "€1,234.50"
    assert "Nothing is converted." in ana.page("/account").one(id="settings-currency-hint").text


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("USD", "JPY", "Amounts in JPY have no decimals. 2 of your amounts have more"),
        ("KWD", "JPY", "Amounts in JPY have no decimals. 2 of your amounts have more"),
        ("KWD", "EUR", "Amounts in EUR have at most 2 decimals. 1 of your amounts has more"),
    ],
)
def test_a_currency_in_which_amounts_could_not_be_written_is_refused(stranger, before, after, message):
    ana = stranger.register("ana", currency=before)
    for amount in ("3", "12.50", "7.125" if before == "KWD" else "7.10"):
        ana.add(amount)
    total = ana.total()

    response = send(ana, "settings", currency=after, locale="de_DE")

    assert response.status_code == 422
    assert errors(response)["settings-currency"].startswith(message)
    assert form_values(read(response).one("form", action="/account/settings"))["locale"] == "de_DE"
    assert ana.total() == total


@pytest.mark.parametrize("change", ["delete", "change", "budget"])
def test_amounts_that_an_undo_can_restore_count_for_a_change_of_currency(ana, change):
    ana.add("13" if change == "budget" else "12.50", description="Tea")
    (expense,) = ana.expenses()
    if change == "delete":
        ana.post(f"/expenses/{expense.id}/delete")
    elif change == "budget":
        for budget in ("99.50", "99"):
            ana.post("/categories", {"total-monthly_budget": budget})
    else:
        ana.fill(f"/expenses/{expense.id}/edit", amount="12")

    assert "1 of your amounts has more" in errors(send(ana, "settings", currency="JPY"))["settings-currency"]

    long_ago = datetime.now(UTC) - timedelta(days=31)
    with application.app_context():
        db.session.execute(update(Operation).values(created_at=long_ago))
        db.session.commit()
    assert send(ana, "settings", currency="JPY").status_code in REDIRECTS


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    units=st.lists(st.integers(-(10**6), 10**6).filter(bool), max_size=5),
    currency=st.sampled_from(["JPY", "EUR", "KWD"]),
)
def test_exactly_the_amounts_with_more_decimals_are_counted(ana, bob, units, currency):
    amounts = [Decimal(unit).scaleb(-3) for unit in units]
    with application.app_context():
        user = ana.user()
        user.currency = "KWD"
        values = {"category": "Food", "description": "", "date": datetime(2026, 3, 1, tzinfo=UTC).date()}
        db.session.add_all(Expense(author_id=user.id, amount=amount, **values) for amount in amounts)
        db.session.add(Expense(author_id=bob.user().id, amount=Decimal("0.001"), **values))
        db.session.flush()

        number = history.count_unrepresentable_amounts(user, currency, datetime.now(UTC))

        db.session.rollback()
    assert number == sum(amount != round(amount, currency_digits(currency)) for amount in amounts)


def test_amounts_and_dates_are_read_and_written_as_the_user_has_chosen(ana):
    send(ana, "settings", currency="EUR", locale="de_DE")
    ana.add("1.234,56 €", date="2025-03-31")

    page = read(ana.get("/expenses", headers={"Accept-Language": "en-US"}))

    assert page.one(id="total").text == "1.234,56 €"
    assert page.one("time").text == "31.03.2025"
    assert page.one("html")["lang"] == "en"
    assert page.one(id="ticked")["data-locale"] == "de-DE"
    send(ana, "settings", locale="")
    page = read(ana.get("/expenses", headers={"Accept-Language": "en-US"}))
    assert page.one(id="total").text == "€1,234.56"
    assert "data-locale" not in page.one(id="ticked").attributes


def test_the_sign_of_the_chosen_way_of_writing_is_understood(ana):
    send(ana, "settings", currency="KWD", locale="ar_EG")
    ana.add("1.5")
    shown = ana.rows()[0][3]

    ana.add(shown)

    assert [expense.amount for expense in ana.expenses()] == [Decimal("1.5")] * 2


def test_a_way_of_writing_that_is_no_longer_known_is_that_of_the_browser(ana):
    with application.app_context():
        db.session.execute(update(User).values(locale="zz_ZZ", currency="EUR"))
        db.session.commit()
    ana.add("1234.56")

    page = read(ana.get("/expenses", headers={"Accept-Language": "de"}))

    assert page.one(id="total").text == "1.234,56 €"


# --- Nothing to save


def test_preferences_that_are_saved_without_a_change_say_so(ana):
    page = ana.page("/account").one("form", action="/account/settings")

    press(ana, page)

    assert ana.message("/account").text == "No changes to save."
