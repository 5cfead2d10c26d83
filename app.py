"""The application: configuration from the environment, extensions and the user loader."""

import gc
import os
from functools import cache
from typing import Any

from flask import Flask, request
from flask_babel import Babel
from flask_login import LoginManager, current_user
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix

import background
import clock
import commands
import config
import logs
import static_files
from database import db
from database.availability import Availability
from database.engine import SAFE_METHODS, close_session, empty_session, prepare_engine
from database.files import create_private_file
from ledger.accounts import APPLICATION_NAME, allow_local_emails
from ledger.pieces import recover
from ledger.sessions import find_session, touch
from models import User
from security import AsciiIntegerConverter, BoundedSessionInterface, Request, add_headers, csrf_failed
from url_prefix import UrlPrefix
from views import filters, languages

# A page creates thousands of objects. Collecting garbage after every 700 of them would take 4 % of its time.
gc.set_threshold(10_000)
with config.explaining_errors():
    logs.start_logging(os.environ.get("LOG_FORMAT") or "text")
# static_files.py serves the static folder.
app = Flask(__name__, static_folder=None)
app.request_class = Request
app.session_interface = BoundedSessionInterface()
# A URL with two slashes would otherwise be redirected to whatever host the request names.
app.url_map.merge_slashes = False
app.url_map.converters["int"] = AsciiIntegerConverter

with config.explaining_errors():
    app.config.from_mapping(config.read_config(app.instance_path))
    create_private_file(app.config["SQLALCHEMY_DATABASE_URI"], app.instance_path)
if prefix := app.config["URL_PREFIX"]:
    app.wsgi_app = UrlPrefix(app.wsgi_app, prefix)  # type: ignore[method-assign]
if hops := app.config["PROXY_HOPS"]:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
if app.config["ALLOW_LOCAL_EMAILS"]:
    allow_local_emails()
app.after_request(add_headers)

db.init_app(app)
# Before Flask-SQLAlchemy closes the session itself, where an error would turn a finished page into a 500.
app.teardown_appcontext(close_session)


def end_reading(error: BaseException | None) -> None:
    """End the transaction of a page with COMMIT: psycopg forgets at a ROLLBACK which statements it prepared.

    A page that shows a form again after a failed check must not commit.
    """
    if error is None and request.method in SAFE_METHODS and not csrf_failed():
        empty_session(db.session.commit)


with app.app_context():
    prepare_engine(db.engine)
    logs.init_app(app, db.engine)
    availability = app.extensions["availability"] = Availability(db.engine)
    if db.engine.dialect.name == "postgresql":
        # SQLite does not need the driver, which takes 9 MB and a tenth of a second.
        from database.postgresql import limit_waiting

        limit_waiting(db.engine, availability)
        app.teardown_request(end_reading)


@cache
def set_up_migrations() -> Any:
    """Set up Flask-Migrate, which imports Alembic. Together they take 4 MB, and no page needs them."""
    from flask_migrate import Migrate

    Migrate(app, db, render_as_batch=True, compare_type=True)
    return app.extensions["migrate"]


# Set up by the first command that uses it.
app.extensions["migrate"] = LocalProxy(set_up_migrations)
background.init_app(app)
commands.init_app(app)
static_files.init_app(app)
# Templates load current_user only where they use it (below). Loaded for every page, it would break the error
# page just when the database is unavailable.
login_manager = LoginManager(app, add_context_processor=False)
# Every session has its own row, so Flask-Login need not guess by network address.
login_manager.session_protection = None


@login_manager.user_loader
def load_user(session_id: str) -> User | None:
    """Return the user whose session the cookie names, while it is valid."""
    found = find_session(session_id, clock.now())
    if found is None:
        return None
    user, times = found
    if user.running_operation is not None and not csrf_failed():
        recover(user)
    if request.method not in SAFE_METHODS:
        touch(user, times, clock.now())
    return user


Babel(app, locale_selector=languages.page_language)
languages.init_app(app)
app.jinja_env.policies["ext.i18n.trimmed"] = True
app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
filters.init_app(app)
app.jinja_env.globals.update(
    application_name=APPLICATION_NAME,
    current_user=current_user,
    request_id=logs.request_id,
)

# Last, because routes.py itself imports this module; without this line there are no pages.
import routes  # noqa: E402, F401
