"""Sentences for the errors that `ledger/` raises, and how values are written in sentences."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from babel import Locale
from babel.numbers import format_decimal
from flask import g, has_request_context, request
from flask_babel import get_locale, gettext, lazy_gettext, ngettext
from flask_login import current_user

from languages import ENGLISH, LANGUAGES, MAX_TAGS
from ledger.errors import LedgerError
from ledger.locales import LOCALES, closest_locale
from ledger.money import with_true_minus
from text import isolated_if_needed

Value = TypeVar("Value")
# The values of errors that are amounts of things. Other numbers, such as those of lines and years, are only names.
COUNTS = frozenset({"limit", "maximum", "number"})

MESSAGES = {
    # Amounts
    "amount_missing": lazy_gettext("Enter an amount such as %(example)s."),
    "amount_too_long": lazy_gettext("Enter a shorter amount, such as %(example)s."),
    "amount_with_minus": lazy_gettext("Enter the amount without a minus sign."),
    "amount_negative": lazy_gettext("This adds up to %(amount)s. Enter an amount above zero."),
    "amount_too_large": lazy_gettext("Enter an amount below 1 billion."),
    "amount_zero": lazy_gettext("Enter an amount other than zero."),
    "not_an_amount": lazy_gettext("Enter an amount such as %(example)s. Your account uses %(currency)s."),
    "amount_grouped": lazy_gettext("Are these thousands? Then write %(amount)s."),
    "amount_ambiguous": lazy_gettext("Are these thousands or decimals? Write %(amount)s or %(other)s."),
    "result_not_exact": lazy_gettext("The result is not exact. If you mean %(amount)s, enter that."),
    "division_by_zero": lazy_gettext("You cannot divide by zero. Correct the calculation."),
    "currency_changed": lazy_gettext(
        "Nothing was saved, because your currency was just changed. Go back, check the amount and try again."
    ),
    "operation_running": lazy_gettext(
        "Nothing was saved, because a large change to your expenses is still in progress. Go back and try again "
        "in a moment."
    ),
    "operation_took_too_long": lazy_gettext(
        "This took too long and was stopped. In a moment, go back, check what was saved, and try again."
    ),
    # Categories
    "category_exists": lazy_gettext("There is already a category %(name)s. Use another name."),
    "category_gone": lazy_gettext("This category does not exist any more. Choose another one."),
    "category_in_use": lazy_gettext("%(name)s is in use. Merge it into another category, or archive it."),
    "category_name_reserved": lazy_gettext("Use another name."),
    "category_name_taken": lazy_gettext(
        "There is already a category %(name)s. Use another name, swap the names, or merge the two."
    ),
    "last_category": lazy_gettext("Keep at least one category."),
    "too_many_categories": lazy_gettext("You have %(maximum)s categories already. Merge or delete some first."),
    # Dates
    "date_missing": lazy_gettext("Enter a date."),
    "not_a_date": lazy_gettext("Enter the date as year-month-day, for example 2026-03-31."),
    "date_out_of_range": lazy_gettext("Enter a date between %(first_year)s and %(last_year)s."),
    "not_a_month": lazy_gettext("Enter the month as year-month, for example 2026-03."),
    "not_a_period": lazy_gettext("There is no such period. Choose one from the list."),
    # Statements
    "empty": lazy_gettext("The file is empty. Download it again."),
    "not_text": lazy_gettext("The file is not a statement. Choose a CSV, OFX, QIF, CAMT or MT940 file."),
    "no_lines": lazy_gettext(
        "The file contains no transactions. If it should, download the statement as CSV, OFX, QIF, CAMT or MT940."
    ),
    "unknown_columns": lazy_gettext(
        "The file has no columns for the date and the amount. Download the statement with both, or in another "
        "format."
    ),
    "unknown_xml": lazy_gettext(
        "The file is XML, but not a bank statement (CAMT) or OFX. Download the statement as CAMT, OFX or CSV."
    ),
    "broken_xml": lazy_gettext(
        "The XML of the file breaks off or is damaged at line %(line)s. Download it again."
    ),
    "forbidden_xml": lazy_gettext(
        "The XML of the file defines entities, which statements never do. Download it again from your bank."
    ),
    "workbook": lazy_gettext("The file is a spreadsheet. Save it as CSV and choose the CSV file."),
    "archive": lazy_gettext("The file is compressed. Unpack it and choose the file inside."),
    "web_page": lazy_gettext("The file is a web page. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "pdf": lazy_gettext("The file is a PDF. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "picture": lazy_gettext("The file is a picture. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "too_large": lazy_gettext("The file is larger than %(limit)s MB. Split it or choose a shorter period."),
    "too_many_lines": lazy_gettext("The file has more than %(limit)s lines. Split it or choose a shorter period."),
    "too_many_cells": lazy_gettext(
        "The file has more than %(limit)s fields. Split it or choose a shorter period."
    ),
    "too_many_columns": lazy_gettext("Line %(line)s has too many columns for a statement. Choose another file."),
    "field_too_long": lazy_gettext(
        "Line %(line)s has a field that is too long for a statement. Choose another file."
    ),
    # Exports of accounts
    "account_not_empty": lazy_gettext(
        "This account has data already. An export can only be restored into an empty one, such as a new account."
    ),
    "archive_not_zip": lazy_gettext(
        "The file is not a complete zip file. Choose a file from “Download your data”."
    ),
    "archive_not_export": lazy_gettext(
        "The file is not an export of an account. Choose a file from “Download your data”."
    ),
    "archive_too_large": lazy_gettext(
        "The file is larger than %(limit)s MB, or too large when unpacked. The administrator can restore it with "
        "flask restore-account."
    ),
    "archive_version": lazy_gettext(
        "The file comes from another version of this application. Restore it with that version or a newer one."
    ),
    "archive_manifest": lazy_gettext("ledger.json in the file is not what an export contains."),
    "archive_setting": lazy_gettext("ledger.json in the file has a value of %(name)s that is not valid here."),
    "archive_unexpected": lazy_gettext(
        "The file contains %(name)s, which is not part of an export or is there twice."
    ),
    "archive_missing": lazy_gettext("The file lacks %(name)s, which every export contains."),
    "archive_damaged": lazy_gettext("%(name)s in the file is damaged. Download the export again."),
    "archive_header": lazy_gettext("The first line of %(name)s in the file is not that of an export."),
    "archive_row": lazy_gettext("Line %(line)s of %(name)s in the file is not valid."),
    "archive_value": lazy_gettext("Line %(line)s of %(name)s in the file is not valid: %(column)s."),
    "archive_rows": lazy_gettext("The lines of %(name)s in the file do not belong together."),
    "archive_category": lazy_gettext("%(name)s in the file uses the category %(category)s, which does not exist."),
    "archive_no_category": lazy_gettext("categories.csv in the file has no category."),
    "archive_too_many": lazy_gettext("%(name)s in the file has %(number)s lines; the limit is %(maximum)s."),
    # Limits
    "too_many_recurring": lazy_gettext(
        "You have %(limit)s recurring expenses, which is the limit. Add this expense without repeating it."
    ),
    # Accounts
    "username_missing": lazy_gettext("Enter a username."),
    "username_characters": lazy_gettext("Use letters, digits and . @ + - _ only."),
    "username_scripts": lazy_gettext("Use letters of one alphabet only."),
    "not_an_email": lazy_gettext("Enter an email address, for example ana@example.com."),
    "password_with_nul": lazy_gettext("Use a password without the NUL character."),
    "password_is_name": lazy_gettext("Use a password other than your username or email address."),
    "password_guessable": lazy_gettext("This password is easy to guess. Use a less common one."),
}
# Why a form was refused before its own checks. The administrator can correct most of these.
CSRF_MESSAGES = {
    "expired": lazy_gettext("This page had expired and nothing was saved. Press the button again."),
    "https_only": lazy_gettext(
        "Your browser does not keep the cookies of this site, because the site is set up for https and was opened "
        "over http. Open its address with https://. If there is no https, its administrator has to set HTTPS=0."
    ),
    "no_cookies": lazy_gettext(
        "Nothing was saved, because your browser sent no cookie. Press the button again. If you see this message "
        "once more, allow cookies for this site in the settings of your browser."
    ),
    "no_referrer": lazy_gettext(
        "Nothing was saved, because your browser hides which page the form was on. "
        "Allow the Referer header for this site in your browser or its extensions."
    ),
    "other_host": lazy_gettext(
        "Nothing was saved, because the form came from a page of another address. Open this site at its own "
        "address. If that is what you did, its administrator has to let the proxy pass on the Host header, "
        "including the port."
    ),
}
# The categories that a new user begins with, in the order of `models.DEFAULT_CATEGORIES`.
CATEGORY_NAMES = (
    lazy_gettext("Food"),
    lazy_gettext("Housing"),
    lazy_gettext("Transport"),
    lazy_gettext("Utilities"),
    lazy_gettext("Health"),
    lazy_gettext("Entertainment"),
    lazy_gettext("Shopping"),
    lazy_gettext("Travel"),
    lazy_gettext("Education"),
    lazy_gettext("Other"),
)
FREQUENCY_NAMES = {
    "week": lazy_gettext("Every week"),
    "two-weeks": lazy_gettext("Every two weeks"),
    "month": lazy_gettext("Every month"),
    "quarter": lazy_gettext("Every quarter"),
    "year": lazy_gettext("Every year"),
}
REPEATS = {
    "week": lazy_gettext("It repeats every week."),
    "two-weeks": lazy_gettext("It repeats every two weeks."),
    "month": lazy_gettext("It repeats every month."),
    "quarter": lazy_gettext("It repeats every quarter."),
    "year": lazy_gettext("It repeats every year."),
}


def visitor_locale() -> Locale:
    """Return the locale of amounts and dates: that of the account, or the browser's; commands write English."""
    if not has_request_context():
        return locale_of(ENGLISH)
    found: Locale | None = g.get("locale")
    if found is None:
        chosen = current_user.locale if current_user.is_authenticated else ""
        tags = (chosen, *browser_languages())
        found = g.locale = locale_of(next(filter(None, map(closest_locale, tags)), ENGLISH))
    return found


