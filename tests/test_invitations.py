"""Registration by invitation: links that the administrator makes, each of which lets one person in."""

import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app import app as application
from config import env_registration
from database import db
from models import Invitation, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, form_values, read
from url_prefix import check_public_url

NEEDED = "Registration needs an invitation. Ask the administrator for a link."
GONE = "This invitation has expired or was already used. Ask the administrator for a new link."
TYPED = {"username": "bob", "email": "bob@example.com", "password": PASSWORD, "confirm_password": PASSWORD}


@pytest.fixture
def invite(app, run):
    """Make an invitation as the administrator does, and return its link."""
    app.config["REGISTRATION"] = "invite"

    def invite(*arguments):
        code, printed = run("invite", *arguments)
        assert code == 0, printed
        return re.search(r"^\S*(/register\?invitation=\S+)$", printed, re.MULTILINE)[1]

    return invite


def count(model):
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


def let_pass(**time):
    """Make every invitation that much older."""
    with application.app_context():
        left = timedelta(days=7) - timedelta(**time)
        db.session.execute(update(Invitation).values(expires_at=datetime.now(UTC) + left))
        db.session.commit()


# --- The link


def test_an_invitation_lets_one_person_register(invite, stranger, caplog):
    caplog.set_level(logging.INFO)
    link = invite()

    response = stranger.fill(link, **TYPED)

    assert response.location == "/expenses"
    assert count(User) == 1
    assert count(Invitation) == 0
    assert stranger.get("/expenses").status_code == 200
    assert link.rpartition("=")[2] not in caplog.text


def test_an_invitation_that_was_used_is_refused(app, invite, stranger):
    link = invite()
    form = form_values(stranger.page(link).one("main").one("form"))
    Visitor(app).fill(link, **TYPED | {"username": "carl", "email": "carl@example.com"})

    late = stranger.client.post(link, data=form | TYPED)

    assert late.status_code == 403
    assert GONE in read(late).text
    assert stranger.get(link).status_code == 403
    assert count(User) == 1


@pytest.mark.parametrize("sent", [False, True], ids=["opened", "sent"])
def test_an_invitation_expires_after_seven_days(invite, stranger, sent):
    link = invite()
    form = form_values(stranger.page(link).one("main").one("form"))
    let_pass(days=7, seconds=1)

    response = stranger.client.post(link, data=form | TYPED) if sent else stranger.get(link)

    assert response.status_code == 403
    assert GONE in read(response).text
    assert count(User) == 0


def test_an_invitation_is_valid_until_it_expires(invite, stranger):
    link = invite()
    let_pass(days=6, hours=23)

    assert stranger.fill(link, **TYPED).location == "/expenses"


@pytest.mark.parametrize("token", ["x", "é", "\0", "%", "_" * 43, "x" * 43, "x" * 5000])
def test_any_other_text_is_no_invitation(invite, stranger, token):
    invite()

    for answer in (
        stranger.client.get("/register", query_string={"invitation": token}),
        stranger.client.post(
            "/register", query_string={"invitation": token}, data={"csrf_token": stranger.token()}
        ),
    ):
        assert answer.status_code == 403
        assert GONE in read(answer).text
    assert count(Invitation) == 1


@pytest.mark.parametrize("url", ["/register", "/register?invitation="])
def test_nobody_registers_without_an_invitation(invite, stranger, url):
    invite()

    for answer in (stranger.get(url), stranger.post(url, TYPED)):
        assert answer.status_code == 403
        assert NEEDED in read(answer).text
    assert count(User) == 0


def test_a_refused_registration_does_not_use_the_invitation_up(app, invite, stranger):
    link = invite()
    Visitor(app).fill(invite(), **TYPED)

    taken = stranger.fill(link, **TYPED)
    weak = stranger.fill(link, **TYPED | {"username": "carl", "email": "carl@example.com", "password": "x"})

    assert (taken.status_code, weak.status_code) == (422, 422)
    assert read(taken).one("main").one("form")["action"] == link
    assert count(Invitation) == 1
    assert stranger.fill(link, **TYPED | {"username": "carl", "email": "carl@example.com"}).location == "/expenses"


def test_a_form_without_a_token_does_not_use_the_invitation_up(invite, stranger):
    link = invite()

    response = stranger.client.post(link, data=TYPED)

    assert response.status_code == 400
    assert read(response).one(id="username")["value"] == "bob"
    assert (count(User), count(Invitation)) == (0, 1)


def test_only_one_of_many_concurrent_registrations_uses_the_invitation(app, invite):
    link = invite()
    visitors = [Visitor(app) for _ in range(3)]
    forms = [form_values(visitor.page(link).one("main").one("form")) for visitor in visitors]
    answers = []

    def send(number):
        typed = TYPED | {"username": f"person{number}", "email": f"person{number}@example.com"}
        answers.append(visitors[number].client.post(link, data=forms[number] | typed).status_code)

    at_once(send, range(3))

    assert sum(answer in REDIRECTS for answer in answers) == 1
    assert sorted(set(answers) - REDIRECTS) == [403]
    assert (count(User), count(Invitation)) == (1, 0)


