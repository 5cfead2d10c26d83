"""Two-factor authentication: turning it on and off, and new recovery codes."""

from datetime import timedelta

import segno
from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from markupsafe import Markup

import clock
from database import db
from ledger import two_factor
from security_forms import NewCodesForm, SetUpForm, TurnOffForm
from views.common import flash_message, render_page
from views.emails import notify
from views.events import record_event
from views.rate_limits import RateLimitedError
from views.reauthentication import asks_code, confirm, end_other_sessions
from views.sessions import secrets_of_users

# How long the page with the QR code can be open.
SETUP_MAX_AGE = timedelta(hours=1)


def show_two_factor() -> ResponseReturnValue:
    """Show whether two-factor authentication is on, and the form that changes it."""
    return two_factor_page()


def two_factor_page(
    set_up: SetUpForm | None = None,
    turn_off: TurnOffForm | None = None,
    new_codes: NewCodesForm | None = None,
    error: RateLimitedError | None = None,
) -> ResponseReturnValue:
    """Answer with the page, whose forms are empty except for the one that was sent."""
    row = two_factor.find(current_user)
    if row is None:
        form = set_up or SetUpForm(formdata=None)
        secret = read_setup(form.setup.data) or two_factor.new_secret()
        form.setup.data = seal_setup(secret)
        uri = two_factor.provisioning_uri(secret, current_user)
        shown = {"form": form, "secret": secret, "uri": uri, "picture": qr_code(uri)}
        return render_page("accounts/set_up_two_factor.html", error, **shown)
    return render_page(
        "accounts/two_factor.html",
        error,
        row=row,
        left=two_factor.count_recovery_codes(current_user),
        turn_off=turn_off or TurnOffForm(formdata=None),
        new_codes=new_codes or NewCodesForm(formdata=None),
    )


def seal_setup(secret: str) -> str:
    """Return a secret for the form, encrypted for this user and a limited time."""
    expires_at = int((clock.now() + SETUP_MAX_AGE).timestamp())
    return secrets_of_users().encrypt(f"{current_user.id} {expires_at} {secret}")


def read_setup(sealed: str | None) -> str | None:
    """Return the secret of the form, unless it is another user's or too old."""
    user_id, _, rest = (secrets_of_users().decrypt(sealed or "") or "").partition(" ")
    expires_at, _, secret = rest.partition(" ")
    is_own = user_id == str(current_user.id) and secret
    return secret if is_own and clock.now().timestamp() < int(expires_at) else None


def qr_code(uri: str) -> Markup:
    """Return the QR code of `uri` as an SVG without styles, which the content policy would refuse."""
    picture = segno.make(uri, error="m", boost_error=False)
    svg = picture.svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr-code", lineclass=None
    )
    # It contains nothing but what segno has drawn.
    return Markup(svg)  # noqa: S704


def turn_on_two_factor() -> ResponseReturnValue:
    """Turn two-factor authentication on with the first code, and show the recovery codes once."""
    if asks_code():
        return redirect(url_for("show_two_factor"))
    form = SetUpForm()
    try:
        if form.validate_on_submit() and (user := confirm(form)) is not None:
            secret = read_setup(form.setup.data) or two_factor.new_secret()
            codes = two_factor.turn_on(user, secret, form.code.data, secrets_of_users(), clock.now())
            if codes is not None:
                record_event(user, "two_factor_on")
                end_other_sessions(user)
                notify(user, "two_factor_on")
                return render_page("accounts/recovery_codes.html", codes=codes, is_new=True)
            db.session.rollback()
            form.add_code_error()
    except RateLimitedError as error:
        return two_factor_page(set_up=form, error=error)
    return two_factor_page(set_up=form)


def turn_off_two_factor() -> ResponseReturnValue:
    """Turn two-factor authentication off."""
    if not asks_code():
        return redirect(url_for("show_two_factor"))
    form = TurnOffForm()
    try:
        if form.validate_on_submit() and (user := confirm(form)) is not None:
            if two_factor.turn_off(user):
                record_event(user, "two_factor_off")
                end_other_sessions(user)
                notify(user, "two_factor_off")
            flash_message(gettext("Two-factor authentication is off. Other devices have to log in again."))
            return redirect(url_for("show_two_factor"))
    except RateLimitedError as error:
        return two_factor_page(turn_off=form, error=error)
    return two_factor_page(turn_off=form)


def renew_recovery_codes() -> ResponseReturnValue:
    """Replace the recovery codes, and show the new ones once."""
    if not asks_code():
        return redirect(url_for("show_two_factor"))
    form = NewCodesForm()
    try:
        if form.validate_on_submit() and (user := confirm(form)) is not None:
            if two_factor.find(user) is None:
                return redirect(url_for("show_two_factor"))
            codes = two_factor.renew_recovery_codes(user)
            record_event(user, "recovery_codes_renewed")
            db.session.commit()
            return render_page("accounts/recovery_codes.html", codes=codes)
    except RateLimitedError as error:
        return two_factor_page(new_codes=form, error=error)
    return two_factor_page(new_codes=form)
