"""Amounts and dates as the visitor reads them, and the rows of the list."""

from collections.abc import Container, Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache

import sqlalchemy as sa
from babel.dates import format_date
from flask import g
from flask_babel import get_locale
from flask_login import current_user
from markupsafe import Markup, escape

import clock
from ledger.locales import closest_currency, day_pattern
from ledger.money import FALLBACK_CURRENCY, currency_sign, format_amount
from ledger.periods import day_in
from messages import browser_languages, isolate, locale_of, visitor_locale
from text import is_right_to_left, isolated, isolated_if_needed


def browser_currency() -> str:
    """Return the currency of the country that the browser's language names, or where most of its readers live."""
    return next(filter(None, map(closest_currency, browser_languages())), FALLBACK_CURRENCY)


class Formats:
    """The formats of amounts and dates of one user and one year, which a page looks up once for all of them."""

    def __init__(self, locale: str, language: str, currency: str, this_year: int) -> None:
        self.locale, self.language, self.currency, self.this_year = locale, language, currency, this_year
        order, words = locale_of(locale), locale_of(language)
        self.isolates = words.text_direction == "rtl"
        self.day_pattern = day_pattern(order, language=words)
        self.short_day_pattern = day_pattern(order, with_year=False, language=words)

    def money(self, amount: Decimal, currency: str | None = None) -> Markup:
        """Write an amount in the currency of the account, or in another one, with its sign in an `i` element."""
        return _money(amount, currency or self.currency, self.locale, self.isolates)

    def money_of_row(self, amount: Decimal) -> tuple[str, str]:
        """Write an amount for a row of the list: as HTML, and as the text in its attributes."""
        return _money_of_row(amount, self.currency, self.locale, self.isolates)

    def money_label(self, amount: Decimal) -> str:
        """Write an amount in the currency of the account, as the plain text of `money`."""
        return _money_label(amount, self.currency, self.locale, self.isolates)

    def money_text(self, amount: Decimal) -> str:
        """Write an amount in the currency of the account, as plain text."""
        return isolate("".join(_amount_parts(amount, self.currency, self.locale, self.isolates)))

    def day(self, value: date) -> str:
        """Write a date in the visitor's format."""
        return _day(value, self.day_pattern, self.language, self.isolates)

    def list_day(self, value: date) -> str:
        """Write a date in the visitor's format, without its year when that is the current one."""
        is_this_year = value.year == self.this_year
        pattern = self.short_day_pattern if is_this_year else self.day_pattern
        return _day(value, pattern, self.language, self.isolates)

    def short_day(self, value: date) -> str:
        """Write a date in the visitor's format, without its year."""
        return _day(value, self.short_day_pattern, self.language, self.isolates)


def formats() -> Formats:
    """Return the formats of the current user."""
    found: Formats | None = g.get("formats")
    if found is None:
        this_year = day_in(current_user.time_zone, clock.now()).year
        found = _formats(str(visitor_locale()), str(get_locale()), current_user.currency, this_year)
        g.formats = found
    return found


@lru_cache(maxsize=256)
def _formats(locale: str, language: str, currency: str, this_year: int) -> Formats:
    return Formats(locale, language, currency, this_year)


# Formatting the amounts and dates of a page takes Babel as long as the rest of its rows. The locales are named,
# because comparing two objects takes longer than comparing their names.
@lru_cache(maxsize=4096)
def _money(amount: Decimal, currency: str, locale: str, isolates: bool) -> Markup:
    written = Markup("{}<i>{}</i>{}").format(*_amount_parts(amount, currency, locale, isolates))
    return isolated_if_needed(written, isolates)


@lru_cache(maxsize=4096)
def _money_label(amount: Decimal, currency: str, locale: str, isolates: bool) -> str:
    return _money(amount, currency, locale, isolates).striptags()


@lru_cache(maxsize=4096)
def _money_of_row(amount: Decimal, currency: str, locale: str, isolates: bool) -> tuple[str, str]:
    written = _money(amount, currency, locale, isolates)
    return str(written), str(escape(_money_label(amount, currency, locale, isolates)))


def _amount_parts(amount: Decimal, currency: str, locale: str, isolates: bool) -> tuple[str, str, str]:
    """Return an amount in three parts: what is before the currency sign, the sign, and what is after it."""
    written = format_amount(amount, currency, locale_of(locale))
    before, sign, after = written.partition(currency_sign(currency, locale_of(locale)))
    # Otherwise US$ would be shown as $US.
    return before, isolated(sign) if isolates or is_right_to_left(written) else sign, after


@lru_cache(maxsize=4096)
def _day(value: date, pattern: str, language: str, isolates: bool) -> str:
    return isolated_if_needed(format_date(value, pattern, language), isolates)


def list_rows(
    expenses: Iterable[sa.Row[str, date, str, str, Decimal]],
    pattern: Markup,
    changed_ids: Container[str],
    ticked_ids: Container[str],
    **marks: str,
) -> Markup:
    """Write the pattern of a row once for each expense, whose values stand in the places of its `%(name)s`.

    Each of the `marks` stands in the rows to which it applies. `name` and `amount_text` are those in the names of
    the controls. In a loop of Jinja, the rows take twice as long.
    """
    own, text, rows, day_above, iso_day, day = formats(), str(pattern), [], None, "", ""
    for text_id, spent_on, category, description, amount in expenses:
        repeats_day = spent_on == day_above
        if not repeats_day:
            day_above, iso_day, day = spent_on, str(spent_on), str(escape(own.list_day(spent_on)))
        # As plain texts, which are already HTML, because Python is slow in putting Markup into a text.
        category, description = str(escape(category)), str(escape(description))
        written, amount_text = own.money_of_row(amount)
        values = {
            "id": text_id,
            "date": iso_day,
            "day": day,
            "description": description,
            "category": category,
            "amount": written,
            "name": description or category,
            "amount_text": amount_text,
            "changed": marks["changed"] if text_id in changed_ids else "",
            "ticked": marks["ticked"] if text_id in ticked_ids else "",
            "repeats_day": marks["repeats_day"] if repeats_day else "",
            "refund": marks["refund"] if amount < 0 else "",
        }
        rows.append(text % values)
    return Markup("".join(rows))  # noqa: S704
