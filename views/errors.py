"""Error pages."""

import logging

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable

from database.engine import close_session, is_unavailable
from ledger.errors import LedgerError
from messages import error_message

log = logging.getLogger("ledger")
DATABASE_UNAVAILABLE = lazy_gettext(
    "The database cannot be reached or is busy. What you saved before is safe. Try again shortly."
)


def show_database_error(error: Exception) -> ResponseReturnValue:
    """Ask for patience while the database is away, busy or full; anything else is our own mistake."""
    if not is_unavailable(error):
        raise error
    log.error("the database is unavailable: %s", type(error).__name__)
    return show_error(ServiceUnavailable(str(DATABASE_UNAVAILABLE), retry_after=5))


def show_conflict(error: LedgerError) -> ResponseReturnValue:
    """Tell the user why nothing was saved."""
    return show_error(Conflict(error_message(error)))


def show_error(error: HTTPException) -> ResponseReturnValue:
    """Show the one error page, with the status and the headers that belong to it."""
    cause = getattr(error, "original_exception", None)
    if cause is not None and is_unavailable(cause):
        error = ServiceUnavailable(str(DATABASE_UNAVAILABLE), retry_after=5)
    # Closed first, else the next query, the error page's own, would fail as well.
    close_session()
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return render_template("error.html", error=error, url_for=relative_url), error.code or 500, headers


def relative_url(endpoint: str, **values: str) -> str:
    """Return a URL without a host, as `url_for` does, but also for a request to a host that is not trusted."""
    return current_app.url_map.bind("", request.root_path or "/").build(endpoint, values)
