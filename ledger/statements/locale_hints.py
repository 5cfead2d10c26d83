"""Numbers as an account's locale writes them, used only where the file says nothing."""

from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import get_decimal_symbol

# The currencies that are written with a dollar sign.
_DOLLARS = frozenset(
    """
    USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP BSD BBD BZD BMD FJD GYD JMD LRD NAD TTD XCD
    """.split()  # noqa: SIM905 - a long list of codes is harder to read.
)


@lru_cache(maxsize=128)
def decimal_of(locale: str) -> str:
    """Return the decimal separator of a locale; a point if there is none."""
    try:
        symbol = get_decimal_symbol(Locale.parse(locale)) if locale else "."
    except (UnknownLocaleError, ValueError):
        return "."
    return symbol if symbol in {".", ","} else "."


def is_dollar(currency: str) -> bool:
    """Return whether the dollar sign can mean this currency."""
    return currency in _DOLLARS
