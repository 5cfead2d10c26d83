"""Compare the statements read from a folder with its manifest: `python -m tests.statements_accuracy FOLDER`.

MANIFEST.tsv has a row for every file, of which `file`, `transactions` and `sum` are compared. Where these are no
numbers, the file only has to be read fast and without a fault.
"""

import argparse
import csv
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import clock
from ledger.statements import Person, State, Statement, StatementError
from ledger.statements.reader import read_statement

VERDICTS = ("right", "asks", "asks, other default", "refused", "silently wrong")


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one file."""

    file: str
    verdict: str
    details: str
    seconds: float


def judge(row: dict[str, str], statement: Statement) -> str:
    """Return the verdict on a statement, compared with its row of the manifest."""
    booked = statement.in_state(State.BOOKED)
    found = sum((line.amount or Decimal(0) for line in booked), Decimal(0))
    try:
        is_equal = len(booked) == int(row["transactions"]) and found == Decimal(row["sum"])
    except (ValueError, InvalidOperation):
        # Nothing to compare with: the file is there to see that it is read fast and without a fault.
        return "right"
    if is_equal:
        return "asks" if statement.questions else "right"
    return "asks, other default" if statement.questions else "silently wrong"


def _details(statement: Statement) -> str:
    counts = Counter(line.state.value for line in statement.lines)
    booked = statement.in_state(State.BOOKED)
    days = sorted(line.date for line in booked if line.date)
    parts = [
        statement.format,
        *(f"{state} {number}" for state, number in counts.items()),
        f"sum {sum((line.amount or 0 for line in booked), Decimal(0))}",
        f"{days[0]}..{days[-1]}" if days else "",
        *(f"{question.name}?{question.default}" for question in statement.questions),
        {None: "", True: "balances agree", False: "BALANCES DISAGREE"}[statement.balances_agree],
    ]
    return " ".join(filter(None, parts))


def results(folder: Path, person: Person) -> Iterator[Result]:
    """Yield the verdict on every file of the manifest."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            file = folder / row["file"]
            started = time.perf_counter()
            try:
                statement = read_statement(file.read_bytes(), file.name, today=clock.now().date(), person=person)
                verdict, details = judge(row, statement), _details(statement)
            except StatementError as error:
                details = f"{error.code} {error.values or ''}"
                verdict = "right" if row["transactions"] in {"", "0", "see special"} else "refused"
            yield Result(row["file"], verdict, details, time.perf_counter() - started)


def main() -> None:
    """Print the verdict on every file that is not simply right, and a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--locale", default="")
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--time-zone", default="UTC")
    parser.add_argument("--all", action="store_true", help="print the files that are right as well")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    slowest = 0.0
    for result in results(options.folder, Person(options.locale, options.currency, options.time_zone)):
        counts.setdefault(result.file.partition("/")[0], Counter())[result.verdict] += 1
        slowest = max(slowest, result.seconds)
        if options.all or result.verdict != "right" or result.seconds > 1:
            print(f"{result.verdict:20} {result.file:55} {result.seconds:5.2f} s  {result.details}")
    print(f"\n{'':12}" + "".join(f"{verdict:>21}" for verdict in VERDICTS))
    for kind, count in counts.items():
        print(f"{kind:12}" + "".join(f"{count[verdict] or '-':>21}" for verdict in VERDICTS))
    print(f"The slowest file took {slowest:.2f} s.")


if __name__ == "__main__":
    main()
