"""Amounts: reading and writing them as text, and the currencies."""

import re
import unicodedata
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache, lru_cache, partial

from babel import Locale
from babel.core import get_global
from babel.numbers import (
    NumberPattern,
    get_currency_precision,
    get_decimal_symbol,
    get_group_symbol,
    get_territory_currencies,
)

from database import Money
from ledger.calculator import calculate, is_calculation
from ledger.errors import AmountError

TEXT_MAX = 60
# Of an account for which nothing else is known.
FALLBACK_CURRENCY = "USD"
SMALLEST = Decimal(1).scaleb(-Money.SCALE)
# Formatting characters that cannot be seen; amounts from right to left are shown with some of them.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# Other characters for the signs of a calculation and for separators, as keyboards and web pages have them.
_SIGNS = (
    ("-", "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63"),
    ("*", "\u00d7\u22c5"),
    ("/", "\u00f7\u2044\u2215"),
    ("'", "\u2019\u02bc\u066c"),
    (",", "\u060c\u2e41"),
    ("\u00a5", "\uffe5"),
    ("\u20a9", "\uffe6"),
    ("\u00a3", "\uffe1"),
)
_PLAIN_SIGNS = {ord(character): sign for sign, characters in _SIGNS for character in characters}
# Fullwidth forms of ASCII, from the keyboards of East Asia.
_PLAIN_SIGNS |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
# Whole amounts as written in shops: `12,-`, `5.-`, `199:-`.
_NO_DECIMALS = re.compile(r"(?<=[0-9])[.,:]-{1,2}$")
# The Arabic decimal separator never stands between thousands.
_PLAIN = re.compile("(?P<whole>[0-9]*)(?:(?P<point>[.,\u066b])(?P<fraction>[0-9]*))?")
# Any of these thousands separators is accepted, because no setting says which one a user is used to.
_GROUPED = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?P<group>[., '])[0-9]{3}(?:(?P=group)[0-9]{3})*)"
    "(?:(?!(?P=group))(?P<point>[.,\u066b])(?P<fraction>[0-9]*))?"
)
# India separates two digits above the thousands: `1,23,456.78`.
_GROUPED_INDIAN = re.compile(
    "(?P<whole>[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:(?P<point>[.\u066b])(?P<fraction>[0-9]*))?"
)

# Toki Pona, one of Babel's locales, separates all digits two by two.
_GROUPED_IN_PAIRS = re.compile("(?P<whole>[1-9][0-9]?(?: [0-9]{2})+)(?:(?P<point>[.,])(?P<fraction>[0-9]*))?")


def parse_amount(text: str, currency: str, locale: Locale | None = None, least: Decimal = SMALLEST) -> Decimal:
    """Read an amount of at least `least` as people write it, with or without the currency's sign.

    Accepts the digits of any script, a point or a comma before the decimals, and spaces, apostrophes, points or
    commas between thousands. Everything that `format_amount` writes for `locale` is read as that amount. Ambiguous
    input is refused, never guessed. Calculates (`12+3.50`, `(10+5)/2`) exactly. The result has at most as many
    decimals as `currency`. Raises AmountError.
    """
    example = "1250" if currency_digits(currency) == 0 else _localized("12.50", locale)
    if len(text) > TEXT_MAX:
        raise AmountError("amount_too_long", example=example)
    text = _plain_characters(text)
    if not text:
        raise AmountError("amount_missing", example=example)
    number = _without_sign(text, currency, locale)
    number = _NO_DECIMALS.sub(",0" if "." in number else ".0", number)
    if number.startswith("-") or number.endswith("-") or re.fullmatch(r"\([^-+*/()]*[0-9][^-+*/()]*\)", number):
        # Accounts write an amount below zero in parentheses.
        raise AmountError("amount_with_minus")
    try:
        amount = _calculate(number, currency, locale, example)
    except AmountError as error:
        raise _with_possible_suggestions(error, number, currency, locale, least) from None
    return _checked(amount, currency, locale, least, is_calculation(number))


def _plain_characters(text: str) -> str:
    """Return `text` with ASCII digits, separators and signs, single spaces, and nothing that cannot be seen."""
    text = _INVISIBLE.sub("", text).translate(_PLAIN_SIGNS)
    text = "".join(str(unicodedata.decimal(character, character)) for character in text)
    return " ".join(re.split(r"[^\S\n\r]+", text.strip()))


