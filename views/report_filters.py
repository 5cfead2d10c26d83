"""Template filters and functions of the reports: axes of charts, short days and whole amounts."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import format_decimal
from flask import Flask

from ledger.axis import axis_to, axis_without_outliers
from ledger.money import with_true_minus
from messages import isolate
from views.formats import formats, visitor_locale


def init_app(app: Flask) -> None:
    """Add the filters and functions to the templates of `app`."""
    app.jinja_env.filters.update(short_day=short_day, whole_number=whole_number)
    app.jinja_env.globals.update(axis_to=axis_to, axis_without_outliers=axis_without_outliers)


def short_day(value: date) -> str:
    """Write a date in the visitor's format, without its year: "Oct 27"."""
    return formats().short_day(value)


def whole_number(value: Decimal) -> str:
    """Write an amount without decimals and without the sign of its currency."""
    written = format_decimal(value.quantize(Decimal(1), ROUND_HALF_UP), locale=visitor_locale())
    return isolate(with_true_minus(written))
