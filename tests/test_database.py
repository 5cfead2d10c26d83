"""How SQLite and PostgreSQL are opened, and what counts as being away."""

import sqlite3
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, TimeoutError

from database import create_private_file, database_url, db, is_unavailable

sqlite_only = pytest.mark.skipif("os.environ['DATABASE_URL'].startswith('postgres')", reason="about SQLite")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_name_postgresql_means_psycopg_3(scheme):
    assert database_url(f"{scheme}://ana@db/ledger").drivername == "postgresql+psycopg"


@sqlite_only
def test_sqlite_is_opened_so_that_a_power_cut_loses_nothing(app):
    with app.app_context():
        found = {
            name: db.session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

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
    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with app.app_context():
        assert db.session.scalar(text(read)) == "100"


def test_a_page_is_read_from_one_snapshot(app, ana):
    count = text("SELECT count(*) FROM throttle")
    with app.test_request_context(method="GET"):
        before = db.session.scalar(count)
        with db.engine.connect() as other:
            other.execute(text("INSERT INTO throttle VALUES ('x', 1, 1)"))
            other.commit()

        assert db.session.scalar(count) == before


def test_a_new_file_is_readable_by_its_owner_alone(tmp_path):
    url = database_url("sqlite:///deep/ledger.db")

    create_private_file(url, str(tmp_path))

    assert (tmp_path / "deep" / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("message", "away"),
    [
        ("database is locked", True),
        ("database or disk is full", True),
        ("unable to open database file", True),
        ("no such table: expense", False),
        ('near "SELEC": syntax error', False),
    ],
)
def test_only_a_database_that_is_away_is_unavailable(message, away):
    assert is_unavailable(OperationalError("", {}, sqlite3.OperationalError(message))) is away


def test_a_pool_without_a_free_connection_is_unavailable():
    assert is_unavailable(TimeoutError("QueuePool limit"))
    assert not is_unavailable(ValueError("database is locked"))
