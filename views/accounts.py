"""Registering, logging in and out, and the account page."""

import logging
from collections.abc import Sequence

from flask import abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

import clock
from database import db
from database.engine import SAFE_METHODS
from forms import (
    AccountForm,
    CurrentPasswordForm,
    EndSessionForm,
    LoginForm,
    PasswordForm,
    ProfileForm,
    RegisterForm,
    SettingsForm,
)
from ledger import accounts, drafts, history, sessions
from ledger.throttling import Counter
from models import User, identity_key
from security import safe_redirect_target
from views.common import flash_message, render_page
from views.drafts import drafts_of, page_of
from views.rate_limits import (
    RateLimitedError,
    address_counter,
    check_attempts,
    hashing,
    is_known_device,
    login_counters,
    names_counters,
    password_counter,
    record_attempt,
    remember_device,
    reset_attempts,
)

log = logging.getLogger("ledger")


def start_session(user: User, remember: bool = False) -> None:
    """Log `user` in, in a session that takes nothing over but their drafts; commits."""
    sessions.create_session(user, remember, request.user_agent.string, clock.now())
    drafts.delete_old(clock.now(), user.id)
    db.session.commit()
    kept = drafts_of(str(user.id))
    session.clear()
    if kept:
        session["drafts"] = kept
    login_user(user, remember=remember)
    remember_device(user.email)


def go_on() -> ResponseReturnValue:
    """Go to the page that was asked for before logging in, or else to the list."""
    path, mark, query = (safe_redirect_target(request.args.get("next")) or "").partition("?")
    return redirect(f"{page_of(path)}{mark}{query}" if path else url_for("list_expenses"))


def register() -> ResponseReturnValue:
    """Create an account and log it in."""
    if not current_app.config["REGISTRATION"]:
        abort(403, "Registration is closed. Ask the administrator for an account.")
    form = RegisterForm()
    refusal = None
    try:
        # First, because it costs least.
        if form.is_submitted():
            check_attempts(address_counter(request.remote_addr))
        if form.validate_on_submit():
            user = form.new_user()
            with hashing.slot():
                record_attempt(address_counter(request.remote_addr))
                user.set_password(form.password.data)
            accounts.save(user)
            start_session(user)
            log.info("registered: user %s from %s", user.id, request.remote_addr)
            return go_on()
    except accounts.AlreadyTakenError as taken:
        form.add_taken_errors(taken.fields)
    except RateLimitedError as error:
        refusal = error
    return render_page("accounts/register.html", refusal, form=form)


def login() -> ResponseReturnValue:
    """Log in and go to the page that was asked for."""
    form = LoginForm()
    refusal = None
    try:
        # First, because it costs least. For a known device it depends on the account.
        if form.is_submitted() and not is_known_device():
            check_attempts(address_counter(request.remote_addr))
        if form.validate_on_submit():
            user = authenticate(form)
            if user is not None:
                start_session(user, form.remember_me.data)
                log.info("logged in: user %s from %s", user.id, request.remote_addr)
                return go_on()
            log.info("log-in failed from %s", request.remote_addr)
            form.form_errors.append("The email address or the password is wrong.")
    except RateLimitedError as error:
        log.warning("log-in refused (%s) from %s", error.status, request.remote_addr)
        refusal = error
    target = safe_redirect_target(request.args.get("next"))
    return render_page("accounts/login.html", refusal, form=form, target=target)


def authenticate(form: LoginForm) -> User | None:
    """Return the person whose email and password the form has, locked, else None. Raises RateLimitedError."""
    email = accounts.canonical_email(form.email.data)
    counters = login_counters(request.remote_addr, email)
    # A throttled client must not take a hashing slot.
    check_attempts(*counters)
    with hashing.slot():
        record_attempt(*counters)
        user = accounts.authenticate(email, form.password.data)
    if user is not None:
        reset_attempts(*counters)
    return user


def logout() -> ResponseReturnValue:
    """Show one button, which ends this log-in."""
    if not current_user.is_authenticated:
        return redirect(url_for("login"))
    if request.method in SAFE_METHODS:
        return render_template("accounts/logout.html")
    sessions.revoke_session(current_user, sessions.key_of(current_user))
    db.session.commit()
    log.info("logged out: user %s from %s", current_user.id, request.remote_addr)
    return logged_out_response("You are logged out.")


def logged_out_response(words: str) -> ResponseReturnValue:
    """Send a browser whose log-in was ended to the log-in page, without its cookies."""
    # In this order: cleared after logout_user, the session would forget to remove the remember cookie.
    session.clear()
    logout_user()
    flash_message(words)
    response = redirect(url_for("login"))
    response.headers["Clear-Site-Data"] = '"cache"'
    # Flask-Login deletes this cookie without its attributes, which browsers ignore behind TLS.
    name, secure = current_app.config["REMEMBER_COOKIE_NAME"], current_app.config["REMEMBER_COOKIE_SECURE"]
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
    return response


