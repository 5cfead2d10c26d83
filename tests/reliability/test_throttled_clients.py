"""Throttled clients do not keep other users from logging in."""

import contextlib
import threading

import pytest

from tests.browsing import PASSWORD, REDIRECTS
from tests.reliability.writers import Person
from tests.server import own_database

CONNECTIONS = 6
VICTIM = "victim@example.com"


@contextlib.contextmanager
def hammering(server, address):
    """Send failing logins by several connections without a pause, once they are throttled."""
    over = threading.Event()
    refused = []

    def send(person, values):
        while not over.is_set():
            refused.append(person.client.post("/login", values).status_code)

    people = [Person(server, **{"X-Forwarded-For": address}) for _ in range(CONNECTIONS)]
    forms = [{"csrf_token": person.token(), "email": VICTIM, "password": "a wrong one"} for person in people]
    while people[0].client.post("/login", forms[0]).status_code != 429:
        pass
    threads = [threading.Thread(target=send, args=pair) for pair in zip(people, forms, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("limits", [{"THROTTLE_ACCOUNT": "10"}, {"THROTTLE_ADDRESS": "5"}], ids=str)
def test_throttled_connections_do_not_prevent_logins(serve, tmp_path, tally, times, limits):
    server = serve(own_database(tmp_path), PROXY_HOPS="1", **limits)
    server.empty_tables()
    server.create_person("ana")

    with hammering(server, "192.0.2.1") as refused:
        for number in range(times(10)):
            person = Person(server, **{"X-Forwarded-For": f"198.51.100.{number}"})
            tally.tries += 1
            tally.statuses[person.log_in("ana@example.com", PASSWORD).status_code] += 1

    tally.acknowledged = sum(tally.statuses[status] for status in REDIRECTS)
    assert tally.statuses.keys() <= REDIRECTS
    assert tally.acknowledged == tally.tries
    assert set(refused) == {429}
