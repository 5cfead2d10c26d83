"""The database handle, the column types of the ledger, how databases are opened, and how one is spread out."""

import os
import sqlite3
import threading
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError
from sqlalchemy.orm import DeclarativeBase

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
# Every row that belongs to a person refers to this table by the first column of its key.
OWNER_TABLE = "user"
# How many milliseconds a request waits until it may write to SQLite; and how many requests of a process may
# wait longer than SHORT_WAIT. If all did, no thread would be left for those who read.
WAIT, SHORT_WAIT = 5000, 250
patient = threading.BoundedSemaphore(6)
# PostgreSQL cancels a statement of a request after this time. Commands have no limit.
STATEMENT_TIMEOUT_SECONDS = 30
# The minimum that the driver accepts.
CONNECT_TIMEOUT_SECONDS = 2
# How long a request waits for a free connection.
POOL_TIMEOUT_SECONDS = 5
# The kernel closes a connection when the other machine has not acknowledged data for this long.
TCP_USER_TIMEOUT_MS = 5000
# The classes of SQLSTATE for lost connections, rolled back by others, out of resources, shutting down.
POSTGRESQL_UNAVAILABLE = ("08", "40", "53", "57")
MIGRATIONS = Path(__file__).with_name("migrations")


class Base(DeclarativeBase):
    """The declarative base; every constraint has a name, so that every migration can find it again."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# A page that has committed shows what it has saved; reading it again would wait for the lock once more.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class Money(sa.types.TypeDecorator[Decimal]):
    """An exact amount: a `Decimal` in Python, a whole number of thousandths in the database.

    Three decimals hold every currency. SQL may sum, compare and order such a column; averages and
    products are made in Python, because the database sees thousandths.
    """

    impl = sa.BigInteger
    cache_ok = True
    SCALE = 3
    # Above this no column constraint lets an amount pass; the bound keeps sums within 64 bits.
    MAX = Decimal("999999999.999")
    MAX_UNITS = int(MAX.scaleb(SCALE))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        """Turn an int, str, Decimal or float (read by its shortest text) into thousandths.

        Raises ValueError for what is not a finite number of at most three decimals.
        """
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal | float):
            raise ValueError(f"{value!r} is not an amount")
        try:
            thousandths = Decimal(str(value)).scaleb(self.SCALE)
            if thousandths == (whole := int(thousandths)):
                return whole
        except (ArithmeticError, ValueError):
            pass
        raise ValueError(f"{value!r} is not an amount of at most {self.SCALE} decimals")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        """Turn thousandths back into a Decimal; PostgreSQL hands sums over as Decimal, SQLite as int."""
        return None if value is None else Decimal(int(value)).scaleb(-self.SCALE)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment, always with its time zone in Python and always in UTC in the database."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a moment without a time zone, whose meaning would depend on the machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Put the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Return how to open the database at `url`, so that one that is away is noticed within seconds."""
    # Parameters are what people typed, and hashes of their passwords: nothing for a log.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        return options
    return options | {
        "pool_pre_ping": True,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        "connect_args": {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s",
        },
    }


def database_url(text: str) -> sa.URL:
    """Read a database address; `postgres://` and `postgresql://` both mean psycopg 3."""
    url = sa.make_url(text)
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    return url


