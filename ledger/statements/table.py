"""Delimited text as records: the delimiter, fields with line breaks, quotes that never close."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import NamedTuple

from ledger.statements import amounts, dates
from ledger.statements.model import MAX_COLUMNS, RAW_MAX, Limits, StatementError
from ledger.statements.text import fold

DELIMITERS = (";", "\t", ",", "|", "~")
# A quoted field with more line breaks than this has a quote that was never closed.
MAX_RECORD_LINES = 30
SAMPLE_RECORDS = 400
# A line in quotes with delimiters, but without any other single quote.
_WRAPPED = re.compile(r'^"((?:[^"\r\n]|""){3,2000})"$', re.MULTILINE)
# A field that is a formula of nothing but a text.
_FORMULA = re.compile(r'(?:(?<=[;,\t|\r\n])|^)="((?:[^"\r\n]|""){0,2000})"(?=[;,\t|\r\n]|$)')
# A line of fields in single quotes, and one of its fields.
_SINGLE_QUOTED = re.compile(r"'[^'\r\n]{0,200}'(?:[;,\t|]'[^'\r\n]{0,200}'){1,300}")
_IN_SINGLE_QUOTES = re.compile(r"(?:(?<=[;,\t|\r\n])|^)'([^'\r\n]{0,2000})'(?=[;,\t|\r\n]|$)")
MAX_SAMPLE_CELLS = 60_000
# The last words of three columns that make a day together.
YEAR_MONTH_DAY = {("年", "月", "日"), ("year", "month", "day"), ("jahr", "monat", "tag")}
# Digits as wide as East Asian letters, and the distance of these and of their signs to those of ASCII.
_WIDE_DIGIT = re.compile("[０-９]")
_NARROW = {code: code - 0xFEE0 for code in range(ord("！"), ord("～") + 1)}
# How many records may stand above the first line.
MAX_PREAMBLE = 400


class Record(NamedTuple):
    """The fields of one record, without spaces around them, and the number of its first line.

    A broken record starts a quoted field that does not end; it has no fields.
    """

    line_number: int
    fields: tuple[str, ...]
    raw: str
    is_broken: bool = False

    def cell(self, index: int) -> str:
        """Return a field, or nothing if the record has none at this index."""
        return self.fields[index] if 0 <= index < len(self.fields) else ""


class _UnclosedQuoteError(Exception):
    """A quoted field that goes on for too many lines."""


class _Lines:
    """The physical lines of a text, one after the other, with a way to go back."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = _split_lines(text)
        self._delimiter = delimiter
        self.position = 0
        self.started = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.position - self.started >= MAX_RECORD_LINES:
            raise _UnclosedQuoteError
        if self.position >= len(self._lines):
            raise StopIteration
        line = self._lines[self.position]
        # Before the fields are made: a line of millions of delimiters would become as many objects.
        if line.count(self._delimiter) > 4 * MAX_COLUMNS:
            raise StatementError("too_many_columns", line=self.position + 1)
        self.position += 1
        return line

    def text_from(self, start: int) -> str:
        """Return the lines since `start` as one text, cut for showing."""
        return "".join(self._lines[start : self.position])[:RAW_MAX].rstrip("\r\n")

    def restart_after(self, start: int) -> None:
        """Go on after the line at `start`."""
        self.position = self.started = start + 1

    @property
    def is_at_end(self) -> bool:
        """True if there are no more lines."""
        return self.position >= len(self._lines)


def read_records(text: str, delimiter: str) -> Iterator[Record]:
    """Yield the records of a text. Raises StatementError for fields that are too long or too many."""
    if '"' not in text:
        yield from _read_unquoted(text, delimiter)
        return
    lines = _Lines(text, delimiter)
    while not lines.is_at_end:
        # Strict, because otherwise the end of the file closes every quote.
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        yield from _read_until_broken(lines, reader, delimiter)


def _read_unquoted(text: str, delimiter: str) -> Iterator[Record]:
    """Yield the records of a text without quotes, each of which is one line."""
    limit = csv.field_size_limit()
    for number, line in enumerate(_split_lines(text), 1):
        if line.count(delimiter) >= MAX_COLUMNS:
            raise StatementError("too_many_columns", line=number)
        raw = line.rstrip("\r\n")
        fields = tuple(map(str.strip, raw.split(delimiter)))
        if len(line) > limit and max(map(len, fields)) > limit:
            raise StatementError("field_too_long", line=number)
        yield Record(number, fields, raw[:RAW_MAX])


def _split_lines(text: str) -> list[str]:
    """Split at line feeds and carriage returns only: other separators of Unicode are part of a text."""
    return StringIO(text, newline="").readlines()


def _read_until_broken(lines: _Lines, reader: Iterator[list[str]], delimiter: str) -> Iterator[Record]:
    while True:
        start = lines.started = lines.position
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _UnclosedQuoteError) as error:
            if "field larger" in str(error):
                raise StatementError("field_too_long", line=start + 1) from None
            loose = _read_loosely(lines, start, delimiter)
            if loose is None:
                lines.restart_after(start)
                raw = lines.text_from(start)
                yield Record(start + 1, (), raw, is_broken=True)
                return
            yield Record(start + 1, tuple(map(str.strip, loose)), lines.text_from(start))
            return
        if len(fields) > MAX_COLUMNS:
            raise StatementError("too_many_columns", line=start + 1)
        yield Record(start + 1, tuple(map(str.strip, fields)), lines.text_from(start))


def _read_loosely(lines: _Lines, start: int, delimiter: str) -> list[str] | None:
    """Read a line with stray quotes that closes them all; None if a quote stays open."""
    lines.restart_after(start)
    line = lines.text_from(start)
    if line.count('"') % 2:
        return None
    return next(csv.reader([line], delimiter=delimiter), None)


