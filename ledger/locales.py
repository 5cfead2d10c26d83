"""The ways of writing amounts and days that a person can choose from."""

import re

from babel import Locale
from babel.core import get_global

# How many characters of a language tag are read.
TAG_MAX = 35
# Codes that browsers send, and Babel's.
_OTHER_CODES = {"no": "nb", "iw": "he", "in": "id"}

# By Babel's name: what its readers call it, an amount as it writes it, and the pattern of a day. Written
# out, because Babel keeps about a megabyte of memory for each that is asked for an example; a test compares.
LOCALES = {
    "ca_ES": ("Català (Espanya)", "1.234,56\u00a0€", "d MMM y"),
    "da_DK": ("Dansk (Danmark)", "1.234,56\u00a0€", "d. MMM y"),
    "de_DE": ("Deutsch (Deutschland)", "1.234,56\u00a0€", "dd.MM.y"),
    "de_CH": ("Deutsch (Schweiz)", "EUR\u00a01\u2019234.56", "dd.MM.y"),
    "de_AT": ("Deutsch (Österreich)", "€\u00a01.234,56", "dd.MM.y"),
    "et_EE": ("Eesti (Eesti)", "1\u00a0234,56\u00a0€", "d. MMM y"),
    "en_AU": ("English (Australia)", "EUR1,234.56", "d MMM y"),
    "en_CA": ("English (Canada)", "€1,234.56", "MMM d, y"),
    "en_IN": ("English (India)", "€1,234.56", "d MMM y"),
    "en_IE": ("English (Ireland)", "€1,234.56", "d MMM y"),
    "en_NZ": ("English (New Zealand)", "€1,234.56", "d MMM y"),
    "en_ZA": ("English (South Africa)", "€1\u00a0234,56", "dd MMM y"),
    "en_GB": ("English (United Kingdom)", "€1,234.56", "d MMM y"),
    "en_US": ("English (United States)", "€1,234.56", "MMM d, y"),
    "es_AR": ("Español (Argentina)", "EUR1.234,56", "d MMM y"),
    "es_ES": ("Español (España)", "1.234,56\u00a0€", "d MMM y"),
    "es_MX": ("Español (México)", "EUR1,234.56", "d MMM y"),
    "fr_BE": ("Français (Belgique)", "1\u202f234,56\u00a0€", "d MMM y"),
    "fr_CA": ("Français (Canada)", "1\u00a0234,56\u00a0€", "d MMM y"),
    "fr_FR": ("Français (France)", "1\u202f234,56\u00a0€", "d MMM y"),
    "fr_CH": ("Français (Suisse)", "1\u202f234,56\u00a0€", "d MMM y"),
    "hr_HR": ("Hrvatski (Hrvatska)", "1.234,56\u00a0€", "d. MMM y."),
    "id_ID": ("Indonesia (Indonesia)", "€1.234,56", "d MMM y"),
    "it_IT": ("Italiano (Italia)", "1.234,56\u00a0€", "d MMM y"),
    "it_CH": ("Italiano (Svizzera)", "€\u00a01\u2019234.56", "d MMM y"),
    "lv_LV": ("Latviešu (Latvija)", "1\u00a0234,56\u00a0€", "y. d. MMM"),
    "lt_LT": ("Lietuvių (Lietuva)", "1\u00a0234,56\u00a0€", "y-MM-dd"),
    "hu_HU": ("Magyar (Magyarország)", "1\u00a0234,56\u00a0EUR", "y. MMM d."),
    "ms_MY": ("Melayu (Malaysia)", "€1,234.56", "d MMM y"),
    "nl_BE": ("Nederlands (België)", "€\u00a01.234,56", "d MMM y"),
    "nl_NL": ("Nederlands (Nederland)", "€\u00a01.234,56", "d MMM y"),
    "nb_NO": ("Norsk bokmål (Norge)", "1\u00a0234,56\u00a0€", "d. MMM y"),
    "pl_PL": ("Polski (Polska)", "1\u00a0234,56\u00a0€", "d MMM y"),
    "pt_BR": ("Português (Brasil)", "€\u00a01.234,56", "d MMM y"),
    "pt_PT": ("Português (Portugal)", "1\u00a0234,56\u00a0€", "dd/MM/y"),
    "ro_RO": ("Română (România)", "1.234,56\u00a0EUR", "d MMM y"),
    "sk_SK": ("Slovenčina (Slovensko)", "1\u00a0234,56\u00a0€", "d. M. y"),
    "sl_SI": ("Slovenščina (Slovenija)", "1.234,56\u00a0€", "d. MMM y"),
    "fi_FI": ("Suomi (Suomi)", "1\u00a0234,56\u00a0€", "d.M.y"),
    "sv_SE": ("Svenska (Sverige)", "1\u00a0234,56\u00a0€", "d MMM y"),
    "vi_VN": ("Tiếng Việt (Việt Nam)", "1.234,56\u00a0€", "d MMM, y"),
    "tr_TR": ("Türkçe (Türkiye)", "€1.234,56", "d MMM y"),
    "is_IS": ("Íslenska (Ísland)", "1.234,56\u00a0EUR", "d. MMM y"),
    "cs_CZ": ("Čeština (Česko)", "1\u00a0234,56\u00a0€", "d. M. y"),
    "el_GR": ("Ελληνικά (Ελλάδα)", "1.234,56\u00a0€", "d MMM y"),
    "bg_BG": ("Български (България)", "1\u00a0234,56\u00a0€", "d.MM.y"),
    "ru_RU": ("Русский (Россия)", "1\u00a0234,56\u00a0€", "d MMM y"),
    "sr_RS": ("Српски (ћирилица, Србија)", "1.234,56\u00a0€", "d. M. y."),
    "uk_UA": ("Українська (Україна)", "1\u00a0234,56\u00a0EUR", "d MMM y"),
    "he_IL": ("עברית (ישראל)", "\u200f1,234.56\u00a0\u200f€", "d MMM y"),
    "ar_EG": ("العربية (مصر)", "\u200f1,234.56\u00a0€", "dd\u200f/MM\u200f/y"),
    "fa_IR": ("فارسی (ایران)", "\u200e€\u00a01,234.56", "d MMM y"),
    "hi_IN": ("हिन्दी (भारत)", "€1,234.56", "d MMM y"),
    "bn_BD": ("বাংলা (বাংলাদেশ)", "1,234.56€", "d MMM, y"),
    "th_TH": ("ไทย (ไทย)", "€1,234.56", "d MMM y"),
    "zh_CN": ("中文 (简体, 中国)", "€1,234.56", "y年M月d日"),
    "zh_TW": ("中文 (繁體, 台灣)", "€1,234.56", "y年M月d日"),
    "ja_JP": ("日本語 (日本)", "€1,234.56", "y/MM/dd"),
    "ko_KR": ("한국어 (대한민국)", "€1,234.56", "y. M. d."),
}


