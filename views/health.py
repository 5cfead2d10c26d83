"""Health checks for monitoring."""

from flask import Response
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from database import db, is_migrated


def healthz() -> ResponseReturnValue:
    """Tell that the process answers."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


def readyz() -> ResponseReturnValue:
    """Tell whether the database answers and has every migration."""
    try:
        ready = is_migrated(db.engine)
    except (DBAPIError, TimeoutError):
        ready = False
    words, status = ("ok\n", 200) if ready else ("not ready\n", 503)
    return Response(words, status, content_type="text/plain; charset=utf-8")
