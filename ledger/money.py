"""An amount as text, in and out, and the currencies there are."""

import re
from decimal import Decimal, localcontext
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberPattern, get_currency_precision, get_territory_currencies

from database import Money

TEXT_MAX = 60
SMALLEST = Decimal(1).scaleb(-Money.SCALE)
# No rule can know which thousands separator a person grew up with: these are the ones in use.
_SPACES = re.compile("[\u00a0\u2009\u202f]")
# With these, which cannot be seen, amounts are shown among words from right to left.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f]")
_APOSTROPHES = re.compile("[\u2019\u02bc]")
_MINUS_SIGNS = re.compile("[-\u2010-\u2015\u2212\ufe63\uff0d]")
_TIMES = re.compile("[\u00d7\u22c5]")
_PLAIN = re.compile(r"(?P<whole>[0-9]*)(?:(?P<point>[.,])(?P<fraction>[0-9]*))?")
_GROUPED = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?P<group>[., '])[0-9]{3}(?:(?P=group)[0-9]{3})*)"
    r"(?:(?!(?P=group))(?P<point>[.,])(?P<fraction>[0-9]*))?"
)


class AmountError(ValueError):
    """A text that is not an amount; its message tells the person what to write instead."""


class MinusError(AmountError):
    """An amount with a minus sign, for which some forms have a box."""


def parse_amount(text: str, currency: str, locale: Locale | None = None, least: Decimal = SMALLEST) -> Decimal:
    """Read an amount of at least `least` as people write it, with or without the currency's sign.

    Accepts a point or a comma before the decimals, and spaces, apostrophes, points or commas between
    thousands. What can be read in two ways is refused, never guessed. Calculates sums, differences and
    products (`12+3.50`, `3*4.20`), exactly. The result has at most as many decimals as `currency`.
    Raises AmountError.
    """
    text = _DIRECTIONS.sub("", text).strip()
    if not text:
        raise AmountError("Enter an amount, for example 12.50.")
    if len(text) > TEXT_MAX:
        raise AmountError("Enter a shorter amount, for example 12.50.")
    number = _APOSTROPHES.sub("'", _SPACES.sub(" ", _without_sign(text, currency, locale)))
    number = _TIMES.sub("*", _MINUS_SIGNS.sub("-", number))
    if number.startswith("-") or number.endswith("-"):
        raise MinusError("Write the amount without a minus sign.")
    # Wide enough that no product of what fits into the field is rounded.
    with localcontext(prec=2 * TEXT_MAX):
        amount = _calculate(number, currency)
    if amount < 0:
        raise AmountError(f"This comes to {amount:f}. Write an amount above zero.")
    if amount > Money.MAX:
        raise AmountError("Enter an amount below 1000000000.")
    rounded = round(amount, currency_digits(currency))
    if amount != rounded:
        raise AmountError(f"This comes to {amount:f}. An amount in {currency} has fewer decimals.")
    if amount < least:
        raise AmountError("Enter an amount other than zero.")
    return rounded


def _calculate(text: str, currency: str) -> Decimal:
    """Return the value of numbers joined by `+`, `-` and `*`, which binds first."""
    total = Decimal(0)
    sign = 1
    for part in re.split(r"([+-])", text):
        if part in {"+", "-"}:
            sign = 1 if part == "+" else -1
            continue
        factors = part.split("*")
        product = Decimal(sign)
        for factor in factors:
            product *= _read_number(factor.strip(), currency, alone=len(factors) == 1)
        total += product
    return total


def _read_number(number: str, currency: str, alone: bool) -> Decimal:
    """Read one number; `alone` means that it is an amount of money by itself, not a factor."""
    match = _PLAIN.fullmatch(number) or _GROUPED.fullmatch(number)
    if match is None or not any(character.isdigit() for character in number):
        raise AmountError(f"Write the amount in {currency} with digits only, for example 12.50 or 1234.50.")
    whole = re.sub("[^0-9]", "", match["whole"])
    fraction = match["fraction"] or ""
    _refuse_doubtful(whole, match["point"], fraction, currency_digits(currency) if alone else None, currency)
    return Decimal(f"{whole or 0}.{fraction or 0}")


def _without_sign(text: str, currency: str, locale: Locale | None) -> str:
    """Take the currency's code or sign off either end of `text`."""
    for sign in _signs(currency, locale):
        for bare in (text[len(sign) :], text[: -len(sign)]):
            if text.casefold() in {(sign + bare).casefold(), (bare + sign).casefold()}:
                return bare.strip()
    return text


@lru_cache(maxsize=256)
def _signs(currency: str, locale: Locale | None) -> tuple[str, ...]:
    """Return what a person may write for `currency`, longest first: CAD, CA$ and $."""
    signs = {currency}
    for known in (Locale("en"), locale):
        if known is not None:
            symbol = _DIRECTIONS.sub("", known.currency_symbols.get(currency, currency))
            signs |= {symbol, symbol.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") or symbol}
    return tuple(sorted(signs, key=len, reverse=True))


def _refuse_doubtful(whole: str, point: str | None, fraction: str, digits: int | None, currency: str) -> None:
    """Raise AmountError where a reader could take the decimals for thousands, or there are over `digits`."""
    looks_grouped = len(fraction) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"
    # A factor has no limit of decimals, by which `1.200` would be refused; with a fourth one it is clear.
    factor = digits is None
    if looks_grouped and (point == "," or factor):
        clear = f"{whole}.{fraction}{'0' if factor else ''}"
        raise AmountError(f"{whole}{point}{fraction} can be read in two ways. Write {whole}{fraction} or {clear}.")
    if digits is not None and len(fraction) > digits:
        limit = f"at most {digits} decimals" if digits else "no decimals"
        also = f" If you mean thousands, write {whole}{fraction}." if looks_grouped else ""
        raise AmountError(f"An amount in {currency} has {limit}.{also}")


def format_amount(amount: Decimal, currency: str, locale: Locale) -> str:
    """Write `amount` with the sign and the decimals of `currency`, as readers of `locale` expect it."""
    return _pattern(locale).apply(amount, locale, currency=currency, currency_digits=True)


@cache
def _pattern(locale: Locale) -> NumberPattern:
    """Return the locale's currency pattern; looking it up costs more than using it."""
    return locale.currency_formats["standard"]


def plain_amount(amount: Decimal, currency: str) -> str:
    """Write `amount` with a point, all decimals of `currency` and nothing else, for fields and files."""
    return f"{amount:.{currency_digits(currency)}f}"


def plain_thousandths(amount: int, digits: int) -> str:
    """Write an amount in thousandths like `plain_amount`, with so many decimals, but faster."""
    whole, thousandths = divmod(abs(amount), 1000)
    kept, cut = divmod(thousandths, 10 ** (3 - digits))
    if cut:
        return f"{Decimal(amount).scaleb(-3):.{digits}f}"
    return f"{'-' if amount < 0 else ''}{whole}{f'.{kept:0{digits}}' if digits else ''}"


def currency_sign(currency: str, locale: Locale) -> str:
    """Return the sign that `format_amount` writes for `currency`."""
    return locale.currency_symbols.get(currency, currency)


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
