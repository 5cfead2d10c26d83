"""Expenses as a file that other programs read."""

import csv
import re
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import lru_cache, partial
from io import StringIO
from itertools import repeat
from tempfile import SpooledTemporaryFile
from typing import Any

import sqlalchemy as sa

from ledger.money import currency_digits, plain_thousandths
from models import Expense

HEADER = ("date", "category", "description", "amount", "currency")
ROWS_AT_ONCE = 1000
# How many different amounts of a file are remembered with how they are written.
MAX_REMEMBERED = 20_000
# Files of one user that a process keeps at the same time. Each takes disk space until it has been sent.
MAX_FILES_PER_USER = 3
# A file of this size or smaller is kept in memory.
MAX_BYTES_IN_MEMORY = 256 * 1024
# A spreadsheet takes a text that begins like this for a formula. Apostrophes before it belong to the text.
_FORMULA = "'*[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]"
# Where a cell can begin. Some spreadsheets also split a line at these characters, even between quotation marks.
_SEPARATORS = ";\t|\r\n"
_CELL_START = f"(?:^|(?<=[{_SEPARATORS}]))"
_UNESCAPED = re.compile(f"{_CELL_START}(?={_FORMULA})")
_HAS_FORMULA = re.compile(f"[{_SEPARATORS}]{_FORMULA}")
_ESCAPED = re.compile(f"{_CELL_START}'(?={_FORMULA})")


# People use the same texts again and again.
@lru_cache(maxsize=4096)
def escape_formula(text: str) -> str:
    """Put an apostrophe before each part of a text that a spreadsheet would read as a formula."""
    # Nearly every text begins with a letter and has no separator, and checking that is quicker.
    if text[:1].isalpha() and ";" not in text and "|" not in text and text.isprintable():
        return text
    return _UNESCAPED.sub("'", text)


def escape_formulas(texts: Sequence[str]) -> Iterable[str]:
    """Escape many texts like `escape_formula`, quickly if none of them has to be changed."""
    # The separators make each text begin where a cell can begin.
    return map(escape_formula, texts) if _HAS_FORMULA.search(f";{';'.join(texts)}") else texts


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return _ESCAPED.sub("", text)


class TooManyFilesError(Exception):
    """A user already has `MAX_FILES_PER_USER` files that have not been sent completely."""


class ExportFile(SpooledTemporaryFile[bytes]):
    """A temporary file without a name: no other process can open it, and it does not outlive this one.

    `size` is its number of bytes, once it is written.
    """

    size = 0

    def __init__(self, release: Callable[[], None]) -> None:
        super().__init__(MAX_BYTES_IN_MEMORY)
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        """Remove the file; the user may have another one."""
        super().close()
        release, self._release = self._release, None
        if release is not None:
            release()

    def __del__(self) -> None:
        # A server that loses its client may drop an answer without closing it.
        self.close()


class ExportFiles:
    """Opens files and counts those of each user that are not closed yet."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        # The garbage collector may close one file while the same thread opens another one.
        self._lock = threading.RLock()

    def open(self, user_id: int) -> ExportFile:
        """Return a new file of the user. Raises TooManyFilesError."""
        with self._lock:
            if self._counts[user_id] >= MAX_FILES_PER_USER:
                raise TooManyFilesError
            self._counts[user_id] += 1
        return ExportFile(partial(self._release, user_id))

    def _release(self, user_id: int) -> None:
        with self._lock:
            self._counts[user_id] -= 1
            if not self._counts[user_id]:
                del self._counts[user_id]


export_files = ExportFiles()


class AmountTexts(dict[int, str]):
    """Amounts in thousandths, as they are written in a file. People spend the same amounts again and again."""

    def __init__(self, currency: str) -> None:
        super().__init__()
        self._digits = currency_digits(currency)

    def __missing__(self, thousandths: int) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[thousandths] = text = plain_thousandths(thousandths, self._digits)
        return text


def write_csv(
    connection: sa.Connection, query: sa.Select[*tuple[Any, ...]], currency: str, byte_order_mark: bool = False
) -> Generator[str, None, None]:
    """Yield the expenses of `query` as CSV (RFC 4180), ROWS_AT_ONCE at a time, in constant memory.

    Columns: date (ISO 8601), category, description, amount (a point, all decimals of the currency), currency
    (ISO 4217). Texts are guarded against being taken for formulas. A byte order mark is for Excel.
    """
    buffer = StringIO()
    writer = csv.writer(buffer)
    if byte_order_mark:
        buffer.write("\ufeff")
    writer.writerow(HEADER)
    amount_texts = AmountTexts(currency)
    with closing(_read_rows(connection, query)) as pieces:
        for rows in pieces:
            # Column by column, which takes no step of Python for each row.
            days, categories, descriptions, thousandths = zip(*rows, strict=True)
            texts = escape_formulas(categories), escape_formulas(descriptions)
            amounts = map(amount_texts.__getitem__, thousandths)
            writer.writerows(zip(days, *texts, amounts, repeat(currency), strict=False))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _read_rows(
    connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]
) -> Generator[Sequence[Sequence[Any]], None, None]:
    """Yield day, category, description and thousandths of expenses, ROWS_AT_ONCE at a time.

    The values are as in the database: converting them to dates and Decimals would take twice as long as the rest.
    """
    day, thousandths = sa.type_coerce(Expense.date, sa.String), sa.type_coerce(Expense.amount, sa.BigInteger)
    raw = query.with_only_columns(day, Expense.category, Expense.description, thousandths)
    # SQLite's driver holds no more rows than are fetched. It is used directly, because SQLAlchemy would make an
    # object of each row.
    is_sqlite = connection.dialect.name == "sqlite"
    options = {} if is_sqlite else {"yield_per": ROWS_AT_ONCE}
    with connection.execute(raw, execution_options=options) as rows:
        source: Any = rows.cursor if is_sqlite else rows
        while some := source.fetchmany(ROWS_AT_ONCE):
            yield some
            if len(some) < ROWS_AT_ONCE:
                # PostgreSQL need not be asked once more.
                break


def write_file(user_id: int, lines: Generator[str, None, None]) -> ExportFile:
    """Write `lines` into a temporary file of the user and return it, ready to be read.

    The connection that the lines come from is not needed afterwards, however slowly the file is sent. Raises
    TooManyFilesError, and OSError when there is no room on the disk.
    """
    with closing(lines):
        file = export_files.open(user_id)
        try:
            for text in lines:
                file.write(text.encode())
            file.size = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return file
