"""Throttling: limits, waits and the number of rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from database import db
from ledger import throttling
from ledger.throttling import Counter, forget_account, record, reset, seconds_to_wait
from models import Throttle
from tests.browsing import at_once

WINDOW, HOUR, DAY = 900, 3600, 86_400
NOW = 1_800_000_000


def counter(key="x", limit=10, longest_wait=DAY, **options):
    return Counter(key, limit, WINDOW, longest_wait, **options)


def attack(counted, seconds):
    """The number of guesses that somebody gets in this time who never waits longer than they have to."""
    row = Throttle(key="x", started_at=0, attempts=0, waits=0, expires_at=0)
    now = guesses = 0
    while now < seconds:
        if wait := counted.seconds_to_wait(row, now):
            now += wait
        else:
            counted.add(row, now)
            guesses += 1
    return guesses


@pytest.fixture
def keep(app):
    """The keys of the rows that are there, within a request that may write."""
    with app.test_request_context(method="POST"):
        yield lambda: sorted(db.session.scalars(select(Throttle.key)))


# --- Waits


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_the_longest(keep):
    waits, now = [], NOW
    for _ in range(10):
        for _ in range(10):
            assert record([counter()], now) == 0
        waits.append(record([counter()], now))
        assert seconds_to_wait([counter()], now) == waits[-1]
        now += waits[-1]

    assert waits == [WINDOW * 2**number for number in range(7)] + [DAY] * 3


def test_a_wait_ends_after_its_time(keep):
    for _ in range(10):
        record([counter()], NOW)

    assert seconds_to_wait([counter()], NOW + WINDOW - 1) == 1
    assert seconds_to_wait([counter()], NOW + WINDOW) == 0


def test_failures_that_are_far_apart_are_counted_too(keep):
    waits = [record([counter()], NOW + number * WINDOW) for number in range(11)]

    assert waits[:10] == [0] * 10
    assert waits[10] == 0
    assert attack(counter(), 365 * DAY) < 3800


def test_after_quiet_time_failures_are_forgotten_and_waits_shorter_again(keep):
    for number in range(9):
        assert record([counter()], NOW + number) == 0
    assert record([counter()], NOW + DAY) == 0
    assert seconds_to_wait([counter()], NOW + DAY) == 0

    later, waits = NOW + DAY, []
    for quiet in (0, 0, 0, DAY, 2 * DAY, 30 * DAY):
        later += quiet
        while not (wait := record([counter()], later)):
            pass
        waits.append(wait)
        later += wait

    assert waits == [WINDOW * factor for factor in (1, 2, 4, 4, 2, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counted", "day", "year"), [(counter(), 70, 3_720), (counter(longest_wait=HOUR), 260, 87_640)]
)
def test_the_guesses_of_a_year_are_bounded(counted, day, year):
    assert attack(counted, DAY) <= day
    assert attack(counted, 365 * DAY) <= year


@given(st.lists(st.integers(0, 10 * DAY), max_size=40))
def test_no_rhythm_gets_more_than_ten_guesses_a_wait(pauses):
    counted, now, guesses = counter(), NOW, 0
    row = Throttle(key="x", started_at=now, attempts=0, waits=0, expires_at=0)
    for pause in pauses:
        while not counted.seconds_to_wait(row, now):
            counted.add(row, now)
            guesses += 1
            assert row.expires_at > now
        assert counted.seconds_to_wait(row, now) <= DAY
        now += pause

    assert guesses <= 70 + 10 * ((now - NOW) / DAY + 1)


def test_a_clock_that_is_set_back_locks_nobody_out(keep):
    for _ in range(10):
        record([counter()], NOW)

    assert seconds_to_wait([counter()], NOW - 30 * DAY) == 0
    assert record([counter()], NOW - 30 * DAY) == 0
    assert seconds_to_wait([counter()], NOW - 30 * DAY) == 0


def test_a_first_wait_beyond_the_longest_stays_as_it_is(keep):
    long = Counter("x", 1, 10 * DAY, DAY)

    assert [record([long], NOW), record([long], NOW)] == [0, 10 * DAY]


def test_a_limit_of_zero_means_no_limit(keep):
    assert {record([counter(limit=0)], NOW) for _ in range(20)} == {0}
    assert seconds_to_wait([counter(limit=0)], NOW) == 0
    assert keep() == []


# --- Several at once


def test_an_attempt_that_has_to_wait_for_one_counter_is_counted_by_none(keep):
    full, other = counter("full", limit=1), counter("other")
    record([full], NOW)

    assert record([other, full], NOW) == WINDOW

    assert keep() == ["full"]


def test_success_forgets_the_own_failures_and_only_itself_of_the_shared_ones(keep):
    counters = [counter("own", limit=3), counter("shared", limit=3, shared=True)]
    for _ in range(2):
        record(counters, NOW)

    record(counters, NOW)
    reset(counters)
    db.session.commit()

    attempts = dict(db.session.execute(select(Throttle.key, Throttle.attempts)).all())
    assert attempts == {"shared": 2}
    assert seconds_to_wait(counters, NOW) == 0


def test_the_count_is_exact_when_all_try_at_once(app, stranger):
    waits = []
    counters = [counter(key) for key in ("b", "a", "c")]

    def attempt(number):
        with app.test_request_context(method="POST"):
            waits.append(record(counters[number % 3 :] + counters[: number % 3], NOW))

    at_once(attempt, range(16))

    assert sorted(waits) == [0] * 10 + [WINDOW] * 6


def test_failures_and_successes_at_the_same_moment_do_not_disturb_each_other(app, stranger):
    counters = [counter("own", limit=10**6), counter("all", limit=10**6, shared=True)]

    def attempt(number):
        for _ in range(20):
            with app.test_request_context(method="POST"):
                assert record(counters, NOW) == 0
                if number % 2:
                    reset(counters)
                    db.session.commit()
        done.append(number)

    done = []
    at_once(attempt, range(8))

    assert sorted(done) == list(range(8))
    with app.app_context():
        assert db.session.get(Throttle, "all").attempts == 80


def test_all_failures_at_an_account_can_be_forgotten(keep):
    ana, bob = (throttling.account_key(f"{name}@example.com") for name in ("ana", "bob"))
    home = throttling.account_key("ana@example.com", "home")
    for key in (ana, bob, home):
        record([counter(key)], NOW)

    forget_account("ana@example.com")

    assert keep() == [bob]


# --- The number of rows


def test_forgotten_failures_are_deleted(keep):
    record([counter("a")], NOW)
    for _ in range(10):
        record([counter("b")], NOW)

    record([counter("c")], NOW + DAY - 1)
    assert keep() == ["a", "b", "c"]
    record([counter("c")], NOW + DAY)
    assert keep() == ["b", "c"]
    record([counter("c")], NOW + DAY + WINDOW)
    assert keep() == ["c"]


def test_one_attempt_deletes_only_so_many(keep, monkeypatch):
    monkeypatch.setattr(throttling, "MAX_DELETED", 5)
    db.session.add_all(
        Throttle(key=str(number), started_at=1, attempts=1, waits=0, expires_at=2) for number in range(12)
    )
    db.session.commit()

    for left in (7, 2, 0):
        if db.engine.dialect.name == "postgresql":
            # A plan that PostgreSQL chooses by itself when its statistics are old.
            for join in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                db.session.execute(text(f"SET LOCAL enable_{join} = off"))
        record([counter("x")], NOW)
        assert len(keep()) == left + 1


def test_a_full_table_gives_up_those_that_have_failed_least(keep, monkeypatch):
    monkeypatch.setattr(throttling, "MAX_ROWS", 20)
    monkeypatch.setattr(throttling, "MAX_DELETED", 10)
    for _ in range(9):
        record([counter("target")], NOW)
    for number in range(200):
        record([counter(f"{number}a"), counter(f"{number}b")], NOW + number)

        assert db.session.scalar(select(func.count()).select_from(Throttle)) <= 21
    assert "target" in keep()
