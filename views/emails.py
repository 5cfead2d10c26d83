"""Emails that are sent to users, in the background: links to choose a new password, and notices of changes."""

import logging
import secrets
from functools import partial

from flask import current_app
from flask_babel import get_locale, gettext, lazy_gettext

import clock
from background import run_in_background
from database import db
from ledger import accounts, password_resets
from mail import Mail, MailServer, send
from messages import isolate
from models import User
from views.languages import language_of, speaking

log = logging.getLogger("ledger")
# A link is sent at a random moment within this time.
DELAY_MAX_MS = 1000
# The texts of notices, by what has changed.
NOTICES = {
    "email_changed": lazy_gettext(
        "The email address of your account %(username)s was changed. You can no longer log in with this address."
    ),
    "two_factor_on": lazy_gettext("Two-factor authentication was turned on for your account %(username)s."),
    "two_factor_off": lazy_gettext("Two-factor authentication was turned off for your account %(username)s."),
    "password_changed": lazy_gettext("The password of your account %(username)s was changed."),
}


def can_send_mail() -> bool:
    """Tell whether there is a mail server."""
    return current_app.config["MAIL_SERVER"] is not None


def send_reset_link(email: str) -> None:
    """Send a link to choose a new password to this address, if an account has it.

    The account is looked up in the background, so that the page takes the same time without one.
    """
    # Otherwise, the next page would show by its time whether an email is being sent.
    delay = secrets.randbelow(DELAY_MAX_MS) / 1000
    run_in_background(partial(_send_reset_link, email, str(get_locale())), delay)


def _send_reset_link(email: str, page_language: str) -> None:
    user = accounts.find_by_email(email)
    if user is None:
        return
    key = password_resets.create(user, clock.now())
    db.session.commit()
    site = current_app.config["PUBLIC_URL"]
    with speaking(language_of(user) or page_language):
        subject = gettext("Choose a new password")
        text = gettext(
            "Somebody asked for a new password for your account at %(site)s. To choose one, open this link within "
            "an hour. It works once.\n\n%(link)s\n\n"
            "If this was not you, ignore this email: your password stays as it is.",
            site=site,
            link=f"{site}/reset-password/{key}",
        )
    _send(Mail(user.email, subject, text))
    log.info("password reset link sent: user %s", user.id)


def notify(user: User, change: str, email: str | None = None) -> None:
    """Tell a user at their address, or at a former one, that their account was changed, if there is a mail server.

    The email is in the language that the user has chosen, or else in that of the page.
    """
    if not can_send_mail():
        return
    site = current_app.config["PUBLIC_URL"]
    with speaking(language_of(user) or str(get_locale())):
        subject = gettext("Your account was changed")
        happened = str(NOTICES[change]) % {"username": isolate(user.username)}
        advice = gettext("If this was not you, ask the administrator of %(site)s for help right away.", site=site)
    run_in_background(partial(_send, Mail(email or user.email, subject, f"{happened}\n\n{advice}\n")))


def _send(mail: Mail) -> None:
    """Send a message, without an open transaction."""
    db.session.rollback()
    config = current_app.config
    server: MailServer = config["MAIL_SERVER"]
    try:
        send(server, config["MAIL_FROM"], mail, clock.now())
    except OSError as error:
        # Without its text, in which the server may repeat the address.
        log.error("an email could not be sent by %s: %s", server, type(error).__name__)