def browser_languages() -> Iterator[str]:
    """Return the tags of the languages that the browser asks for, the preferred one first."""
    return islice(request.accept_languages.values(), MAX_TAGS)


@lru_cache(maxsize=len(LOCALES) + len(LANGUAGES))
def locale_of(name: str) -> Locale:
    """Return the locale of this name, such as `de_AT`."""
    return Locale.parse(name)


def number_text(value: int | Decimal) -> str:
    """Write a number with all of its decimals, as the visitor does: "50,000"."""
    return isolate(with_true_minus(format_decimal(value, locale=visitor_locale(), decimal_quantization=False)))


def is_page_right_to_left() -> bool:
    """Tell whether the language of the page is written from right to left."""
    locale = get_locale()
    return locale is not None and locale.text_direction == "rtl"


def isolate(value: Value) -> Value:
    """Return a value to insert into a sentence, whose words keep their order around text of the other direction.

    Anything but text stays as it is.
    """
    return isolated_if_needed(value, is_page_right_to_left()) if isinstance(value, str) else value


def list_separator() -> str:
    """Return the separator of a list's items in the language of the page, such as a comma and a space."""
    return gettext("%(items)s, %(item)s", items="", item="")


def join_sentences(sentences: Iterable[str]) -> str:
    """Join sentences, except empty ones, as the language of the page does: Japanese has no space between them."""
    space = gettext("%(sentence)s %(next_sentence)s", sentence="", next_sentence="")
    return space.join(str(sentence) for sentence in sentences if sentence)


