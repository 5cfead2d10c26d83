"""The security page of an account: two-factor authentication, active sessions and recent events."""

from flask import abort, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from database import db
from ledger import security_events, sessions
from security_forms import EndSessionsForm
from views.common import flash_message, render_page
from views.events import EVENTS, record_event
from views.rate_limits import RateLimitedError
from views.reauthentication import asks_code, confirm
from views.sessions import logged_out_response


def show_security() -> ResponseReturnValue:
    """Show two-factor authentication, active sessions and recent events."""
    return security_page()


def security_page(
    form: EndSessionsForm | None = None, error: RateLimitedError | None = None
) -> ResponseReturnValue:
    """Answer with the security page, whose form is empty unless it was sent."""
    now = clock.now()
    return render_page(
        "accounts/security.html",
        error,
        form=form or EndSessionsForm(formdata=None),
        uses_two_factor=asks_code(),
        logins=sessions.list_sessions(current_user, now),
        here=sessions.key_of(current_user),
        events=security_events.list_recent(current_user, now),
        event_names={kind: name for kind, (name, _log) in EVENTS.items()},
    )


def end_sessions() -> ResponseReturnValue:
    """End the selected sessions of the user."""
    form = EndSessionsForm()
    try:
        if form.validate_on_submit() and form.has_selection() and (user := confirm(form)) is not None:
            number = sum(sessions.revoke_session(user, key) for key in form.token_hash.data)
            if not number:
                abort(404)
            record_event(user, "sessions_ended")
            db.session.commit()
            text = ngettext("%(num)d device is logged out.", "%(num)d devices are logged out.", number)
            flash_message(text)
            return redirect(url_for("show_security"))
    except RateLimitedError as error:
        return security_page(form, error)
    return security_page(form)


def end_all_sessions() -> ResponseReturnValue:
    """End every session of the user, including this one."""
    form = EndSessionsForm()
    try:
        if form.validate_on_submit() and (user := confirm(form)) is not None:
            sessions.revoke_all_sessions(user)
            record_event(user, "sessions_ended")
            db.session.commit()
            return logged_out_response(gettext("You are logged out on all devices."))
    except RateLimitedError as error:
        return security_page(form, error)
    return security_page(form)
