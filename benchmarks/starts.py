"""Starting: the time until the first page, and the memory of a process that has served a few.

The target is against the floor that imports the application's libraries: those are chosen, and what is ours is
what comes on top. The bare floor is shown without one.
"""

from collections.abc import Iterator

from benchmarks import served
from benchmarks.bench import FEW, Bench
from benchmarks.people import Person
from benchmarks.report import Row, compare

ROUNDS = 9
PAGES = 20
BARE, SAME = "bare floor", "floor with the same libraries"


def measure(bench: Bench) -> Iterator[Row]:
    """Measure processes of their own, of the application and of both floors, in turn."""
    # The same database and secret, so that a log-in of the other process is one here.
    sides = {
        "application": (served.application(bench.application.environment), bench.owner(FEW), "/expenses"),
        SAME: (served.floor(bench.engine.dialect.loaded_dbapi.__name__), bench.visitor(), "/"),
        BARE: (served.floor(), bench.visitor(), "/"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    memory: dict[str, list[float]] = {name: [] for name in sides}
    for _round in range(bench.rounds(ROUNDS)):
        for name, (process, known, page) in sides.items():
            try:
                seconds[name].append(process.start())
                person = Person(process.port)
                person.cookies = known.cookies
                for _page in range(PAGES):
                    person.get(page)
                memory[name].append(process.memory())
            finally:
                process.stop()
    for floor, time_target, memory_target in ((SAME, 2.0, 1.3), (BARE, None, None)):
        yield compare(f"start to first page / {floor}", seconds["application"], seconds[floor], time_target)
        yield compare(f"memory / {floor}", memory["application"], memory[floor], memory_target, sides="MiB")
