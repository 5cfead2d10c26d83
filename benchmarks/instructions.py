"""Count the instructions that a list page of 1,000 expenses takes, against those of other pages.

    python -m benchmarks.instructions --baseline-limit 3.5 --tutorial-limit 1   # exit code 1 above a limit

The others are those of the baseline, and of the tutorial application with the same expenses. The same page in
German may take 3 % more than in English. With 100,000 expenses, it may take 15 % more than with 1,000, and 0.3 of
the page of the tutorial application.

Unlike a time, such a count is the same in every run, whatever else the machine does. Needs valgrind.

Each side renders its page in a separate process under callgrind, without a server: see in_process.py.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks import accounts, tutorial
from benchmarks.bench import FEW, owner_of
from benchmarks.in_process import PAGES
from database.engine import database_url, prepare_engine
from tests.server import ROOT, environment_of, upgrade

MANY = 100_000
# The sizes of the accounts of each side. Two sides run at once, but not two on the same database, because each
# begins with a write.
SIDES = {"application": (FEW, MANY), "baseline": (FEW,), "tutorial": (FEW, MANY), "german": (FEW,)}
GERMAN_LIMIT, FLATNESS_LIMIT, TUTORIAL_LIMIT_OF_MANY = 1.03, 1.15, 0.3


def main(arguments: list[str] | None = None) -> int:
    """Count, print the ratios, and return 1 if one is above its limit, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=main.__doc__)
    parser.add_argument("--baseline-limit", type=float, help="the highest ratio to the baseline that is accepted")
    parser.add_argument("--tutorial-limit", type=float, help="the same for the tutorial application")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ledger-instructions-") as folder:
        environment = environment_of(f"sqlite:///{folder}/ledger.db") | {"PYTHONHASHSEED": "0"}
        environment["TUTORIAL_DATABASE"] = f"sqlite:///{folder}/tutorial.db"
        create_accounts(environment)
        with ThreadPoolExecutor(2) as two_sides:
            count = partial(instructions_of_a_page, folder=Path(folder), environment=environment)
            counts = {page: number for side in two_sides.map(count, SIDES) for page, number in side.items()}
    for page, instructions in counts.items():
        print(f"{page}: {instructions / 1e6:.2f} million instructions")
    ratios = [
        ("application", "baseline", asked.baseline_limit),
        ("application", "tutorial", asked.tutorial_limit),
        ("german", "application", GERMAN_LIMIT),
        (name_of("application", MANY), "application", FLATNESS_LIMIT),
        (name_of("application", MANY), name_of("tutorial", MANY), TUTORIAL_LIMIT_OF_MANY),
    ]
    return 1 if [line for line in ratios if exceeds(counts, *line)] else 0


def name_of(side: str, size: int) -> str:
    """Return what the page of an account is called."""
    return side if size == FEW else f"{side} of {size:,}"


def exceeds(counts: Mapping[str, float], page: str, other: str, limit: float | None) -> bool:
    """Print the ratio of two pages, and tell whether it is above its limit."""
    ratio = counts[page] / counts[other]
    print(f"{page} / {other}: {ratio:.3f}" + (f", limit: {limit:g}" if limit else ""))
    return limit is not None and ratio > limit


def create_accounts(environment: Mapping[str, str]) -> None:
    """Create the databases of the application and of the tutorial application, with accounts of both sizes."""
    sizes = {owner_of(size): size for size in (FEW, MANY)}
    upgrade(environment)
    engine = sa.create_engine(database_url(environment["DATABASE_URL"]))
    prepare_engine(engine)
    accounts.create(engine, sizes)
    engine.dispose()
    tutorial.open_database(environment["TUTORIAL_DATABASE"])
    tutorial.create(sizes)


def instructions_of_a_page(side: str, folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Render the pages of one side under callgrind and return the mean count of a page for each account."""
    counts = folder / side
    command = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={counts}"]
    module = [sys.executable, "-m", "benchmarks.in_process", side, "--expenses", *map(str, SIDES[side])]
    done = subprocess.run(command + module, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    # Every second file counts the pages of an account; the one before it counts what came before them.
    files = [Path(f"{counts}.{number}") for number in range(2, 2 * len(SIDES[side]) + 1, 2)]
    return {name_of(side, size): total_in(file) / PAGES for size, file in zip(SIDES[side], files, strict=True)}


def total_in(file: Path) -> int:
    """Return the count in a file of callgrind."""
    match = re.search(r"^totals: (\d+)$", file.read_text(), re.MULTILINE)
    assert match
    return int(match[1])


if __name__ == "__main__":
    sys.exit(main())