def unwrap(text: str) -> str:
    """Return the text without quotes around every whole line, which make one field of each, and without `="..."`.

    Those are formulas, by which a spreadsheet keeps a text as it is. Single quotes around fields become double.
    """
    if '="' in text:
        text = _FORMULA.sub(r'"\1"', text)
    lines = text.splitlines() if len(text) < 200 else text[: text.find("\n", 200) + 1].splitlines()
    shown = [line.strip() for line in lines if line.strip()]
    if shown and all(map(_SINGLE_QUOTED.fullmatch, shown)):
        return _IN_SINGLE_QUOTES.sub(r'"\1"', text)
    if not shown or not all(_WRAPPED.fullmatch(line) for line in shown):
        return text
    return _WRAPPED.sub(lambda match: match[1].replace('""', '"'), text)


def choose_delimiter(text: str) -> str:
    """Return the delimiter under which most records have a day and an amount in fields of their own."""
    sample = text[: 200 * 1024]
    scores = {delimiter: _score(sample, delimiter) for delimiter in DELIMITERS}
    return max(scores, key=scores.__getitem__)


def _score(sample: str, delimiter: str) -> tuple[int, int]:
    """Return how many records are bookings, and how many fields there are beside the first ones."""
    if delimiter not in sample:
        return (0, 0)
    bookings = cells = 0
    try:
        for number, record in enumerate(read_records(sample, delimiter)):
            bookings += is_booking(record.fields)
            cells += max(len(record.fields) - 1, 0)
            if number >= SAMPLE_RECORDS or cells > MAX_SAMPLE_CELLS:
                break
    except StatementError:
        return (0, 0)
    return (bookings, cells)


def is_booking(fields: Sequence[str]) -> bool:
    """Return whether a day and an amount stand in fields of their own."""
    return _find_booking(fields) is not None


def bookings_of(rows: Iterable[Record]) -> list[Record]:
    """Return the records that are bookings. Most have their day and amount where the one before has them."""
    found = []
    day, amount = 0, 1
    # Most days and amounts of a file are there more than once.
    days: set[str] = set()
    numbers: set[str] = set()
    for row in rows:
        fields = row.fields
        if not (len(fields) > max(day, amount) and fields[day] in days and fields[amount] in numbers):
            if not _has_booking(fields, day, amount):
                others = _find_booking(fields)
                if others is None:
                    continue
                day, amount = others
            days.add(fields[day])
            numbers.add(fields[amount])
        found.append(row)
    return found


def _find_booking(fields: Sequence[str]) -> tuple[int, int] | None:
    """Return the indexes of the first day and of an amount, or None."""
    day = next((index for index, cell in enumerate(fields) if dates.read_cell(cell)), -1)
    if day < 0:
        return None
    return next(((day, index) for index in range(len(fields)) if _has_booking(fields, day, index)), None)


def _has_booking(fields: Sequence[str], day: int, amount: int) -> bool:
    return (
        day != amount
        and len(fields) > max(day, amount)
        and dates.read_cell(fields[day]) is not None
        and amounts.read_cell(fields[amount]) is not None
        # Two days are the period of a statement.
        and dates.read_cell(fields[amount]) is None
    )


def join_days(records: list[Record]) -> list[Record]:
    """Join three columns for year, month and day, if the header names them so, into one in place of the first."""
    for number, record in enumerate(records[:MAX_PREAMBLE]):
        names = [fold(name) for name in record.fields]
        at = next((at for at in range(len(names) - 2) if _are_parts_of_day(names[at : at + 3])), None)
        if at is not None:
            header = record._replace(fields=(*record.fields[:at], "date", *record.fields[at + 3 :]))
            return [*records[:number], header, *(_with_joined_day(row, at) for row in records[number + 1 :])]
    return records


def _are_parts_of_day(names: list[str]) -> bool:
    """Tell whether these end as year, month and day do, after the same words."""
    parts = [name.rpartition(" ") for name in names]
    return tuple(last for _, _, last in parts) in YEAR_MONTH_DAY and len({words for words, _, _ in parts}) == 1


def _with_joined_day(row: Record, at: int) -> Record:
    parts = row.fields[at : at + 3]
    if len(parts) < 3:
        return row
    year, month, day = parts
    return row._replace(
        fields=(*row.fields[:at], f"{year}-{month:0>2}-{day:0>2}" if any(parts) else "", *row.fields[at + 3 :])
    )


def narrow_numbers(records: list[Record]) -> list[Record]:
    """Return the records with days and amounts in digits of ASCII instead of digits as wide as letters."""
    return [
        record._replace(fields=tuple(map(_narrow_number, record.fields)))
        if _WIDE_DIGIT.search(record.raw)
        else record
        for record in records
    ]


def _narrow_number(cell: str) -> str:
    narrow = cell.translate(_NARROW) if _WIDE_DIGIT.search(cell) else cell
    return narrow if dates.read_cell(narrow) or amounts.read_cell(narrow) else cell


def all_records(text: str, delimiter: str, limits: Limits) -> list[Record]:
    """Return the records of a file that are not blank. Raises StatementError if they or their fields are too many.

    Those above the first line are not counted.
    """
    records: list[Record] = []
    cells = 0
    for record in read_records(text, delimiter):
        if not any(record.fields) and not record.is_broken:
            continue
        records.append(record)
        cells += len(record.fields)
        limits.check_lines(len(records) - MAX_PREAMBLE)
        limits.check_cells(cells)
    return records
