"""Records with more fields than their header, because a text or an amount holds the delimiter without quotes."""

import re
from collections.abc import Sequence

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
    # All in the amounts, else as few as possible in the text.
    for in_text in range(surplus + 1) if surplus > 0 else ():
        cells = _join(fields, kinds, in_text, delimiter)
        if len(cells) == len(kinds) and all(map(_fits, cells, kinds)):
            return row._replace(fields=tuple(cells))
    return row


def _join(fields: list[str], kinds: list[str], in_text: int, delimiter: str) -> list[str]:
    """Give each column its field; the text has `in_text` more, and an amount has what follows its comma."""
    cells: list[str] = []
    position = 0
    for kind in kinds:
        end = position + 1
        if kind == "text" and in_text:
            end, in_text = end + in_text, 0
            if not all(map(_is_text, fields[position:end])):
                return []
        cell = delimiter.join(fields[position:end])
        while delimiter == "," and end < len(fields) and _goes_on(cell, fields[end], kind):
            cell, end = f"{cell}, {fields[end]}" if kind == "day" else f"{cell},{fields[end]}", end + 1
        cells.append(cell)
        position = end
    return [*cells, *fields[position:]]


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
