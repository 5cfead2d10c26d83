"""Opening SQLite and PostgreSQL, and the errors that mean an unavailable database."""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, literal, select, text
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError

from database import db
from database.engine import database_url, engine_options, is_unavailable, prepare_engine
from database.files import create_private_file
from tests.browsing import at_once

sqlite_only = pytest.mark.skipif("os.environ['DATABASE_URL'].startswith('postgres')", reason="about SQLite")
postgresql_only = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="about PostgreSQL"
)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_name_postgresql_means_psycopg_3(scheme):
    assert database_url(f"{scheme}://ana@db/ledger").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_every_way_to_name_sqlite_means_the_driver_of_python(scheme):
    assert database_url(f"{scheme}:///ledger.db").render_as_string() == "sqlite:///ledger.db"


@sqlite_only
def test_sqlite_is_opened_so_that_a_power_cut_loses_nothing(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}", poolclass=NullPool)
    prepare_engine(engine)

    with engine.connect() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in names}

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@sqlite_only
def test_a_page_that_reads_takes_no_write_lock_and_one_that_writes_does(app, ana):
    def begun(method):
        with app.test_request_context(method=method):
            db.session.execute(text("SELECT 1"))
            with sqlite3.connect(db.engine.url.database, timeout=0, isolation_level=None) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return "locked"
                other.execute("ROLLBACK")
                return "free"

    assert (begun("GET"), begun("HEAD"), begun("POST")) == ("free", "free", "locked")


def test_writers_at_the_same_time_lose_no_update(app, ana):
    def add_one():
        with app.test_request_context(method="POST"):
            for _ in range(25):
                currency = db.session.scalar(text('SELECT time_zone FROM "user" FOR UPDATE' if lock else read))
                number = int(currency) if currency.isdigit() else 0
                db.session.execute(text('UPDATE "user" SET time_zone = :n'), {"n": str(number + 1)})
                db.session.commit()

    read = 'SELECT time_zone FROM "user"'
    with app.app_context():
        lock = db.engine.dialect.name == "postgresql"
    at_once(lambda _: add_one(), range(4))

    with app.app_context():
        assert db.session.scalar(text(read)) == "100"


def test_a_page_is_read_from_one_snapshot(app, ana):
    count = text("SELECT count(*) FROM throttle")
    with app.test_request_context(method="GET"):
        before = db.session.scalar(count)
        with db.engine.connect().execution_options(reading=False) as other:
            other.execute(text("INSERT INTO throttle (key, started_at, attempts) VALUES ('x', 1, 1)"))
            other.commit()

        assert db.session.scalar(count) == before


def test_a_new_file_is_readable_by_its_owner_alone(tmp_path):
    url = database_url("sqlite:///deep/ledger.db")

    create_private_file(url, str(tmp_path))

    assert (tmp_path / "deep" / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


def sqlite_error(code):
    error = sqlite3.OperationalError("what it says does not matter")
    error.sqlite_errorcode = code
    return OperationalError("", {}, error)


@pytest.mark.parametrize(
    ("code", "away"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_CANTOPEN, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CONSTRAINT, False),
    ],
)
def test_only_an_sqlite_that_is_away_is_unavailable(code, away):
    assert is_unavailable(sqlite_error(code)) is away


def test_a_locked_sqlite_is_unavailable(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", connect_args={"timeout": 0}, poolclass=NullPool)
    with sqlite3.connect(tmp_path / "x.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError) as refusal, engine.begin() as connection:
            connection.execute(text("CREATE TABLE x (y)"))
    other.close()

    assert is_unavailable(refusal.value)


@pytest.mark.parametrize(
    ("error", "lost", "away"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), True, True),
        (psycopg.errors.AdminShutdown("57P01"), True, True),
        (psycopg.errors.IdleInTransactionSessionTimeout("25P03"), True, True),
        (psycopg.errors.DeadlockDetected("40P01"), False, True),
        (psycopg.errors.QueryCanceled("57014"), False, True),
        (psycopg.errors.UndefinedTable("42P01"), False, False),
        (psycopg.DataError("text fields cannot contain NUL"), False, False),
        (psycopg.OperationalError("number of parameters must be between 0 and 65535"), False, False),
        (psycopg.InterfaceError("the cursor is closed"), False, False),
        (psycopg.ProgrammingError("the query has 1 placeholder but 2 parameters were passed"), False, False),
    ],
)
def test_only_a_postgresql_that_is_away_is_unavailable(error, lost, away):
    kind = OperationalError if isinstance(error, psycopg.OperationalError) else DBAPIError

    assert is_unavailable(kind("", {}, error, connection_invalidated=lost)) is away


@pytest.mark.parametrize("pre_ping", [False, True])
def test_a_postgresql_that_does_not_listen_is_unavailable(pre_ping):
    url = database_url("postgresql://nobody@127.0.0.1:1/nothing")
    options = {"connect_args": engine_options(url)["connect_args"], "pool_pre_ping": pre_ping}
    engine = create_engine(url, **options)
    prepare_engine(engine)

    with pytest.raises(OperationalError) as refusal:
        engine.connect()

    assert is_unavailable(refusal.value)


@postgresql_only
def test_a_statement_with_more_parameters_than_the_driver_can_send_is_a_bug(app):
    with app.app_context(), pytest.raises(OperationalError) as refusal:
        db.session.scalar(select(1).where(literal(1).in_(range(70_000))))

    assert not is_unavailable(refusal.value)


@postgresql_only
def test_a_connection_that_the_server_has_ended_is_unavailable(app):
    with app.app_context():
        number = db.session.scalar(text("SELECT pg_backend_pid()"))
        with db.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
        with pytest.raises(OperationalError) as refusal:
            db.session.scalar(text("SELECT 1"))

    assert is_unavailable(refusal.value)


@postgresql_only
def test_only_a_command_may_let_a_statement_run_as_long_as_it_needs(app, run):
    found = []

    def note(connection):
        found.append(connection.exec_driver_sql("SHOW statement_timeout").scalar())

    with app.app_context():
        engine = db.engine
        assert db.session.scalar(text("SHOW statement_timeout")) == "30s"
    listen(engine, "commit", note)
    try:
        for command in (["purge"], ["db", "upgrade"]):
            run(*command)
    finally:
        remove(engine, "commit", note)

    assert set(found) == {"0"}
    assert len(found) >= 2
    with app.test_request_context():
        assert db.session.scalar(text("SHOW statement_timeout")) == "30s"


def test_a_pool_without_a_free_connection_is_unavailable():
    assert is_unavailable(TimeoutError("QueuePool limit"))
    assert not is_unavailable(ValueError("database is locked"))


def test_no_error_message_contains_typed_text(app):
    with app.app_context(), pytest.raises(DBAPIError) as refusal:
        db.session.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "a quiet river"})

    assert "river" not in str(refusal.value)


@sqlite_only
def test_a_file_that_is_not_read_delays_no_writer_and_no_checkpoint(ana):
    ana.add("1")
    unread = ana.get("/expenses.csv", buffered=False)
    ana.add("2")

    with closing(sqlite3.connect(db_path(ana), timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        blocked, _pages, _moved = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    assert not blocked
    unread.close()


def db_path(visitor):
    with visitor.app.app_context():
        return db.engine.url.database
