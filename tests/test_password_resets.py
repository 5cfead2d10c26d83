"""Forgotten passwords: the link in an email, and the new password that is chosen with it."""

import logging
import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, select, update

from app import app as application
from database import db
from ledger import accounts, password_resets
from mail import MailServer
from models import PasswordReset, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, form_values, read
from tests.mailbox import serve_mail
from tests.test_account import device, is_in
from views.rate_limits import PasswordHashLimiter

NEW = "a wide lake at dawn"
TYPED = {"password": NEW, "confirm_password": NEW}
SITE = "https://ledger.example/money"


@pytest.fixture(autouse=True)
def send_at_once(monkeypatch):
    """Send links without the random delay."""
    monkeypatch.setattr("views.emails.DELAY_MAX_MS", 1)


@pytest.fixture
def mailbox(app, unused_port):
    """A mail server, which the application uses."""
    controller, mailbox = serve_mail(unused_port)
    use_server(app, unused_port)
    yield mailbox
    app.extensions["worker"].finish()
    controller.stop()


def use_server(app, port):
    server = MailServer("127.0.0.1", port, "none")
    app.config.update(MAIL_SERVER=server, MAIL_FROM="Ledger <ledger@example.org>", PUBLIC_URL=SITE)


def ask(visitor, email="ana@example.com"):
    """Ask for a link, and wait until everything is sent."""
    response = visitor.fill("/forgot-password", email=email)
    visitor.app.extensions["worker"].finish()
    return response


def link_in(message):
    """The path of the link in a message."""
    (path,) = re.findall(rf"^{SITE}(/reset-password/\S+)\s*$", message.get_content(), re.MULTILINE)
    return path


@pytest.fixture
def link(mailbox, ana, stranger):
    """A link for Ana that works."""
    ask(stranger)
    return link_in(mailbox.messages.pop())


def count_resets():
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(PasswordReset))


def has_password(visitor, password):
    with application.app_context():
        return visitor.user().check_password(password)


def let_pass(**time_passed):
    with application.app_context():
        expires_at = datetime.now(UTC) + timedelta(hours=1) - timedelta(**time_passed)
        db.session.execute(update(PasswordReset).values(expires_at=expires_at))
        db.session.commit()


# --- Asking for a link


def test_a_user_who_forgot_the_password_logs_in_with_a_new_one(app, mailbox, ana, stranger, caplog):
    caplog.set_level(logging.INFO)
    assert stranger.page("/login").one("main").one("a", href="/forgot-password").text == "Forgot your password?"

    response = ask(stranger, " ANA@example.com ")

    assert response.location == "/login"
    assert "If an account has this email address" in stranger.message("/login").text
    (message,) = mailbox.messages
    assert message["To"] == "ana@example.com"
    path = link_in(message)
    assert is_in(ana)
    assert read(stranger.get(path)).one("h1").text == "Choose a new password"
    response = stranger.fill(path, **TYPED)
    app.extensions["worker"].finish()
    assert response.location == "/login"
    assert "Your password was changed." in stranger.message("/login").text
    assert has_password(ana, NEW)
    assert not is_in(ana)
    assert not is_in(stranger)
    assert stranger.log_in(email="ana@example.com", password=NEW).location == "/expenses"
    assert "The password of your account ana was changed." in mailbox.messages[1].get_content()
    for secret in (path.rpartition("/")[2], NEW, "ana@"):
        assert secret not in caplog.text


@pytest.mark.parametrize("email", ["nobody@example.com", "not an address", "a\0@example.com", "x" * 250, "é@é"])
def test_an_unknown_address_gets_the_same_answer_and_no_mail(app, mailbox, ana, stranger, email):
    known, unknown = ask(Visitor(app)), ask(stranger, email)

    assert (known.status_code, known.location) == (unknown.status_code, unknown.location)
    assert known.data == unknown.data
    assert "If an account has this email address" in stranger.message("/login").text
    assert len(mailbox.messages) == 1
    assert count_resets() == 1


def test_asking_for_a_link_costs_the_same_whether_or_not_an_account_exists(app, mailbox, monkeypatch):
    # The first attempt from the network address, which costs more than the next ones.
    Visitor(app).register("ana")
    statements, hashed = {}, []
    monkeypatch.setattr(accounts, "check_password_hash", lambda *_: hashed.append(1))
    monkeypatch.setattr(User, "set_password", lambda *_: hashed.append(1))
    jobs = []
    monkeypatch.setattr("views.emails.run_in_background", lambda *job: jobs.append(job))

    for email in ("ana@example.com", "nobody@example.com"):
        visitor, found = Visitor(app), []
        form = {"csrf_token": visitor.token(), "email": email}
        with application.app_context():
            engine = db.engine
        note = lambda _c, _cursor, text, *_: found.append(text)  # noqa: B023, E731
        event.listen(engine, "before_cursor_execute", note)
        try:
            visitor.client.post("/forgot-password", data=form)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        statements[email] = found

    assert statements["ana@example.com"] == statements["nobody@example.com"] != []
    assert hashed == []
    assert len(jobs) == 2


