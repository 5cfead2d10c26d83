"""Logging in and out, and ending sessions."""

import logging
from datetime import timedelta
from typing import TypedDict

from flask import current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user, login_user, logout_user

import clock
from account_forms import LoginForm
from database import db
from database.engine import SAFE_METHODS
from ledger import accounts, deletion, drafts, retention, sessions, two_factor
from ledger.encryption import SecretBox, secret_box
from models import User
from security import safe_redirect_target
from security_forms import CodeForm
from views.common import flash_message, redirect_within, render_page
from views.drafts import drafts_of, page_of
from views.events import record_event, record_failed_login
from views.languages import remember_language, use_language_of
from views.rate_limits import (
    RateLimitedError,
    address_counter,
    check_attempts,
    code_counters,
    hashing,
    is_known_device,
    login_counters,
    record_attempt,
    remember_device,
    reset_attempts,
)

log = logging.getLogger("ledger")
# How long a login can wait for its code.
HALF_LOGIN_MAX_AGE = timedelta(minutes=10)


class HalfLogin(TypedDict):
    """A login with the right password that waits for a code, in the signed session cookie. It opens no page."""

    user_id: int
    mark: str
    # Seconds since 1970.
    began_at: int
    remember: bool


def start_session(user: User, remember: bool = False) -> None:
    """Log `user` in with a new cookie session, which keeps only their drafts; commits."""
    sessions.create_session(user, remember, request.user_agent.string, clock.now())
    is_kept = deletion.cancel(user, clock.now())
    drafts.delete_old(clock.now(), user.id)
    retention.trim(user, clock.now())
    db.session.commit()
    kept = drafts_of(str(user.id))
    session.clear()
    if kept:
        session["drafts"] = kept
    login_user(user, remember=remember)
    if user.language:
        remember_language(user.language)
        use_language_of(user)
    remember_device(user.email)
    if is_kept:
        log.info("deletion cancelled: user %s from %s", user.id, request.remote_addr)
        flash_message(gettext("Welcome back. Your account will not be deleted."))


def redirect_after_login() -> ResponseReturnValue:
    """Redirect to the page that the user wanted before they logged in, or to the list."""
    path, mark, query = (safe_redirect_target(request.args.get("next")) or "").partition("?")
    return redirect_within(f"{page_of(path)}{mark}{query}") if path else redirect(url_for("list_expenses"))


def login() -> ResponseReturnValue:
    """Log in and redirect to the page that the user wanted."""
    form = LoginForm()
    refusal = None
    try:
        # First, because it costs least. For a known device it depends on the account.
        if form.is_submitted() and not is_known_device():
            check_attempts(address_counter(request.remote_addr))
        if form.validate_on_submit():
            user = authenticate(form)
            if user is not None:
                return finish_or_ask_for_code(user, form.remember_me.data)
            form.form_errors.append(gettext("The email address or password is wrong."))
    except RateLimitedError as error:
        log.warning("login refused (%s) from %s", error.status, request.remote_addr)
        refusal = error
    target = safe_redirect_target(request.args.get("next"))
    return render_page("accounts/login.html", refusal, form=form, target=target)


def authenticate(form: LoginForm) -> User | None:
    """Return the user with the email and password of the form, locked, or None. Raises RateLimitedError."""
    email = accounts.canonical_email(form.email.data)
    counters = login_counters(request.remote_addr, email)
    # A throttled client must not take a hashing slot.
    check_attempts(*counters)
    with hashing.slot():
        record_attempt(*counters)
        user = accounts.authenticate(email, form.password.data)
    if user is None:
        record_failed_login(email)
    else:
        reset_attempts(*counters)
    return user


def finish_or_ask_for_code(user: User, remember: bool) -> ResponseReturnValue:
    """Log in a user with the right password; with two-factor authentication, ask for a code first."""
    row = two_factor.find(user)
    if row is None:
        return finish_login(user, remember)
    db.session.commit()
    kept = drafts_of(str(user.id))
    session.clear()
    if kept:
        session["drafts"] = kept
    session["half_login"] = HalfLogin(
        user_id=user.id,
        mark=two_factor.login_mark(user, row),
        began_at=int(clock.now().timestamp()),
        remember=remember,
    )
    log.info("password accepted, code needed: user %s from %s", user.id, request.remote_addr)
    return redirect(url_for("enter_code", next=safe_redirect_target(request.args.get("next"))))


