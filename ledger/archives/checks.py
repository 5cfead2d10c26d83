"""Checks of an export, which anybody may have made: what the forms and tables would refuse is refused here."""

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from database import Base, Money
from languages import LANGUAGES
from ledger.backup_checks import CHECKS, BackupError, is_valid_value
from ledger.categories import MAX_CATEGORIES, NEW_CATEGORY
from ledger.errors import LedgerError
from ledger.history import TABLES
from ledger.locales import LOCALES
from ledger.money import currencies, currency_digits
from ledger.operations import TRACKED_COLUMNS, decode
from ledger.periods import LAST_YEAR, is_time_zone
from ledger.recurring import MAX_RECURRING
from models import (
    Budget,
    Category,
    Expense,
    ExpenseChange,
    Occurrence,
    RecurringExpense,
    Statement,
    StatementLine,
    User,
    category_key,
    description_key,
)
from text import clean_text, has_control_characters

# Twenty years of a new budget in each month for as many categories as fit on a page.
MAX_BUDGETS = 50_000
# How far in the future an operation may lie: a clock may be wrong. Otherwise it would never expire.
MAX_AHEAD = timedelta(days=1)
# Columns that users fill in. Banks' files have other texts, whose control characters are never shown.
TYPED = frozenset({"name", "category", "description"})


# The columns that operations change; the others stay as they were added.
CHANGING_COLUMNS: dict[type[Base], frozenset[str]] = {
    Category: frozenset(TRACKED_COLUMNS[Category]),
    Budget: frozenset({"amount", "rollover"}),
    RecurringExpense: frozenset({*TRACKED_COLUMNS[RecurringExpense]} - {"created_at"}),
    Occurrence: frozenset(),
    Statement: frozenset(TRACKED_COLUMNS[Statement]),
}


class ArchiveError(LedgerError):
    """A file that is not an export, or contains something that no export contains."""


class Rules(NamedTuple):
    """The currency and the time that the values of an export are checked against."""

    currency: str
    now: datetime


def check_settings(settings: Any) -> None:
    """Raise ArchiveError unless these are settings that the account page accepts."""
    checks: dict[str, Callable[[Any], bool]] = {
        "language": lambda value: value in {"", *LANGUAGES},
        "currency": lambda value: value in currencies(),
        "time_zone": is_time_zone,
        "locale": lambda value: value in {"", *LOCALES},
        "first_day_of_month": lambda value: type(value) is int and 1 <= value <= User.FIRST_DAY_MAX,
        "named_after_end": lambda value: isinstance(value, bool),
    }
    if not isinstance(settings, dict) or settings.keys() != checks.keys():
        raise ArchiveError("archive_manifest")
    for name, is_valid in checks.items():
        is_text = isinstance(settings[name], str) or name in {"first_day_of_month", "named_after_end"}
        if not is_text or not is_valid(settings[name]):
            raise ArchiveError("archive_setting", name=name)


def complete(table: sa.Table, row: dict[str, Any]) -> None:
    """Add what an export leaves out: the keys of texts, and which empty cells of a changed expense are texts."""
    if table is Category.__table__:
        row["name_key"] = category_key(row["name"])
    elif table is Expense.__table__:
        row["description_key"] = description_key(row["description"])
    elif table is StatementLine.__table__:
        is_booked = row["state"] in StatementLine.BOOKED
        row["text_key"] = description_key(row["text"][: Expense.DESCRIPTION_MAX]) if is_booked else ""
    elif table is ExpenseChange.__table__:
        _complete_change(row)


def _complete_change(row: dict[str, Any]) -> None:
    """Fill in the descriptions of a change: it has both if one of them was changed to or from an empty text."""
    names = ("description", "new_description")
    is_changed = row["change"] == "changed" and any(row[name] is not None for name in names)
    for name, change in zip(names, ("deleted", "added"), strict=True):
        if row[name] is None and (is_changed or row["change"] == change):
            row[name] = ""
        prefix = name.removesuffix("description")
        row[f"{prefix}description_key"] = None if row[name] is None else description_key(row[name])


def bad_column(table: sa.Table, row: Mapping[str, Any], rules: Rules) -> str | None:
    """Return the name of a column with a value that its table or the forms would refuse, or None."""
    columns = table.c
    for name, value in row.items():
        if not (columns[name].nullable if value is None else _is_valid(columns[name], value, rules)):
            return name
    return None


def _is_valid(column: sa.Column[Any], value: Any, rules: Rules) -> bool:
    if not is_valid_value(column, value):
        return False
    if isinstance(value, Decimal):
        return _is_amount(column, value, rules)
    if isinstance(value, datetime):
        is_of_operation = column.table.name == "operation"
        return not is_of_operation or value <= rules.now + MAX_AHEAD
    if isinstance(value, date):
        return column.name == "next_date" or column.table is StatementLine.__table__ or value.year <= LAST_YEAR
    name = column.name.removeprefix("new_")
    if name in TYPED and column.table is not StatementLine.__table__:
        return not has_control_characters(value) and (name == "description" or _is_category_name(value))
    if column.name == "frequency":
        return value in RecurringExpense.FREQUENCIES
    return True


