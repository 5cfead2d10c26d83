"""Forgotten passwords: asking for a link, and choosing a new password with it."""

import logging

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

import clock
from account_forms import ResetPasswordForm
from database import db
from ledger import accounts, password_resets, throttling
from models import User
from security_forms import ForgotPasswordForm
from views.common import flash_message, render_page
from views.emails import can_send_mail, notify, send_reset_link
from views.events import record_event
from views.rate_limits import RateLimitedError, hashing, record_attempt, reset_counters

log = logging.getLogger("ledger")


def forgot_password() -> ResponseReturnValue:
    """Send a link to choose a new password; without a mail server, say who can reset it."""
    form = ForgotPasswordForm()
    refusal = None
    try:
        if can_send_mail() and form.validate_on_submit():
            email = accounts.canonical_email(form.email.data)
            record_attempt(*reset_counters(request.remote_addr, email))
            send_reset_link(email)
            log.info("password reset asked for from %s", request.remote_addr)
            flash_message(
                gettext(
                    "If an account has this email address, a link to choose a new password is on its way. It "
                    "works once, within an hour."
                )
            )
            return redirect(url_for("login"))
    except RateLimitedError as error:
        log.warning("password reset refused (%s) from %s", error.status, request.remote_addr)
        refusal = error
    return render_page("accounts/forgot_password.html", refusal, form=form, can_send_mail=can_send_mail())


def reset_password(key: str) -> ResponseReturnValue:
    """Choose a new password with a link that was sent; the second factor is still asked for at the login."""
    if current_user.is_authenticated:
        flash_message(gettext("Log out first. Then open the link in the email again."))
        return redirect(url_for("logout"))
    user = password_resets.find(key, clock.now())
    if user is None:
        return show_invalid_link()
    form = ResetPasswordForm(obj=user)
    refusal = None
    try:
        if form.validate_on_submit():
            return save_new_password(key, form.password.data)
    except RateLimitedError as error:
        refusal = error
    return render_page("accounts/reset_password.html", refusal, form=form, user=user, key=key)


def show_invalid_link() -> ResponseReturnValue:
    """Answer that a link no longer works, for whatever reason."""
    return render_template("accounts/invalid_link.html"), 404


def save_new_password(key: str, password: str) -> ResponseReturnValue:
    """Save a new password, end all sessions, and redirect to the login page. Raises RateLimitedError."""
    # No transaction is open while the hashes of others, and this one, are computed.
    db.session.rollback()
    with hashing.slot():
        renewed = User()
        renewed.set_password(password)
    user = password_resets.redeem(key, renewed.password_hash, clock.now())
    if user is None:
        return show_invalid_link()
    throttling.forget_account(user.email)
    record_event(user, "password_reset")
    db.session.commit()
    notify(user, "password_changed")
    flash_message(gettext("Your password was changed. Log in with the new one on every device."))
    return redirect(url_for("login"))
