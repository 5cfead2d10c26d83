"""Connections to PostgreSQL that do not wait for a server that has stopped responding."""

from time import monotonic
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen
from psycopg.errors import ConnectionTimeout, _WaitTimeout
from psycopg.waiting import Ready

from database.availability import Availability
from database.engine import STATEMENT_TIMEOUT_SECONDS, in_command

# How long a statement may take before the server is probed, and again after each probe.
PROBE_INTERVAL_SECONDS = 0.3
# PostgreSQL cancels a statement before this, so a longer wait means that the connection is lost.
MAX_WAIT_SECONDS = STATEMENT_TIMEOUT_SECONDS + 5
POLL_INTERVAL_SECONDS = 0.1
UNRESPONSIVE = "the database does not respond"


class Connection(psycopg.Connection[Any]):
    """Connection that closes when the server has stopped responding, but not when a statement is slow.

    A server that is stopped, or whose disk hangs, keeps its connections open and sends nothing. The timeouts of
    PostgreSQL and of TCP do not notice that.
    """

    availability: Availability

    def wait(self, gen: PQGen[RV], interval: float = POLL_INTERVAL_SECONDS, timeout: float | None = None) -> RV:
        """Wait for the result of a statement, COMMIT, ROLLBACK or a ping of the pool. Raises OperationalError."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        deadline = monotonic() + MAX_WAIT_SECONDS
        gen = _resumable(gen)
        while not self.availability.is_unresponsive():
            try:
                return super().wait(gen, interval, PROBE_INTERVAL_SECONDS)
            except _WaitTimeout:
                if not in_command() and (monotonic() >= deadline or not self.availability.responds()):
                    break
        self.close()
        raise psycopg.OperationalError(UNRESPONSIVE)


def _resumable(gen: PQGen[RV]) -> PQGen[RV]:
    """Return a generator that can be waited for again after a timeout.

    Each wait begins by sending it None, but psycopg takes only numbers once a statement has begun to be sent.
    """
    try:
        state = next(gen)
        while True:
            state = gen.send((yield state) or Ready.NONE)
    except StopIteration as done:
        return done.value


def limit_waiting(engine: sa.Engine, availability: Availability) -> None:
    """Let `engine` open connections of this kind, and none while the database is known to be unresponsive."""

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: sa.Dialect, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Connection:
        if availability.is_unresponsive():
            raise psycopg.OperationalError(UNRESPONSIVE)
        try:
            connection = Connection.connect(*arguments, **options)
        except ConnectionTimeout:
            availability.report_timeout()
            raise
        connection.availability = availability
        return connection
