"""Security events of the current request, for the user's security page and for the log."""

import logging

from flask import request
from flask_babel import lazy_gettext

import clock
from database import db
from ledger import accounts, security_events
from ledger.throttling import write_in_vain
from models import User

log = logging.getLogger("ledger")
# The names of events on the security page and in the log.
EVENTS = {
    "registered": (lazy_gettext("Account created"), "registered"),
    "login": (lazy_gettext("Logged in"), "logged in"),
    "login_failed": (lazy_gettext("Failed login: wrong password"), "login failed"),
    "code_failed": (lazy_gettext("Failed login: wrong code"), "code check failed"),
    "password_changed": (lazy_gettext("Password changed"), "password changed"),
    "password_reset": (lazy_gettext("Password reset"), "password reset"),
    "email_changed": (lazy_gettext("Email address changed"), "email changed"),
    "two_factor_on": (lazy_gettext("Two-factor authentication turned on"), "two-factor authentication turned on"),
    "two_factor_off": (
        lazy_gettext("Two-factor authentication turned off"),
        "two-factor authentication turned off",
    ),
    "recovery_code_used": (lazy_gettext("Recovery code used"), "recovery code used"),
    "recovery_codes_renewed": (lazy_gettext("New recovery codes"), "recovery codes renewed"),
    "sessions_ended": (lazy_gettext("Sessions ended"), "sessions ended"),
}


def record_event(user: User, kind: str) -> None:
    """Record an event of `user` and log it; the caller commits."""
    security_events.record(user.id, kind, request.user_agent.string, request.remote_addr or "", clock.now())
    log.info("%s: user %s from %s", EVENTS[kind][1], user.id, request.remote_addr)


def record_failed_login(email: str) -> None:
    """Record a failed login at the account with this email address, if there is one; commits.

    Without an account, the same amount is written to the database, so that the answer takes the same time.
    """
    user = accounts.find_by_email(email)
    if user is not None:
        record_event(user, "login_failed")
    else:
        write_in_vain(int(clock.now().timestamp()))
        log.info("login failed from %s", request.remote_addr)
    db.session.commit()
