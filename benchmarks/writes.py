"""Adding, changing and deleting: against a commit in the same database, and during bulk work."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from benchmarks.bench import Bench
from benchmarks.client import Client, until_accepted
from benchmarks.report import Row, compare
from benchmarks.timing import alternate, at_once, seconds_of

ROUNDS = 40
CLIENTS = (1, 8, 32)
# How often each client repeats the operation within a round.
TIMES = 3
BULK = 100_000
WAIT_MAX = 0.2
SCRATCH = sa.Table("benchmark_commit", sa.MetaData(), sa.Column("number", sa.Integer))


def measure(bench: Bench) -> Iterator[Row]:
    """Measure single changes, changes by many at once, and the waits that bulk work causes."""
    yield from _adds(bench)
    SCRATCH.create(bench.engine)
    try:
        for clients in CLIENTS:
            if clients <= bench.guests:
                yield from _round_trips(bench, clients)
    finally:
        SCRATCH.drop(bench.engine)
    yield from _waits(bench)


@dataclass
class _Client:
    """A client that adds a few expenses, changes them and deletes them again."""

    person: Client
    times: int = TIMES
    row_ids: list[uuid.UUID] = field(default_factory=list)

    def add(self) -> None:
        self.row_ids += [self.person.add() for _time in range(self.times)]

    def edit(self) -> None:
        for row_id in self.row_ids:
            self.person.edit(row_id, amount="5.30")

    def delete(self) -> None:
        while self.row_ids:
            self.person.delete(self.row_ids.pop())


def _adds(bench: Bench) -> Iterator[Row]:
    for size in bench.sizes:
        client = _Client(bench.owner(size), times=1)
        sides: dict[str, Callable[[], object]] = {
            "add": client.add,
            "list": partial(client.person.get, "/expenses"),
        }
        taken = alternate(bench.rounds(ROUNDS), sides)
        client.delete()
        yield compare(f"add to {size:,} / list page of {size:,}", taken["add"], taken["list"], 1.0)


def _round_trips(bench: Bench, number: int) -> Iterator[Row]:
    clients = [_Client(bench.guest(index)) for index in range(number)]
    # SQLite has one writer at a time: more connections would only wait for each other.
    writers = 1 if bench.sqlite else number
    commits = [partial(_commit, bench.engine, TIMES * number // writers)] * writers
    sides = {
        "add": partial(at_once, [client.add for client in clients]),
        "edit": partial(at_once, [client.edit for client in clients]),
        "delete": partial(at_once, [client.delete for client in clients]),
        "commit": partial(at_once, commits),
    }
    taken = alternate(bench.rounds(ROUNDS // 2), sides)
    per_operation = {name: [seconds / number / TIMES for seconds in rounds] for name, rounds in taken.items()}
    by = "1 client" if number == 1 else f"{number} clients at once"
    for name in ("add", "edit", "delete"):
        yield compare(f"{name} by {by} / a commit", per_operation[name], per_operation["commit"])


def _commit(engine: sa.Engine, times: int) -> None:
    with engine.connect() as connection:
        for number in range(times):
            connection.execute(sa.insert(SCRATCH).values(number=number))
            connection.commit()


def _waits(bench: Bench) -> Iterator[Row]:
    """Measure how long an add of one user waits at most, while another changes all of BULK expenses."""
    owner, guest = bench.owner(BULK), bench.guest(0)
    actions: dict[str, Callable[[], object]] = {
        "change of category": partial(owner.change_all, "category", category="Other"),
        "undo of the change": owner.undo,
        "deletion": partial(owner.change_all, "delete"),
        "undo of the deletion": owner.undo,
    }
    for name, action in actions.items():
        yield longest_wait(guest, f"{name} of {BULK:,}", action)


def longest_wait(guest: Client, name: str, action: Callable[[], object]) -> Row:
    """Return the row of the longest wait of a guest's add while another user does something large."""
    adds = Adds(guest)
    adds.start()
    took = seconds_of(action)
    adds.stop()
    return Row(f"longest wait of an add, {name}", adds.longest, WAIT_MAX, "s", measured=took, sides="s")


class Adds(threading.Thread):
    """Adds expenses continuously, and remembers how long the slowest took until it was accepted."""

    def __init__(self, person: Client) -> None:
        super().__init__()
        self.person = person
        self.longest = 0.0
        self.error: Exception | None = None
        self.enough = threading.Event()
        self.begun = threading.Event()

    def run(self) -> None:
        """Add one expense after the other until `stop`."""
        try:
            while not self.enough.is_set():
                self.longest = max(self.longest, seconds_of(partial(until_accepted, self.person.add)))
                self.begun.set()
        except Exception as error:
            self.error = error
            self.begun.set()

    def start(self) -> None:
        """Begin, and return when the first expense was added."""
        super().start()
        self.begun.wait()

    def stop(self) -> None:
        """Stop after the current one. Raises the error of the thread, if there was one."""
        self.enough.set()
        self.join()
        if self.error:
            raise self.error
