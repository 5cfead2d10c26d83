"""An amount as text, in and out, and the currencies there are."""

import re
from decimal import Decimal, localcontext
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberPattern, get_currency_precision, get_territory_currencies

from database import Money
from ledger.errors import LedgerError

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


class AmountError(LedgerError):
    """A text that is not an amount."""


def parse_amount(text: str, currency: str, locale: Locale | None = None, least: Decimal = SMALLEST) -> Decimal:
    """Read an amount of at least `least` as people write it, with or without the currency's sign.

    Accepts a point or a comma before the decimals, and spaces, apostrophes, points or commas between
    thousands. Ambiguous input is refused, never guessed. Calculates sums, differences and
    products (`12+3.50`, `3*4.20`), exactly. The result has at most as many decimals as `currency`.
    Raises AmountError.
    """
    text = _DIRECTIONS.sub("", text).strip()
    if not text:
        raise AmountError("amount_missing")
    if len(text) > TEXT_MAX:
        raise AmountError("amount_too_long")
    number = _APOSTROPHES.sub("'", _SPACES.sub(" ", _without_sign(text, currency, locale)))
    number = _TIMES.sub("*", _MINUS_SIGNS.sub("-", number))
    if number.startswith("-") or number.endswith("-"):
        raise AmountError("amount_with_minus")
    # Wide enough that no product of what fits into the field is rounded.
    with localcontext(prec=2 * TEXT_MAX):
        amount = _calculate(number, currency)
    if amount < 0:
        raise AmountError("amount_negative", amount=f"{amount:f}")
    if amount > Money.MAX:
        raise AmountError("amount_too_large")
    digits = currency_digits(currency)
    rounded = round(amount, digits)
    if amount != rounded:
        raise AmountError("result_too_precise", amount=f"{amount:f}", currency=currency, digits=digits)
    if amount < least:
        raise AmountError("amount_zero")
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
        raise AmountError("not_an_amount", currency=currency)
    whole = re.sub("[^0-9]", "", match["whole"])
    fraction = match["fraction"] or ""
    _refuse_ambiguous(whole, match["point"], fraction, currency, is_factor=not alone)
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


def _refuse_ambiguous(whole: str, point: str | None, fraction: str, currency: str, is_factor: bool) -> None:
    """Raise AmountError where decimals could be read as thousands, or where there are too many decimals.

    Only a number that will be accepted is suggested.
    """
    digits = currency_digits(currency)
    looks_grouped = len(fraction) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"
    if looks_grouped and (point == "," or is_factor):
        # A factor may have any number of decimals; a fourth one makes it clear that they are decimals.
        decimal = f"{whole}.{fraction}0" if is_factor else f"{whole}.{fraction}"
        if is_factor or digits >= len(fraction):
            raise AmountError("amount_ambiguous", amount=f"{whole}{fraction}", other=decimal)
        raise AmountError("amount_grouped", amount=f"{whole}{fraction}")
    if not is_factor and len(fraction) > digits:
        if looks_grouped:
            raise AmountError("amount_grouped", amount=f"{whole}{fraction}")
        raise AmountError("amount_too_precise", currency=currency, digits=digits)


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
