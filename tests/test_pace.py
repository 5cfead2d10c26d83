"""The pace of large operations: transactions that take about the same time everywhere, and pauses between them."""

import threading
import time

import pytest

from database import engine, pace
from database.pace import LEAST_ROWS, MAX_PAUSE_SECONDS, TRANSACTION_SECONDS, Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the pauses, and the test, move on."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def write(pace, clock, seconds_per_row):
    """Let a transaction with the rows of the pace take so long, and return how long it took."""
    took = pace.rows * seconds_per_row
    clock.sleep(took)
    pace.pause()
    return took


@pytest.mark.parametrize("seconds_per_row", [0.00003, 0.00006, 0.0001])
def test_transactions_take_about_the_same_time_on_every_computer(clock, seconds_per_row):
    own = Pace(5_000)

    taken = [write(own, clock, seconds_per_row) for _ in range(10)]

    assert taken[-1] == pytest.approx(TRANSACTION_SECONDS, rel=0.1)


def test_a_transaction_has_neither_very_few_rows_nor_more_than_was_asked_for(clock):
    slow, fast, small = Pace(2_000), Pace(2_000), Pace(2)

    write(slow, clock, 1)
    for _ in range(10):
        write(fast, clock, 0)
        write(small, clock, 0.0001)

    assert (slow.rows, fast.rows, small.rows) == (LEAST_ROWS, 2_000, 2)


def test_a_pause_lasts_until_whoever_waits_has_got_the_lock_but_not_forever(clock, monkeypatch):
    own, waiting = Pace(2_000), [True, True, True, False]
    monkeypatch.setattr(pace, "others_wait", lambda: waiting.pop(0) if waiting else True)

    before = clock.now
    own.pause()
    short = clock.now - before
    own.pause()

    assert pace.PAUSE_SECONDS + 2 * engine.POLL_SECONDS < short < MAX_PAUSE_SECONDS
    assert MAX_PAUSE_SECONDS < clock.now - before - short < 2 * MAX_PAUSE_SECONDS


def test_a_thread_that_waits_for_the_lock_is_known(app, ana):
    with app.app_context():
        database = engine.db.engine
    if database.dialect.name != "sqlite":
        pytest.skip("nobody waits for the others on PostgreSQL")

    def begin():
        with database.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    with database.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        assert not engine.others_wait()
        other = threading.Thread(target=begin)
        other.start()
        until = time.monotonic() + 5
        while not engine.others_wait() and time.monotonic() < until:
            time.sleep(0.001)
        assert engine.others_wait()
        connection.rollback()
        other.join()

    assert not engine.others_wait()
