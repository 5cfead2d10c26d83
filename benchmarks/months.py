"""Benefit of the monthly totals: `python -m benchmarks.months` prints the figures of docs/decisions/0001."""

import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from database import Base
from models import DEFAULT_CATEGORIES

SIZES = (1_000, 10_000, 100_000, 1_000_000)
INSERT = """INSERT INTO expense (author_id, id, amount, category, description, description_key, date, created_at)
    VALUES (1, ?, ?, ?, ?, ?, ?, '2026-01-01 00:00:00')"""
BY_INDEX = "SELECT category, count(*), sum(amount) FROM expense WHERE author_id = 1 GROUP BY category"
KEPT = "SELECT category, sum(number), sum(amount) FROM month_total WHERE author_id = 1 GROUP BY category"


def main() -> None:
    """Print, for each size, both kinds of sum, and an add and a bulk insert without and with triggers."""
    with tempfile.TemporaryDirectory(prefix="ledger-months-") as folder:
        for size in SIZES:
            expenses = sample_expenses(size)
            figures = [measure(Path(folder, f"{size}-{kept}.db"), expenses, kept) for kept in (False, True)]
            (by_index, add, rate), (months, kept_add, kept_rate) = figures
            print(
                f"{size:9,}  by index {by_index:7.2f} ms, kept {months:.2f} ms;  "
                f"add {add:.2f} to {kept_add:.2f} ms;  bulk insert {rate:,.0f} to {kept_rate:,.0f} rows a second"
            )


def sample_expenses(size: int) -> list[tuple[str, int, str, str, str, str]]:
    """Return this many expenses of ten years, the same ones each time."""
    chance = random.Random(1)
    made = []
    for number in range(size):
        thing, day = f"thing {chance.randint(1, 999)}", date(2016, 1, 1) + timedelta(chance.randrange(3650))
        amount, category = chance.randint(1, 50_000) * 10, chance.choice(DEFAULT_CATEGORIES)
        made.append((uuid.UUID(int=number).hex, amount, category, thing, thing, str(day)))
    return made


def measure(
    file: Path, expenses: list[tuple[str, int, str, str, str, str]], kept: bool
) -> tuple[float, float, float]:
    """Return the milliseconds of a sum and of an add, and the rows per second of a bulk insert."""
    engine = sa.create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        if not kept:
            connection.execute("DROP TRIGGER expense_added")
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, expenses)
        connection.execute("COMMIT")
        rate = len(expenses) / (time.perf_counter() - begun)
        total = milliseconds(lambda: connection.execute(KEPT if kept else BY_INDEX).fetchall(), 11)
        add = milliseconds(
            lambda: connection.execute(INSERT, (uuid.uuid4().hex, 10, "Food", "a", "a", "2026-01-01")), 61
        )
    return total, add, rate


def milliseconds(do: Callable[[], object], times: int) -> float:
    """Return the median of this many runs."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        taken.append(1000 * (time.perf_counter() - begun))
    return median(taken)


if __name__ == "__main__":
    main()
