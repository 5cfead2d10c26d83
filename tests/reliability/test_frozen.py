"""A PostgreSQL server whose processes are stopped: its connections stay open, and nothing answers."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from database.engine import database_url
from tests.browsing import REDIRECTS, form_values
from tests.postgres import frozen
from tests.reliability.writers import (
    Client,
    Person,
    assert_back_in_a_moment,
    assert_the_books_agree,
    people_who_write,
    working,
)
from tests.server import STYLE_SHEET

# How long a page may take to fail while the database is frozen, and to work again afterwards.
PAGE_SECONDS = 4
RECOVERY_SECONDS = 5
# The limit for responses that need no database, on a machine that is busy with other tests.
AT_ONCE_SECONDS = 1.5


def timed(client, address):
    """The answer, and how many seconds it took."""
    begun = time.monotonic()
    answer = client.get(address)
    return answer, time.monotonic() - begun


def assert_not_ready(client):
    answer, seconds = timed(client, "/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready\n")
    assert seconds < PAGE_SECONDS


def assert_alive_at_once(client):
    for address in ("/healthz", STYLE_SHEET):
        answer, seconds = timed(client, address)
        assert answer.status_code == 200
        assert seconds < AT_ONCE_SECONDS


def assert_recovers(person):
    """Pages work again soon, without a restart."""
    until = time.monotonic() + RECOVERY_SECONDS
    while (answer := person.get("/expenses")).status_code != 200:
        assert_back_in_a_moment(answer)
        assert time.monotonic() < until
        time.sleep(0.05)
    assert person.get("/readyz").status_code == 200


@contextlib.contextmanager
def locked_expenses(url):
    """Lock the table of expenses, so that every other statement on it waits."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("LOCK TABLE expense"))
        yield


@pytest.mark.parametrize("first", ["/readyz", "/expenses"])
def test_a_database_that_freezes_while_idle(serve, postgres, postgres_url, first):
    ana = Person(serve(postgres_url)).register("ana")
    ana.add("1")

    with frozen(postgres):
        if first == "/readyz":
            assert_not_ready(ana)
        answer, seconds = timed(ana, "/expenses")
        assert_back_in_a_moment(answer)
        assert seconds < PAGE_SECONDS
        # The circuit is open now, so no request waits again.
        answer, seconds = timed(ana, "/expenses")
        assert_back_in_a_moment(answer)
        assert seconds < AT_ONCE_SECONDS
        assert_not_ready(ana)
        assert_alive_at_once(ana)

    assert_recovers(ana)
    assert ana.count() == 1


def test_a_database_that_freezes_before_the_first_connection(serve, postgres, postgres_url):
    server = serve(postgres_url)
    ana = Person(server).register("ana")
    server.kill()
    server.serve()

    with frozen(postgres):
        windows = [ana.another_window() for _ in range(8)]
        with ThreadPoolExecutor(len(windows)) as browsers:
            answers = list(browsers.map(lambda window: timed(window, "/expenses"), windows))
        for answer, seconds in answers:
            assert_back_in_a_moment(answer)
            assert seconds < PAGE_SECONDS
        assert_not_ready(ana)
        assert_alive_at_once(ana)

    assert_recovers(ana)


def test_a_slow_statement_is_waited_for_and_an_unresponsive_server_is_not(serve, postgres, postgres_url):
    ana = Person(serve(postgres_url)).register("ana")
    form = form_values(ana.page("/expenses").one("form", class_="add-form")) | {"amount": "1", "category": "Food"}
    reader, writer = ana.another_window(), ana.another_window()

    with ThreadPoolExecutor() as background:
        with locked_expenses(postgres_url):
            page = background.submit(reader.get, "/expenses")
            time.sleep(PAGE_SECONDS)
            assert not page.done()
            assert ana.get("/readyz").status_code == 200
        assert page.result().status_code == 200

        with locked_expenses(postgres_url):
            added = background.submit(writer.post, "/expenses", form)
            time.sleep(1)
            assert not added.done()
            with frozen(postgres):
                assert_back_in_a_moment(added.result(timeout=PAGE_SECONDS))
                assert_alive_at_once(ana)

    assert_recovers(ana)
    for _ in range(2):
        assert writer.post("/expenses", form).status_code in REDIRECTS
    assert ana.count() == 1


@pytest.mark.parametrize("program", ["serve", "gunicorn"])
def test_a_database_that_freezes_while_many_write(serve, postgres, postgres_url, chance, tally, times, program):
    server = serve(postgres_url, program)
    people, writers = people_who_write([server], chance, tally)
    stranger = Client(server)

    with working(writers):
        for _ in range(times(2)):
            time.sleep(chance.uniform(0.5, 1.5))
            acknowledged = tally.acknowledged
            with frozen(postgres):
                # Every thread may be blocked until the first statements time out.
                answer, seconds = timed(stranger, "/healthz")
                assert answer.status_code == 200
                assert seconds < PAGE_SECONDS
                time.sleep(PAGE_SECONDS)
                assert_not_ready(stranger)
                assert_alive_at_once(stranger)
                answer, seconds = timed(people[0], "/expenses")
                assert_back_in_a_moment(answer)
                assert seconds < AT_ONCE_SECONDS
            tally.tries += 1
            assert_recovers(people[0])
            time.sleep(1)
            assert tally.acknowledged > acknowledged

    assert tally.statuses[503]
    assert not tally.unanswered
    assert_the_books_agree(server, people, writers, tally)
