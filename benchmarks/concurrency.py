"""Concurrency: many accounts read and add at the same time."""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.report import Row, compare
from benchmarks.timing import alternate, at_once

ROUNDS = 3
# How many pages each reads within a round.
PAGES = 3


def measure(bench: Bench) -> Iterator[Row]:
    """Measure pages for everybody at once, on the list and on the baseline; and the same with an add each."""
    guests = [bench.guest(number) for number in range(bench.guests)]
    visitors = [bench.visitor() for _guest in guests]
    sides: dict[str, Callable[[], object]] = {
        "baseline": partial(at_once, [partial(_read, visitor, "/") for visitor in visitors]),
        "list": partial(at_once, [partial(_read, guest, "/expenses") for guest in guests]),
        "add": partial(at_once, [partial(_read_and_add, guest) for guest in guests]),
    }
    taken = alternate(bench.rounds(ROUNDS), sides)
    per_page = {name: [seconds / len(guests) / PAGES for seconds in rounds] for name, rounds in taken.items()}
    many = f"{len(guests)} accounts at once"
    yield compare(f"list page, {many} / baseline", per_page["list"], per_page["baseline"])
    yield compare(f"list page and one add in {PAGES}, {many} / baseline", per_page["add"], per_page["baseline"])


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
