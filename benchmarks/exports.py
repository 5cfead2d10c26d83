"""CSV export: rows per second, and memory."""

import csv
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.bench import Bench, owner_of
from benchmarks.report import Row, compare
from benchmarks.timing import alternate

ROUNDS = 9
SIZE = 100_000
SMALL = 10_000
GROWTH_MAX = 20
ADDRESS = "/expenses.csv"
QUERY = "SELECT date, category, description, amount FROM expense WHERE author_id = {} ORDER BY date DESC, id DESC"


def measure(bench: Bench) -> Iterator[Row]:
    """Measure the CSV file against a bare loop, and the memory of the server while it sends the largest one."""
    sides: dict[str, Callable[[], object]] = {
        "file": partial(bench.owner(SIZE).download, ADDRESS),
        "loop": partial(_bare_loop, bench),
    }
    taken = alternate(bench.rounds(ROUNDS), sides)
    # The times are swapped, because the row compares rows per second.
    target = 0.7 if bench.sqlite else None
    yield compare(
        f"CSV of {SIZE:,}, rows a second / bare loop", taken["loop"], taken["file"], target, at_least=True
    )
    yield Row(f"CSV of {bench.largest:,}, more memory than of {SMALL:,}", _growth(bench), GROWTH_MAX, "MiB")


def _bare_loop(bench: Bench) -> None:
    """Write the same rows with nothing between the database driver and `csv.writer`."""
    query = QUERY.format(bench.ids[owner_of(SIZE)])
    with open(os.devnull, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if bench.sqlite:
            connection = sqlite3.connect(str(bench.engine.url.database))
            writer.writerows(connection.execute(query))
            connection.close()
        else:
            with bench.engine.connect() as pooled:
                assert pooled.connection.driver_connection
                with pooled.connection.driver_connection.cursor("benchmark") as cursor:
                    writer.writerows(cursor.execute(query))


def _growth(bench: Bench) -> float:
    """Return how much more memory, in MiB, the largest file takes than a small one."""
    peaks = []
    for size in (SMALL, bench.largest):
        bench.application.reset_peak()
        bench.owner(size).download(ADDRESS)
        peaks.append(bench.application.peak())
    return peaks[1] - peaks[0]
