"""Checks of a backup file before it is restored: it may have been made by somebody else, or by mistake."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from database import Base, Money, UTCDateTime
from database.month_totals import FORMER_SQLITE_MONTH_TOTALS, SQLITE_MONTH_TOTALS
from database.used_descriptions import SQLITE_USED_DESCRIPTIONS
from ledger.locales import LOCALES
from ledger.money import currencies
from ledger.operations import TRACKED_COLUMNS, decode
from ledger.periods import FIRST_YEAR, LAST_YEAR, is_time_zone
from ledger.recurring import MAX_RECURRING
from ledger.spending import VALUES
from ledger.statements.model import Layout
from models import Expense, ExpenseChange, RecurringExpense, category_key
from text import identity_key

Row = Mapping[str, Any] | sa.RowMapping
# The time limit for reading a file, and how many bytes allow one second more.
READ_SECONDS, READ_BYTES_PER_SECOND = 20, 1_000_000
# SQLite checks the time limit after this many of its instructions.
INSTRUCTIONS_BETWEEN_CHECKS = 100_000
# A password hash whose parameters cost no more than those that the application uses or has used.
PASSWORD_HASH = re.compile(
    r"(?:scrypt:(?:16384|32768|65536|131072):8:[1-4]|pbkdf2:sha(?:1|256|512):[0-9]{1,7})\$[^$]+\$[0-9a-f]+|[^$]*"
)
# A layout has about ten short answers and the numbers of as many columns.
LAYOUT_MAX = 2_000
TRACKED = {model.__tablename__: (model, set(names)) for model, names in TRACKED_COLUMNS.items()}
PARTIAL_INDEX = "CREATE INDEX ix_expense_change_deleted ON expense_change (author_id, id) WHERE change = 'deleted'"


class BackupError(Exception):
    """A backup that cannot be written or read. The message says why, and what to do."""


def limit_time(connection: Any, size: int) -> None:
    """Let statements on a SQLite connection to a file of this `size` fail when the time is over."""
    deadline = time.monotonic() + READ_SECONDS + size / READ_BYTES_PER_SECOND
    connection.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS_BETWEEN_CHECKS)


# --- The structure of the file


def refuse_foreign_objects(connection: sa.Connection) -> None:
    """Raise BackupError if the file has more than tables and indexes, because anything else could run code.

    Checked before any table is read.
    """
    totals = *SQLITE_MONTH_TOTALS, *FORMER_SQLITE_MONTH_TOTALS
    known = {_squeeze(statement) for statement in (*totals, *SQLITE_USED_DESCRIPTIONS, PARTIAL_INDEX)}
    for kind, name, sql in connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master").all():
        text = _squeeze(sql or "")
        if kind == "view" or (kind == "trigger" and text not in known):
            raise BackupError(f"The file has the {kind} {name}, which no backup has.")
        if kind == "table":
            _refuse_computed_columns(connection, name, text)
        elif kind == "index" and text not in known:
            columns = connection.execute(sa.text("SELECT cid FROM pragma_index_xinfo(:name)"), {"name": name})
            if -2 in columns.scalars() or " where " in text:
                raise BackupError(f"The file has the index {name}, which no backup has.")


def _squeeze(sql: str) -> str:
    """Return a statement in the form in which statements are compared."""
    return " ".join(sql.split()).casefold().replace('"', "")


def _refuse_computed_columns(connection: sa.Connection, name: str, sql: str) -> None:
    hidden = connection.execute(sa.text("SELECT max(hidden) FROM pragma_table_xinfo(:name)"), {"name": name})
    if hidden.scalar() or not sql.startswith("create table"):
        raise BackupError(f"The table {name} is not an ordinary table.")


def refuse_missing_tables(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Raise BackupError unless the file has these tables with all their columns."""
    for table in tables:
        found = connection.execute(sa.text("SELECT name FROM pragma_table_xinfo(:name)"), {"name": table.name})
        missing = {column.name for column in table.c} - set(found.scalars())
        if missing:
            raise BackupError(f"The table {table.name} lacks {', '.join(sorted(missing))}.")


# --- The values


def refuse_bad_row(table: sa.Table, row: Row) -> None:
    """Raise BackupError for a row that the application could not have written."""
    for column in table.c:
        _refuse_bad_value(column, row[column.name])
    check = CHECKS.get(table.name)
    problem = check(row) if check else None
    if problem:
        raise BackupError(f"A row of {table.name} is not valid: {problem}.")


def is_valid_value(column: Any, value: Any) -> bool:
    """Tell whether the column can hold the value."""
    if value is None:
        return bool(column.nullable)
    kind: Any = type(column.type)
    return _check_of(kind)(column.type, value)


@lru_cache(maxsize=64)
def _check_of(kind: type[Any]) -> Callable[[Any, Any], bool]:
    """Return the check for a type of column. Cached, because a million look-ups take a second."""
    return next((check for type_, check in TYPES if issubclass(kind, type_)), lambda _kind, _value: True)


def _refuse_bad_value(column: Any, value: Any) -> None:
    if not is_valid_value(column, value):
        raise BackupError(f"A row of {column.table.name} has a value in {column.name} that is not valid.")


