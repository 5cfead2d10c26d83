"""Amounts and dates as the visitor reads them, and the rows of the list."""

from collections.abc import Container, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from uuid import UUID

import sqlalchemy as sa
from babel import Locale
from babel.dates import format_date
from flask import g, request
from flask_babel import get_locale
from flask_login import current_user
from markupsafe import Markup, escape

import clock
from ledger.locales import LOCALES, closest_locale, day_pattern
from ledger.money import currency_sign, format_amount
from ledger.periods import day_in
from messages import is_page_right_to_left, isolate
from text import is_right_to_left, isolated

# How many of the languages that a browser asks for are tried; the rest of a long header costs nothing.
MAX_LANGUAGES = 10


def visitor_locale() -> Locale:
    """Return the locale of amounts and dates: that of the account, or the browser's."""
    if "locale" not in g:
        chosen = current_user.locale if current_user.is_authenticated else ""
        tags = (chosen, *islice(request.accept_languages.values(), MAX_LANGUAGES))
        found = filter(None, map(closest_locale, tags))
        g.locale = _locale(next(found, "en"))
    return g.locale


@lru_cache(maxsize=len(LOCALES) + 1)
def _locale(name: str) -> Locale:
    return Locale.parse(name)


class Formats:
    """The formats of one user, which a page looks up once for all of its amounts and dates."""

    def __init__(self) -> None:
        locale, language = visitor_locale(), get_locale()
        self.locale = str(locale)
        self.language = str(language)
        self.currency = current_user.currency
        self.isolates = is_page_right_to_left()
        self.day_pattern = day_pattern(locale, language=language)
        self.short_day_pattern = day_pattern(locale, with_year=False, language=language)
        self.this_year = day_in(current_user.time_zone, clock.now()).year

    def money(self, amount: Decimal, currency: str | None = None) -> Markup:
        """Write an amount in the currency of the account, or in another one, with its sign in an `i` element."""
        return _money(amount, currency or self.currency, self.locale, self.isolates)

    def money_text(self, amount: Decimal) -> str:
        """Write an amount in the currency of the account, as plain text."""
        return isolate("".join(_amount_parts(amount, self.currency, self.locale, self.isolates)))

    def day(self, value: date) -> str:
        """Write a date in the visitor's format."""
        return _day(value, self.day_pattern, self.language)

    def list_day(self, value: date) -> str:
        """Write a date in the visitor's format, without its year when that is the current one."""
        is_this_year = value.year == self.this_year
        return _day(value, self.short_day_pattern if is_this_year else self.day_pattern, self.language)

    def short_day(self, value: date) -> str:
        """Write a date in the visitor's format, without its year."""
        return _day(value, self.short_day_pattern, self.language)


def formats() -> Formats:
    """Return the formats of the current user."""
    if "formats" not in g:
        g.formats = Formats()
    found: Formats = g.formats
    return found


# Formatting the amounts and dates of a page takes Babel as long as the rest of its rows. The locales are named,
# because comparing two objects takes longer than comparing their names.
@lru_cache(maxsize=4096)
def _money(amount: Decimal, currency: str, locale: str, isolates: bool) -> Markup:
    written = Markup("{}<i>{}</i>{}").format(*_amount_parts(amount, currency, locale, isolates))
    return isolated(written) if isolates or is_right_to_left(written) else written


@lru_cache(maxsize=4096)
def _without_elements(text: Markup) -> Markup:
    return escape(text.striptags())


def _amount_parts(amount: Decimal, currency: str, locale: str, isolates: bool) -> tuple[str, str, str]:
    """Return an amount as what is before its sign, the sign, and what is after it."""
    written = format_amount(amount, currency, _locale(locale))
    before, sign, after = written.partition(currency_sign(currency, _locale(locale)))
    # Otherwise US$ would be shown as $US.
    return before, isolated(sign) if isolates or is_right_to_left(written) else sign, after


@lru_cache(maxsize=4096)
def _day(value: date, pattern: str, language: str) -> str:
    return isolate(format_date(value, pattern, language))


def list_rows(
    expenses: Iterable[sa.Row[UUID, date, str, str, Decimal]], changed: Container[str], ticked: Container[str]
) -> Iterator[dict[str, object]]:
    """Yield the values of expenses as the list shows them; `changed` and `ticked` have the ids of some.

    `name` and `amount_text` are those in the names of their controls.
    """
    own, iso, day, day_above = formats(), Markup(), Markup(), None
    for row_id, spent_on, category, description, amount in expenses:
        if spent_on != day_above:
            iso, day = escape(spent_on), escape(own.list_day(spent_on))
        text_id, category, description, written = (
            str(row_id),
            escape(category),
            escape(description),
            own.money(amount),
        )
        yield {
            "id": text_id,
            "changed": text_id in changed,
            "ticked": text_id in ticked,
            "date": iso,
            "day": day,
            "repeats_day": spent_on == day_above,
            "description": description,
            "category": category,
            "amount": written,
            "refund": amount < 0,
            "name": description or category,
            "amount_text": _without_elements(written),
        }
        day_above = spent_on
