"""Imports: a bank statement against bare inserts into the same table, and the review against the list."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from benchmarks.bench import FEW, Bench, guest_of
from benchmarks.client import Client, until_accepted
from benchmarks.expenses import sample_expenses
from benchmarks.report import Row, compare
from benchmarks.timing import alternate, seconds_of
from benchmarks.writes import longest_wait
from tests.browsing import MULTIPART, form_values, read, with_file

ROUNDS = 30
IMPORTS, FIRST_IMPORTER = 5, 5
LINES = 25_000
SMALL = 100
LARGEST = 50_000
COLUMNS = ("author_id", "id", "amount", "category", "description", "description_key", "date", "created_at")


def measure(bench: Bench) -> Iterator[Row]:
    """Measure uploading and adding a statement, and the review of a small one and of a large one."""
    yield from _imports(bench)
    yield from _reviews(bench)
    yield from _waits(bench)


def _waits(bench: Bench) -> Iterator[Row]:
    """Measure how long an add of one user waits at most, while another imports and undoes the largest file."""
    client, guest = bench.guest(3), bench.guest(4)
    content = _statement(LARGEST)
    yield longest_wait(guest, f"upload, review and Add of {LARGEST:,} lines", partial(_import, client, content))
    yield longest_wait(guest, f"undo of an import of {LARGEST:,} lines", partial(until_accepted, client.undo))


def _imports(bench: Bench) -> Iterator[Row]:
    content = _statement(LINES)
    bare = _BareInserts(bench, guest_of(1))
    taken: dict[str, list[float]] = {"import": [], "bare": []}
    for number in range(2 if bench.quick else IMPORTS):
        # Undone imports are still compared with later files, so each file is the first one of its account.
        client = bench.guest(FIRST_IMPORTER + number)
        taken["import"].append(_import(client, content))
        client.undo()
        taken["bare"].append(seconds_of(bare.insert))
        bare.delete()
    # The times are swapped, because the row compares rows per second.
    yield compare(
        f"upload and Add of {LINES:,} lines, rows a second / bare inserts",
        *(taken["bare"], taken["import"], 0.5 if bench.sqlite else None),
        at_least=True,
    )


def _reviews(bench: Bench) -> Iterator[Row]:
    client = bench.guest(2)
    urls = {number: _upload(client, _statement(number)) for number in (SMALL, LINES)}
    sides: dict[str, Callable[[], object]] = {"list": partial(bench.owner(FEW).get, "/expenses")}
    sides |= {url: partial(client.get, url) for url in urls.values()}
    taken = alternate(bench.rounds(ROUNDS), sides)
    for number, url in urls.items():
        yield compare(f"review of {number:,} lines / list page of {FEW:,}", taken[url], taken["list"], 2.0)
        client.send(f"{url}/discard")


def _statement(number: int) -> bytes:
    """Return a file with this number of lines, as a bank would send it."""
    rows = (
        f"{expense.date:%d.%m.%Y};{expense.description} {index % 977:05};-{abs(expense.amount)}"
        for index, expense in enumerate(islice(sample_expenses(number), number))
    )
    return "\n".join(["Date;Payee;Amount", *rows]).encode()


def _upload(client: Client, content: bytes) -> str:
    """Upload a file, and return the URL of its review."""
    sent = client.post("/imports", with_file({"csrf_token": client.token}, "statement.csv", content), MULTIPART)
    assert sent.location
    return sent.location.removesuffix("/columns")


def _import(client: Client, content: bytes) -> float:
    """Upload and add a file, and return how long both took, without reading the review in between."""
    began = time.perf_counter()
    url = until_accepted(partial(_upload, client, content))
    uploading = time.perf_counter() - began
    form = read(client.get(url)).one("form", class_="review")
    sent = {"csrf_token": client.token, "others": form_values(form)["others"], "go": "add-all"}
    return uploading + seconds_of(lambda: until_accepted(partial(client.post, url, sent)))


class _BareInserts:
    """The same number of rows, inserted as SQL with the database driver alone."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.engine = bench.engine
        self.author_id = bench.ids[name]
        self.mark = "?" if bench.sqlite else "%s"
        values = ", ".join(COLUMNS[2:])
        query = f"SELECT {values} FROM expense WHERE author_id = {bench.ids[f'owner-{100_000}']} LIMIT {LINES}"
        with self.engine.connect() as connection:
            self.values = [tuple(row) for row in connection.exec_driver_sql(query)]
        self.first: Any = None

    def insert(self) -> None:
        """Insert the rows by one statement, in one transaction."""
        self.first = uuid7().hex
        rows = [(self.author_id, uuid7().hex, *values) for values in self.values]
        marks = ", ".join([self.mark] * len(COLUMNS))
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO expense ({', '.join(COLUMNS)}) VALUES ({marks})", rows)

    def delete(self) -> None:
        """Delete the rows."""
        condition = f"author_id = {self.author_id} AND id > '{self.first}'"
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"DELETE FROM expense WHERE {condition}"))