def test_a_logged_in_user_does_not_use_up_an_invitation(ana, invite):
    assert ana.get(invite()).location == "/expenses"
    assert count(Invitation) == 1


def test_a_closed_registration_is_closed_to_invitations_too(app, invite, stranger):
    link = invite()
    app.config["REGISTRATION"] = False

    assert "Registration is closed." in read(stranger.get(link)).text


def test_the_stored_invitation_does_not_open_anything(invite, stranger):
    token = invite().rpartition("=")[2]
    with application.app_context():
        stored = db.session.scalars(select(Invitation.token_hash)).one()

    assert token not in stored
    assert stranger.get(f"/register?invitation={stored}").status_code == 403


# --- The login page


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (True, "New here? Create an account"),
        (False, "New here? Registration is closed. Ask the administrator for an account."),
        ("invite", "New here? You need an invitation. Ask the administrator for a link."),
    ],
)
def test_the_login_page_says_who_can_register(app, stranger, mode, text):
    app.config["REGISTRATION"] = mode

    main = stranger.page("/login").one("main")

    assert text in main.text
    assert bool(main.all("a", href="/register")) == (mode is True)


# --- The command


def test_the_command_prints_the_whole_link_if_it_knows_the_address(app, run):
    app.config.update(REGISTRATION="invite", PUBLIC_URL="https://ledger.example/money")

    code, printed = run("invite")

    assert code == 0
    assert re.search(r"^https://ledger\.example/money/register\?invitation=[\w-]{43}$", printed, re.MULTILINE)
    assert "PUBLIC_URL" not in printed


def test_the_command_says_how_to_complete_the_link_if_it_does_not(app, run):
    app.config["REGISTRATION"] = "invite"

    assert "set PUBLIC_URL" in run("invite")[1]


@pytest.mark.parametrize("mode", [True, False])
def test_the_command_makes_no_link_that_would_not_work(app, run, mode):
    app.config["REGISTRATION"] = mode

    assert run("invite") == (1, "Error: Invitations need the setting REGISTRATION=invite.\n")
    assert count(Invitation) == 0


def test_unused_invitations_are_listed_and_can_be_withdrawn(run, invite, stranger):
    first, second = invite("--note", "Bob next door"), invite()
    code, printed = run("invite", "--list")
    lines = printed.splitlines()
    assert (code, len(lines)) == (0, 2)
    listed, note = re.fullmatch(
        r"([0-9a-f]{8})  created [\d-]+, expires [\d-]+ [\d:]+ UTC  (.*)", lines[0]
    ).groups()
    assert note == "Bob next door"

    assert run("invite", "--withdraw", listed)[0] == 0

    assert stranger.get(first).status_code == 403
    assert stranger.get(second).status_code == 200
    assert run("invite", "--list")[1].splitlines() == lines[1:]


@pytest.mark.parametrize("wrong", ["", "x", "00000000", "%", "________", "é", "\n"])
def test_an_unknown_invitation_cannot_be_withdrawn(run, invite, wrong):
    invite()

    code, printed = run("invite", "--withdraw", wrong)

    assert code == 1
    assert "flask invite --list" in printed
    assert count(Invitation) == 1


def test_expired_invitations_are_neither_listed_nor_kept(run, invite):
    invite()
    let_pass(days=8)

    assert run("invite", "--list")[1] == "There are no invitations that can still be used.\n"
    assert count(Invitation) == 1
    invite()
    assert count(Invitation) == 1
    let_pass(days=8)
    assert run("purge")[0] == 0
    assert count(Invitation) == 0


def test_a_long_note_is_refused(app, run):
    app.config["REGISTRATION"] = "invite"

    assert "at most 100 characters" in run("invite", "--note", "x" * 101)[1]


# --- The settings


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", True),
        ("1", True),
        ("yes", True),
        ("0", False),
        ("Off", False),
        ("invite", "invite"),
        (" Invite ", "invite"),
    ],
)
def test_the_setting_has_three_values(monkeypatch, text, mode):
    monkeypatch.setenv("REGISTRATION", text)

    assert env_registration() == mode


def test_any_other_value_is_refused(monkeypatch):
    monkeypatch.setenv("REGISTRATION", "invites")

    with pytest.raises(RuntimeError, match="must be 1"):
        env_registration()


@pytest.mark.parametrize(
    ("url", "prefix", "found"),
    [
        ("", "", ""),
        ("https://ledger.example/", "", "https://ledger.example"),
        ("http://[::1]:8000", "", "http://[::1]:8000"),
        ("https://a.example:8443/money", "/money", "https://a.example:8443/money"),
    ],
)
def test_an_address_of_the_site_is_kept_without_its_last_slash(url, prefix, found):
    assert check_public_url(url, prefix) == found


@pytest.mark.parametrize(
    "url", ["ledger.example", "ftp://x", "https://", "https://a b", "https://x/y", "https://u:p@x", "https://x?y"]
)
def test_an_invalid_public_url_is_refused(url):
    with pytest.raises(RuntimeError, match="PUBLIC_URL must be"):
        check_public_url(url, "")
