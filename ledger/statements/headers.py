"""The header of a table: which record it is, and what the names of columns mean."""

import re
from collections.abc import Sequence
from itertools import islice

from ledger.statements import amounts, dates, vocabulary
from ledger.statements.table import MAX_PREAMBLE, Record, is_booking
from ledger.statements.text import fold

# How many records about the account may look like bookings above a header, and how many roles its names must have
# then.
MAX_ABOVE_HEADER, MIN_ROLES = 2, 3
NAME_MAX = 60
DATE_ROLES = {"date", "value_date"}
AMOUNT_ROLES = {"amount", "out", "in", "balance", "fee", "other_amount"}
# Signs of currencies in the names of columns, which `fold` would leave as words.
_SIGNS = re.compile(r"\b[A-Z]{0,2}\$|\((?:RM?|Rs|Rp|TL)\)")
_LONG_NUMBER = re.compile("[0-9]{4}")


def ends_period(name: str) -> bool:
    """Tell whether a column holds the first or the last day of a period, as in "Date from"."""
    return fold(name[:NAME_MAX]).rpartition(" ")[2] in vocabulary.PERIOD_ENDS


def roles_of(name: str) -> list[str]:
    """Return the roles that a column's name can mean, the likeliest first."""
    folded = fold(_SIGNS.sub("", name[:NAME_MAX]))
    words = [word for word in folded.split() if not amounts.is_currency(word.upper())]
    bare = " ".join(words) or folded
    roles = [role for role, phrases in vocabulary.ROLES.items() if _matches(bare, *phrases)]
    if ends_period(bare):
        roles = [role for role in roles if role not in DATE_ROLES]
    # One column for both sides.
    return [{"out": "amount", "in": "amount"}.get(role, role) for role in roles] if "direction" in roles else roles


def _matches(name: str, whole: frozenset[str], anywhere: frozenset[str]) -> bool:
    if name in whole:
        return True
    padded = f" {name} "
    # Names in one word, as in German, hold the word they mean; short words would be found in any text.
    return any(
        phrase in name if len(phrase) >= 6 or not phrase.isascii() else f" {phrase} " in padded
        for phrase in anywhere
    )


def kinds_of(header: tuple[str, ...]) -> list[str]:
    """Return what the columns hold by their names: days, money, the text if there is one, or something else."""
    width = max((number for number, name in enumerate(header, 1) if name), default=0)
    roles = [next(iter(roles_of(name)), "") if name else "" for name in header[:width]]
    text = next((roles.index(role) for role in ("text", "payee") if role in roles), -1)
    return [
        "day" if role in DATE_ROLES else "money" if role in AMOUNT_ROLES else "text" if index == text else ""
        for index, role in enumerate(roles)
    ]


def find_header(records: list[Record], first: int) -> int | None:
    """Return the number of the record before the first booking whose fields are names of columns."""
    best, best_score = None, 1
    limit = min(MAX_PREAMBLE, len(records))
    for number in range(min(first, limit)):
        score = _header_score(records[number].fields)
        # The nearest one of those that fit equally well, but not one that is written again.
        if score >= max(best_score, 2) and (best is None or records[number].fields != records[best].fields):
            best, best_score = number, score
    if best is not None and _names_day_and_money(records[best].fields):
        return best
    # Lines about the account can look like bookings, and have a header of their own.
    is_above = (number for number in range(first, limit) if is_booking(records[number].fields))
    below = range(first + 1, next(islice(is_above, MAX_ABOVE_HEADER, None), limit))
    for number in below:
        fields = records[number].fields
        if _names_day_and_money(fields) and _header_score(fields) >= MIN_ROLES:
            return number
    unknown = (number for number in (first - 1, *below) if best is None and _is_row_of_names(records, number))
    return next(unknown, best)


def _names_day_and_money(fields: Sequence[str]) -> bool:
    found = {role for cell in fields if cell for role in roles_of(cell)[:1]}
    return bool(found & DATE_ROLES and found & {"amount", "out", "in"})


def _is_row_of_names(records: list[Record], number: int) -> bool:
    """Tell whether a record can be a header of unknown words: as wide as the booking below it, without numbers."""
    if not 0 <= number < len(records) - 1 or not is_booking(records[number + 1].fields):
        return False
    above, below = records[number].fields, records[number + 1].fields
    is_full = len(above) == len(below) > 2 and sum(map(bool, above)) > 2
    # A title names its period or its account.
    return is_full and all(_is_name(cell) and not _LONG_NUMBER.search(cell) for cell in above if cell)


def _header_score(fields: Sequence[str]) -> int:
    if len(fields) < 2 or not all(_is_name(cell) for cell in fields if cell):
        return 0
    found = {role for cell in fields if cell for role in roles_of(cell)[:1]}
    has_anchor = found & (DATE_ROLES | {"amount", "out", "in"})
    return len(found) if has_anchor else 0


def _is_name(cell: str) -> bool:
    return len(cell) <= NAME_MAX and not dates.read_cell(cell) and not amounts.read_cell(cell)
