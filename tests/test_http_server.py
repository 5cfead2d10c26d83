"""The built-in server, with a small application behind it and limits that are reached within a second."""

import contextlib
import errno
import platform
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from waitress.adjustments import Adjustments

import http_server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
SILENCE_SECONDS = 1
MIN_BYTES_PER_SECOND = 1000
MAX_CONNECTIONS = 5
# Answers with the request, or with more than any buffer of the system holds.
PROGRAM = """
import glob, os, sys, time
import http_server

http_server.THREADS = 1
http_server.SILENCE_SECONDS, http_server.MIN_BYTES_PER_SECOND = int(sys.argv[2]), int(sys.argv[3])
http_server.MAX_CONNECTIONS = int(sys.argv[4])
http_server.MAX_UNFINISHED_BYTES = int(sys.argv[6])

def app(environ, start_response):
    if environ["PATH_INFO"] == "/work":
        time.sleep(2 * http_server.SILENCE_SECONDS)
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/large":
        body = bytes(20_000_000)
    elif environ["PATH_INFO"] == "/files":
        # Temporary files have no name. The first three are those of the process that started this one.
        links = [link for link in glob.glob("/proc/self/fd/*") if int(os.path.basename(link)) > 2]
        names = [os.readlink(link) for link in links if os.path.islink(link)]
        body = f"{sum(name.endswith('(deleted)') for name in names)} files".encode()
    else:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        body = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {body.decode()} {forwarded}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

is_behind_proxy = sys.argv[5] == "proxy"
http_server.serve(app, "127.0.0.1", int(sys.argv[1]), max_body_bytes=100_000, trust_proxy_headers=is_behind_proxy)
"""

# Prints how the memory is divided after several threads have used some.
THREADS_THAT_USE_MEMORY = """
import ctypes, threading
import http_server

http_server.prepare_process()
used, everyone = [], threading.Barrier(8)

def use_memory():
    everyone.wait()
    used.append([bytes(2000) for _ in range(100)])

threads = [threading.Thread(target=use_memory) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, output)
library.fflush(output)
"""


@pytest.fixture
def serve(unused_port):
    """Start the server, and return a function that connects to it."""
    with contextlib.ExitStack() as opened:

        def connect(sent=b""):
            client = opened.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.settimeout(10)
            client.connect((HOST, unused_port))
            client.sendall(sent)
            return client

        def start(proxy="", max_unfinished=150_000):
            limits = map(str, (SILENCE_SECONDS, MIN_BYTES_PER_SECOND, MAX_CONNECTIONS))
            command = [sys.executable, "-c", PROGRAM, str(unused_port), *limits, proxy, str(max_unfinished)]
            process = opened.enter_context(subprocess.Popen(command, cwd=ROOT))
            opened.callback(process.terminate)
            for _ in range(100):
                with contextlib.suppress(ConnectionRefusedError):
                    connect().close()
                    return connect
                time.sleep(0.1)
            raise AssertionError("the server does not start")

        yield start


def request(path, method="GET", headers="", body=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}{headers}\r\n{body}".encode()


def read_answer(client):
    """The status, the headers and the body of the next answer."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, "the connection was closed"
        head += byte
    first, *lines = head.decode().strip().splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = b""
    while missing := int(headers["content-length"]) - len(body):
        body += client.recv(min(missing, 65536))
    return int(first.split()[1]), headers, body.decode()


def is_closed_within(client, seconds):
    """Tell whether the server closes a connection in time; nothing of it is read."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            client.send(b"x")
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_requests_that_are_sent_ahead_are_answered_in_their_order(serve):
    client = serve()(
        request("/a") + b"\r\n\r\n" + request("/b", "POST", body="GET / HTTP/1.1\r\n\r\n") + request("/c") * 3
    )

    bodies = [read_answer(client)[2] for _ in range(5)]

    assert [body.split()[1] for body in bodies] == ["/a", "/b", "/c", "/c", "/c"]
    client.sendall(request("/d"))
    assert read_answer(client)[2].startswith("GET /d")


