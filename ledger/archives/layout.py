"""The files of an export, their columns, and how values are written in them. docs/export.md describes them."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from database import Money, UTCDateTime
from ledger.account_rows import DATA_TABLES
from ledger.csv_export import escape_formula, unescape_formula
from ledger.money import currency_digits, plain_thousandths
from models import (
    Budget,
    Category,
    Expense,
    ExpenseChange,
    Occurrence,
    Operation,
    RecurringExpense,
    RowChange,
    Statement,
    StatementLine,
)

FORMAT, VERSION = "ledger-account", 1
MANIFEST = "ledger.json"
# The columns of the user that are restored.
SETTINGS = ("language", "currency", "time_zone", "locale", "first_day_of_month", "named_after_end")
FILE_NAMES = {
    Category: "categories.csv",
    Budget: "budgets.csv",
    Expense: "expenses.csv",
    RecurringExpense: "recurring_expenses.csv",
    Occurrence: "occurrences.csv",
    Statement: "statements.csv",
    StatementLine: "statement_lines.csv",
    Operation: "operations.csv",
    ExpenseChange: "expense_changes.csv",
    RowChange: "row_changes.csv",
}
# The owner is the user who restores the export. Keys for comparing and searching are made again from their texts.
# The other columns belong to drafts of imports and to running large operations, which are not exported.
UNEXPORTED = frozenset(
    {
        *("author_id", "name_key", "description_key", "new_description_key", "text_key"),
        *("content", "running_until", "last_renamed"),
    }
)


class Column(NamedTuple):
    """A column of a file: how its values are read from the database, written to a cell and read from one.

    `write` and `read` are not called for a value that is missing, whose cell is empty.
    """

    column: sa.Column[Any]
    raw: sa.ColumnElement[Any]
    write: Callable[[Any], str]
    read: Callable[[str], Any]


class TableFile(NamedTuple):
    """A file of an export, and the table whose rows it holds."""

    name: str
    table: sa.Table
    columns: tuple[Column, ...]

    @property
    def header(self) -> list[str]:
        """The first line of the file."""
        return [column.column.name for column in self.columns]


def table_files(currency: str) -> list[TableFile]:
    """Return the files, each after those that it refers to; amounts have at least the decimals of `currency`."""
    names = {model.__tablename__: name for model, name in FILE_NAMES.items()}
    digits = currency_digits(currency)
    files = []
    for table in DATA_TABLES:
        columns = tuple(_column(column, digits) for column in table.c if column.name not in UNEXPORTED)
        files.append(TableFile(names[table.name], table, columns))
    return files


def _column(column: sa.Column[Any], digits: int) -> Column:
    """Return how a column is read and written; amounts and times as the database has them, which is quicker."""
    kind = column.type
    if isinstance(kind, Money):
        return Column(
            column, sa.type_coerce(column, sa.BigInteger), lambda value: _amount(value, digits), _read_amount
        )
    if isinstance(kind, UTCDateTime):
        return Column(column, sa.type_coerce(column, sa.DateTime), _write_time, _read_time)
    write, read = next(pair for type_, *pair in KINDS if isinstance(kind, type_))
    return Column(column, column, write, read)


def _amount(thousandths: int, digits: int) -> str:
    """Write an amount with this many decimals, or with three if it has more."""
    return plain_thousandths(thousandths, digits if thousandths % 10 ** (3 - digits) == 0 else 3)


def _read_amount(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,3})?", text):
        raise ValueError(text)
    return Decimal(text)


def _write_time(value: datetime) -> str:
    return f"{value.isoformat()}Z"


def _read_time(text: str) -> datetime:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z", text):
        raise ValueError(text)
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


def _read_date(text: str) -> date:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _read_id(text: str) -> uuid.UUID:
    found = uuid.UUID(text)
    if str(found) != text:
        raise ValueError(text)
    return found


def _read_bytes(text: str) -> bytes:
    if not re.fullmatch("([0-9a-f]{2})*", text):
        raise ValueError(text)
    return bytes.fromhex(text)


def _read_integer(text: str) -> int:
    if not re.fullmatch("-?[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def _write_json(value: Any) -> str:
    return escape_formula(json.dumps(value, ensure_ascii=False))


def _read_json(text: str) -> Any:
    return json.loads(unescape_formula(text))


_BOOLEANS = {"no": False, "yes": True}

KINDS: tuple[tuple[Any, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (sa.JSON, _write_json, _read_json),
    (sa.Uuid, str, _read_id),
    (sa.Date, date.isoformat, _read_date),
    (sa.Boolean, lambda value: "yes" if value else "no", lambda text: _BOOLEANS[text]),
    (sa.String, escape_formula, unescape_formula),
    (sa.LargeBinary, bytes.hex, _read_bytes),
    (sa.Integer, str, _read_integer),
)