def test_nothing_is_looked_up_before_a_random_moment(app, mailbox, ana, monkeypatch):
    waits, found = [], []
    monkeypatch.setattr("background.time.sleep", lambda seconds: waits.append((seconds, len(found))))
    monkeypatch.setattr("views.emails.DELAY_MAX_MS", 10**9)
    monkeypatch.setattr("views.emails.accounts.find_by_email", found.append)

    for email in ("ana@example.com", "nobody@example.com"):
        ask(Visitor(app), email)

    assert [before for _seconds, before in waits] == [0, 1]
    assert waits[0] != waits[1]


def test_the_link_is_never_built_from_the_host_that_was_named(mailbox, ana, stranger):
    form = {"csrf_token": stranger.token(), "email": "ana@example.com"}

    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    headers["Cookie"] = f"session={stranger.client.get_cookie('session').value}"

    # The fake browser would not send a cookie to another host.
    client = application.test_client(use_cookies=False)

    assert client.post("/forgot-password", data=form, headers=headers).status_code in REDIRECTS
    stranger.app.extensions["worker"].finish()

    assert "evil" not in mailbox.messages[0].get_content()
    assert link_in(mailbox.messages[0])


def test_a_form_without_a_token_sends_nothing(mailbox, ana, stranger):
    response = stranger.client.post("/forgot-password", data={"email": "ana@example.com"})
    stranger.app.extensions["worker"].finish()

    assert response.status_code == 400
    assert read(response).one(id="email")["value"] == "ana@example.com"
    assert mailbox.messages == []


def test_an_empty_address_is_an_error_beside_its_field(mailbox, stranger):
    response = ask(stranger, "")

    assert response.status_code == 422
    assert read(response).one(id="email-error").text == "Enter your email address."


def test_without_a_mail_server_the_page_names_the_command(app, ana, stranger):
    page = stranger.page("/forgot-password")

    assert "Ask its administrator" in page.one("main").text
    assert page.one("code").text == "flask reset-password EMAIL"
    assert not page.one("main").all("form")
    assert stranger.post("/forgot-password", {"email": "ana@example.com"}).status_code == 422
    assert count_resets() == 0


def test_an_address_gets_three_links_before_a_wait_and_so_does_one_that_is_unknown(app, mailbox, ana):
    for email in ("ana@example.com", "nobody@example.com"):
        visitor = Visitor(app)
        answers = [ask(visitor, email).status_code for _ in range(4)]

        assert answers == [302, 302, 302, 429]
    assert len(mailbox.messages) == 3
    assert "Retry-After" in ask(visitor, "ana@example.com").headers


@pytest.mark.slow
def test_all_network_addresses_together_get_nine_links(app, mailbox, ana):
    answers = []
    for number in range(5):
        visitor = Visitor(app)
        visitor.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        answers += [ask(visitor).status_code for _ in range(2)]

    assert answers == [302] * 9 + [429]


@pytest.mark.slow
def test_a_device_that_is_known_can_ask_whatever_others_did(app, mailbox, ana):
    ana.post("/logout")
    for number in range(5):
        visitor = Visitor(app)
        visitor.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        [ask(visitor) for _ in range(2)]
    mailbox.messages.clear()

    assert ask(ana).location == "/login"
    assert len(mailbox.messages) == 1


def test_all_known_devices_together_get_nine_links(app, mailbox, ana):
    visitors = [Visitor(app) for _ in range(4)]
    for visitor in visitors:
        visitor.log_in("ana@example.com")
        visitor.post("/logout")

    for visitor in visitors[:3]:
        assert [ask(visitor).status_code in REDIRECTS for _ in range(3)] == [True] * 3

    assert ask(visitors[3]).status_code == 429
    assert len(mailbox.messages) == 9


def test_links_count_for_the_network_address_like_failed_logins(app, mailbox, stranger):
    app.config["THROTTLE_ADDRESS"] = 2
    for number in range(2):
        assert ask(stranger, f"person{number}@example.com").status_code in REDIRECTS

    assert ask(stranger, "another@example.com").status_code == 429
    assert stranger.log_in(email="another@example.com").status_code == 429