def _checked(amount: Fraction, currency: str, locale: Locale | None, least: Decimal, is_result: bool) -> Decimal:
    """Return a result as an amount in `currency`. Raises AmountError when it cannot be one."""
    digits = currency_digits(currency)
    # Precise enough for the result of any text that fits into the field.
    with localcontext(prec=4 * TEXT_MAX):
        nearest = Decimal(round(amount * 10**digits)).scaleb(-digits)
        exact = (Decimal(amount.numerator) / amount.denominator).normalize()
    if amount < 0:
        raise AmountError("amount_negative", amount=field_amount(nearest, currency, locale))
    if amount > Money.MAX:
        raise AmountError("amount_too_large")
    if amount != Fraction(nearest):
        if not is_result:
            raise AmountError("amount_too_precise", currency=currency, digits=digits)
        if Fraction(exact) == amount:
            raise AmountError(
                "result_too_precise", amount=_localized(f"{exact:f}", locale), currency=currency, digits=digits
            )
        closest = max(nearest, Decimal(1).scaleb(-digits))
        raise AmountError("result_not_exact", amount=field_amount(closest, currency, locale))
    if amount < least:
        raise AmountError("amount_zero")
    return nearest


def _calculate(number: str, currency: str, locale: Locale | None, example: str) -> Fraction:
    """Return the exact value of a number or a calculation. Raises AmountError."""
    try:
        return calculate(number, partial(_read_number, currency=currency, locale=locale))
    except ZeroDivisionError:
        raise AmountError("division_by_zero") from None
    except AmountError:
        raise
    except ValueError:
        raise AmountError("not_an_amount", currency=currency, example=example) from None


def _read_number(number: str, is_factor: bool, currency: str, locale: Locale | None) -> Fraction:
    """Read one number; a factor may have any number of decimals. Raises AmountError or ValueError."""
    match = _PLAIN.fullmatch(number) or _GROUPED.fullmatch(number) or _GROUPED_INDIAN.fullmatch(number)
    if match is None and locale is not None and _pattern(locale).grouping == (2, 2):
        match = _GROUPED_IN_PAIRS.fullmatch(number)
    if match is None or not re.search("[0-9]", number):
        raise ValueError("not a number")
    whole = re.sub("[^0-9]", "", match["whole"])
    fraction = match["fraction"] or ""
    if _looks_grouped(whole, match["point"], fraction):
        return _read_thousands(number, whole, fraction, is_factor, currency, locale)
    return Fraction(f"{whole or 0}.{fraction or 0}")


def _looks_grouped(whole: str, point: str | None, fraction: str) -> bool:
    """Tell whether decimals could be thousands: `1.234`, `12,345`."""
    return point in {".", ","} and len(fraction) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"


def _read_thousands(
    number: str, whole: str, fraction: str, is_factor: bool, currency: str, locale: Locale | None
) -> Fraction:
    """Read a number such as `1,234` if its currency leaves one reading. Otherwise raises AmountError."""
    digits = currency_digits(currency)
    if is_factor:
        # A fourth decimal makes it clear that they are decimals.
        values = {"amount": f"{whole}{fraction}", "other": _localized(f"{whole}.{fraction}0", locale)}
        raise AmountError("amount_ambiguous", number=number, **values)
    if digits == 0:
        return Fraction(f"{whole}{fraction}")
    if digits < len(fraction):
        raise AmountError("amount_grouped", number=number, amount=f"{whole}{fraction}")
    # In most number formats, as in files, a point never separates thousands.
    has_decimals = _has_decimal_comma(locale) if "," in number else not _has_thousands_point(locale)
    if has_decimals:
        return Fraction(f"{whole}.{fraction}")
    values = {"amount": f"{whole}{fraction}", "other": _localized(f"{whole}.{fraction}", locale)}
    raise AmountError("amount_ambiguous", number=number, **values)


def _with_possible_suggestions(
    error: AmountError, text: str, currency: str, locale: Locale | None, least: Decimal
) -> AmountError:
    """Return the error with only those suggestions that would be accepted in place of the number."""
    number = error.values.pop("number", None)
    if number is None:
        return error
    possible = []
    refusal = error
    for suggestion in [error.values[name] for name in ("amount", "other") if name in error.values]:
        changed = re.sub(rf"(?<![0-9.,]){re.escape(number)}(?![0-9.,])", suggestion, text, count=1)
        try:
            _checked(_calculate(changed, currency, locale, ""), currency, locale, least, is_calculation(changed))
            possible.append(suggestion)
        except AmountError as found:
            if "number" in found.values:
                # Only another number in the text is still ambiguous.
                possible.append(suggestion)
            else:
                refusal = found
    if len(possible) == 2:
        return error
    return AmountError("amount_grouped", amount=possible[0]) if possible else refusal


