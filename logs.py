"""Request log: one line per request, as text or JSON, without anything that a user typed."""

import hmac
import json
import logging
import secrets
import time
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, current_app, g, has_request_context, request

from models import User

log = logging.getLogger("ledger.requests")


class TextFormatter(logging.Formatter):
    """Writes a line to be read by people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s%(mark)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the id of the request."""
        record.mark = f" [{request_id()}]" if has_request_context() else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """Writes a line to be read by programs: an object with the fields of the request, if there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context():
            line["request"] = request_id()
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}))


def start_logging(form: str) -> None:
    """Send everything from INFO on to standard error, as "json" or "text"; raises RuntimeError for other forms."""
    formatters = {"json": JsonFormatter, "text": TextFormatter}
    if form not in formatters:
        raise RuntimeError('LOG_FORMAT must be "text" or "json".')
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatters[form]())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    # Alembic would report each of its plugins.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    # Asking for the current migration would log general lines about the database each time.
    steps = logging.getLogger("alembic.runtime.migration")
    steps.addFilter(lambda record: str(record.msg).startswith("Running"))


def init_app(app: Flask, engine: sa.Engine) -> None:
    """Write a line for every request that `app` answers, with the number of queries to `engine`."""
    app.before_request(begin_request)
    app.after_request(log_request)
    app.log_exception = log_exception  # type: ignore[method-assign]
    # The development server writes its own line for each request, with everything that was typed into the URL.
    logging.getLogger("werkzeug").addFilter(lambda record: not str(record.msg).endswith('"%s" %s %s'))

    # This event leaves out our own BEGIN.
    @sa.event.listens_for(engine, "before_execute")
    def count_query(*_: object) -> None:
        if has_request_context():
            g.queries = g.get("queries", 0) + 1


def request_id() -> str:
    """Return the id of this request, which error pages show and every line of the log contains."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    return g.request_id


def begin_request() -> None:
    """Note when the request began."""
    g.started = time.perf_counter()


def log_request(response: Response) -> Response:
    """Write the line of this request, and send its id in a header."""
    fields: dict[str, Any] = {
        "method": request.method,
        "endpoint": request.endpoint,
        "status": response.status_code,
        "milliseconds": round(1000 * (time.perf_counter() - g.get("started", time.perf_counter())), 1),
        "queries": g.get("queries", 0),
        "user": user_mark(),
    }
    message = "{method} {endpoint} {status}, {milliseconds} ms, {queries} queries, user {user}".format(**fields)
    log.info(message, extra={"fields": fields})
    response.headers["X-Request-ID"] = request_id()
    return response


def log_exception(exc_info: Any) -> None:
    """Write the traceback of a bug. Flask would add the path, which can contain a key that gives access."""
    log.error("Exception on %s [%s]", request.endpoint, request.method, exc_info=exc_info)


def user_mark() -> str | None:
    """Return a pseudonym of the user that this request has loaded: the same in every line, but not their id."""
    user = g.get("_login_user")
    if not isinstance(user, User):
        return None
    # The identity is known without asking the database, which may be unavailable.
    return _mark(str(sa.inspect(user).identity), current_app.config["SECRET_KEY"])


@lru_cache(maxsize=256)
def _mark(identity: str, key: str) -> str:
    return hmac.digest(key.encode(), identity.encode(), "sha256").hex()[:12]
