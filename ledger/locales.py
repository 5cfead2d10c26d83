"""The formats of amounts and dates that users can choose from."""

import re
from datetime import date
from functools import lru_cache

from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.numbers import get_territory_currencies

from languages import parse_tag
from ledger.money import currencies

# By Babel's name: an example of an amount, and the pattern of a date. Written out, because Babel keeps about a
# megabyte of memory for each locale that is asked for them; a test compares them with Babel's.
LOCALES = {
    "ca_ES": ("1.234,56\u00a0€", "d MMM y"),
    "da_DK": ("1.234,56\u00a0€", "d. MMM y"),
    "de_DE": ("1.234,56\u00a0€", "dd.MM.y"),
    "de_CH": ("EUR\u00a01\u2019234.56", "dd.MM.y"),
    "de_AT": ("€\u00a01.234,56", "dd.MM.y"),
    "et_EE": ("1\u00a0234,56\u00a0€", "d. MMM y"),
    "en_AU": ("EUR1,234.56", "d MMM y"),
    "en_CA": ("€1,234.56", "MMM d, y"),
    "en_IN": ("€1,234.56", "d MMM y"),
    "en_IE": ("€1,234.56", "d MMM y"),
    "en_NZ": ("€1,234.56", "d MMM y"),
    "en_ZA": ("€1\u00a0234,56", "dd MMM y"),
    "en_GB": ("€1,234.56", "d MMM y"),
    "en_US": ("€1,234.56", "MMM d, y"),
    "es_AR": ("EUR1.234,56", "d MMM y"),
    "es_ES": ("1.234,56\u00a0€", "d MMM y"),
    "es_MX": ("EUR1,234.56", "d MMM y"),
    "fr_BE": ("1\u202f234,56\u00a0€", "d MMM y"),
    "fr_CA": ("1\u00a0234,56\u00a0€", "d MMM y"),
    "fr_FR": ("1\u202f234,56\u00a0€", "d MMM y"),
    "fr_CH": ("1\u202f234,56\u00a0€", "d MMM y"),
    "hr_HR": ("1.234,56\u00a0€", "d. MMM y."),
    "id_ID": ("€1.234,56", "d MMM y"),
    "it_IT": ("1.234,56\u00a0€", "d MMM y"),
    "it_CH": ("€\u00a01\u2019234.56", "d MMM y"),
    "lv_LV": ("1\u00a0234,56\u00a0€", "y. d. MMM"),
    "lt_LT": ("1\u00a0234,56\u00a0€", "y-MM-dd"),
    "hu_HU": ("1\u00a0234,56\u00a0EUR", "y. MMM d."),
    "ms_MY": ("€1,234.56", "d MMM y"),
    "nl_BE": ("€\u00a01.234,56", "d MMM y"),
    "nl_NL": ("€\u00a01.234,56", "d MMM y"),
    "nb_NO": ("1\u00a0234,56\u00a0€", "d. MMM y"),
    "pl_PL": ("1\u00a0234,56\u00a0€", "d MMM y"),
    "pt_BR": ("€\u00a01.234,56", "d MMM y"),
    "pt_PT": ("1\u00a0234,56\u00a0€", "dd/MM/y"),
    "ro_RO": ("1.234,56\u00a0EUR", "d MMM y"),
    "sk_SK": ("1\u00a0234,56\u00a0€", "d. M. y"),
    "sl_SI": ("1.234,56\u00a0€", "d. MMM y"),
    "fi_FI": ("1\u00a0234,56\u00a0€", "d.M.y"),
    "sv_SE": ("1\u00a0234,56\u00a0€", "d MMM y"),
    "vi_VN": ("1.234,56\u00a0€", "d MMM, y"),
    "tr_TR": ("€1.234,56", "d MMM y"),
    "is_IS": ("1.234,56\u00a0EUR", "d. MMM y"),
    "cs_CZ": ("1\u00a0234,56\u00a0€", "d. M. y"),
    "el_GR": ("1.234,56\u00a0€", "d MMM y"),
    "bg_BG": ("1\u00a0234,56\u00a0€", "d.MM.y"),
    "ru_RU": ("1\u00a0234,56\u00a0€", "d MMM y"),
    "sr_RS": ("1.234,56\u00a0€", "d. M. y."),
    "uk_UA": ("1\u00a0234,56\u00a0EUR", "d MMM y"),
    "he_IL": ("\u200f1,234.56\u00a0\u200f€", "d MMM y"),
    "ar_EG": ("\u200f1,234.56\u00a0€", "dd\u200f/MM\u200f/y"),
    "fa_IR": ("\u200e€\u00a01,234.56", "d MMM y"),
    "hi_IN": ("€1,234.56", "d MMM y"),
    "bn_BD": ("1,234.56€", "d MMM, y"),
    "th_TH": ("€1,234.56", "d MMM y"),
    "zh_CN": ("€1,234.56", "y年M月d日"),
    "zh_TW": ("€1,234.56", "y年M月d日"),
    "ja_JP": ("€1,234.56", "y/MM/dd"),
    "ko_KR": ("€1,234.56", "y. M. d."),
}


