"""Template filters: amounts, dates and counts as the visitor reads them."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.dates import format_date, format_time, get_timezone
from babel.numbers import format_compact_decimal, format_decimal, format_percent, get_decimal_symbol
from babel.support import NullTranslations
from flask import Flask
from flask_babel import get_domain, get_locale, gettext, ngettext
from flask_login import current_user
from markupsafe import Markup

from fields import control
from ledger.axis import axis_for
from ledger.locales import full_day_pattern, month_name, month_title
from ledger.money import currency_digits, with_true_minus
from ledger.periods import Period
from ledger.sessions import parse_user_agent
from messages import (
    FREQUENCY_NAMES,
    REPEATS,
    isolate,
    join_sentences,
    list_separator,
    number_text,
    visitor_locale,
)
from statement_messages import reason_text
from views.blank_forms import write_form
from views.formats import formats, list_rows
from views.fragments import write_once
from views.review_rows import ReviewRows


def init_app(app: Flask) -> None:
    """Add the filters to the templates of `app`."""
    app.jinja_env.filters.update(FILTERS)
    # Jinja's extension would install functions that call each other three times for each text.
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]
    app.jinja_env.globals.update(_=translate, gettext=translate, ngettext=translate_number)
    app.jinja_env.globals.update(
        axis_for=axis_for,
        control=control,
        write_form=write_form,
        write_once=write_once,
        review_rows=ReviewRows,
        get_locale=get_locale,
        visitor_locale=visitor_locale,
    )


def translate(text: str, /, **values: Any) -> Markup:
    """Return a sentence of a template in the language of the page, with `values` that keep its words in order."""
    translations = get_domain().get_translations()
    return _fill_in(translations.gettext(text), values) if values else _sentence(text, translations)


@lru_cache(maxsize=4096)
def _sentence(text: str, translations: NullTranslations) -> Markup:
    """Return a sentence without values as HTML, in which a percent sign is doubled as in all others."""
    return Markup(translations.gettext(text) % ())  # noqa: S704


def translate_number(singular: str, plural: str, number: int, /, **values: Any) -> Markup:
    """Return the same for a sentence with a number, which it names `num`."""
    return _fill_in(get_domain().get_translations().ngettext(singular, plural, number), {"num": number} | values)


def _fill_in(text: str, values: dict[str, Any]) -> Markup:
    """Return a translated sentence as HTML, in which a percent sign is always doubled.

    A `url` is not among its words, but the address of a link in it.
    """
    filled_in = {name: value if name == "url" else isolate(value) for name, value in values.items()}
    return Markup(text) % filled_in  # noqa: S704


def money(amount: Decimal) -> Markup:
    """Write an amount in the currency of the account, with its sign in an `i` element."""
    return formats().money(amount)


def money_label(amount: Decimal) -> str:
    """Write an amount in the currency of the account for a label, as the plain text of `money`."""
    return formats().money_label(amount)


def money_text(amount: Decimal) -> str:
    """Write an amount in the currency of the account, as plain text."""
    return formats().money_text(amount)


def money_in(amount: Decimal, currency: str) -> Markup:
    """Write an amount in `currency`, with its sign in an `i` element."""
    return formats().money(amount, currency)


def expense_count(number: int) -> str:
    """Write a number of expenses."""
    return ngettext("%(num)d expense", "%(num)d expenses", number)


def frequency(code: str) -> str:
    """Write how often something repeats: "Every month"."""
    return str(FREQUENCY_NAMES[code])


def repetition(code: str) -> str:
    """Write how often something repeats, as a sentence."""
    return str(REPEATS[code])


def device_name(user_agent: str) -> str:
    """Write the browser and the system that a user agent names: "Firefox on Linux"."""
    browser, system = parse_user_agent(user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s", browser=browser, system=system)
    if system:
        return gettext("A browser on %(system)s", system=system)
    return browser or gettext("An unknown device")


def named_day(period: Period) -> date:
    """Return a day of the calendar month that a month is named after, or of the year of a year."""
    return period.named_day(current_user.named_after_end)


def period_name(period: Period) -> str | None:
    """Return "month" or "year" if a period is exactly one of the user's, or None."""
    return period.name(current_user.first_day_of_month, current_user.named_after_end)


def month_text(period: Period) -> str:
    """Write a month as in a URL: `2026-03`."""
    return period.text(current_user.named_after_end)


def month(value: date) -> str:
    """Write the month of a date in the language of the sentences around it: "October 2026"."""
    return month_name(value.isoformat()[:7], str(get_locale()))


def titled_month(value: date) -> str:
    """Write the month of a date where no words stand before it: "Octobre 2026", not "octobre 2026"."""
    return month_title(value.isoformat()[:7], str(get_locale()))


def short_month(value: date) -> str:
    """Write the month of a date without its year, in short: "Oct"."""
    return _date(value, "MMM", str(get_locale()))


@lru_cache(maxsize=1024)
def _date(value: date, pattern: str, language: str) -> str:
    return format_date(value, pattern, language)


def separated(texts: Iterable[str]) -> Markup:
    """Join texts as the language of the page separates the items of a list: "Food, Travel"."""
    return Markup(list_separator()).join(texts)  # noqa: S704


def short_number(value: Decimal) -> str:
    """Write a number in short for an axis: 0.5, 200, 1.5K."""
    locale, language = visitor_locale(), get_locale()
    if abs(value) < 1:
        return isolate(with_true_minus(format_decimal(value.normalize(), locale=locale)))
    written = format_compact_decimal(value, locale=language, fraction_digits=1)
    # The K comes from the language, the decimal separator from the number format.
    written = written.replace(get_decimal_symbol(language), get_decimal_symbol(locale))
    return isolate(with_true_minus(written))


def percent(share: Decimal) -> str:
    """Write a share as a percentage with one decimal."""
    written = format_percent(round(share, 3), locale=visitor_locale(), decimal_quantization=False)
    return isolate(with_true_minus(written))


def full_date(value: date) -> str:
    """Write a date with the name of its month, which cannot be misread: "3 February 2026"."""
    return _date(value, full_day_pattern(visitor_locale(), get_locale()), str(get_locale()))


def datetime_text(value: datetime) -> str:
    """Write a date and time in the account's time zone."""
    locale, zone = visitor_locale(), get_timezone(current_user.time_zone)
    time = format_time(value, locale.time_formats["medium"].pattern, zone, get_locale())
    order = str(locale.datetime_formats["medium"]).replace("'", "")
    return isolate(order.replace("{0}", time).replace("{1}", day(value.astimezone(zone).date())))


def day(value: date) -> str:
    """Write a date in the visitor's format."""
    return formats().day(value)


def list_day(value: date) -> str:
    """Write a date in the visitor's format, without its year when that is the current one."""
    return formats().list_day(value)


FILTERS = {
    "money": money,
    "money_in": money_in,
    "money_label": money_label,
    "expense_count": expense_count,
    "frequency": frequency,
    "named_day": named_day,
    "period_name": period_name,
    "month_text": month_text,
    "repetition": repetition,
    "month": month,
    "titled_month": titled_month,
    "short_month": short_month,
    "short_number": short_number,
    "percent": percent,
    "datetime": datetime_text,
    "day": day,
    "list_day": list_day,
    "list_rows": list_rows,
    "digits": currency_digits,
    "device": device_name,
    "reason": reason_text,
    "full_date": full_date,
    "isolate": isolate,
    "number": number_text,
    "separated": separated,
    "sentences": join_sentences,
}
