"""The list: what a page of it costs, for accounts of all sizes and for different filters."""

from collections.abc import Iterator
from functools import partial

import sqlalchemy as sa

from benchmarks.bench import FEW, Bench, owner_of
from benchmarks.expenses import BUSY_MONTH
from benchmarks.report import Row, compare
from benchmarks.timing import alternate
from ledger.spending import PAGE_SIZE
from models import Expense, User

ROUNDS = 150
TUTORIAL_SIZES = {FEW: 1.0, 100_000: 0.3}
# The database keeps totals of the user's own months, which can begin on another day than the first.
FIRST_DAYS = (1, 15)
MONTH = f"/expenses?period={BUSY_MONTH:%Y-%m}"
# A text that one in 250 expenses has, and one that none has.
SEARCHES = {"lisbon": "a text that few have", "zanzibar": "a text that none has"}
# Pages that are compared with those of a small account, and how many times as long they may take.
OF_ALL_SIZES = {"a month": (MONTH, 1.3), "the largest amounts first": ("/expenses?sort=-amount", 1.3)}
OF_ALL_SIZES |= {name: (f"/expenses?search={text}", 3.0) for text, name in SEARCHES.items()}


def measure(bench: Bench) -> Iterator[Row]:
    """Measure the whole list against the baseline, at every size, and all the other pages against the list."""
    yield from _whole(bench)
    yield from _tutorial(bench)
    yield from _filtered(bench)
    yield from _deep(bench)
    yield from _of_all_sizes(bench)
    yield from _reports(bench)


def _whole(bench: Bench) -> Iterator[Row]:
    sides = {size: partial(bench.owner(size).get, "/expenses") for size in bench.sizes}
    taken = alternate(bench.rounds(ROUNDS), {0: partial(bench.visitor().get, "/")} | sides)
    for size in bench.sizes:
        stretch, target = (" (stretch 2.8)", 4.0) if size == FEW else ("", None)
        yield compare(f"list page of {size:,} / baseline{stretch}", taken[size], taken[0], target)
    targets = {100_000: 1.3, 1_000_000: 1.3}
    for size, target in targets.items():
        if size in taken:
            yield compare(f"list page of {size:,} / of {FEW:,}", taken[size], taken[FEW], target)
    smallest = bench.sizes[0]
    yield compare(f"list page of {bench.largest:,} / of {smallest:,}", taken[bench.largest], taken[smallest])
    kibibytes = len(bench.owner(FEW).get("/expenses").data) / 1024
    yield Row(f"list page of {FEW:,}, its length", kibibytes, 48, "KiB")


def _tutorial(bench: Bench) -> Iterator[Row]:
    for size, target in TUTORIAL_SIZES.items():
        sides = {
            "tutorial": partial(bench.reader(size).get, "/"),
            "list": partial(bench.owner(size).get, "/expenses"),
        }
        taken = alternate(bench.rounds(ROUNDS), sides)
        yield compare(
            f"list page of {size:,} / tutorial page of {size:,}", taken["list"], taken["tutorial"], target
        )


def _filtered(bench: Bench) -> Iterator[Row]:
    queries = {"category=Food": "a category", MONTH.partition("?")[2]: "a month"}
    queries |= {f"search={text}": name for text, name in SEARCHES.items()}
    for size in bench.sizes:
        get = bench.owner(size).get
        sides = {query: partial(get, f"/expenses?{query}") for query in queries}
        taken = alternate(bench.rounds(ROUNDS // 5), {"": partial(get, "/expenses")} | sides)
        for query, name in queries.items():
            target = 3 if query.startswith("search") and size == 100_000 else None
            yield compare(f"{name} of {size:,} / all of them", taken[query], taken[""], target)


def _deep(bench: Bench) -> Iterator[Row]:
    for size in bench.sizes[-2:]:
        get = bench.owner(size).get
        pages = {
            "first page": "/expenses",
            "page in the middle, by after=": f"/expenses?after={_cursor(bench, size, size // 2)}",
            "page in the middle, by before=": f"/expenses?before={_cursor(bench, size, size // 2)}",
            "last page": f"/expenses?after={_cursor(bench, size, PAGE_SIZE)}",
        }
        taken = alternate(bench.rounds(ROUNDS), {name: partial(get, page) for name, page in pages.items()})
        first = taken.pop("first page")
        for name, seconds in taken.items():
            yield compare(f"{name} of {size:,} / first page", seconds, first, 1.2)


def _cursor(bench: Bench, size: int, followed_by: int) -> str:
    """Return the cursor in an account after which this many expenses follow."""
    query = sa.select(Expense.date, Expense.id).where(Expense.author_id == bench.ids[owner_of(size)])
    query = query.order_by(Expense.date, Expense.id).offset(followed_by).limit(1)
    with bench.engine.connect() as connection:
        day, row_id = connection.execute(query).one()
    return f"{day}_{row_id}"


def _of_all_sizes(bench: Bench) -> Iterator[Row]:
    for name, (page, target) in OF_ALL_SIZES.items():
        sides = {size: partial(bench.owner(size).get, page) for size in bench.sizes if size >= FEW}
        taken = alternate(bench.rounds(ROUNDS // 2), sides)
        for size in [size for size in sides if size > FEW]:
            yield compare(f"{name} of {size:,} / of {FEW:,}", taken[size], taken[FEW], target)


def _reports(bench: Bench) -> Iterator[Row]:
    pages = {
        "month": f"/months/{BUSY_MONTH:%Y-%m}",
        "year": f"/years/{BUSY_MONTH:%Y}",
        "categories": "/categories",
    }
    for first_day in FIRST_DAYS:
        _begin_months_on(bench, first_day)
        for name, page in pages.items():
            sides = {size: partial(bench.owner(size).get, page) for size in bench.sizes if size >= FEW}
            taken = alternate(bench.rounds(ROUNDS // 5), sides)
            for size in [size for size in sides if size > FEW]:
                title = f"{name} page of {size:,} / of {FEW:,}, months from day {first_day}"
                yield compare(title, taken[size], taken[FEW], 1.3)
    _begin_months_on(bench, FIRST_DAYS[0])


def _begin_months_on(bench: Bench, first_day: int) -> None:
    with bench.engine.begin() as connection:
        connection.execute(sa.update(User).values(first_day_of_month=first_day))
