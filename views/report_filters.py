"""Template filters and functions of the reports: axes of charts, short days and whole amounts."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from babel.dates import format_skeleton
from babel.numbers import format_decimal
from flask import Flask
from flask_babel import get_locale

from ledger.axis import axis_to, axis_without_outliers
from ledger.money import with_true_minus
from messages import isolate
from views.formats import visitor_locale


def init_app(app: Flask) -> None:
    """Add the filters and functions to the templates of `app`."""
    app.jinja_env.filters.update(short_day=short_day, whole_number=whole_number)
    app.jinja_env.globals.update(axis_to=axis_to, axis_without_outliers=axis_without_outliers)


def short_day(value: date) -> str:
    """Write a date without its year: "Oct 27"."""
    return isolate(format_skeleton("MMMd", value, locale=get_locale()))


def whole_number(value: Decimal) -> str:
    """Write an amount without decimals and without the sign of its currency."""
    written = format_decimal(value.quantize(Decimal(1), ROUND_HALF_UP), locale=visitor_locale())
    return isolate(with_true_minus(written))
