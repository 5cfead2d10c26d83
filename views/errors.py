"""Error pages."""

import logging

from flask import Flask, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, TimeoutError
from werkzeug.exceptions import Conflict, HTTPException, RequestEntityTooLarge, SecurityError, ServiceUnavailable

from database.engine import close_session, is_unavailable
from ledger.errors import LedgerError
from ledger.operations import CurrencyChangedError
from ledger.pieces import LeaseLostError, OperationRunningError
from ledger.statements import StatementError
from messages import CSRF_MESSAGES, error_message
from security import csrf_reason, quoted
from views.imports import upload_limits, upload_statement

log = logging.getLogger("ledger")
DATABASE_UNAVAILABLE = lazy_gettext(
    "The database cannot be reached or is busy. What you saved before is safe. Try again shortly."
)

UNKNOWN_HOST = lazy_gettext(
    "This site does not respond to the host name in the address. Check the address. If you run this site and the "
    "name is right, add it to the setting TRUSTED_HOSTS; the log has the name that arrived."
)


def init_app(app: Flask) -> None:
    """Answer errors of `app` with pages."""
    for error in (DBAPIError, TimeoutError):
        app.register_error_handler(error, show_database_error)
    for conflict in (CurrencyChangedError, OperationRunningError, LeaseLostError):
        app.register_error_handler(conflict, show_conflict)
    app.register_error_handler(HTTPException, show_error)


def show_database_error(error: Exception) -> ResponseReturnValue:
    """Show that the database is unavailable, busy or full. Any other error is raised again: it is a bug."""
    if not is_unavailable(error):
        raise error
    log.error("the database is unavailable: %s", type(error).__name__)
    g.without_user = True
    return show_error(ServiceUnavailable(str(DATABASE_UNAVAILABLE), retry_after=5))


def show_conflict(error: LedgerError) -> ResponseReturnValue:
    """Tell the user why nothing was saved."""
    return show_error(Conflict(error_message(error)))


def show_error(error: HTTPException) -> ResponseReturnValue:
    """Show the error page, with the status and the headers of the error."""
    cause = getattr(error, "original_exception", None)
    if cause is not None and is_unavailable(cause):
        g.without_user = True
        error = ServiceUnavailable(str(DATABASE_UNAVAILABLE), retry_after=5)
    # Closed first, because otherwise the queries of the error page would fail as well.
    close_session()
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    page = render_template("error.html", error=error, special=special_advice(error), url_for=relative_url)
    return page, error.code or 500, headers


def special_advice(error: HTTPException) -> tuple[str, str] | None:
    """Return a heading and advice for a file that is too large, or a setup that makes every request fail."""
    if isinstance(error, SecurityError):
        # The name is in the log only: the page must not show any text that a link to it contains.
        host = quoted(request.environ.get("HTTP_HOST", ""))
        log.warning("a request to the host %s was refused; if it is yours, add it to TRUSTED_HOSTS", host)
        return gettext("Unknown host name"), str(UNKNOWN_HOST)
    if isinstance(error, CSRFError) and csrf_reason() != "expired":
        return gettext("Nothing was saved"), str(CSRF_MESSAGES[csrf_reason()])
    if isinstance(error, RequestEntityTooLarge) and request.endpoint == upload_statement.__name__:
        too_large = StatementError("too_large", limit=upload_limits().max_megabytes)
        return gettext("File too large"), error_message(too_large)
    return None


def relative_url(endpoint: str, **values: str) -> str:
    """Return a URL without a host, as `url_for` does, but also for a request to a host that is not trusted."""
    return current_app.url_map.bind("", request.root_path or "/").build(endpoint, values)
