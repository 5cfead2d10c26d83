"""Listings: each booking is a block of lines such as "Date: 13/03/2026", which become the fields of a record."""

import re
from collections.abc import Iterator

from ledger.statements.headers import AMOUNT_ROLES, DATE_ROLES, roles_of
from ledger.statements.model import MAX_COLUMNS, RAW_MAX, Limits
from ledger.statements.table import Record

# What stands for the delimiter of a listing in its layout.
COLON = ":"
# How many characters are looked at to tell whether a text is a listing.
SAMPLE = 10_000
# The share of lines that have a name.
MOST = 0.8
_LINE_END = re.compile(r"\r\n|\r|\n")
_NAMED = re.compile(r"([^\W\d_][^:;,|\t]{0,30}):(.*)")


def read_listing(text: str, limits: Limits) -> list[Record]:
    """Return the records of a listing, after one with the names; none if the text is no listing.

    Raises StatementError if they or their fields are too many.
    """
    sample = [line for line in map(str.strip, _LINE_END.split(text[:SAMPLE])) if line]
    names = list(dict.fromkeys(match[1].strip() for line in sample if (match := _NAMED.fullmatch(line))))
    first = next((name for name in names if set(roles_of(name)[:1]) & DATE_ROLES), "")
    names = names[names.index(first) :] if first else []
    has_amount = any(set(roles_of(name)[:1]) & AMOUNT_ROLES for name in names)
    named = sum(_NAMED.fullmatch(line) is not None for line in sample)
    if not has_amount or not 3 <= len(names) <= MAX_COLUMNS or named < MOST * len(sample):
        return []
    records = [Record(0, tuple(names), "")]
    for record in _records(text, names):
        records.append(record)
        limits.check_lines(len(records) - 1)
        limits.check_cells(len(records) * len(names))
    return records


def _records(text: str, names: list[str]) -> Iterator[Record]:
    """Yield a record for every block, which begins with the first name."""
    block: list[str] = []
    started = 0
    for number, line in enumerate([*map(str.strip, _LINE_END.split(text)), f"{names[0]}:"], 1):
        if line.partition(":")[0].strip() == names[0]:
            if block:
                yield _record(started, block, names)
            block, started = [], number
        if started and line:
            block.append(line)


def _record(line_number: int, block: list[str], names: list[str]) -> Record:
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(block))}
    return Record(line_number, tuple(values.get(name, "") for name in names), "\n".join(block)[:RAW_MAX])
