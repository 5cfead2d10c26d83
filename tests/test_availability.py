"""The health check has a result in time whatever the database does, and uses one thread for all callers."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from database import availability, db
from database.availability import Availability
from tests.browsing import at_once

sqlite_only = pytest.mark.skipif("os.environ['DATABASE_URL'].startswith('postgres')", reason="about SQLite")
postgresql_only = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="about PostgreSQL"
)


class FakeDatabase:
    """Database that responds while it is running, and blocks every query while it is not."""

    def __init__(self):
        self.running = threading.Event()
        self.queries = 0
        self.result = True

    def is_migrated(self, _engine):
        self.queries += 1
        assert self.running.wait(10)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def database(monkeypatch):
    found = FakeDatabase()
    found.running.set()
    monkeypatch.setattr(availability, "is_migrated", found.is_migrated)
    monkeypatch.setattr(availability, "PROBE_TIMEOUT_SECONDS", 0.2)
    yield found
    found.running.set()


@pytest.fixture
def checked(database):
    """The availability of that database."""
    return Availability(create_engine("sqlite://"))


def wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


ERROR = OperationalError("", {}, sqlite3.OperationalError("connection refused"))


@pytest.mark.parametrize(("result", "ready"), [(True, True), (False, False), (ERROR, False)])
def test_any_fast_response_counts_even_an_error(checked, database, result, ready):
    database.result = result

    assert checked.is_ready() is ready
    assert checked.responds()
    assert not checked.is_unresponsive()


def test_a_programming_error_is_not_hidden(checked, database):
    database.result = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        checked.is_ready()


def test_an_unresponsive_database_blocks_one_thread_for_all_callers(checked, database):
    database.running.clear()
    started_at, found = time.monotonic(), []

    at_once(lambda _: found.append((checked.is_ready(), checked.responds())), range(20))

    assert found == [(False, False)] * 20
    assert checked.is_unresponsive()
    assert time.monotonic() - started_at < 3
    assert database.queries == 1


def test_the_circuit_closes_as_soon_as_the_database_responds(checked, database):
    database.running.clear()
    assert not checked.responds()

    database.running.set()

    wait_until(lambda: not checked.is_unresponsive())
    assert checked.is_ready()


def test_a_slow_error_is_a_timeout_and_the_query_is_repeated(checked, database):
    database.result = ERROR
    database.running.clear()
    assert not checked.responds()

    # The thread measures its own time, which began a moment later.
    time.sleep(0.1)
    database.running.set()

    wait_until(lambda: not checked.is_unresponsive())
    assert database.queries == 2


def test_a_reported_timeout_opens_the_circuit_at_once(checked, database):
    database.running.clear()

    checked.report_timeout()

    assert checked.is_unresponsive()
    assert not checked.responds()


@pytest.mark.slow
def test_readyz_responds_in_time_although_the_database_does_not(stranger, database, monkeypatch):
    monkeypatch.setattr(availability, "PROBE_TIMEOUT_SECONDS", 1.5)
    database.running.clear()
    started_at = time.monotonic()

    answer = stranger.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "not ready\n")
    assert time.monotonic() - started_at < 4
    database.running.set()
    wait_until(lambda: stranger.get("/readyz").status_code == 200)


@postgresql_only
def test_readyz_needs_no_connection_of_the_pool(stranger, app):
    with app.app_context():
        pool = db.engine.pool
        used = [db.engine.connect() for _ in range(pool.size() + pool._max_overflow)]
        try:
            assert stranger.get("/readyz").status_code == 200
        finally:
            for connection in used:
                connection.close()


@pytest.mark.slow
@sqlite_only
def test_readyz_responds_in_time_although_the_file_is_locked(stranger, app):
    with app.app_context():
        db.engine.dispose()
        path = db.engine.url.database
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        started_at = time.monotonic()

        answer = stranger.get("/readyz")

        assert answer.status_code == 503
        assert time.monotonic() - started_at < 4
        other.execute("ROLLBACK")
    wait_until(lambda: stranger.get("/readyz").status_code == 200)
