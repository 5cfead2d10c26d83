"""Asking for the password again, and for a code, before changes to how a user logs in."""

import logging
from collections.abc import Sequence

from flask import request
from flask_login import current_user

import clock
from account_forms import CurrentPasswordForm, ReauthenticationForm
from database import db
from ledger import accounts, sessions, two_factor
from ledger.throttling import Counter
from models import User
from views.events import record_event
from views.rate_limits import check_attempts, hashing, password_counter, record_attempt, reset_attempts
from views.sessions import secrets_of_users, start_session

log = logging.getLogger("ledger")


def asks_code() -> bool:
    """Tell whether the current user uses two-factor authentication."""
    return two_factor.find(current_user) is not None


def confirm(
    form: CurrentPasswordForm, new_password: str | None = None, names: Sequence[Counter] = ()
) -> User | None:
    """Return the current user, locked, if the form has the right password and code, or None.

    Raises RateLimitedError.
    """
    # An attacker at the login page or in another browser must not keep the user from changing the password.
    guesses = own_guesses()
    check_attempts(guesses, *names)
    with hashing.slot():
        record_attempt(guesses, *names)
        user = accounts.confirm(current_user, form.current_password.data, new_password)
    if user is None:
        log.info("password check failed: user %s from %s", current_user.id, request.remote_addr)
        form.add_password_error()
        return None
    if isinstance(form, ReauthenticationForm) and not has_code(user, form):
        log.info("code check failed: user %s from %s", current_user.id, request.remote_addr)
        db.session.rollback()
        form.add_code_error()
        return None
    reset_attempts(guesses)
    return user


def has_code(user: User, form: ReauthenticationForm) -> bool:
    """Tell whether a locked user needs no code, or the form has a valid one, which is then used up."""
    if two_factor.find(user) is None:
        return True
    code = form.code.data if "code" in form else ""
    kind = two_factor.use_code(user, code, secrets_of_users(), clock.now())
    if kind == "recovery":
        record_event(user, "recovery_code_used")
    return kind is not None


def own_guesses() -> Counter:
    """Return the counter of wrong current passwords in this browser."""
    return password_counter(sessions.key_of(current_user))


def end_other_sessions(user: User) -> None:
    """End every session of `user`, and start a new one in this browser; commits."""
    remember = sessions.is_remembered(user)
    sessions.revoke_all_sessions(user)
    start_session(user, remember)
