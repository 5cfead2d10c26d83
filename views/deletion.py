"""Deletion of the account."""

import logging

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

import clock
from archive_forms import DeleteAccountForm
from database import db
from ledger import deletion
from views.common import render_page
from views.filters import datetime_text
from views.rate_limits import RateLimitedError, check_attempts
from views.reauthentication import asks_code, confirm, own_guesses
from views.sessions import logged_out_response

log = logging.getLogger("ledger")


def delete_account() -> ResponseReturnValue:
    """Show what deleting the account means, or schedule it and log the user out everywhere."""
    form = DeleteAccountForm(asks_code=asks_code())
    refusal = None
    try:
        if form.is_submitted():
            check_attempts(own_guesses())
        if form.validate_on_submit() and (user := confirm(form)) is not None:
            delete_at = datetime_text(deletion.schedule(user, clock.now()))
            db.session.commit()
            log.info("deletion scheduled: user %s from %s", user.id, request.remote_addr)
            return logged_out_response(
                gettext(
                    "Your account will be deleted on %(date)s. To keep it, log in before then.", date=delete_at
                )
            )
    except RateLimitedError as error:
        log.warning("deletion refused (%s): user %s from %s", error.status, current_user.id, request.remote_addr)
        refusal = error
    days = deletion.GRACE_PERIOD.days
    return render_page("accounts/delete.html", refusal, form=form, days=days)
