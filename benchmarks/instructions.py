"""Count the instructions that a list page of 1,000 expenses takes, against those of two other pages.

    python -m benchmarks.instructions --baseline-limit 3.5 --tutorial-limit 1   # exit code 1 above a limit

The others are those of the baseline, and of the tutorial application with the same expenses. The same page in
German may take 3 % more than in English.

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

# Two run at once, but not two on the same database, because each begins with a write.
SIDES = ("application", "baseline", "tutorial", "german")
GERMAN_LIMIT = 1.03


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
            counts = dict(zip(SIDES, two_sides.map(count, SIDES), strict=True))
    for side, instructions in counts.items():
        print(f"{side}: {instructions / 1e6:.2f} million instructions")
    ratios = [
        ("application", "baseline", asked.baseline_limit),
        ("application", "tutorial", asked.tutorial_limit),
        ("german", "application", GERMAN_LIMIT),
    ]
    return 1 if [line for line in ratios if exceeds(counts, *line)] else 0


def exceeds(counts: Mapping[str, float], side: str, other: str, limit: float | None) -> bool:
    """Print the ratio of two sides, and tell whether it is above its limit."""
    ratio = counts[side] / counts[other]
    print(f"{side} / {other}: {ratio:.3f}" + (f", limit: {limit:g}" if limit else ""))
    return limit is not None and ratio > limit


def create_accounts(environment: Mapping[str, str]) -> None:
    """Create the databases of the application and of the tutorial application, each with one account."""
    upgrade(environment)
    engine = sa.create_engine(database_url(environment["DATABASE_URL"]))
    prepare_engine(engine)
    accounts.create(engine, {owner_of(FEW): FEW})
    engine.dispose()
    tutorial.open_database(environment["TUTORIAL_DATABASE"])
    tutorial.create({owner_of(FEW): FEW})


def instructions_of_a_page(side: str, folder: Path, environment: Mapping[str, str]) -> float:
    """Render the pages of one side under callgrind and return the mean count of a page."""
    counts = folder / side
    command = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={counts}"]
    module = [sys.executable, "-m", "benchmarks.in_process", side]
    done = subprocess.run(command + module, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    # The first file counts what came before the pages, the second one the pages.
    match = re.search(r"^totals: (\d+)$", Path(f"{counts}.2").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) / PAGES


if __name__ == "__main__":
    sys.exit(main())