@pytest.mark.slow
def test_a_mail_server_that_never_answers_keeps_nobody_waiting(app, ana, stranger, monkeypatch, caplog):
    monkeypatch.setattr("mail.TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        use_server(app, listener.getsockname()[1])
        form = {"csrf_token": stranger.token(), "email": "ana@example.com"}
        begun = time.monotonic()

        assert stranger.client.post("/forgot-password", data=form).status_code in REDIRECTS

        assert time.monotonic() - begun < 0.5
        app.extensions["worker"].finish()
    assert "an email could not be sent by 127.0.0.1" in caplog.text
    assert "ana@" not in caplog.text


def test_no_transaction_is_open_while_a_message_is_sent(app, ana, stranger, monkeypatch, unused_port):
    connections = []
    use_server(app, unused_port)
    monkeypatch.setattr("views.emails.send", lambda *_: connections.append(db.engine.pool.checkedout()))

    ask(stranger)

    assert connections == [0]


# --- Using the link


def test_a_link_works_once(app, link, ana, stranger):
    assert stranger.fill(link, **TYPED).status_code in REDIRECTS

    again = Visitor(app)
    assert again.get(link).status_code == 404
    assert read(again.get(link)).one("h1").text == "This link no longer works"
    assert (
        again.post(link, {"password": "another meadow", "confirm_password": "another meadow"}).status_code == 404
    )
    assert has_password(ana, NEW)


@pytest.mark.parametrize("sent", [False, True], ids=["opened", "sent"])
def test_a_link_expires_after_an_hour(link, ana, stranger, sent):
    form = form_values(stranger.page(link).one("main").one("form"))
    let_pass(hours=1, seconds=1)

    response = stranger.client.post(link, data=form | TYPED) if sent else stranger.get(link)

    assert response.status_code == 404
    assert has_password(ana, PASSWORD)


def test_a_link_is_valid_until_it_expires(link, ana, stranger):
    let_pass(minutes=59)

    assert stranger.fill(link, **TYPED).status_code in REDIRECTS


def test_a_link_does_not_work_after_the_password_was_changed(link, ana, stranger):
    values = {"current_password": PASSWORD, "password": NEW, "confirm_password": NEW}
    assert ana.post("/account/password", values).status_code in REDIRECTS

    assert stranger.get(link).status_code == 404


def test_a_link_does_not_work_after_the_email_address_was_changed(link, ana, stranger):
    values = {"username": "ana", "email": "new@example.com", "current_password": PASSWORD}
    assert ana.post("/account/profile", values).status_code in REDIRECTS

    assert stranger.get(link).status_code == 404


def test_a_password_that_changes_while_the_new_one_is_hashed_stays(link, ana, stranger, monkeypatch):
    form = form_values(stranger.page(link).one("main").one("form"))
    real = User.set_password

    def change_meanwhile(user, password):
        monkeypatch.setattr(User, "set_password", real)
        with application.app_context():
            ana.user().set_password("another meadow")
            db.session.commit()
        real(user, password)

    monkeypatch.setattr(User, "set_password", change_meanwhile)

    assert stranger.client.post(link, data=form | TYPED).status_code == 404
    assert has_password(ana, "another meadow")


@pytest.mark.parametrize(
    "key", ["x", "1", "1.", "1.x", ".x", "99999999999.x", "١.x", "1.é", "%00", "1." + "x" * 5000]
)
def test_any_other_link_does_not_work(link, stranger, key):
    for answer in (stranger.get(f"/reset-password/{key}"), stranger.post(f"/reset-password/{key}", TYPED)):
        assert answer.status_code == 404


def test_the_link_of_one_user_does_not_work_for_another(app, link, ana, bob, stranger):
    with application.app_context():
        bobs = bob.user().id
    key = link.rpartition(".")[2]

    assert stranger.get(f"/reset-password/{bobs}.{key}").status_code == 404
    assert has_password(bob, PASSWORD)


def test_the_stored_hash_is_no_link(link, ana, stranger):
    with application.app_context():
        row = db.session.scalars(select(PasswordReset)).one()
        keys = [f"{row.user_id}.{text}" for text in (row.token_hash, row.password_mark)]

    assert {stranger.get(f"/reset-password/{key}").status_code for key in keys} == {404}


def test_a_link_without_a_token_in_the_form_changes_nothing(link, ana, stranger):
    response = stranger.client.post(link, data=TYPED)

    assert response.status_code == 400
    assert NEW not in response.text
    assert has_password(ana, PASSWORD)
    assert stranger.fill(link, **TYPED).status_code in REDIRECTS


@pytest.mark.parametrize("password", ["short", "password1", "ana@example.com"])
def test_a_new_password_follows_the_rules_and_the_link_still_works(link, ana, stranger, password):
    response = stranger.fill(link, password=password, confirm_password=password)

    assert response.status_code == 422
    assert read(response).one(id="password-error").text
    assert has_password(ana, PASSWORD)
    assert stranger.fill(link, **TYPED).status_code in REDIRECTS


def test_only_one_of_two_concurrent_uses_of_a_link_succeeds(app, link, ana):
    visitors = [Visitor(app) for _ in range(2)]
    forms = [form_values(visitor.page(link).one("main").one("form")) for visitor in visitors]
    answers = {}

    def send(number):
        typed = dict.fromkeys(TYPED, f"{NEW} {number}")
        answers[number] = visitors[number].client.post(link, data=forms[number] | typed).status_code

    at_once(send, range(2))

    (won,) = [number for number, status in answers.items() if status in REDIRECTS]
    assert answers[1 - won] == 404
    assert has_password(ana, f"{NEW} {won}")


def test_a_new_password_ends_every_session_and_every_wait(app, link, ana, bob, stranger):
    others = [device(app), device(app, remember=True)]
    app.config["THROTTLE_ACCOUNT"] = 1
    assert stranger.log_in(email="ana@example.com", password="wrong").status_code == 422
    assert stranger.log_in(email="ana@example.com").status_code == 429

    stranger.fill(link, **TYPED)

    assert not any(map(is_in, [ana, *others]))
    assert is_in(bob)
    assert stranger.log_in(email="ana@example.com", password=NEW).status_code in REDIRECTS


def test_a_logged_in_user_is_asked_to_log_out_first(app, link, ana, bob):
    response = bob.get(link)

    assert response.location == "/logout"
    assert "Log out first." in bob.message("/logout").text
    assert bob.post(link, TYPED).location == "/logout"
    assert has_password(ana, PASSWORD)


def test_a_new_password_waits_its_turn_to_be_hashed(link, ana, stranger, monkeypatch):
    monkeypatch.setattr("views.password_resets.hashing", PasswordHashLimiter(places=0))

    assert stranger.fill(link, **TYPED).status_code == 503
    monkeypatch.undo()
    assert stranger.fill(link, **TYPED).status_code in REDIRECTS


def test_no_transaction_is_open_while_a_new_password_waits_its_turn_to_be_hashed(link, stranger, monkeypatch):
    def look(limiter):
        connections.append(db.engine.pool.checkedout())
        return slot(limiter)

    connections, slot = [], PasswordHashLimiter.slot
    monkeypatch.setattr(PasswordHashLimiter, "slot", look)

    stranger.fill(link, **TYPED)

    assert connections == [0]


def test_the_latest_three_links_work(app, mailbox, ana):
    app.config.update(THROTTLE_ACCOUNT=0, THROTTLE_ADDRESS=0)
    for _ in range(5):
        ask(Visitor(app))

    links = [link_in(message) for message in mailbox.messages]

    assert [Visitor(app).get(each).status_code for each in links] == [404, 404, 200, 200, 200]


def test_expired_links_are_purged(run, link):
    let_pass(hours=2)

    assert run("purge")[0] == 0
    assert count_resets() == 0


def test_a_link_costs_a_constant_number_of_queries(link, stranger, caplog):
    caplog.set_level(logging.INFO, logger="ledger.requests")

    stranger.get(link)

    assert caplog.records[-1].fields["queries"] == 1


# --- Other changes


def test_the_former_address_is_told_when_the_email_changes(app, mailbox, ana):
    values = {"username": "ana", "email": "new@example.com", "current_password": PASSWORD}

    assert ana.post("/account/profile", values).status_code in REDIRECTS
    app.extensions["worker"].finish()

    (message,) = mailbox.messages
    assert message["To"] == "ana@example.com"
    assert "The email address of your account ana was changed." in message.get_content()
    assert SITE in message.get_content()


def test_a_new_username_is_no_news_for_the_mailbox(app, mailbox, ana):
    values = {"username": "anna", "email": "ana@example.com", "current_password": PASSWORD}

    assert ana.post("/account/profile", values).status_code in REDIRECTS
    app.extensions["worker"].finish()

    assert mailbox.messages == []


def test_the_owner_is_told_when_the_password_changes(app, mailbox, ana):
    values = {"current_password": PASSWORD, "password": NEW, "confirm_password": NEW}

    assert ana.post("/account/password", values).status_code in REDIRECTS
    app.extensions["worker"].finish()

    assert "The password of your account ana was changed." in mailbox.messages[0].get_content()


def test_the_key_of_a_reset_belongs_to_its_user(app, ana):
    with app.app_context():
        key = password_resets.create(ana.user(), datetime.now(UTC))
        db.session.commit()

        assert password_resets.find(key, datetime.now(UTC)).email == "ana@example.com"