def account_page(sent: AccountForm | None = None, error: RateLimitedError | None = None) -> ResponseReturnValue:
    """Answer with the account page, whose forms are fresh but for the one that was sent."""
    if error is not None:
        log.warning(
            "password check refused (%s): user %s from %s", error.status, current_user.id, request.remote_addr
        )
    forms = [kind(formdata=None, obj=current_user) for kind in (ProfileForm, PasswordForm, SettingsForm)]
    shown = {form.PART: form for form in (*forms, *([sent] if sent else []))}
    logins = sessions.list_sessions(current_user, clock.now())
    return render_page("accounts/account.html", error, **shown, logins=logins, here=sessions.key_of(current_user))


def confirm(
    form: CurrentPasswordForm, new_password: str | None = None, names: Sequence[Counter] = ()
) -> User | None:
    """Return the current user, locked, when the form has their password, else None. Raises RateLimitedError."""
    # An attacker at the login page or in another browser must not keep the user from changing the password.
    guesses = own_guesses()
    check_attempts(guesses, *names)
    with hashing.slot():
        record_attempt(guesses, *names)
        user = accounts.confirm(current_user, form.current_password.data, new_password)
    if user is None:
        log.info("password check failed: user %s from %s", current_user.id, request.remote_addr)
        form.add_password_error()
    else:
        reset_attempts(guesses)
    return user


def own_guesses() -> Counter:
    """Return the counter of wrong current passwords in this browser."""
    return password_counter(sessions.key_of(current_user))


def asked_names(form: ProfileForm) -> Sequence[Counter]:
    """Return the counters of new names, if the form asks for any."""
    asked = identity_key(form.username.data), form.email.data
    if asked == (current_user.username_key, current_user.email):
        return ()
    return names_counters(request.remote_addr, current_user.id)


def end_other_sessions(user: User) -> None:
    """End every log-in of `user`, and begin the one in this browser anew; commits."""
    remember = sessions.is_remembered(user)
    sessions.revoke_all_sessions(user)
    start_session(user, remember)


def show_account() -> ResponseReturnValue:
    """Show who the person is here, how they count, and where they are logged in."""
    return account_page()


def change_profile() -> ResponseReturnValue:
    """Change the username and the email address; another address ends the other log-ins."""
    form = ProfileForm(obj=current_user)
    refusal = None
    try:
        check_attempts(own_guesses())
        if form.validate_on_submit() and (user := confirm(form, names=asked_names(form))) is not None:
            moved = user.email != form.email.data
            user.username, user.email = form.username.data, form.email.data
            accounts.save(user)
            if moved:
                end_other_sessions(user)
                log.info("email changed: user %s from %s", user.id, request.remote_addr)
            db.session.commit()
            flash_message("Saved. Other devices have to log in again." if moved else "Saved.")
            return redirect(url_for("show_account"))
    except accounts.AlreadyTakenError as taken:
        form.add_taken_errors(taken.fields)
    except RateLimitedError as error:
        refusal = error
    return account_page(form, refusal)


def change_password() -> ResponseReturnValue:
    """Change the password, which ends the other log-ins."""
    form = PasswordForm(obj=current_user)
    refusal = None
    try:
        check_attempts(own_guesses())
        if form.validate_on_submit() and (user := confirm(form, form.password.data)) is not None:
            end_other_sessions(user)
            log.info("password changed: user %s from %s", user.id, request.remote_addr)
            flash_message("Your password is changed. Other devices have to log in again.")
            return redirect(url_for("show_account"))
    except RateLimitedError as error:
        refusal = error
    return account_page(form, refusal)


def change_settings() -> ResponseReturnValue:
    """Change how the person counts and writes."""
    form = SettingsForm(obj=current_user)
    if form.validate_on_submit():
        finer = history.count_unrepresentable_amounts(current_user, form.currency.data, clock.now())
        if not finer:
            for name, value in form.values.items():
                setattr(current_user, name, value)
            db.session.commit()
            flash_message("Saved.")
            return redirect(url_for("show_account"))
        form.add_currency_error(finer)
    return account_page(form)


def end_session() -> ResponseReturnValue:
    """End one log-in of the person."""
    form = EndSessionForm()
    if not sessions.revoke_session(current_user, form.token_hash.data or ""):
        abort(404)
    db.session.commit()
    log.info("log-in ended: user %s from %s", current_user.id, request.remote_addr)
    flash_message("That device is logged out.")
    return redirect(url_for("show_account"))


def end_all_sessions() -> ResponseReturnValue:
    """End every log-in of the person, this one too."""
    sessions.revoke_all_sessions(current_user)
    db.session.commit()
    log.info("all log-ins ended: user %s from %s", current_user.id, request.remote_addr)
    return logged_out_response("You are logged out on all devices.")
