"""Pages rendered within this process, without a server, for instructions.py and for profilers.

    python -m benchmarks.in_process application

Before and after the pages that count, the process calls `getppid`, which nothing else does: at each call,
callgrind writes its count to a file and begins a new one.
"""

import argparse
import importlib
import os
from functools import partial
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
WARM_UP, PAGES = 5, 10
# The language that the browser asks for, for sides that are named after it.
LANGUAGES = {"german": "de"}


def main() -> None:
    """Render the pages of one side."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("side", choices=["application", "german", "baseline", "tutorial"])
    parser.add_argument("--pages", type=int, default=PAGES)
    asked = parser.parse_args()
    others = {"baseline": baseline, "tutorial": tutorial}
    make = others.get(asked.side, partial(application, LANGUAGES.get(asked.side, "en")))
    app, environ = make()
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


def application(language: str = "en") -> tuple[Flask, dict[str, Any]]:
    """Return the application, and a request for the list by a logged-in user with FEW expenses.

    The browser asks for `language`.
    """
    app: Flask = importlib.import_module("app").app
    client = app.test_client()
    with app.app_context():
        user = db.session.scalars(sa.select(User).where(User.email == email_of(owner_of(FEW)))).one()
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


def baseline() -> tuple[Flask, dict[str, Any]]:
    """Return the baseline and a request for its page."""
    return importlib.import_module("benchmarks.baseline").app, create_environ("/")


def tutorial() -> tuple[Flask, dict[str, Any]]:
    """Return the tutorial application on the database that TUTORIAL_DATABASE names, and a request for its page."""
    module = importlib.import_module("benchmarks.tutorial")
    module.open_database(os.environ["TUTORIAL_DATABASE"])
    client = module.app.test_client()
    assert client.get(f"/login/{owner_of(FEW)}", follow_redirects=True).status_code == 200
    cookie = client.get_cookie("session")
    assert cookie
    return module.app, create_environ("/", headers={"Cookie": f"{cookie.key}={cookie.value}"})


if __name__ == "__main__":
    main()