def _is_text(kind: Any, value: Any) -> bool:
    if not isinstance(value, str) or "\0" in value or len(value) > (kind.length or len(value)):
        return False
    # A lone surrogate cannot be stored or sent.
    return value.isascii() or value == value.encode(errors="ignore").decode()


def _is_whole(bits: int) -> Callable[[Any, Any], bool]:
    return lambda _kind, value: type(value) is int and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


def _is_date(_kind: Any, value: Any) -> bool:
    # The next date of a recurring expense can be in the year after the last one that can be entered.
    return isinstance(value, date) and FIRST_YEAR <= value.year <= LAST_YEAR + 1


def _is_moment(kind: Any, value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None and _is_date(kind, value)


TYPES: tuple[tuple[Any, Callable[[Any, Any], bool]], ...] = (
    (Money, lambda _kind, value: isinstance(value, Decimal) and abs(value.scaleb(Money.SCALE)) < 2**63),
    (UTCDateTime, _is_moment),
    (sa.JSON, lambda _kind, value: isinstance(value, dict)),
    (sa.Uuid, lambda _kind, value: isinstance(value, uuid.UUID)),
    (sa.Date, _is_date),
    (sa.Boolean, lambda _kind, value: isinstance(value, bool)),
    (sa.String, _is_text),
    (sa.LargeBinary, lambda _kind, value: isinstance(value, bytes)),
    (sa.BigInteger, _is_whole(64)),
    (sa.Integer, _is_whole(32)),
)


def _check_user(row: Row) -> str | None:
    problems = {
        "the id": row["id"] < 1,
        "the currency": row["currency"] not in currencies(),
        "the time zone": not is_time_zone(row["time_zone"]),
        "the locale": row["locale"] not in {"", *LOCALES},
        "the username": not row["username"].strip() or row["username_key"] != identity_key(row["username"]),
        "the email address": row["email"] != identity_key(row["email"]),
        "the password hash": not PASSWORD_HASH.fullmatch(row["password_hash"]),
    }
    return next((name for name, is_problem in problems.items() if is_problem), None)


def _check_category(row: Row) -> str | None:
    is_named = row["name"].strip() and row["name_key"] == category_key(row["name"])
    return None if is_named else "the name"


def _check_recurring(row: Row) -> str | None:
    return "the next date" if row["next_date"] < row["start_date"] else None


def _check_operation(row: Row) -> str | None:
    return "the number of expenses" if row["count"] < 0 else None


def _check_expense_change(row: Row) -> str | None:
    before, after = ([row[prefix + name] is not None for name in VALUES] for prefix in ("", "new_"))
    expected = {
        "added": not any(before) and all(after),
        "deleted": all(before) and not any(after),
        "changed": any(before) and before == after,
    }
    return None if expected.get(row["change"]) else "the values before and after"


def _check_row_change(row: Row) -> str | None:
    model, names = TRACKED.get(row["table_name"], (None, set()))
    if model is None or (row["before"] is None and row["after"] is None):
        return "what was changed"
    for values in (row["before"] or {}, row["after"] or {}):
        if not names >= values.keys():
            return "the columns"
        for name, value in decode(model, values).items():
            _refuse_bad_value(model.__table__.c[name], value)
    return _check_row_key(row["table_name"], row["row_key"])


def _check_row_key(table_name: str, key: str) -> str | None:
    row_id, _, day = key.partition("_")
    uuid.UUID(row_id)
    if table_name == "occurrence":
        date.fromisoformat(day)
    return None


def _check_statement(row: Row) -> str | None:
    layout = row["layout"]
    is_layout = len(layout) <= LAYOUT_MAX and Layout.from_json(layout).to_json() == layout
    return None if is_layout else "the layout"


CHECKS: dict[str, Callable[[Row], str | None]] = {
    "user": _check_user,
    "category": _check_category,
    "recurring_expense": _check_recurring,
    "operation": _check_operation,
    "expense_change": _check_expense_change,
    "row_change": _check_row_change,
    "statement": _check_statement,
}


# --- Rows that belong together


def refuse_inconsistent(target: sa.Connection) -> None:
    """Raise BackupError for rows in `target` that each are valid, but not together."""
    counts = sa.select(sa.func.count().label("count")).select_from(RecurringExpense)
    counts = counts.group_by(RecurringExpense.author_id)
    if (target.scalar(sa.select(sa.func.max(counts.subquery().c.count))) or 0) > MAX_RECURRING:
        raise BackupError(f"An account has more than {MAX_RECURRING} recurring expenses.")
    change, other = Base.metadata.tables[ExpenseChange.__tablename__], sa.orm.aliased(ExpenseChange)
    same_expense = (Expense.author_id == change.c.author_id, Expense.id == change.c.id)
    same_change = (other.author_id == change.c.author_id, other.id == change.c.id, other.change == "deleted")
    unknown = sa.select(change.c.id).where(
        change.c.change == "changed", ~sa.exists().where(*same_expense), ~sa.exists().where(*same_change)
    )
    if target.scalar(unknown.limit(1)) is not None:
        raise BackupError("The history changes an expense that does not exist.")