def finish_login(user: User, remember: bool) -> ResponseReturnValue:
    """Start a session and redirect to the page that the user wanted."""
    record_event(user, "login")
    start_session(user, remember)
    return redirect_after_login()


def enter_code() -> ResponseReturnValue:
    """Ask for the code that completes a login."""
    target = safe_redirect_target(request.args.get("next"))
    user = half_logged_in()
    if user is None:
        session.pop("half_login", None)
        flash_message(gettext("Log in again. Your last login is no longer waiting for a code."))
        return redirect(url_for("login", next=target))
    form = CodeForm()
    refusal = None
    try:
        if form.validate_on_submit():
            found = use_code(user, form)
            if found is not None:
                return finish_login(found, session["half_login"]["remember"])
            form.add_code_error()
    except RateLimitedError as error:
        log.warning("code refused (%s): user %s from %s", error.status, user.id, request.remote_addr)
        refusal = error
    is_recovery = "recovery" in request.args
    return render_page("accounts/enter_code.html", refusal, form=form, target=target, is_recovery=is_recovery)


def half_logged_in(lock: bool = False) -> User | None:
    """Return the user who has entered the password in this browser and still has to enter a code, or None.

    A half-finished login ends after a time, with a new password, and with the next code that is used anywhere.
    """
    login: HalfLogin | None = session.get("half_login")
    if login is None or not 0 <= clock.now().timestamp() - login["began_at"] < HALF_LOGIN_MAX_AGE.total_seconds():
        return None
    user = db.session.get(User, login["user_id"], with_for_update=lock, populate_existing=True)
    row = two_factor.find(user) if user is not None else None
    is_same = user is not None and row is not None and two_factor.login_mark(user, row) == login["mark"]
    return user if is_same else None


def use_code(user: User, form: CodeForm) -> User | None:
    """Return the user, locked, if the code of the form is right, or None. Raises RateLimitedError."""
    counters = code_counters(request.remote_addr, user.id, user.email)
    check_attempts(*counters)
    record_attempt(*counters)
    found = half_logged_in(lock=True)
    kind = two_factor.use_code(found, form.code.data, secrets_of_users(), clock.now()) if found else None
    if found is None or kind is None:
        db.session.rollback()
        record_event(user, "code_failed")
        db.session.commit()
        return None
    if kind == "recovery":
        record_event(found, "recovery_code_used")
    reset_attempts(*counters)
    return found


def secrets_of_users() -> SecretBox:
    """Return the box that encrypts the secrets of the users."""
    return secret_box(current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"])


def logout() -> ResponseReturnValue:
    """Show the page with the logout button, or end the session."""
    if not current_user.is_authenticated:
        return redirect(url_for("login"))
    if request.method in SAFE_METHODS:
        return render_template("accounts/logout.html")
    sessions.revoke_session(current_user, sessions.key_of(current_user))
    db.session.commit()
    log.info("logged out: user %s from %s", current_user.id, request.remote_addr)
    return logged_out_response(gettext("You are logged out."))


def logged_out_response(message: str) -> ResponseReturnValue:
    """Clear the session and redirect to the login page, without the cookies."""
    # In this order, because logout_user notes in the session that the remember cookie has to be removed.
    session.clear()
    logout_user()
    flash_message(message)
    response = redirect(url_for("login"))
    response.headers["Clear-Site-Data"] = '"cache"'
    # Flask-Login deletes this cookie without its attributes, which browsers ignore over https.
    name, secure = current_app.config["REMEMBER_COOKIE_NAME"], current_app.config["REMEMBER_COOKIE_SECURE"]
    path = current_app.config["REMEMBER_COOKIE_PATH"]
    response.delete_cookie(name, path, secure=secure, httponly=True, samesite="Lax")
    return response