def error_message(error: LedgerError) -> str:
    """Return the sentence that tells a user how to correct an error."""
    if error.code in {"amount_too_precise", "result_too_precise"}:
        return _precision_message(**error.values)
    if error.code == "text_too_long":
        return too_long_message(**error.values)
    if error.code == "password_too_short":
        return too_short_message(**error.values)
    values = {name: _written(name, value) for name, value in error.values.items()}
    return str(MESSAGES[error.code]) % values


def _written(name: str, value: object) -> object:
    return number_text(value) if name in COUNTS and isinstance(value, int) else isolate(value)


def _precision_message(currency: str, digits: int, amount: str | None = None) -> str:
    """Return how many decimals an amount may have, preceded by the result if it was calculated."""
    limit = decimals_message(currency, digits)
    if amount is None:
        return limit
    return join_sentences([gettext("This adds up to %(amount)s.", amount=amount), limit])


def decimals_message(currency: str, digits: int) -> str:
    """Return how many decimals an amount in `currency` may have."""
    if not digits:
        return gettext("Amounts in %(currency)s have no decimals.", currency=currency)
    return ngettext(
        "Amounts in %(currency)s have at most %(num)d decimal.",
        "Amounts in %(currency)s have at most %(num)d decimals.",
        digits,
        currency=currency,
    )


def too_long_message(maximum: int) -> str:
    """Return how many characters a text may have."""
    return ngettext(
        "Use at most %(maximum)s character.",
        "Use at most %(maximum)s characters.",
        maximum,
        maximum=number_text(maximum),
    )


def too_short_message(minimum: int) -> str:
    """Return how many characters a text must have."""
    return ngettext("Use at least %(num)d character.", "Use at least %(num)d characters.", minimum)
