"""Throttling: failures are counted, and after too many there is a wait, each longer than the one before."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from database import db
from database.engine import connect_to_read
from models import Throttle

# Somebody with many network addresses could fill the disk; beyond this many rows, the least important are deleted.
MAX_ROWS = 100_000
# One attempt deletes no more rows than this, so that none takes long.
MAX_DELETED = 100
# Half of a SHA-256 sum: enough that no two keys are the same by chance.
HALF_KEY = Throttle.KEY_MAX // 2


@dataclass(frozen=True)
class Counter:
    """Failures that are counted together, such as those at one account.

    After `limit` failures (0 means no limit) there is a wait of `first_wait` seconds, after as many more one that
    is twice as long, and so on up to `longest_wait`. Failures are forgotten after `longest_wait` seconds, and for
    each such time without a wait, the next one is only half as long. A success resets the counter, unless it is
    `shared` by several people: then the success is only not counted.
    """

    key: str
    limit: int
    first_wait: int
    longest_wait: int
    shared: bool = False

    def seconds_to_wait(self, row: Throttle, now: int) -> int:
        """Return how long the next attempt has to wait, or 0."""
        # A wait that begins in the future comes from a clock that has been set back since.
        is_waiting = self._is_full(row) and row.started_at <= now
        return max(0, self._ended_at(row) - now) if is_waiting else 0

    def add(self, row: Throttle, now: int) -> None:
        """Count a failure in `row`, for which there is no wait now."""
        was_full, ended_at = self._is_full(row), self._ended_at(row)
        quiet_times = max(0, now - ended_at) // self._longest
        if was_full and self._wait(row.waits) < self._longest:
            row.waits += 1
        row.waits = max(0, row.waits - quiet_times)
        if was_full or quiet_times or row.started_at > now:
            row.attempts, row.started_at = 0, now
        row.attempts += 1
        if self._is_full(row):
            row.started_at = now
        row.expires_at = self._ended_at(row) + self._longest * max(1, row.waits + self._is_full(row))

    def _is_full(self, row: Throttle) -> bool:
        return row.attempts >= self.limit

    def _ended_at(self, row: Throttle) -> int:
        """Return when the wait is over; without one, when the failures began."""
        return row.started_at + (self._wait(row.waits) if self._is_full(row) else 0)

    @property
    def _longest(self) -> int:
        return max(1, self.first_wait, self.longest_wait)

    def _wait(self, waits: int) -> int:
        """Return how long the wait is after this many others."""
        return min(self.first_wait << waits, self._longest)


def account_key(email: str, part: str = "") -> str:
    """Return the key of the failures at an account, or of a part of them; the keys of one account begin alike."""
    return _half_key(f"account {email}") + _half_key(part)


def other_key(subject: str) -> str:
    """Return the key of failures that do not belong to an account."""
    return hashlib.sha256(subject.encode()).hexdigest()


def _half_key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HALF_KEY]


def seconds_to_wait(counters: Iterable[Counter], now: int) -> int:
    """Return the longest wait of `counters`, or 0.

    Only reads, on a separate connection, so that it neither waits for writers nor holds them up.
    """
    limited = {counter.key: counter for counter in counters if counter.limit}
    if not limited:
        return 0
    query = sa.select(Throttle).where(Throttle.key.in_(limited))
    with connect_to_read(db.engine) as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return max((limited[row.key].seconds_to_wait(row, now) for row in rows), default=0)


def record(counters: Iterable[Counter], now: int) -> int:
    """Count a failure in each of `counters` and commit, or return the seconds that one of them has to wait.

    Called before it is known whether the attempt fails, so that many attempts at the same moment cannot exceed the
    limit. The rows are locked until the commit.
    """
    # All requests lock in the same order, so that no two wait for each other.
    limited = sorted((counter for counter in counters if counter.limit), key=lambda counter: counter.key)
    if not limited:
        return 0
    rows = _lock_rows([counter.key for counter in limited], now)
    wait = max(counter.seconds_to_wait(rows[counter.key], now) for counter in limited)
    if wait:
        db.session.rollback()
        return wait
    for counter in limited:
        counter.add(rows[counter.key], now)
    _delete_some(now)
    db.session.commit()
    return 0


def _lock_rows(keys: list[str], now: int) -> dict[str, Throttle]:
    """Return the rows with these keys, created if there are none, and locked for this transaction."""
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    new = [{"key": key, "started_at": now, "attempts": 0, "waits": 0, "expires_at": now} for key in keys]
    insert = dialect.insert(Throttle).values(new)
    # An update that changes nothing locks the row, which could otherwise be deleted before it is read.
    upsert = insert.on_conflict_do_update(index_elements=[Throttle.key], set_={"key": insert.excluded.key})
    rows = db.session.scalars(upsert.returning(Throttle), execution_options={"populate_existing": True})
    return {row.key: row for row in rows}


def _delete_some(now: int) -> None:
    """Delete some rows whose failures are forgotten or, if there are too many rows, those with the fewest."""
    doomed = sa.select(Throttle.key)
    if (db.session.scalar(sa.select(sa.func.count()).select_from(Throttle)) or 0) > MAX_ROWS:
        doomed = doomed.order_by(Throttle.waits, Throttle.attempts, Throttle.started_at)
    else:
        doomed = doomed.where(Throttle.expires_at <= now)
    # Without the CTE, PostgreSQL may run the query once for every row, and find other rows each time.
    some = doomed.limit(MAX_DELETED).with_for_update(skip_locked=True).cte()
    _run(sa.delete(Throttle).where(Throttle.key.in_(sa.select(some.c.key))))


def reset(counters: Iterable[Counter]) -> None:
    """Reset the counters of an attempt that succeeded; shared ones only uncount it. The caller commits."""
    for counter in sorted(counters, key=lambda counter: counter.key):
        own = Throttle.key == counter.key
        if counter.shared:
            _run(sa.update(Throttle).where(own, Throttle.attempts > 0).values(attempts=Throttle.attempts - 1))
        else:
            _run(sa.delete(Throttle).where(own))


def write_in_vain(now: int) -> None:
    """Write a row without a meaning, which takes as long as writing a real one; the caller commits."""
    _lock_rows([other_key("nothing")], now)


def forget_account(email: str) -> None:
    """Forget all failures at an account, from everywhere; the caller commits."""
    _run(sa.delete(Throttle).where(Throttle.key.startswith(_half_key(f"account {email}"), autoescape=True)))


def _run(statement: sa.Delete | sa.Update) -> None:
    """Change rows, none of which the session has loaded."""
    db.session.execute(statement, execution_options={"synchronize_session": False})