def create_private_file(url: sa.URL, folder: str) -> None:
    """Create the SQLite file of `url` readable by its owner alone; SQLite gives its other files the same mode."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        path = Path(folder, url.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def prepare_engine(engine: sa.Engine) -> None:
    """Attach the rules of transactions to `engine`.

    SQLite: WAL with a sync at every commit, because anything less lost acknowledged expenses in
    simulated power cuts; and our own BEGIN, because the driver's comes too late to be safe. A request
    that may write takes the write lock at once: a read lock cannot wait to become one. A connection that
    reads outside of a request says so by the execution option `reading`.
    PostgreSQL: a page is read from one snapshot, as it always is on SQLite; commands have no statement timeout.
    """
    sqlite = engine.dialect.name == "sqlite"

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        in_safe_request = has_request_context() and request.method in SAFE_METHODS
        reading = connection.get_execution_options().get("reading", in_safe_request)
        if not sqlite:
            if reading:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if in_command():
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        # An in-memory database has a single connection, which may be inside a transaction already.
        elif not getattr(connection.connection.driver_connection, "in_transaction", False):
            if reading:
                connection.exec_driver_sql("BEGIN")
            else:
                take_write_lock(connection)

    if sqlite:

        @sa.event.listens_for(engine, "connect")
        def open_sqlite(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            for pragma in (f"busy_timeout={WAIT}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

    else:

        @sa.event.listens_for(engine, "handle_error")
        def note_failed_connect(context: sa.engine.ExceptionContext) -> None:
            # SQLAlchemy recognises a lost connection by its state, so it does not count a failure to connect.
            if context.connection is None and isinstance(context.sqlalchemy_exception, OperationalError):
                context.is_disconnect = True


def in_command() -> bool:
    """Tell whether this thread runs a `flask` command rather than a request."""
    return click.get_current_context(silent=True) is not None and not has_request_context()


@cache
def migration_head() -> str | None:
    """Return the last migration that this version brings."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_migrated(engine: sa.Engine) -> bool:
    """Tell whether the database has every migration that this version brings."""
    with engine.connect().execution_options(reading=True) as connection:
        return MigrationContext.configure(connection).get_current_revision() == migration_head()


def owner_column(table: sa.Table) -> sa.Column[Any] | None:
    """Return the column that says whose a row is: the first of the key, where it refers to a person; else None."""
    first = next(iter(table.primary_key.columns))
    is_owner = any(key.column.table.name == OWNER_TABLE for key in first.foreign_keys)
    return first if is_owner else None


def distribution(tables: Iterable[sa.Table], done: Collection[str]) -> list[str]:
    """Return the statements that spread `tables` over a Citus cluster, in order, without those `done` already.

    People are copied to every machine, because only to such a table may every key refer; what belongs to a
    person lies together on one of them; everything else stays on the coordinator.
    """
    owners = {table.name: column.name for table in tables if (column := owner_column(table)) is not None}
    statements = [] if OWNER_TABLE in done else [f"SELECT create_reference_table('\"{OWNER_TABLE}\"')"]
    # What was spread before says where the tables of a later version belong.
    spread = [name for name in owners if name in done]
    for name in [name for name in owners if name not in done]:
        together = spread[0] if spread else "none"
        statements.append(
            f"SELECT create_distributed_table('{name}', '{owners[name]}', colocate_with => '{together}')"
        )
        spread.append(name)
    if statements:
        # Goes on to every table that refers to this one. The coordinator keeps a copy otherwise.
        statements.append(f"SELECT truncate_local_data_after_distributing_table('\"{OWNER_TABLE}\"')")
    return statements


def take_write_lock(connection: sa.Connection) -> None:
    """Begin a transaction that writes to SQLite, once nobody else does. Raises OperationalError after a wait."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout={SHORT_WAIT}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    except OperationalError as error:
        if not is_unavailable(error) or not patient.acquire(blocking=False):
            raise
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={WAIT}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        patient.release()


def close_session(_error: BaseException | None = None) -> None:
    """Give up what the session has not committed; a database that has gone away has done so by itself."""
    try:
        # What close() does, which would leave a broken connection to the garbage collector.
        db.session.expunge_all()
        db.session.rollback()
    except DBAPIError as error:
        if not is_unavailable(error):
            raise


def is_unavailable(error: Exception) -> bool:
    """Tell whether `error` says that the database is away, busy or full, rather than that we made a mistake."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; an OperationalError may also be a missing table.
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_UNAVAILABLE
    # Neither a lost connection nor most mistakes in the use of the driver have an SQLSTATE.
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or sqlstate.startswith(POSTGRESQL_UNAVAILABLE)