def _is_amount(column: sa.Column[Any], value: Decimal, rules: Rules) -> bool:
    if column.table.name in {"operation", "statement_line"}:
        # The sum of many, and an amount in any currency.
        return True
    if abs(value) > Money.MAX or value != round(value, currency_digits(rules.currency)):
        return False
    return value >= 0 if column.table is Budget.__table__ else value != 0


@lru_cache(maxsize=1024)
def _is_category_name(value: str) -> bool:
    return bool(clean_text(value)) and category_key(value) != category_key(NEW_CATEGORY)


def is_consistent(table: sa.Table, row: Mapping[str, Any], rules: Rules) -> bool:
    """Tell whether the values of a row, each valid alone, are valid together."""
    check = CHECKS.get(table.name)
    try:
        if check is not None and check(row) is not None:
            return False
        return OWN_CHECKS[table.name](row, rules) if table.name in OWN_CHECKS else True
    except (BackupError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):
        # A value in a JSON object that cannot be converted to the type of its column.
        return False


def _is_operation(row: Mapping[str, Any], _rules: Rules) -> bool:
    return row["kind"] != "restore"


def _is_statement(row: Mapping[str, Any], _rules: Rules) -> bool:
    return row["added_at"] is not None


def _is_expense_change(row: Mapping[str, Any], _rules: Rules) -> bool:
    """Undo and redo need the time at which an expense was added."""
    has_time = row["created_at"] is not None, row["new_created_at"] is not None
    return has_time == {"added": (False, True), "deleted": (True, False)}.get(row["change"], (False, False))


def _is_row_change(row: Mapping[str, Any], rules: Rules) -> bool:
    """Undo needs all columns of a row that was added or deleted, and of others the same ones before and after."""
    model = TABLES[row["table_name"]]
    before, after = row["before"], row["after"]
    if before is not None and after is not None:
        if not before or before.keys() != after.keys() or not before.keys() <= CHANGING_COLUMNS[model]:
            return False
    elif (after if before is None else before).keys() != {*TRACKED_COLUMNS[model]} or model is Statement:
        return False
    decoded = [decode(model, values) for values in (before, after) if values is not None]
    is_valid = not any(bad_column(model.__table__, values, rules) for values in decoded)  # type: ignore[arg-type]
    return is_valid and row["row_key"] == _key_of(model, row["row_key"])


def _key_of(model: type[Base], key: str) -> str:
    """Return the key of a row in its usual form. Raises ValueError for anything else."""
    row_id, _, day = key.partition("_")
    return f"{uuid.UUID(row_id)}_{date.fromisoformat(day)}" if model is Occurrence else str(uuid.UUID(row_id))


OWN_CHECKS = {
    "operation": _is_operation,
    "statement": _is_statement,
    "expense_change": _is_expense_change,
    "row_change": _is_row_change,
}


# --- Rows that belong together


def refuse_inconsistent(connection: sa.Connection) -> None:
    """Raise ArchiveError for rows that are valid by themselves, but not together: too many, or without others."""
    for model, name, maximum in (
        (Category, "categories.csv", MAX_CATEGORIES),
        (RecurringExpense, "recurring_expenses.csv", MAX_RECURRING),
        (Budget, "budgets.csv", MAX_BUDGETS),
    ):
        count = connection.scalar(sa.select(sa.func.count()).select_from(model)) or 0
        if count > maximum:
            raise ArchiveError("archive_too_many", name=name, number=count, maximum=maximum)
        if model is Category and not count:
            raise ArchiveError("archive_no_category")
    names = sa.select(Category.name)
    used = {"expenses.csv": Expense.category, "recurring_expenses.csv": RecurringExpense.category}
    for name, column in used.items():
        missing = connection.scalar(sa.select(column).where(column.not_in(names)).limit(1))
        if missing is not None:
            raise ArchiveError("archive_category", name=name, category=missing)
    totals = sa.select(Budget.start_date).where(Budget.category_id.is_(None)).group_by(Budget.start_date)
    if connection.scalar(totals.having(sa.func.count() > 1).limit(1)) is not None:
        raise ArchiveError("archive_rows", name="budgets.csv")
    changed, deleted = (
        sa.select(ExpenseChange.id).where(ExpenseChange.change == change) for change in ("changed", "deleted")
    )
    # Compared as sets: the temporary database has no index to look them up one by one.
    unknown = sa.except_(changed, sa.select(Expense.id), deleted)
    if connection.scalar(unknown.limit(1)) is not None:
        raise ArchiveError("archive_rows", name="expense_changes.csv")