def closest_locale(tag: str) -> str | None:
    """Return the one of the LOCALES that a language tag such as `de-AT` or `zh-Hant` asks for, or None.

    Babel never forgets a locale that it has loaded, about 150 kB each, and knows a thousand.
    """
    language, *subtags = re.split("[-_]", tag[:TAG_MAX])
    language = _OTHER_CODES.get(language.lower(), language.lower())
    territory = next((subtag.upper() for subtag in subtags if len(subtag) == 2), "")
    if f"{language}_{territory}" in LOCALES:
        return f"{language}_{territory}"
    script = next((subtag.title() for subtag in subtags if len(subtag) == 4), "")
    likely = get_global("likely_subtags")
    home = (likely.get(f"{language}_{script}") or likely.get(language, "")).rpartition("_")[2]
    return f"{language}_{home}" if f"{language}_{home}" in LOCALES else None


def day_pattern(locale: Locale, with_year: bool = True) -> str:
    """Return the order and the separators of a date in `locale`, without its words: "d MMM y"."""
    pattern = re.sub(r"\s*'[^']*'\.?", "", locale.date_formats["medium"].pattern)
    # Hebrew writes a preposition before the name of a month, without quotes.
    pattern = pattern.replace("\u05d1MMM", "MMM")
    return pattern if with_year else re.sub(r"^y[^dM]+|[^dM.]+y+\.?$|y+\.?$", "", pattern)
