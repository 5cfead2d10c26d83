"""Starting: the time until the first page, and the memory of a process that has served a few.

The targets are relative to the baseline that imports the application's libraries, so that they measure what our
own code adds. The bare baseline is shown without a target.
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
    """Measure separate processes of the application and of both baselines, in turn."""
    # The same database and secret key, so that a session of the other process is valid here.
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