def _without_sign(text: str, currency: str, locale: Locale | None) -> str:
    """Take the currency's code or sign off either end of `text`."""
    for sign in _signs(currency, locale):
        for bare in (text[len(sign) :], text[: -len(sign)]):
            if text.casefold() in {(sign + bare).casefold(), (bare + sign).casefold()}:
                return bare.strip()
    return text


@lru_cache(maxsize=256)
def _signs(currency: str, locale: Locale | None) -> tuple[str, ...]:
    """Return the signs that a user may write for `currency`, longest first: CAD, CA$ and $."""
    signs = {currency}
    for known in (Locale("en"), locale):
        if known is not None:
            symbol = _plain_characters(known.currency_symbols.get(currency, currency))
            signs |= {symbol, symbol.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") or symbol}
    return tuple(sorted(signs, key=len, reverse=True))


def format_amount(amount: Decimal, currency: str, locale: Locale) -> str:
    """Write `amount` with the sign and the decimals of `currency`, as readers of `locale` expect it."""
    return with_true_minus(_pattern(locale).apply(amount, locale, currency=currency, currency_digits=True))


def with_true_minus(number: str) -> str:
    """Return a formatted number with a minus sign in place of the hyphen, which is narrower than a digit.

    Where text runs from right to left, a mark keeps the sign on the left of the digits.
    """
    is_marked = "\u200e" in number or "\u200f" in number
    return number.replace("\u200e-", "-").replace("-", "\u200e\u2212" if is_marked else "\u2212")


@lru_cache(maxsize=64)
def _pattern(locale: Locale) -> NumberPattern:
    """Return the locale's currency pattern; looking it up costs more than using it."""
    return locale.currency_formats["standard"]


def plain_amount(amount: Decimal, currency: str) -> str:
    """Write `amount` with a point, all decimals of `currency` and nothing else, for files."""
    return f"{amount:.{currency_digits(currency)}f}"


def field_amount(amount: Decimal, currency: str, locale: Locale | None) -> str:
    """Write `amount` like `plain_amount`, but with the decimal separator of `locale`, for a user to edit."""
    return _localized(plain_amount(amount, currency), locale)


def _localized(number: str, locale: Locale | None) -> str:
    """Write a plain number with a comma where `locale` has one; other separators are on few keyboards."""
    return number.replace(".", ",") if _has_decimal_comma(locale) else number


def _has_decimal_comma(locale: Locale | None) -> bool:
    return locale is not None and get_decimal_symbol(locale) == ","


def _has_thousands_point(locale: Locale | None) -> bool:
    return locale is not None and get_group_symbol(locale) == "."


@lru_cache(maxsize=4096)
def plain_thousandths(amount: int, digits: int) -> str:
    """Write an amount in thousandths like `plain_amount`, with this many decimals, but faster."""
    whole, thousandths = divmod(abs(amount), 1000)
    kept, cut = divmod(thousandths, 10 ** (3 - digits))
    if cut:
        return f"{Decimal(amount).scaleb(-3):.{digits}f}"
    return f"{'-' if amount < 0 else ''}{whole}{f'.{kept:0{digits}}' if digits else ''}"


def currency_sign(currency: str, locale: Locale) -> str:
    """Return the sign that `format_amount` writes for `currency`."""
    return locale.currency_symbols.get(currency, currency)


@lru_cache(maxsize=512)
def currency_digits(currency: str) -> int:
    """Return how many decimals an amount in `currency` has: 0 (JPY), 2 or 3 (KWD)."""
    return get_currency_precision(currency)


@cache
def currencies() -> dict[str, str]:
    """Return the English name of each currency that is legal tender somewhere today, by its ISO 4217 code."""
    codes = {
        code
        for territory in get_global("territory_currencies")
        for code in get_territory_currencies(territory)
        if currency_digits(code) <= Money.SCALE
    }
    names = Locale("en").currencies
    return {code: names.get(code, code) for code in sorted(codes)}
