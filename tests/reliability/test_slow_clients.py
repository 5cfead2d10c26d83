"""Clients that read or send slowly, or not at all, delay neither other users nor SQLite's checkpoints."""

import contextlib
import resource
import socket
import sqlite3
import threading
import time

import pytest

from tests.reliability.writers import Person, slowest
from tests.server import STYLE_SHEET

PIPELINED = f"GET {STYLE_SHEET} HTTP/1.1\r\n\r\n".encode() * 221
HEADERS = b"GET /login HTTP/1.1\r\nHost: x\r\nX: "
BODY = (
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9000\r\n\r\n"
)
PAGE = f"GET {STYLE_SHEET} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
# Seconds that another user may wait for a page. A blocked server never answers.
WAIT_MAX = 3


@pytest.fixture(autouse=True)
def enough_files():
    """Raise the file limit of this process, which opens all the connections of the clients."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def clients():
    """Open many connections that have sent something; all are closed with the test.

    Their buffers are small, because the loopback interface would hold whole files in large ones.
    """
    with contextlib.ExitStack() as connections:

        def connect(server, number, sent):
            opened = []
            for _ in range(number):
                client = connections.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
                client.settimeout(5)
                client.connect(server.host_and_port)
                client.sendall(sent)
                client.setblocking(False)
                opened.append(client)
            return opened

        yield connect


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


def for_each(clients, do):
    """Do something with every client, whether or not the server has closed its connection."""
    for client in clients:
        with contextlib.suppress(OSError):
            do(client)


@pytest.mark.parametrize(("number", "file_limit"), [(8, None), (6, 1024)])
def test_requests_whose_answers_are_never_read_do_not_delay_other_users(serve, times, clients, number, file_limit):
    server = serve(file_limit=file_limit)
    ana = Person(server).register("ana")
    clients(server, number, PIPELINED)

    assert slowest(ana, times(15)) < WAIT_MAX


@pytest.mark.parametrize(("number", "begun"), [(510, HEADERS), (60, BODY), (510, BODY)])
def test_requests_that_arrive_a_byte_at_a_time_do_not_delay_other_users(serve, times, clients, number, begun):
    server = serve()
    ana = Person(server).register("ana")
    slow = clients(server, number, begun)

    def trickle():
        for_each(slow, lambda client: client.send(b"x"))
        time.sleep(0.2)

    with at_the_same_time(trickle):
        assert slowest(ana, times(15)) < WAIT_MAX


def test_idle_connections_do_not_delay_other_users(serve, times, clients):
    server = serve()
    ana = Person(server).register("ana")
    clients(server, 510, b"")

    assert slowest(ana, times(15)) < WAIT_MAX


def test_readers_of_a_byte_a_second_do_not_delay_other_users(serve, times, clients):
    server = serve()
    ana = Person(server).register("ana")
    slow = clients(server, 510, PAGE)

    def read():
        for_each(slow, lambda client: client.recv(1))
        time.sleep(1)

    with at_the_same_time(read):
        assert slowest(ana, times(15)) < WAIT_MAX


def test_silent_clients_lose_their_connections(serve, clients):
    server = serve()
    slow = [client for begun in (PIPELINED, HEADERS, BODY, b"") for client in clients(server, 8, begun)]

    until = time.monotonic() + 30
    while slow := [client for client in slow if not is_closed(client)]:
        assert time.monotonic() < until
        time.sleep(0.5)


def is_closed(client):
    """Send one more byte, and tell whether the server has closed the connection."""
    try:
        client.send(b"x")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


@pytest.mark.parametrize("number", [8, 30])
def test_downloads_that_are_never_read_do_not_delay_other_users(serve, times, clients, tmp_path, number):
    server = serve()
    ana = Person(server).register("ana")
    server.save_many("ana", 50_000)
    clients(server, number, request_of(ana, "/expenses.csv"))
    # Writing the files keeps a processor busy for a while; what matters is what comes after it.
    time.sleep(5)

    assert slowest(ana, times(15)) < WAIT_MAX
    ana.add("1", description="added beside the downloads")
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as database:
        blocked, _pages, _moved = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not blocked
    bob = Person(server).register("bob")
    bob.add("2")
    assert bob.get("/expenses.csv").status_code == 200


def request_of(person, address):
    """A request with the cookies of a logged-in user, as bytes."""
    cookies = "; ".join(f"{name}={value}" for name, value in person.client.cookies.items())
    return f"GET {address} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n".encode()
