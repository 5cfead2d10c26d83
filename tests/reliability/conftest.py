"""Faults that a server must survive. These tests take minutes, so they run only on request.

`RELIABILITY=1` runs the short form; `RELIABILITY=long` tries ten times as often. What changes the system, by
mounting a disk or by adding a user, is done with CI=true only, and whatever is missing then is a failure.
`RELIABILITY_SEED` repeats the choices of a run, as far as threads can be repeated.
"""

import contextlib
import os
import random
import re
import resource
import secrets
import subprocess
import tempfile
from pathlib import Path

import pytest

from app import app as application
from database.engine import database_url
from tests.postgres import start_postgres, temporary_database
from tests.reliability.writers import Tally
from tests.schema import migrate
from tests.server import Server

HERE = Path(__file__).parent
# What Flask, waitress and gunicorn log of an error that nobody has handled.
MISTAKES = re.compile("Exception on |Exception while serving|Error handling request")
MODE = os.environ.get("RELIABILITY")
# On a dedicated machine, the tests may change the system.
IS_CI = os.environ.get("CI") == "true"
CAP_SYS_ADMIN = 21
CAPABILITIES = int(re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[1], 16)
TALLIES = pytest.StashKey[list[Tally]]()


def pytest_configure(config):
    config.stash[TALLIES] = []


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.reliability)
            if not MODE:
                item.add_marker(pytest.mark.skip(reason="takes minutes: RELIABILITY=1 runs it"))


def pytest_terminal_summary(terminalreporter, config):
    for number, tally in enumerate(config.stash[TALLIES]):
        if number == 0:
            terminalreporter.section("faults, and what became of acknowledged changes")
        terminalreporter.line(str(tally))


@pytest.fixture
def times():
    """The number of repetitions: `n` in the short form."""
    return lambda n: n * 10 if MODE == "long" else n


@pytest.fixture
def chance():
    """The source of all random choices; its seed is printed when the test fails."""
    seed = os.environ.get("RELIABILITY_SEED") or secrets.token_hex(4)
    print(f"RELIABILITY_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def tally(request):
    """The counts of a test, for the table at the end."""
    found = Tally(request.node.name)
    yield found
    request.config.stash[TALLIES].append(found)


@pytest.fixture
def serve(tmp_path):
    """Start a server with an empty database; every one is ended with the test."""
    servers = []

    def start(url=f"sqlite:///{tmp_path / 'ledger.db'}", program="serve", file_limit=None, **settings):
        server = Server(tmp_path, url, program, **settings)
        server.file_limit = file_limit
        servers.append(server)
        # `Server.start` does so in a separate process, which takes seconds.
        migrate(application, database_url(url))
        server.serve()
        return server

    yield start
    for server in servers:
        server.stop()
        assert not MISTAKES.search(server.log.read_text())


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server that may be broken: no other tests use it."""
    if os.geteuid() == 0 and not IS_CI and os.environ.get("TEST_POSTGRES") != "1":
        pytest.skip("as root, the server needs a user of its own, which CI=true or TEST_POSTGRES=1 lets it add")
    # Not in the folder of pytest, which is closed to the user that the server runs as.
    return start_postgres(Path(tempfile.mkdtemp(prefix="ledger-tests-")))


@pytest.fixture
def postgres_url(postgres):
    """An empty database of that server."""
    with temporary_database(postgres.get_uri()) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request, tmp_path):
    """An empty database of each kind."""
    return (
        f"sqlite:///{tmp_path / 'ledger.db'}"
        if request.param == "SQLite"
        else request.getfixturevalue("postgres_url")
    )


class FullDisk:
    """A small disk, on which `fill` leaves no room, and `empty` makes some again."""

    def __init__(self, folder):
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "ledger-tests", str(folder)], check=True)

    def fill(self, server):
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(512))

    def empty(self, server):
        (self.folder / "ballast").unlink()

    def close(self):
        subprocess.run(["umount", str(self.folder)], check=True)


class NoFurtherBytes:
    """A limit on the length of files, which needs no rights: beyond it the server can write nothing at all."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, server):
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def empty(self, server):
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    def close(self):
        pass


@pytest.fixture(params=[NoFurtherBytes, FullDisk])
def disk(request, tmp_path):
    """A disk that can be filled."""
    if request.param is FullDisk and not IS_CI:
        pytest.skip("mounts a disk, which only CI=true allows")
    if request.param is FullDisk and not CAPABILITIES >> CAP_SYS_ADMIN & 1:
        pytest.skip("not everyone who builds may mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    found = request.param(folder)
    yield found
    found.close()
