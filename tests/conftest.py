"""Fixtures of all tests: an empty database with the real migrations, and users with a browser.

The settings are put into the environment before the application is imported, as its operator would.
`TEST_DATABASE_URL` names a database of a PostgreSQL server to run on; `TEST_POSTGRES=1` starts one;
`TEST_CITUS_URL` names a database of a cluster's coordinator, over which the tables are distributed.

The tests run in as many processes as there are cores, up to four, and each file in one of them. Every process has
its own database: a file, or one that it creates next to the one that was named.
"""

import atexit
import gc
import os
import shutil
import socket
import sqlite3
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import start_postgres, temporary_database

FOLDER = Path(tempfile.mkdtemp(prefix="ledger-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
# One process among several, which the first one has started.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# Tests that must run in a single process when one of these is set.
SERIAL = ("TEST_CITUS_URL", "RELIABILITY")

if os.environ.get("TEST_POSTGRES") == "1" and not IS_WORKER:
    os.environ["TEST_DATABASE_URL"] = start_postgres(FOLDER).get_uri()
DATABASE_URL = os.environ.get("TEST_CITUS_URL") or os.environ.get("TEST_DATABASE_URL")
if DATABASE_URL is None:
    DATABASE_URL = f"sqlite:///{FOLDER / 'test.db'}"
elif IS_WORKER:
    databases = ExitStack()
    atexit.register(databases.close)
    own = databases.enter_context(temporary_database(DATABASE_URL))
    DATABASE_URL = own.render_as_string(hide_password=False)

SETTINGS = ("HTTPS", "TRUSTED_HOSTS", "PROXY_HOPS", "SECRET_KEY_FALLBACKS", "DEFAULT_CURRENCY", "TIMEZONE")
for name in (*SETTINGS, "URL_PREFIX", "SCRIPT_NAME"):
    os.environ.pop(name, None)
os.environ.update(
    DATABASE_URL=DATABASE_URL,
    SECRET_KEY="kept-for-tests-0123456789abcdef-only",
    FLASK_APP=str(Path(__file__).parent.parent / "app.py"),
    FLASK_SKIP_DOTENV="1",
)

import flask_migrate
import pytest
import sqlalchemy as sa
from hypothesis import settings

from app import app as application
from database import db
from models import User
from tests.browsing import Visitor, empty_tables
from tests.owners import watch

# A real hash takes 0.2 s on purpose.
User.HASH_METHOD = "pbkdf2:sha256:1"
# How long an example takes depends on what else the machine does.
settings.register_profile("tests", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "tests")


def pytest_xdist_auto_num_workers(config):
    """Return how many processes share the tests (0: only this one); None is one for each core."""
    is_one_file = len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file()
    is_shown = config.getoption("capture") == "no"
    return 0 if is_one_file or is_shown or any(map(os.environ.get, SERIAL)) else None


def pytest_configure(config):
    """Refuse several processes where only one can be right."""
    if config.getoption("numprocesses", None) and (names := [name for name in SERIAL if os.environ.get(name)]):
        raise pytest.UsageError(f"With {' and '.join(names)} set, the tests need a single process: pytest -n 0")


def pytest_collection_finish():
    """Exclude the objects from before the first test from garbage collection, as a server does."""
    gc.freeze()


def leave_unsynced(connection, _record):
    """Let no commit wait for the disk, which takes longer than the rest of it."""
    # Also called by threads without the context of the application.
    is_sqlite = isinstance(connection, sqlite3.Connection)
    connection.execute("PRAGMA synchronous=OFF" if is_sqlite else "SET synchronous_commit=off")
    connection.commit()


@pytest.fixture(scope="session")
def migrated():
    """The application, whose database has every migration."""
    application.testing = True
    with application.app_context():
        sa.event.listen(db.engine, "connect", leave_unsynced)
        flask_migrate.upgrade()
    if os.environ.get("TEST_CITUS_URL"):
        spread = application.test_cli_runner().invoke(args=["distribute"])
        assert spread.exit_code == 0, spread.output
    with application.app_context():
        watch(db.engine)
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def app(migrated):
    """The application with empty tables and untouched settings."""
    empty_tables(migrated)
    settings = dict(migrated.config)
    yield migrated
    migrated.config.update(settings)


@pytest.fixture
def run(app):
    """Run a `flask` command and return its exit code and what it printed."""
    runner = app.test_cli_runner()

    def run(*arguments, **options):
        result = runner.invoke(args=arguments, **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def stranger(app):
    """A visitor without an account or cookies."""
    return Visitor(app)


@pytest.fixture
def ana(app):
    """A user who has just registered."""
    return Visitor(app).with_account("ana")


@pytest.fixture
def bob(app):
    """Another user, in another browser."""
    return Visitor(app).with_account("bob")


@pytest.fixture
def unused_port():
    """A port of this machine without a listener."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
