"""Health check of the database, in a thread of its own so that every request can stop waiting for it."""

import logging
import threading
from concurrent.futures import Future, wait
from time import monotonic
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, TimeoutError

from database.engine import engine_options
from database.revision import is_migrated

log = logging.getLogger("ledger")
# The database is unresponsive when opening a new connection and running a query on it takes longer than this.
PROBE_TIMEOUT_SECONDS = 1.5


class Probe(NamedTuple):
    """A query to the database, whose result says whether every migration has been applied."""

    started_at: float
    migrated: Future[bool]

    def has_timed_out(self) -> bool:
        """Tell whether the result should have arrived by now."""
        return not self.migrated.done() and monotonic() - self.started_at >= PROBE_TIMEOUT_SECONDS


class Availability:
    """Circuit breaker: open while the database does not respond.

    Callers at the same time share one probe, so an unresponsive database blocks one thread and no more. That
    thread tries until there is a response, which closes the circuit again.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        if engine.dialect.name == "postgresql":
            # Without a pool, because a probe must not wait until a request returns its connection.
            options = engine_options(engine.url)["connect_args"]
            self._engine = sa.create_engine(engine.url, poolclass=sa.NullPool, connect_args=options)
        self._lock = threading.Lock()
        self._probe: Probe | None = None

    def is_unresponsive(self) -> bool:
        """Tell whether the last probe has timed out and still has no result. Returns immediately."""
        return self._probe is not None and self._probe.has_timed_out()

    def responds(self) -> bool:
        """Probe the database and tell whether it responds. An error is a response, too."""
        return self._wait(self._start_probe(monotonic())).migrated.done()

    def is_ready(self) -> bool:
        """Probe the database and tell whether it works and has every migration."""
        probe = self._wait(self._start_probe(monotonic()))
        try:
            return probe.migrated.done() and probe.migrated.result()
        except (DBAPIError, TimeoutError):
            return False

    def report_timeout(self) -> None:
        """Open the circuit, because the database has just taken longer than PROBE_TIMEOUT_SECONDS to respond."""
        self._start_probe(monotonic() - PROBE_TIMEOUT_SECONDS)

    def _start_probe(self, started_at: float) -> Probe:
        """Return the probe that is running, or start one."""
        with self._lock:
            if self._probe is None or self._probe.migrated.done():
                probe = Probe(started_at, Future())
                threading.Thread(target=self._run, args=[probe], daemon=True).start()
                self._probe = probe
            return self._probe

    def _wait(self, probe: Probe) -> Probe:
        """Return `probe` when it has a result or has timed out."""
        wait([probe.migrated], timeout=max(0, probe.started_at + PROBE_TIMEOUT_SECONDS - monotonic()))
        return probe

    def _run(self, probe: Probe) -> None:
        """Query the database until it responds."""
        while not probe.migrated.done():
            started_at = monotonic()
            try:
                probe.migrated.set_result(is_migrated(self._engine))
            except Exception as error:
                # A fast error comes from the database. A slow one is a timeout.
                if monotonic() - started_at < PROBE_TIMEOUT_SECONDS:
                    probe.migrated.set_exception(error)
        seconds = monotonic() - probe.started_at
        if seconds >= PROBE_TIMEOUT_SECONDS:
            log.warning("the database responds again, after %.1f seconds", seconds)
