"""Pages rendered within this process, without a server, for instructions.py and for profilers.

    python -m benchmarks.in_process application --expenses 1000 100000

Before and after the pages that count, the process calls `getppid`, which nothing else does: at each call,
callgrind writes its count to a file and begins a new one.
"""

import argparse
import importlib
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

import clock
from benchmarks.accounts import email_of
from benchmarks.bench import FEW, owner_of
from database import db
from ledger import sessions
from models import User

# The first pages fill the caches.
WARM_UP, PAGES = 5, 5


def main() -> None:
    """Render the pages of one side, for an account of each size."""
    sides: dict[str, Callable[[int], tuple[Flask, dict[str, Any]]]] = {
        "application": partial(application, "en"),
        "german": partial(application, "de"),
        "baseline": baseline,
        "tutorial": tutorial,
    }
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("side", choices=sides)
    parser.add_argument("--expenses", type=int, nargs="+", default=[FEW], help="the sizes of the accounts")
    parser.add_argument("--pages", type=int, default=PAGES)
    asked = parser.parse_args()
    for size in asked.expenses:
        app, environ = sides[asked.side](size)
        make_pages(app, environ, WARM_UP)
        os.getppid()
        make_pages(app, environ, asked.pages)
        os.getppid()


def make_pages(app: Flask, environ: dict[str, Any], number: int) -> None:
    """Answer the same request this many times."""
    for _page in range(number):
        chunks, status, _headers = run_wsgi_app(app, environ.copy())
        assert status == "200 OK"
        assert b"".join(chunks)


def application(language: str, size: int) -> tuple[Flask, dict[str, Any]]:
    """Return the application, and a request for the list by a logged-in user with `size` expenses.

    The browser asks for `language`.
    """
    app: Flask = importlib.import_module("app").app
    client = app.test_client()
    with app.app_context():
        user = db.session.scalars(sa.select(User).where(User.email == email_of(owner_of(size)))).one()
        sessions.create_session(user, remember=False, user_agent="", now=clock.now())
        db.session.commit()
        with client.session_transaction() as session:
            session["_user_id"] = user.get_id()
    # The first page adds the token of the forms to the session.
    assert client.get("/expenses").status_code == 200
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie
    headers = {"Cookie": f"{cookie.key}={cookie.value}", "Accept-Language": language}
    return app, create_environ("/expenses", headers=headers)


def baseline(_size: int) -> tuple[Flask, dict[str, Any]]:
    """Return the baseline, which has no accounts, and a request for its page."""
    return importlib.import_module("benchmarks.baseline").app, create_environ("/")


def tutorial(size: int) -> tuple[Flask, dict[str, Any]]:
    """Return the tutorial application, and a request for its page by a logged-in user with `size` expenses."""
    app = tutorial_app()
    client = app.test_client()
    assert client.get(f"/login/{owner_of(size)}", follow_redirects=True).status_code == 200
    cookie = client.get_cookie("session")
    assert cookie
    return app, create_environ("/", headers={"Cookie": f"{cookie.key}={cookie.value}"})


@cache
def tutorial_app() -> Flask:
    """Return the tutorial application on the database that TUTORIAL_DATABASE names."""
    module = importlib.import_module("benchmarks.tutorial")
    module.open_database(os.environ["TUTORIAL_DATABASE"])
    app: Flask = module.app
    return app


if __name__ == "__main__":
    main()
