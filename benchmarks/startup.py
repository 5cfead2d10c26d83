"""Starting: the time until the first page, and the memory of a process that has served a few.

The targets of ratios are against the baseline that imports the application's libraries: those are chosen, and what
is ours is what comes on top. The bare baseline is shown without one.
"""

from collections.abc import Iterator
from statistics import median

from benchmarks import server
from benchmarks.bench import FEW, Bench
from benchmarks.report import Row, compare

ROUNDS = 9
PAGES = 20
# On SQLite; the driver of PostgreSQL takes 9 MB.
MEMORY_TARGET = 85
BARE, SAME = "bare baseline", "baseline with the same libraries"


def measure(bench: Bench) -> Iterator[Row]:
    """Measure processes of their own, of the application and of both baselines, in turn."""
    # The same database and secret, so that a login of the other process is one here.
    environment = bench.application.environment
    sides = {
        "application": (server.application(environment), bench.owner(FEW), "/expenses"),
        SAME: (server.baseline(environment, bench.engine.dialect.loaded_dbapi.__name__), bench.visitor(), "/"),
        BARE: (server.baseline(environment), bench.visitor(), "/"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    memory: dict[str, list[float]] = {name: [] for name in sides}
    for _round in range(bench.rounds(ROUNDS)):
        for name, (process, known, page) in sides.items():
            try:
                seconds[name].append(process.serve())
                client = known.at(process.port)
                for _page in range(PAGES):
                    client.get(page)
                memory[name].append(process.memory())
            finally:
                process.stop()
    target = MEMORY_TARGET if bench.sqlite else None
    yield Row("memory of a process that serves pages", median(memory["application"]), target, "MiB")
    for baseline, time_target, memory_target in ((SAME, 2.0, 1.3), (BARE, None, None)):
        yield compare(f"start to first page / {baseline}", seconds["application"], seconds[baseline], time_target)
        yield compare(f"memory / {baseline}", memory["application"], memory[baseline], memory_target, sides="MiB")