def test_a_request_that_is_cut_anywhere_is_the_same_request(serve):
    client = serve()()
    sent = request("/a", "POST", body="body") + request("/b")

    for byte in sent:
        client.sendall(bytes([byte]))

    assert read_answer(client)[2].startswith("POST /a body")
    assert read_answer(client)[2].startswith("GET /b")


@pytest.mark.parametrize(
    ("method", "length", "status"),
    [("GET", "", 200), ("POST", "Content-Length: 0\r\n", 200), ("POST", "Content-Length: 200000\r\n", 413)],
)
def test_a_request_without_a_body_to_wait_for_is_answered_at_once(serve, method, length, status):
    client = serve()(request("/a", method, f"{length}Expect: 100-continue\r\n"))

    assert read_answer(client)[0] == status


def test_a_client_that_asks_first_is_told_to_send_its_body(serve):
    client = serve()(request("/a", "POST", "Content-Length: 4\r\nExpect: 100-continue\r\n"))
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"

    client.sendall(b"body")

    assert read_answer(client)[2].startswith("POST /a body")


def test_an_answer_that_is_never_read_keeps_no_thread_and_is_dropped(serve):
    connect = serve()
    unread = connect(request("/large") * 5)

    assert read_answer(connect(request("/other")))[0] == 200

    assert is_closed_within(unread, 3 * SILENCE_SECONDS)


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n"]
)
def test_a_request_that_arrives_too_slowly_is_dropped(serve, begun):
    client = serve()(begun)

    assert is_closed_within(client, 3 * SILENCE_SECONDS)


@pytest.mark.parametrize(("bytes_at_once", "answered"), [(500, True), (10, False)])
def test_a_body_may_take_longer_than_silence_when_it_arrives_steadily(serve, bytes_at_once, answered):
    number = int(30 * SILENCE_SECONDS)
    length = number * bytes_at_once
    client = serve()(request("/", "POST", body="x" * length)[:-length])

    with contextlib.suppress(ConnectionError):
        for _ in range(number):
            time.sleep(0.1)
            client.sendall(b"x" * bytes_at_once)

    if answered:
        assert read_answer(client)[0] == 200
    else:
        assert is_closed_within(client, SILENCE_SECONDS)


def test_work_that_takes_long_is_not_silence_of_the_client(serve):
    client = serve()(request("/work"))

    assert read_answer(client)[0] == 200
    client.sendall(request("/after"))
    assert read_answer(client)[0] == 200


@pytest.mark.skipif("not Path('/proc/self/fd').exists()", reason="the system does not list open files")
def test_nothing_is_left_of_a_body_whose_client_has_gone(serve):
    def wait_for(number):
        until = time.monotonic() + 10
        while (found := read_answer(connect(request("/files")))[2]) != number and time.monotonic() < until:
            time.sleep(0.1)
        assert found == number

    connect = serve()
    wait_for("0 files")
    client = connect(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + bytes(70_000))
    wait_for("1 files")

    client.close()

    wait_for("0 files")


def test_bodies_that_are_not_complete_are_limited_together(serve):
    connect = serve()
    begun = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    longer, shorter = connect(begun % 95_000 + bytes(90_000)), connect(begun % 85_000 + bytes(80_000))

    assert is_closed_within(longer, SILENCE_SECONDS / 2)

    shorter.sendall(bytes(5_000))
    assert read_answer(shorter)[0] == 200


