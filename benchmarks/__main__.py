"""Measure the application against its baseline and print one table. The exit code is 1 if a target is missed."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from benchmarks import accounts, concurrency, exports, imports, login, pages, server, startup, tutorial, writes
from benchmarks.bench import Bench, guest_of, owner_of
from benchmarks.report import Row, table, write_json
from database.engine import database_url, prepare_engine
from tests.server import environment_of, upgrade

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
GUESTS = 200
GUEST_SIZE = 100


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute, with smaller accounts")
    parser.add_argument("--database", metavar="URL", help="an empty database (default: a new SQLite file)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the rows to this file")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ledger-benchmarks-") as folder:
        database = database_url(asked.database or f"sqlite:///{folder}/ledger.db")
        rows = list(measure(database, asked.quick, emptied=bool(asked.database)))
    return show(rows, asked.json)


def show(rows: list[Row], file: Path | None) -> int:
    """Print the table, write the file, and return 1 if a target is missed, otherwise 0."""
    print(table(rows))
    if file:
        write_json(file, rows)
    missed = [row.name for row in rows if not row.holds]
    print(f"\n{len(missed)} of {sum(row.target is not None for row in rows)} targets missed.")
    return 1 if missed else 0


def measure(database: sa.URL, quick: bool, emptied: bool) -> Iterator[Row]:
    """Serve the application, the baseline and the tutorial, fill the databases, and yield all rows.

    A database that is kept afterwards is `emptied` at the end, even after an error.
    """
    sizes, guests = (SIZES[:-1], 8) if quick else (SIZES, GUESTS)
    if database.get_backend_name() == "sqlite":
        # Relative to the current folder, not to the application's instance folder.
        database = database.set(database=str(Path(database.database or "").absolute()))
    engine = sa.create_engine(database, pool_size=max(writes.CLIENTS))
    prepare_engine(engine)
    environment = environment_of(database.render_as_string(hide_password=False))
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        tell("a database of", f"{sum(sizes):,} expenses")
        upgrade(environment)
        sizes_by_name = {owner_of(size): size for size in sizes}
        sizes_by_name |= {guest_of(number): GUEST_SIZE for number in range(guests)}
        accounts.refuse_real(engine)
        if emptied:
            stack.callback(accounts.remove, engine)
        ids = accounts.create(engine, sizes_by_name)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-tutorial-"))
        tutorial.open_database(f"sqlite:///{folder}/tutorial.db")
        tutorial.create({owner_of(size): size for size in pages.TUTORIAL_SIZES})
        served = (
            server.application(environment),
            server.baseline(environment),
            server.tutorial(f"sqlite:///{folder}/tutorial.db"),
        )
        for process in served:
            stack.callback(process.stop)
            process.serve()
        bench = Bench(*served, engine, sizes, guests, quick, ids)
        measures = [pages, writes, exports, imports, login, startup] + ([] if quick else [concurrency])
        for measure in measures:
            tell("measuring", measure.__name__.rpartition(".")[2])
            yield from measure.measure(bench)


def tell(*message: str) -> None:
    """Print the progress to standard error, separate from the table."""
    print(*message, "...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
