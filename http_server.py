"""The built-in server: waitress, with limits on clients that send or read slowly, or not at all.

One thread of waitress moves bytes and never waits for a client; eight others compute the answers. On its own,
waitress can still be blocked: it goes on executing the requests of a client that never reads the answers, it lets
a client send a header or a body a byte at a time, and at its connection limit it accepts no more. `Connection`
changes that.
"""

import ctypes
import gc
import resource
import sys
import time
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import create_server
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer

THREADS = 8
SWITCH_SECONDS = 0.001
# After how many new objects garbage is collected among them, and how rarely among all, which stops every thread.
GARBAGE_THRESHOLDS = (20_000, 10, 50)
# The number of memory pools, as malloc.h calls it.
M_ARENA_MAX = -8
MAX_CONNECTIONS = 500
MAX_HEADER_BYTES = 16 * 1024
# A longer request body is kept in a temporary file until it is complete.
MAX_BODY_BYTES_IN_MEMORY = 64 * 1024
# The bodies that are not complete may take this much of the disk together, which can be memory in a container.
MAX_UNFINISHED_BYTES = 256 * 1024 * 1024
# A client may be silent for this long. Each byte that it sends or reads buys it a little more time.
SILENCE_SECONDS = 20
MIN_BYTES_PER_SECOND = 4096
# A connection may need a socket, a file for a long request body and a file for a long answer.
FILES_PER_CONNECTION = 3
# Files for the database connections of all threads, the log, and modules that are being imported.
SPARE_FILES = 200
# Waitress counts its own sockets, and connections that are about to be closed, as connections.
SPARE_CONNECTIONS = 20
# No thread waits until a client has read: what is not sent yet is kept in memory, and beyond 1 MiB in a file.
UNLIMITED = 2**62


class FirstRequestParser(HTTPRequestParser):
    """Parses one request and hands what was sent after it back to its connection."""

    def __init__(self, adjustments: Adjustments, connection: "Connection") -> None:
        super().__init__(adjustments)
        self.connection = connection

    def received(self, data: bytes) -> int:
        """Take the next bytes of the request and return how many the caller can forget."""
        consumed: int = super().received(data)
        if self.completed and consumed < len(data):
            # Otherwise the connection would parse, keep and execute all further requests at once.
            self.connection.pipelined = data[consumed:]
            return len(data)
        return consumed

    def parse_header(self, header: bytes) -> None:
        """Read the head of a request. Raises ParsingError, which is answered with status 400.

        A body has one length: with two, the proxy could take its end for another request.
        """
        try:
            super().parse_header(header)
        except ValueError:
            # An address such as http://[, or a length of thousands of digits.
            raise ParsingError("Invalid address or Content-Length") from None
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Content-Length and Transfer-Encoding")