def test_a_single_body_of_the_largest_accepted_size_is_not_given_up(serve):
    client = serve(max_unfinished=70_000)(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 95000\r\n\r\n")
    client.sendall(bytes(90_000))
    time.sleep(SILENCE_SECONDS / 2)

    client.sendall(bytes(5_000))

    assert read_answer(client)[0] == 200


def test_a_client_that_is_gone_when_it_is_told_to_send_its_body_is_no_error():
    class Gone(socket.socket):
        def send(self, *_):
            raise ConnectionResetError(errno.ECONNRESET, "gone")

    with Gone() as client:
        connection = http_server.Connection(MagicMock(), client, (HOST, 1), Adjustments(), map={})

        connection.received(request("/a", "POST", "Content-Length: 4\r\nExpect: 100-continue\r\n"))

        assert not connection.connected


def test_at_the_limit_the_connection_that_is_silent_longest_gives_way(serve):
    connect = serve()
    silent = []
    for _ in range(MAX_CONNECTIONS):
        silent.append(connect(b"GET / HTTP/1.1\r\nX: "))
        time.sleep(0.02)

    newest = connect(request("/newest"))

    assert read_answer(newest)[0] == 200
    assert silent[0].recv(1) == b""
    for client in silent[2:]:
        client.sendall(b"x\r\n\r\n")
        assert read_answer(client)[0] == 200


def test_at_the_limit_a_request_that_is_being_answered_does_not_give_way(serve):
    connect = serve()
    working = connect(request("/work"))
    time.sleep(0.1)
    others = [connect() for _ in range(3 * MAX_CONNECTIONS)]

    assert others[0].recv(1) == b""
    assert read_answer(working)[0] == 200


def test_headers_have_a_limit(serve):
    client = serve()(b"GET / HTTP/1.1\r\nX: " + b"x" * http_server.MAX_HEADER_BYTES + b"\r\n\r\n")

    assert read_answer(client)[0] == 431


@pytest.mark.parametrize(
    "sent",
    [
        request("/a", "POST", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        request("/a", "POST", f"Content-Length: {'9' * 5000}\r\n"),
        request("http://[/a"),
    ],
    ids=["two lengths", "a number of thousands of digits", "no host"],
)
def test_a_request_that_others_could_understand_differently_ends_the_connection(serve, capfd, sent):
    client = serve()(sent + request("/hidden"))

    assert read_answer(client)[0] == 400

    assert client.recv(1) == b""
    assert "exception" not in capfd.readouterr().err


def test_no_answer_names_the_server(serve):
    connect = serve()

    for sent in (request("/"), b"nonsense\r\n\r\n"):
        _status, headers, body = read_answer(connect(sent))
        assert "server" not in headers
        assert "waitress" not in body


@pytest.mark.parametrize(("proxy", "seen"), [("", "None"), ("proxy", "192.0.2.1")])
def test_forwarded_headers_reach_the_application_only_behind_a_proxy(serve, proxy, seen):
    client = serve(proxy)(request("/", headers="X-Forwarded-For: 192.0.2.1\r\n"))

    assert read_answer(client)[2].split()[-1] == seen


@pytest.mark.parametrize(
    ("limits", "connections", "raised"),
    [
        ((1024, 524_288), http_server.MAX_CONNECTIONS, (1700, 524_288)),
        ((1024, resource.RLIM_INFINITY), http_server.MAX_CONNECTIONS, (1700, resource.RLIM_INFINITY)),
        ((1024, 1024), 274, (1024, 1024)),
        ((256, 800), 200, (800, 800)),
        ((65_536, 65_536), http_server.MAX_CONNECTIONS, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), http_server.MAX_CONNECTIONS, None),
    ],
)
def test_there_are_never_more_connections_than_files_for_them(monkeypatch, limits, connections, raised):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, wanted: asked.append(wanted))

    assert http_server.max_connections() == connections
    assert asked == ([raised] if raised else [])


def test_a_limit_on_files_that_may_not_be_raised_is_kept(monkeypatch):
    def refuse(_kind, _limits):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (1024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert http_server.max_connections() == 274


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc tells how memory is divided")
def test_threads_share_their_memory():
    command = [sys.executable, "-c", THREADS_THAT_USE_MEMORY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.count("<heap nr=") == 1
