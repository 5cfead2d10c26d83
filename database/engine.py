"""Engines: connection options and transactions of SQLite and PostgreSQL."""

import math
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa
from flask import has_request_context, request
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InvalidatePoolError,
    OperationalError,
    PendingRollbackError,
    TimeoutError,
)

from database import db

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
# How long a request waits for the write lock of SQLite. Only a few requests of a process may wait longer than
# SHORT_TIMEOUT_MS, so that there are always threads for requests that only read.
BUSY_TIMEOUT_MS, SHORT_TIMEOUT_MS = 5000, 250
long_waiters = threading.BoundedSemaphore(6)
POLL_SECONDS = 0.002
# The threads of this process that wait for the write lock.
waiting_threads: set[int] = set()
# PostgreSQL cancels a statement of a request after this time. Commands have no limit.
STATEMENT_TIMEOUT_SECONDS = 30
# The minimum that the driver accepts.
CONNECT_TIMEOUT_SECONDS = 2
# How long a request waits for a free connection.
POOL_TIMEOUT_SECONDS = 5
# A connection that was not used for this long is checked before it is used again.
MAX_IDLE_SECONDS = 1
# The kernel closes a connection when the other machine has not acknowledged data for this long.
TCP_USER_TIMEOUT_MS = 5000
# Options in the query string of a database URL that are not secret. Any other may be a password.
PUBLIC_OPTIONS = frozenset({"host", "port", "dbname", "user", "sslmode", "application_name"})
# Each way in which a URL can begin, with the driver that is used.
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
BAD_URL = (
    "DATABASE_URL cannot be read. It must look like postgresql://user:password@host/name. In the password, write "
    "@ as %40, : as %3A, / as %2F and % as %25."
)
# psycopg.IsolationLevel.REPEATABLE_READ, without importing the driver, which SQLite does not need.
REPEATABLE_READ = 3
# SQLSTATE classes: connection lost, transaction rolled back, out of resources, operator intervention.
POSTGRESQL_UNAVAILABLE = ("08", "40", "53", "57")


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Return the engine options for `url`, with timeouts that detect an unavailable database within seconds."""
    # Parameters contain user input and password hashes, which must not be logged.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        return options
    return options | {
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        "connect_args": {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s",
        },
    }


def database_url(text: str) -> sa.URL:
    """Parse a database URL. `postgres://` and `postgresql://` both select psycopg 3.

    Raises RuntimeError without repeating the text, which may contain a password.
    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise RuntimeError(BAD_URL) from None
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host}{url.database}":
        # A part of the password was taken for the name of the host or of the database.
        raise RuntimeError(BAD_URL)
    if url.drivername not in DRIVERS:
        raise RuntimeError(
            f"DATABASE_URL must begin with sqlite:/// or postgresql://, not with {url.drivername}://."
        )
    return url.set(drivername=DRIVERS[url.drivername])


def public_url(url: sa.URL) -> str:
    """Return a database URL for a log or a message: without its password, and without most query values."""
    hidden = {name: "***" for name in url.query if name not in PUBLIC_OPTIONS}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def prepare_engine(engine: sa.Engine) -> None:
    """Set up how `engine` begins transactions.

    SQLite: WAL with a sync at every commit, because weaker settings lost acknowledged expenses in simulated power
    cuts. BEGIN is sent here, because the driver sends it too late to be safe. A request that may write takes the
    write lock immediately, because a read lock cannot wait to become a write lock.
    PostgreSQL: a page is read from one snapshot, as on SQLite. Commands have no statement timeout.
    """
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _open_sqlite)
        sa.event.listen(engine, "begin", _begin_on_sqlite)
    else:
        sa.event.listen(engine, "begin", _begin_on_postgresql)
        _discard_lost_connections(engine)


def connect_to_read(engine: sa.Engine) -> sa.Connection:
    """Connect for reading only, which takes no write lock, even in a request that writes, or in a command."""
    return engine.connect().execution_options(reading=True)


