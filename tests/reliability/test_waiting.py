"""Nobody waits for those who are slow."""

import contextlib
import socket
import sqlite3
import threading
import time

from tests.people import form_values
from tests.reliability.writers import Person, assert_back_in_a_moment


@contextlib.contextmanager
def at_the_same_time(do):
    """Repeat something until the end of the block."""
    over = threading.Event()

    def repeat():
        while not over.is_set():
            do()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def slowest(visitor, number):
    """How many seconds the slowest of so many looks at the list took."""
    longest = 0.0
    for _ in range(number):
        begun = time.monotonic()
        assert visitor.get("/expenses").status_code == 200
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.05)
    return longest


def test_sixty_clients_that_send_a_byte_now_and_then_stop_nobody(serve, times):
    server = serve()
    ana = Person(server).register("ana")
    host, _, port = server.address.removeprefix("http://").partition(":")
    heads = (b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b"GET /login HTTP/1.1\r\nX: ")
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(socket.create_connection((host, int(port)))) for _ in range(60)]
        for number, client in enumerate(clients):
            client.sendall(heads[number % 2])

        def dribble():
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    client.sendall(b"x")
            time.sleep(0.2)

        with at_the_same_time(dribble):
            assert slowest(ana, times(30)) < 2


def test_those_who_read_do_not_wait_for_those_who_wait_to_write(serve, tmp_path):
    ana = Person(serve()).register("ana")
    sent = form_values(ana.page("/expenses").one("form", class_="adding")) | {"amount": "1", "category": "Food"}
    answers = []

    def add(window):
        answers.append(window.post("/expenses", sent))

    writers = [threading.Thread(target=add, args=[ana.another_window()]) for _ in range(16)]
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for writer in writers:
            writer.start()
        time.sleep(0.1)
        waited = slowest(ana, 3)
        other.execute("ROLLBACK")
    for writer in writers:
        writer.join()

    assert waited < 3
    for answer in answers:
        if answer.status_code != 302:
            assert_back_in_a_moment(answer)
    assert 302 in {answer.status_code for answer in answers}
    assert ana.count() == 1
