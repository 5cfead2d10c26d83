"""Records with more fields than their header, because a text or an amount holds the delimiter without quotes."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from ledger.statements import amounts, dates
from ledger.statements.table import Record

# The digits before a comma, and what can follow it: two decimals, or three digits and perhaps decimals.
_BEFORE_COMMA = re.compile(r"[-+(]?[^\d,]{0,4}\d{1,3}(?:[.,' ]\d{3})*")
_TWO = re.compile(r"\d{2}")
_AFTER_COMMA = re.compile(r"\d{2}[^\d,]{0,4}|\d{3}(?:\.\d{1,3})?[^\d,]{0,4}")


def narrowed(rows: list[Record], kinds: list[str], delimiter: str) -> list[Record]:
    """Return the rows with the fields joined that belong together.

    `kinds` says of every column of the header whether it holds a `day`, `money`, `text`, or something else.
    """
    width = len(kinds)
    return [row if len(row.fields) <= width else _narrowed(row, kinds, delimiter) for row in rows]


def kinds_of_nameless(rows: list[Record]) -> list[str]:
    """Return the kinds of columns if two hold the parts before and after a decimal comma, or nothing."""
    fields = [row.fields for row in rows]
    kinds: list[str] = []
    columns = list(zip(*fields, strict=True)) if len(set(map(len, fields))) == 1 else []
    while columns and not any(columns[-1]):
        columns.pop()
    while columns:
        is_split = len(columns) > 1 and _is_split(columns[0], columns[1])
        kinds.append("money" if is_split else "")
        del columns[: 1 + is_split]
    return kinds if "money" in kinds else []


def _is_split(before: Sequence[str], after: Sequence[str]) -> bool:
    is_signed = any(cell[:1] in {"-", "+"} for cell in before)
    return is_signed and all(map(_BEFORE_COMMA.fullmatch, before)) and all(map(_TWO.fullmatch, after))


def _narrowed(row: Record, kinds: list[str], delimiter: str) -> Record:
    fields = list(row.fields)
    while len(fields) > len(kinds) and not fields[-1]:
        fields.pop()
    surplus = len(fields) - len(kinds)
    at = kinds.index("text") if "text" in kinds else len(kinds)
    before = _join(fields, 0, kinds[:at], delimiter) if surplus > 0 else None
    if before is None:
        return row
    start = before.end
    # All in the amounts, else as few as possible in the text, if there is one.
    texts = sum(1 for _ in takewhile(_is_text, fields[start : start + surplus + 1]))
    ends = range(start + 1, start + 1 + max(texts, 1)) if at < len(kinds) else (start,)
    for end in ends:
        after = _join(fields, end, kinds[at + 1 :], delimiter)
        if after is not None and after.end >= len(fields):
            text = [delimiter.join(fields[start:end])] if end > start else []
            return row._replace(fields=(*before.cells, *text, *after.cells))
    return row


class _Joined(NamedTuple):
    """The cells of some columns, and the position of the field after them."""

    cells: list[str]
    end: int


def _join(fields: list[str], start: int, kinds: list[str], delimiter: str) -> _Joined | None:
    """Give each column its field, from the one at `start` on; an amount has what follows its comma.

    Returns None as soon as one does not fit its column: a row has hundreds of fields, and many starts are tried.
    """
    cells: list[str] = []
    position = start
    for kind in kinds:
        cell, position = "".join(fields[position : position + 1]), position + 1
        while kind and delimiter == "," and position < len(fields) and _goes_on(cell, fields[position], kind):
            cell = f"{cell}, {fields[position]}" if kind == "day" else f"{cell},{fields[position]}"
            position += 1
        if kind and not _fits(cell, kind):
            return None
        cells.append(cell)
    return _Joined(cells, position)


def _is_text(field: str) -> bool:
    return bool(field) and not _fits(field, "day") and not _fits(field, "money")


def _goes_on(cell: str, following: str, kind: str) -> bool:
    """Tell whether a comma belongs to an amount, or to a day as in "Mar 13, 2026"."""
    if kind == "day":
        return not _fits(cell, kind) and _fits(f"{cell}, {following}", kind)
    return kind == "money" and bool(_BEFORE_COMMA.fullmatch(cell) and _AFTER_COMMA.fullmatch(following))


def _fits(cell: str, kind: str) -> bool:
    if kind == "day":
        return not cell or dates.read_cell(cell) is not None
    if kind == "money":
        return cell in amounts.NOTHING or amounts.read_cell(cell) is not None
    return True
