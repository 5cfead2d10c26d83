"""Expenses as a file that other programs read."""

import csv
import re
from collections.abc import Generator
from io import StringIO
from typing import Any

import sqlalchemy as sa

from ledger.money import currency_digits, plain_thousandths
from models import Expense

HEADER = ("date", "category", "description", "amount", "currency")
ROWS_AT_ONCE = 1000
# A spreadsheet takes a text that begins so for a formula; our own guard before it belongs to the text.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
_GUARDED = re.compile("'" + _FORMULA.pattern)


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would read as a formula."""
    # Nearly every text begins with a letter, and asking for that is quicker.
    return f"'{text}" if not text[:1].isalpha() and _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return text[1:] if _GUARDED.match(text) else text


def write_csv(
    engine: sa.Engine, query: sa.Select[*tuple[Any, ...]], currency: str, byte_order_mark: bool = False
) -> Generator[str, None, None]:
    """Yield the expenses of `query` as CSV (RFC 4180), a thousand rows at a time, in memory that does not grow.

    Columns: date (ISO 8601), category, description, amount (a point, all decimals of the currency), currency
    (ISO 4217). Texts are guarded against being taken for formulas. A byte order mark is for Excel.
    """
    buffer = StringIO()
    writer = csv.writer(buffer)
    if byte_order_mark:
        buffer.write("\ufeff")
    writer.writerow(HEADER)
    # As the database holds them: making a date and a Decimal of each would take twice as long as the rest.
    day, thousandths = sa.type_coerce(Expense.date, sa.String), sa.type_coerce(Expense.amount, sa.BigInteger)
    raw = query.with_only_columns(day, Expense.category, Expense.description, thousandths)
    digits = currency_digits(currency)
    # A connection of its own: while the lines are sent, the session of the request is gone.
    with (
        engine.connect().execution_options(reading=True) as connection,
        connection.execute(raw, execution_options={"yield_per": ROWS_AT_ONCE}) as rows,
    ):
        for some in rows.partitions():
            writer.writerows(
                (
                    day,
                    escape_formula(category),
                    escape_formula(description),
                    plain_thousandths(amount, digits),
                    currency,
                )
                for day, category, description, amount in some
            )
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
