"""Template filters and functions of the reports: axes of charts, short days and whole amounts."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import format_decimal
from flask import Flask

from ledger.axis import axis_to, axis_without_outliers
from ledger.money import with_true_minus
from ledger.periods import FIRST_YEAR, LAST_YEAR, Period
from text import isolated_if_needed
from views.filters import month_text, named_day, period_name
from views.formats import formats

# The days that an expense can have, and the list can be asked for.
POSSIBLE_DAYS = Period(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))


def init_app(app: Flask) -> None:
    """Add the filters and functions to the templates of `app`."""
    app.jinja_env.filters.update(as_query=as_query, short_day=short_day, whole_number=whole_number)
    app.jinja_env.globals.update(axis_to=axis_to, axis_without_outliers=axis_without_outliers)


def as_query(period: Period) -> str:
    """Return the query string of the list that shows the expenses of a period."""
    name = period_name(period)
    if name == "month":
        return f"?period={month_text(period)}"
    if name == "year":
        return f"?period={named_day(period).year}"
    days = period.within(POSSIBLE_DAYS)
    return f"?start_date={days.start_date}&end_date={days.end_date}"


def short_day(value: date) -> str:
    """Write a date in the visitor's format, without its year: "Oct 27"."""
    return formats().short_day(value)


def whole_number(value: Decimal) -> str:
    """Write an amount without decimals and without the sign of its currency."""
    own = formats()
    return _whole_number(value, own.locale, own.isolates)


# The table of a year can have more than a hundred amounts.
@lru_cache(maxsize=4096)
def _whole_number(value: Decimal, locale: str, isolates: bool) -> str:
    # Adding zero turns -0 into 0.
    rounded = value.quantize(Decimal(1), ROUND_HALF_UP) + 0
    written = with_true_minus(format_decimal(rounded, locale=Locale.parse(locale)))
    return isolated_if_needed(written, isolates)
