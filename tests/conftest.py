"""What every test stands on: an empty database with the real migrations, and people who use a browser.

The settings are put into the environment before the application is imported, as its operator would.
`TEST_DATABASE_URL` names a PostgreSQL server's database to run on; `TEST_POSTGRES=1` starts one;
`TEST_CITUS_URL` names that of a cluster's coordinator, over which the tables are spread.
"""

import os
import socket
import tempfile
from pathlib import Path

from tests.postgres import start_postgres

FOLDER = Path(tempfile.mkdtemp(prefix="ledger-tests-"))


if os.environ.get("TEST_POSTGRES") == "1":
    DATABASE_URL = start_postgres(FOLDER).get_uri()
else:
    given = os.environ.get("TEST_CITUS_URL") or os.environ.get("TEST_DATABASE_URL")
    DATABASE_URL = given or f"sqlite:///{FOLDER / 'test.db'}"

for name in ("HTTPS", "TRUSTED_HOSTS", "PROXY_HOPS", "SECRET_KEY_FALLBACKS", "DEFAULT_CURRENCY", "TIMEZONE"):
    os.environ.pop(name, None)
os.environ.update(
    DATABASE_URL=DATABASE_URL,
    SECRET_KEY="kept-for-tests-0123456789abcdef-only",
    FLASK_APP=str(Path(__file__).parent.parent / "app.py"),
    FLASK_SKIP_DOTENV="1",
)

import flask_migrate
import pytest

from app import app as application
from database import db
from models import User
from tests.owners import watch
from tests.people import Visitor, empty_tables

# A real hash takes 0.2 s on purpose.
User.HASH_METHOD = "pbkdf2:sha256:1000"


@pytest.fixture(scope="session")
def migrated():
    """The application, whose database has every migration."""
    application.testing = True
    with application.app_context():
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
    """Somebody with an empty browser."""
    return Visitor(app)


@pytest.fixture
def ana(app):
    """Somebody who has just registered."""
    return Visitor(app).register("ana")


@pytest.fixture
def bob(app):
    """Somebody else, in another browser."""
    return Visitor(app).register("bob")


@pytest.fixture
def unused_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