def closest_locale(tag: str) -> str | None:
    """Return the one of the LOCALES that a language tag such as `de-AT` or `zh-Hant` asks for, or None.

    Other locales are not loaded: Babel knows a thousand, and keeps each in memory, about 150 kB.
    """
    language, script, territory = parse_tag(tag)
    names = (f"{language}_{country}" for country in (territory, _home(language, script)))
    return next((name for name in names if name in LOCALES), None)


def closest_currency(tag: str) -> str | None:
    """Return the currency of the country that a language tag names, or where most of its readers live, or None."""
    language, script, territory = parse_tag(tag)
    codes = get_territory_currencies(territory or _home(language, script))
    return next((code for code in codes if code in currencies()), None)


def _home(language: str, script: str) -> str:
    """Return the country in which most readers of a language live, or ""."""
    likely = get_global("likely_subtags")
    return str(likely.get(f"{language}_{script}") or likely.get(language, "")).rpartition("_")[2]


def day_pattern(locale: Locale, with_year: bool = True, language: Locale | None = None) -> str:
    """Return the order and the separators of a date in `locale`, without its words: "d MMM y".

    Months without names, as in Japanese, are written as in that `language` if the order is the same, and otherwise
    as numbers.
    """
    if language is not None and locale.language != language.language:
        own = language.datetime_skeletons["yMMMd" if with_year else "MMMd"].pattern
        if "MMM" not in own and "MMM" in locale.date_formats["medium"].pattern:
            numbers = locale.datetime_skeletons["yMd" if with_year else "Md"].pattern
            return str(numbers if _order(locale) == "dM" else own)
    pattern = re.sub(r"\s*'[^']*'\.?", "", locale.date_formats["medium"].pattern)
    # Hebrew writes a preposition before the name of a month, without quotes.
    pattern = pattern.replace("\u05d1MMM", "MMM")
    return pattern if with_year else re.sub(r"^y[^dM]+|[^dM.]+y+\.?$|y+\.?$", "", pattern)


@lru_cache(maxsize=256)
def month_name(month: str, language: str) -> str:
    """Return the name of a month, given as `2026-03`, in a language: "March 2026"."""
    pattern = Locale.parse(language).datetime_skeletons["yMMMM"].pattern
    return format_date(date.fromisoformat(f"{month}-01"), _without_last_word(pattern), language)


@lru_cache(maxsize=256)
def month_title(month: str, language: str) -> str:
    """Return the name of a month as an item of a list: with a capital letter, even where months have none."""
    name = month_name(month, language)
    return f"{name[0].upper()}{name[1:]}"


def full_day_pattern(locale: Locale, language: Locale) -> str:
    """Return the pattern of a date that cannot be misread: "d MMMM y", in the order of `locale`.

    Its words are those of `language`, and so is the order if the months have no names, as in Japanese.
    """
    own = _without_last_word(language.date_formats["long"].pattern)
    if "MMMM" not in own:
        return own
    if locale.language == language.language:
        return _without_last_word(locale.date_formats["long"].pattern)
    if _order(locale) == "dM":
        return own if _order(language) == "dM" else "d MMMM y"
    return "y MMMM d" if day_pattern(locale).startswith("y") else "MMMM d, y"


def _without_last_word(pattern: str) -> str:
    """Return a pattern without the abbreviation of "year" after it, whose point would end a sentence."""
    return re.sub(r"\s*'[^']*'\.?$", "", pattern)


def _order(locale: Locale) -> str:
    """Return which of the day and the month comes first in `locale`: "dM" or "Md"."""
    pattern = locale.date_formats["medium"].pattern
    return "dM" if pattern.index("d") < pattern.index("M") else "Md"
