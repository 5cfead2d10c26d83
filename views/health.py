"""Health checks for monitoring."""

from flask import Response, current_app
from flask.typing import ResponseReturnValue


def healthz() -> ResponseReturnValue:
    """Answer, to show that the process runs."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


def readyz() -> ResponseReturnValue:
    """Tell within two seconds whether the database responds and has every migration."""
    text, status = ("ok\n", 200) if current_app.extensions["availability"].is_ready() else ("not ready\n", 503)
    return Response(text, status, content_type="text/plain; charset=utf-8")