def _is_reading(connection: sa.Connection) -> bool:
    in_safe_request = has_request_context() and request.method in SAFE_METHODS
    return bool(connection.get_execution_options().get("reading", in_safe_request))


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    pragmas = f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin_on_sqlite(connection: sa.Connection) -> None:
    driver_connection: Any = connection.connection.driver_connection
    # An in-memory database has a single connection, which may already be in a transaction.
    if getattr(driver_connection, "in_transaction", False):
        return
    if _is_reading(connection):
        driver_connection.execute("BEGIN")
    else:
        take_write_lock(connection)


def _begin_on_postgresql(connection: sa.Connection) -> None:
    # The isolation level is sent with BEGIN, not as a separate statement.
    driver_connection: Any = connection.connection.driver_connection
    driver_connection.isolation_level = REPEATABLE_READ if _is_reading(connection) else None
    if in_command():
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _discard_lost_connections(engine: sa.Engine) -> None:
    """Replace connections to PostgreSQL that were lost while nobody used them."""

    @sa.event.listens_for(engine, "checkin")
    def note_use(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def ping_idle(connection: Any, record: Any, _fairy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", math.inf) >= MAX_IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error:
                # The pool opens new connections.
                raise InvalidatePoolError from None

    @sa.event.listens_for(engine, "handle_error")
    def note_failed_connect(context: sa.engine.ExceptionContext) -> None:
        # SQLAlchemy recognises a lost connection by its state, so it does not count a failure to connect.
        if context.connection is None and isinstance(context.sqlalchemy_exception, OperationalError):
            context.is_disconnect = True


def in_command() -> bool:
    """Tell whether this thread runs a `flask` command rather than a request."""
    return click.get_current_context(silent=True) is not None and not has_request_context()


def take_write_lock(connection: sa.Connection) -> None:
    """Wait for the write lock of SQLite and begin a transaction. Raises OperationalError after the timeout."""
    driver_connection: Any = connection.connection.driver_connection
    driver_connection.execute("PRAGMA busy_timeout=0")
    waiting_threads.add(threading.get_ident())
    try:
        begun = _begin_within(connection, SHORT_TIMEOUT_MS)
        if not begun and long_waiters.acquire(blocking=False):
            try:
                begun = _begin_within(connection, BUSY_TIMEOUT_MS)
            finally:
                long_waiters.release()
        if not begun:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        waiting_threads.discard(threading.get_ident())
        driver_connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def others_wait() -> bool:
    """Tell whether another thread of this process waits for the write lock of SQLite."""
    return bool(waiting_threads - {threading.get_ident()})


def _begin_within(connection: sa.Connection, timeout_ms: int) -> bool:
    """Try to begin a transaction every POLL_SECONDS, and tell whether the lock was free in time.

    SQLite itself would wait up to 100 ms between two tries, and miss the moments between the pieces of a large
    operation.
    """
    driver_connection: Any = connection.connection.driver_connection
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            driver_connection.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                return False
        time.sleep(POLL_SECONDS)


def close_session(_error: BaseException | None = None) -> None:
    """Roll back and empty the session, even if the database has become unavailable."""
    empty_session(db.session.rollback)


def empty_session(end_transaction: Callable[[], None]) -> None:
    """Empty the session and end its transaction, even if the database has become unavailable."""
    try:
        # Not close(), which would leave a broken connection to the garbage collector.
        db.session.expunge_all()
        end_transaction()
    except PendingRollbackError:
        # The connection was lost. The transaction is rolled back when the session is closed.
        return
    except DBAPIError as error:
        if not is_unavailable(error):
            raise


def is_unavailable(error: Exception) -> bool:
    """Tell whether `error` means that the database is unavailable, busy or full, rather than a bug."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary result code. An OperationalError can also be a missing table.
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_UNAVAILABLE
    # Neither a lost connection nor most mistakes in the use of the driver have an SQLSTATE.
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or sqlstate.startswith(POSTGRESQL_UNAVAILABLE)