class Connection(HTTPChannel):
    """A connection that executes one request at a time and is closed when its client is too slow.

    `deadline` is when the client has to have sent or read more. At the limit of connections, a new one takes the
    place of the one with the earliest deadline.
    """

    # The one that is arriving.
    request: HTTPRequestParser | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.pipelined = b""
        self.deadline = time.monotonic() + SILENCE_SECONDS
        super().__init__(*arguments, **options)
        self._make_room()

    def parser_class(self, adjustments: Adjustments) -> FirstRequestParser:
        """Return the parser of the next request."""
        return FirstRequestParser(adjustments, self)

    def readable(self) -> bool:
        """Tell whether to wait for bytes; called for every connection at least once a second."""
        if self.requests:
            self.deadline = time.monotonic() + SILENCE_SECONDS
        elif time.monotonic() > self.deadline:
            # `will_close` would wait until more bytes can be sent, which never happens if nobody reads.
            self.handle_close()
        return self.connected and not self.pipelined and bool(super().readable())

    def writable(self) -> bool:
        """Tell whether to wait until bytes can be sent, or a request that was sent ahead can be executed."""
        return self.connected and bool(super().writable() or (self.pipelined and not self.requests))

    def handle_close(self) -> None:
        """Close the connection, and remove the file of a body that is not complete."""
        super().handle_close()
        if self.request is not None:
            # Otherwise it would stay until the next garbage collection, which can be hours away.
            self.request.close()

    def handle_write(self) -> None:
        """Send bytes. Once an answer is sent, take the next request of those that were sent ahead."""
        super().handle_write()
        if self.pipelined and self.connected and super().readable():
            data, self.pipelined = self.pipelined, b""
            self.received(data)

    def received(self, data: bytes) -> bool:
        """Take bytes of a request. Of too many bodies that are not complete, the longest one is given up."""
        is_accepted: bool = super().received(data)
        if self.unfinished_bytes > MAX_BODY_BYTES_IN_MEMORY:
            connections = [other for other in self._map.values() if isinstance(other, Connection)]
            # One body that is accepted at all must fit, however large the settings allow it to be.
            limit = max(MAX_UNFINISHED_BYTES, self.adj.max_request_body_size)
            if sum(other.unfinished_bytes for other in connections) > limit:
                max(connections, key=lambda other: other.unfinished_bytes).deadline = 0
        return is_accepted

    @property
    def unfinished_bytes(self) -> int:
        """The number of bytes that have arrived of a body that is not complete."""
        return self.request.body_bytes_received if self.request is not None else 0

    def send_continue(self) -> None:
        """Tell the client to send the body of a request, unless there is none, or it is refused already."""
        # Otherwise the request would never be complete.
        if self.request is not None and not self.request.completed:
            super().send_continue()

    def recv(self, size: int) -> bytes:
        """Receive bytes, which give the client more time; a new request begins with all of it."""
        data: bytes = super().recv(size)
        if self.request is None:
            self.deadline = time.monotonic() + SILENCE_SECONDS
        self._postpone_deadline(len(data))
        return data

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes, which give the client more time."""
        sent: int = super().send(data, do_close)
        self._postpone_deadline(sent)
        return sent

    def _postpone_deadline(self, size: int) -> None:
        latest = time.monotonic() + SILENCE_SECONDS
        self.deadline = min(latest, self.deadline + size / MIN_BYTES_PER_SECOND)

    def _make_room(self) -> None:
        """At the limit, close the idle connection that has the least time left."""
        others = [other for other in self._map.values() if isinstance(other, Connection) and other is not self]
        idle = [other for other in others if not other.requests]
        if idle and len(others) >= self.adj.connection_limit - SPARE_CONNECTIONS:
            # It is closed in the next round of the loop. Until then, its file descriptor must not be reused.
            min(idle, key=lambda other: other.deadline).deadline = 0


def serve(app: WSGIApplication, host: str, port: int, max_body_bytes: int, trust_proxy_headers: bool) -> None:
    """Serve `app` until the process is told to stop."""
    listen(app, host, port, max_body_bytes, trust_proxy_headers).run()


def listen(
    app: WSGIApplication, host: str, port: int, max_body_bytes: int, trust_proxy_headers: bool
) -> BaseWSGIServer:
    """Return a server that listens, and answers once it runs. X-Forwarded headers reach `app` only if trusted.

    Raises OSError if the address cannot be used, and ValueError if there is no such host.
    """
    # Before there are threads.
    prepare_process()
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=THREADS,
        connection_limit=max_connections() + SPARE_CONNECTIONS,
        # `Connection` has its own timeout, which counts bytes.
        channel_timeout=UNLIMITED,
        outbuf_high_watermark=UNLIMITED,
        asyncore_use_poll=True,
        max_request_body_size=max_body_bytes,
        max_request_header_size=MAX_HEADER_BYTES,
        inbuf_overflow=MAX_BODY_BYTES_IN_MEMORY,
        clear_untrusted_proxy_headers=not trust_proxy_headers,
        ident=None,
    )
    # A host name may stand for several addresses.
    for listener in sockets.values():
        if isinstance(listener, BaseWSGIServer):
            listener.channel_class = Connection
    return server


def prepare_process() -> None:
    """Set up Python for many threads: a long computation in one of them holds up the others for a moment only."""
    # A thread that answers a request gives up its turn at every statement, and would wait 5 ms for the next one.
    sys.setswitchinterval(SWITCH_SECONDS)
    # The objects of now stay. Looking for garbage among them would take a third of the time of an import.
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    # With a memory pool for each thread, the process would take 10 MB more. Only glibc has this function.
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def max_connections() -> int:
    """Return how many connections there may be, after asking the system for as many files as they may need."""
    wanted = MAX_CONNECTIONS * FILES_PER_CONNECTION + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_CONNECTIONS
    files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    except (OSError, ValueError):
        # A sandbox may forbid it.
        files = soft
    return max(1, (files - SPARE_FILES) // FILES_PER_CONNECTION)
