"""Amounts as statements write them. The decimal separator is decided by the whole file, never by one cell."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from babel.core import get_global

from database import Money
from ledger.money import currency_digits

# Longer than any amount with its currency; `Decimal` takes time for a text of thousands of digits.
CELL_MAX = 48
# Many lines of a file have the same amounts and days.
CACHE_SIZE = 16_384
WHOLE_MAX = 15
FRACTION_MAX = 15
_UNIFIED = str.maketrans(
    dict.fromkeys("\u00a0\u2009\u202f\u2007\t", " ")
    | dict.fromkeys("\u2019\u02bc\u00b4\u2018", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
    | dict.fromkeys("\u061c\u200e\u200f\u202a\u202c\ufeff", None)
)
# Signs that name one currency, those that contain another one first. The dollar and the crown belong to many.
SIGNS = {
    "€": "EUR", "£": "GBP", "zł": "PLN", "zl": "PLN", "Kč": "CZK", "Ft": "HUF", "₹": "INR", "₽": "RUB",
    "₺": "TRY", "TL": "TRY", "₴": "UAH", "₪": "ILS", "₩": "KRW", "R$": "BRL", "lei": "RON", "лв": "BGN",
    "฿": "THB", "₫": "VND",
    "元": "CNY", "円": "JPY", "원": "KRW", "грн": "UAH", "руб": "RUB", "RM": "MYR", "₸": "KZT",
    "RUR": "RUB", "NIS": "ILS", "RMB": "CNY", "Fr": "CHF", "US$": "USD", "AU$": "AUD", "CA$": "CAD",
    "A$": "AUD", "C$": "CAD", "NZ$": "NZD", "HK$": "HKD", "MX$": "MXN", "NT$": "TWD", "S$": "SGD", "R": "ZAR",
}  # fmt: skip
# Currencies whose decimals are no longer written.
WRITTEN_WHOLE = frozenset({"COP", "HUF", "IDR", "TWD"})
_CURRENCY = (
    r"(?:[A-Z]{3}|(?:US|NZ|AU|CA|HK|MX|NT|[ACRS])\$|[€£$¥￥₹₽₺₴₪₩฿₫₸元円원]"
    # Rand. Many digits without decimals can be a reference.
    r"|R(?=\s?[-+(]?\s?"
    r"(?:[0-9]{1,12}[.,][0-9]{2}|[0-9]{1,3}(?:[ ,][0-9]{3})+(?:[.,][0-9]{2})?|[0-9]{1,5})(?![0-9.,]))"
    r"|z[łl]|K[čc]|Ft|TL|RM|lei|(?:руб|грн|лв|kr|Fr|Rs)\.?)"
)
_NUMBER = r"(?:[0-9](?:[0-9., ']{0,30}[0-9])?[.,]?|[.,][0-9]{1,15})"
_CELL = re.compile(
    rf"(?P<first>{_CURRENCY}\s?(?=\())?(?P<open>\()?\s?(?P<before>[-+])?\s?(?P<left>{_CURRENCY})?\s?"
    rf"(?P<between>[-+])?\s?(?P<number>{_NUMBER})\s?(?P<after>[-+])?\s?(?P<right>{_CURRENCY})?\s?(?P<last>[-+])?"
    r"(?P<mark>\s?(?:CR|DR|DB|Cr|Dr|Db|cr|dr|db|[CDHS]))?(?P<close>\))?"
)
# What is written after an amount: debit and credit, "Soll" and "Haben".
_MARKS_OUT, _MARKS_IN = {"DR", "DB", "D", "S"}, {"CR", "C", "H"}
# The contents of cells without an amount, in a column of amounts.
NOTHING = frozenset(("", "-", "--", "–", "—", "N/A", "n/a"))
_PLAIN = re.compile(r"[0-9]*")
_SWISS = re.compile("[ ']")


class AmountCell(NamedTuple):
    """A cell that looks like an amount: its number as it is written, its sign (0 if it has none) and currency."""

    number: str
    sign: int
    currency: str

    @property
    def is_money(self) -> bool:
        """True if it can hardly be anything but money: a sign, a currency or decimals.

        "R12" can be a reference as well.
        """
        return bool(self.sign or self.currency not in {"", "R"} or "." in self.number or "," in self.number)

    def value(self, decimal: str) -> Decimal | None:
        """Return the amount with its sign, or None if it cannot be written so with this decimal separator."""
        unsigned = _read_number(self.number, decimal)
        return None if unsigned is None else (-unsigned if self.sign < 0 else unsigned)


def read_cell(text: str) -> AmountCell | None:
    """Return the amount of a cell, or None if it holds none."""
    # Cut first: the texts are remembered.
    return _read_cell(text[: CELL_MAX + 1])


@lru_cache(maxsize=CACHE_SIZE)
def _read_cell(text: str) -> AmountCell | None:
    text = (text if text.isascii() and "\t" not in text else text.translate(_UNIFIED)).strip()
    # A spreadsheet's guard before a sign.
    text = text.removeprefix("'")
    if not text or len(text) > CELL_MAX:
        return None
    match = _CELL.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    currency = (match["first"] or match["left"] or match["right"] or "").strip().rstrip(".")
    if re.fullmatch("[A-Z]{3}", currency) and not currency_of(currency):
        return None
    signs = [sign for sign in match.group("before", "between", "after", "last") if sign]
    mark = (match["mark"] or "").strip().upper()
    # A minus in brackets says the same twice. One letter after a number without decimals can be anything.
    says = len(signs) + bool(mark) + bool(match["open"] and signs != ["-"])
    if says > 1 or (len(mark) == 1 and not set(match["number"]) & {".", ","}):
        return None
    sign = -1 if "-" in signs or match["open"] or mark in _MARKS_OUT else 1 if signs or mark else 0
    return AmountCell(match["number"], sign, currency)


@lru_cache(maxsize=512)
def is_currency(code: str) -> bool:
    """Return whether this is the code of a currency, present or past."""
    return code in get_global("all_currencies")


def currency_of(sign: str) -> str:
    """Return the currency that a sign or code next to an amount names, or nothing."""
    return SIGNS.get(sign, sign if is_currency(sign) else "")


@lru_cache(maxsize=CACHE_SIZE)
def _read_number(number: str, decimal: str) -> Decimal | None:
    """Return the value of digits with separators."""
    whole, point, fraction = number.rpartition(decimal) if decimal in number else (number, "", "")
    if point and (decimal in whole or not _PLAIN.fullmatch(fraction) or len(fraction) > FRACTION_MAX):
        return None
    digits = _ungroup(whole, decimal)
    if digits is None or len(digits) > WHOLE_MAX or not digits + fraction:
        return None
    return Decimal(f"{digits or 0}.{fraction or 0}")


def _ungroup(whole: str, decimal: str) -> str | None:
    """Return the digits before the decimals, or None if their separators are not between thousands."""
    separators = set(whole) - set("0123456789")
    if not separators:
        return whole
    if len(separators) > 1 or decimal in separators:
        return None
    first, *groups = whole.split(separators.pop())
    # Indian amounts have groups of two before the last one of three.
    sizes = {len(group) for group in groups[:-1]}
    if not 1 <= len(first) <= 3 or len(groups[-1]) != 3 or not (sizes <= {3} or sizes <= {2}):
        return None
    return first + "".join(groups)


def evidence(number: str) -> str:
    """Return the decimal separator that a number proves: `.`, `,`, `?` if it can be either, or nothing."""
    bare = _SWISS.sub("", number)
    points, commas = bare.count("."), bare.count(",")
    if points and commas:
        return max(".", ",", key=bare.rfind)
    if not points and not commas:
        return ""
    separator = "." if points else ","
    other = "," if points else "."
    if points + commas > 1:
        return other if _ungroup(bare, other) is not None else ""
    whole, _, fraction = bare.partition(separator)
    if _SWISS.search(number.partition(separator)[0]):
        return separator
    is_open = len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return "?" if is_open else separator


@dataclass(frozen=True, slots=True)
class DecimalSeparator:
    """The separator before decimals; `is_certain` if the file proves it or has none."""

    character: str
    is_certain: bool


def decide_decimal(
    cells: Iterable[AmountCell],
    others: Iterable[AmountCell],
    locale_decimal: str,
    chosen: str = "",
    has_decimals: bool = True,
) -> DecimalSeparator:
    """Return the decimal separator of the amounts in `cells`, with other numbers of the file as hints only.

    Where the currency has no decimals, or other amounts are written without, three digits after a separator are
    thousands.
    """
    cells = list(cells)
    counts = _count(cells)
    if chosen in {".", ","} and not (counts["," if chosen == "." else "."] and not counts[chosen]):
        return DecimalSeparator(chosen, is_certain=True)
    if counts["."] != counts[","]:
        return DecimalSeparator(max(".", ",", key=counts.__getitem__), is_certain=True)
    if not counts["?"]:
        return DecimalSeparator(locale_decimal, is_certain=not counts["."])
    hints = _count(others)
    if hints["."] != hints[","]:
        return DecimalSeparator(max(".", ",", key=hints.__getitem__), is_certain=False)
    written = "".join(cell.number for cell in cells)
    if (not has_decimals or _mixes_whole(cells)) and ("." in written) != ("," in written):
        return DecimalSeparator("," if "." in written else ".", is_certain=True)
    return DecimalSeparator(locale_decimal, is_certain=False)


def _mixes_whole(cells: Iterable[AmountCell]) -> bool:
    """Tell whether some amounts have no decimals, and others a zero at the end, which no third decimal is then."""
    numbers = {cell.number for cell in cells}
    is_whole = any(_PLAIN.fullmatch(number) and int(number) for number in numbers)
    return is_whole and any(number.endswith("0") for number in numbers if evidence(number) == "?")


def _count(cells: Iterable[AmountCell]) -> dict[str, int]:
    counts = {".": 0, ",": 0, "?": 0, "": 0}
    for number, times in Counter(cell.number for cell in cells).items():
        counts[evidence(number)] += times
    return counts


def read_alone(text: str) -> Decimal | None:
    """Read an amount of a format without lone thousands separators, such as OFX: the last separator is decimal."""
    cell = read_cell(text)
    if cell is None:
        return None
    proof = evidence(cell.number)
    return cell.value(("." if "." in cell.number else ",") if proof == "?" else proof or ".")


@lru_cache(maxsize=CACHE_SIZE)
def problem(amount: Decimal, currency: str) -> str:
    """Return why an amount cannot be kept exactly in its currency, or nothing."""
    if abs(amount) > Money.MAX:
        return "amount_too_large"
    digits = min(currency_digits(currency), Money.SCALE)
    return "" if amount == round(amount, digits) else "amount_too_precise"
