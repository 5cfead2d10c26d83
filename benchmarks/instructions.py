"""Count the instructions that a list page of 1,000 expenses takes, against those of the baseline's page.

    python -m benchmarks.instructions --limit 3.5   # ends with 1 when the ratio is above the limit

The same page in German may take 3 % more than in English.

Unlike a time, such a count is the same at every run, whatever else the machine does. Needs valgrind.

Each side makes its page in a process of its own under callgrind, without a server: see in_process.py.
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

from benchmarks import accounts
from benchmarks.bench import FEW, owner_of
from benchmarks.in_process import PAGES
from database.engine import database_url, prepare_engine
from tests.server import ROOT, environment_of, upgrade

SIDES = ("application", "german", "baseline")
GERMAN_LIMIT = 1.03


def main(arguments: list[str] | None = None) -> int:
    """Count, print the ratios, and return 1 where one is above its limit, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=main.__doc__)
    parser.add_argument("--limit", type=float, help="the highest ratio that is accepted")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ledger-instructions-") as folder:
        environment = environment_of(f"sqlite:///{folder}/ledger.db") | {"PYTHONHASHSEED": "0"}
        create_account(environment)
        with ThreadPoolExecutor() as both:
            count = partial(instructions_of_a_page, folder=Path(folder), environment=environment)
            application, german, baseline = both.map(count, SIDES)
    ratio, german_ratio = application / baseline, german / application
    print(f"list page of {FEW:,}: {application / 1e6:.2f} million instructions")
    print(f"baseline: {baseline / 1e6:.2f} million instructions")
    print(f"ratio: {ratio:.3f}" + (f", limit: {asked.limit:g}" if asked.limit else ""))
    print(f"in German: {german / 1e6:.2f} million instructions")
    print(f"German to English: {german_ratio:.3f}, limit: {GERMAN_LIMIT:g}")
    return 1 if german_ratio > GERMAN_LIMIT or (asked.limit and ratio > asked.limit) else 0


def create_account(environment: Mapping[str, str]) -> None:
    """Create the database with one account."""
    upgrade(environment)
    engine = sa.create_engine(database_url(environment["DATABASE_URL"]))
    prepare_engine(engine)
    accounts.create(engine, {owner_of(FEW): FEW})
    engine.dispose()


def instructions_of_a_page(side: str, folder: Path, environment: Mapping[str, str]) -> float:
    """Make the pages of one side under callgrind and return the mean count of a page."""
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
