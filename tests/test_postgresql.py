"""Requests stop waiting for a server that does not respond, and keep waiting for one that is slow."""

import socket
import time
from types import SimpleNamespace

import click
import psycopg
import pytest
from psycopg.errors import ConnectionTimeout
from psycopg.pq import ConnStatus
from psycopg.waiting import Wait
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from database import db, postgresql
from database import engine as engine_module
from database.engine import database_url, engine_options, is_unavailable, prepare_engine
from database.postgresql import Connection, limit_waiting

postgresql_only = pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="about PostgreSQL"
)


class FakeAvailability:
    """Reports a database that responds to the given number of probes."""

    def __init__(self, responses=0, unresponsive=False):
        self.responses_left = responses
        self.unresponsive = unresponsive

    def responds(self):
        self.responses_left -= 1
        return self.responses_left >= 0

    def is_unresponsive(self):
        return self.unresponsive

    def report_timeout(self):
        self.unresponsive = True


class FakeLibpqConnection(SimpleNamespace):
    """Open connection whose socket never receives anything."""

    status = ConnStatus.OK

    def finish(self):
        self.status = ConnStatus.BAD


@pytest.fixture
def connect():
    """Return a function that opens a connection to a server which never sends anything."""
    client_socket, server_socket = socket.socketpair()
    connections = []

    def open_connection(availability):
        connection = Connection(FakeLibpqConnection(socket=client_socket.fileno()))
        connection.availability = availability
        connections.append(connection)
        return connection

    yield open_connection
    for connection in connections:
        connection.close()
    client_socket.close()
    server_socket.close()


@pytest.fixture(autouse=True)
def short_probe_interval(monkeypatch):
    monkeypatch.setattr(postgresql, "PROBE_INTERVAL_SECONDS", 0.02)


def statement(seconds):
    """A statement whose result is available after this many seconds."""
    available_at = time.monotonic() + seconds
    while time.monotonic() < available_at:
        yield Wait.R
    return "result"


def test_a_connection_to_an_unresponsive_server_is_closed(connect):
    connection = connect(FakeAvailability(responses=2))

    with pytest.raises(psycopg.OperationalError, match="does not respond"):
        connection.wait(statement(seconds=10), interval=0.01)

    assert connection.closed
    assert connection.availability.responses_left == -1


def test_a_slow_statement_is_not_interrupted(connect):
    connection = connect(FakeAvailability(responses=1000))

    assert connection.wait(statement(seconds=0.2), interval=0.01) == "result"
    assert connection.availability.responses_left < 1000
    assert not connection.closed


def large_statement(seconds):
    """A statement that the server begins to read after this many seconds, as psycopg's own sends it."""
    available_at = time.monotonic() + seconds
    while time.monotonic() < available_at:
        ready = yield Wait.RW
        assert isinstance(ready, int), "psycopg raises TypeError: an integer is required"
    return "sent"


def test_a_statement_that_the_server_is_slow_to_read_is_not_interrupted(connect):
    connection = connect(FakeAvailability(responses=1000))

    assert connection.wait(large_statement(seconds=0.2), interval=0.01) == "sent"
    assert not connection.closed


def test_an_error_of_a_statement_is_passed_on(connect):
    def failing():
        yield Wait.R
        raise psycopg.errors.UniqueViolation("taken")

    with pytest.raises(psycopg.errors.UniqueViolation, match="taken"):
        connect(FakeAvailability(responses=1000)).wait(failing(), interval=0.01)


def test_a_lost_connection_is_closed_although_the_server_responds(connect, monkeypatch):
    monkeypatch.setattr(postgresql, "MAX_WAIT_SECONDS", 0.1)
    connection = connect(FakeAvailability(responses=1000))

    with pytest.raises(psycopg.OperationalError, match="does not respond"):
        connection.wait(statement(seconds=10), interval=0.01)

    assert connection.closed


def test_nothing_is_sent_to_a_server_known_to_be_unresponsive(connect):
    connection = connect(FakeAvailability(unresponsive=True))

    with pytest.raises(psycopg.OperationalError, match="does not respond"):
        connection.wait(statement(seconds=0))

    assert connection.closed


def test_a_command_waits_without_a_limit(connect):
    connection = connect(FakeAvailability(responses=0))

    with click.Context(click.Command("purge")):
        assert connection.wait(statement(seconds=0.2), interval=0.01) == "result"

    assert not connection.closed


def test_a_timeout_set_by_the_driver_is_kept(connect):
    connection = connect(FakeAvailability(responses=1000))

    with pytest.raises(psycopg.OperationalError, match="timeout"):
        connection.wait(statement(seconds=10), interval=0.01, timeout=0.05)

    assert not connection.closed


def test_a_connect_timeout_prevents_further_attempts(monkeypatch):
    attempts = []

    def time_out(*_, **options):
        attempts.append(options["connect_timeout"])
        raise ConnectionTimeout("connection timeout expired")

    monkeypatch.setattr(Connection, "connect", time_out)
    url = database_url("postgresql://ana@127.0.0.1:1/ledger")
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    limit_waiting(engine, FakeAvailability())

    for _ in range(3):
        with pytest.raises(OperationalError) as raised:
            engine.connect()
        assert is_unavailable(raised.value)

    assert attempts == [2]


@postgresql_only
def test_a_request_gets_a_new_connection_after_a_timeout(app, monkeypatch):
    with app.test_request_context():
        connection = db.session.connection().connection.driver_connection
        assert isinstance(connection, Connection)
        with monkeypatch.context() as patch:
            patch.setattr(connection, "availability", FakeAvailability())
            with pytest.raises(OperationalError) as raised:
                db.session.execute(text("SELECT pg_sleep(5)"))
        assert is_unavailable(raised.value)
        db.session.rollback()
        assert db.session.scalar(text("SELECT 1")) == 1
        assert connection.closed


@postgresql_only
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_commit_and_rollback_do_not_wait_for_an_unresponsive_server(app, monkeypatch, end):
    with app.test_request_context():
        connection = db.session.connection().connection.driver_connection
        monkeypatch.setattr(connection, "availability", FakeAvailability(unresponsive=True))
        with pytest.raises(OperationalError) as raised:
            getattr(db.session, end)()

    assert is_unavailable(raised.value)
    assert connection.closed


@postgresql_only
def test_the_pool_replaces_an_unresponsive_connection(app, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_IDLE_SECONDS", 0)
    with app.test_request_context():
        # The pool has one connection, so the next transaction uses it again.
        db.engine.dispose()
        connection = db.session.connection().connection.driver_connection
        db.session.rollback()
        monkeypatch.setattr(connection, "availability", FakeAvailability(unresponsive=True))

        assert db.session.scalar(text("SELECT 1")) == 1

    assert connection.closed


@postgresql_only
def test_a_connection_that_was_just_used_is_not_asked_whether_it_works(app, monkeypatch):
    pings = []
    with app.test_request_context():
        monkeypatch.setattr(db.engine.dialect, "do_ping", lambda connection: pings.append(connection))
        for idle_seconds in (60, 0):
            monkeypatch.setattr(engine_module, "MAX_IDLE_SECONDS", idle_seconds)
            db.session.scalar(text("SELECT 1"))
            db.session.rollback()

    assert len(pings) == 1
