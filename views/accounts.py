"""Registration and the account page."""

import logging
from collections.abc import Sequence
from typing import NoReturn

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

import clock
from account_forms import AccountForm, PasswordForm, ProfileForm, RegisterForm, SettingsForm
from database import db
from ledger import accounts, history, invitations, password_resets
from ledger.throttling import Counter
from text import identity_key
from views.common import flash_message, render_page
from views.emails import notify
from views.events import record_event
from views.formats import browser_currency
from views.languages import remember_language, use_language_of, visitor_language
from views.rate_limits import (
    RateLimitedError,
    address_counter,
    check_attempts,
    hashing,
    names_counters,
    record_attempt,
)
from views.reauthentication import asks_code, confirm, end_other_sessions, own_guesses
from views.sessions import redirect_after_login, start_session

log = logging.getLogger("ledger")


def register() -> ResponseReturnValue:
    """Create an account and log it in. If registration needs an invitation, its token is in the URL."""
    invitation = request.args.get("invitation")
    check_registration(invitation)
    form = RegisterForm(currency=current_app.config["DEFAULT_CURRENCY"] or browser_currency())
    refusal = None
    try:
        # First, because it costs least.
        if form.is_submitted():
            check_attempts(address_counter(request.remote_addr))
        if form.validate_on_submit():
            user = form.new_user()
            user.language = visitor_language()
            with hashing.slot():
                record_attempt(address_counter(request.remote_addr))
                user.set_password(form.password.data)
            redeem(invitation)
            accounts.save(user)
            record_event(user, "registered")
            start_session(user)
            return redirect_after_login()
    except accounts.AlreadyTakenError as taken:
        form.add_taken_errors(taken.fields)
    except RateLimitedError as error:
        refusal = error
    return render_page("accounts/register.html", refusal, form=form, invitation=invitation)


def check_registration(invitation: str | None) -> None:
    """Refuse a visitor who may not register."""
    mode = current_app.config["REGISTRATION"]
    if not mode:
        abort(403, gettext("Registration is closed. Ask the administrator for an account."))
    if mode == "invite" and not invitation:
        abort(403, gettext("Registration needs an invitation. Ask the administrator for a link."))
    if mode == "invite" and not invitations.is_valid(invitation or "", clock.now()):
        refuse_invitation()


def redeem(invitation: str | None) -> None:
    """Use the invitation up, in the transaction that creates the account; another may have been quicker."""
    if current_app.config["REGISTRATION"] == "invite" and not invitations.redeem(invitation or "", clock.now()):
        refuse_invitation()


def refuse_invitation() -> NoReturn:
    """Say that an invitation is not valid, whatever the reason."""
    abort(403, gettext("This invitation has expired or was already used. Ask the administrator for a new link."))


def account_page(sent: AccountForm | None = None, error: RateLimitedError | None = None) -> ResponseReturnValue:
    """Answer with the account page, whose forms show stored values except for the one that was sent."""
    if error is not None:
        log.warning(
            "password check refused (%s): user %s from %s", error.status, current_user.id, request.remote_addr
        )
    uses_two_factor, new = asks_code(), {"formdata": None, "obj": current_user}
    fresh = ProfileForm(asks_code=uses_two_factor, **new), PasswordForm(asks_code=uses_two_factor, **new)
    shown = {form.PART: form for form in (SettingsForm(**new), *fresh, *([sent] if sent else []))}
    return render_page(
        "accounts/account.html",
        error,
        **shown,
    )


def asked_names(form: ProfileForm) -> Sequence[Counter]:
    """Return the counters of new usernames and email addresses, if the form asks for one."""
    asked = identity_key(form.username.data), form.email.data
    if asked == (current_user.username_key, current_user.email):
        return ()
    return names_counters(request.remote_addr, current_user.id)


def show_account() -> ResponseReturnValue:
    """Show the account page."""
    return account_page()


def change_profile() -> ResponseReturnValue:
    """Change the username and the email address; a new address ends the other sessions."""
    form = ProfileForm(obj=current_user, asks_code=asks_code())
    refusal = None
    try:
        check_attempts(own_guesses())
        if form.validate_on_submit() and (user := confirm(form, names=asked_names(form))) is not None:
            former, moved = user.email, user.email != form.email.data
            user.username, user.email = form.username.data, form.email.data
            accounts.save(user)
            if moved:
                password_resets.delete_all(user)
                record_event(user, "email_changed")
                end_other_sessions(user)
                notify(user, "email_changed", former)
            db.session.commit()
            flash_message(gettext("Saved. Other devices have to log in again.") if moved else gettext("Saved."))
            return redirect(url_for("show_account"))
    except accounts.AlreadyTakenError as taken:
        form.add_taken_errors(taken.fields)
    except RateLimitedError as error:
        refusal = error
    return account_page(form, refusal)


def change_password() -> ResponseReturnValue:
    """Change the password, which ends the other sessions."""
    form = PasswordForm(obj=current_user, asks_code=asks_code())
    refusal = None
    try:
        check_attempts(own_guesses())
        if form.validate_on_submit() and (user := confirm(form, form.password.data)) is not None:
            record_event(user, "password_changed")
            end_other_sessions(user)
            notify(user, "password_changed")
            flash_message(gettext("Your password is changed. Other devices have to log in again."))
            return redirect(url_for("show_account"))
    except RateLimitedError as error:
        refusal = error
    return account_page(form, refusal)


def change_settings() -> ResponseReturnValue:
    """Change language, currency, time zone, format and first day of the month."""
    form = SettingsForm(obj=current_user)
    if form.validate_on_submit():
        # Releases the shared lock that noting the use of the session has taken: while two requests hold it,
        # neither can get the exclusive one.
        db.session.commit()
        finer = history.count_unrepresentable_amounts(current_user, form.currency.data, clock.now())
        if not finer:
            for name, value in form.values.items():
                setattr(current_user, name, value)
            is_changed = db.session.is_modified(current_user)
            db.session.commit()
            remember_language(current_user.language)
            use_language_of(current_user)
            flash_message(gettext("Saved.") if is_changed else gettext("No changes to save."))
            return redirect(url_for("show_account"))
        form.add_currency_error(finer)
    return account_page(form)
