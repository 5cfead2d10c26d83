"""Concurrency: many accounts read and add at the same time, served by gunicorn, as a larger installation is."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks import server
from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.report import Row, compare
from benchmarks.server import MeasuredServer
from benchmarks.timing import alternate, at_once

ROUNDS = 3
# How many pages each client reads within a round.
PAGES = 3


def measure(bench: Bench) -> Iterator[Row]:
    """Measure pages for everybody at once, on the list and on the baseline; and the same with an add each."""
    environment = bench.application.environment
    application, baseline = served = (server.gunicorn(environment), server.gunicorn_baseline(environment))
    try:
        for process in served:
            process.serve()
        yield from _measure(bench, application, baseline)
    finally:
        for process in served:
            process.stop()


def _measure(bench: Bench, application: MeasuredServer, baseline: MeasuredServer) -> Iterator[Row]:
    guests = [bench.guest(number).at(application.port) for number in range(bench.guests)]
    visitors = [Client(baseline.port) for _guest in guests]
    processor: dict[str, list[float]] = {}
    sides: dict[str, Callable[[], object]] = {
        name: partial(_at_once, process, actions, processor.setdefault(name, []))
        for name, process, actions in (
            ("baseline", baseline, [partial(_read, visitor, "/") for visitor in visitors]),
            ("list", application, [partial(_read, guest, "/expenses") for guest in guests]),
            ("add", application, [partial(_read_and_add, guest) for guest in guests]),
        )
    }
    taken = alternate(bench.rounds(ROUNDS), sides)
    pages = len(guests) * PAGES
    per_page = {name: [seconds / pages for seconds in rounds] for name, rounds in taken.items()}
    # Apart from the round that warms up.
    work = {name: [seconds / pages for seconds in rounds[1:]] for name, rounds in processor.items()}
    many = f"{len(guests)} accounts at once"
    target = 5 if bench.sqlite else 7
    yield compare(f"list page, {many} / baseline", per_page["list"], per_page["baseline"], target)
    yield compare(f"processor time of the list page, {many} / baseline", work["list"], work["baseline"])
    yield compare(f"list page and one add in {PAGES}, {many} / baseline", per_page["add"], per_page["baseline"])


def _at_once(process: MeasuredServer, actions: Sequence[Callable[[], object]], processor: list[float]) -> None:
    """Do everything at once, and add how many seconds the workers were busy."""
    before = process.processor_seconds()
    at_once(actions)
    processor.append(process.processor_seconds() - before)


def _read(client: Client, page: str) -> None:
    for _page in range(PAGES):
        client.get(page)
    # The server takes a limited number of connections; those of the other side are not used meanwhile.
    client.close()


def _read_and_add(client: Client) -> None:
    client.add()
    for _page in range(PAGES - 1):
        client.get("/expenses")
    client.close()
