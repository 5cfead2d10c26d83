"""The ways of writing amounts and days that a person can choose from."""

import re

from babel.core import get_global

# How many characters of a language tag are read.
TAG_MAX = 35
# Codes that browsers send, and Babel's.
_OTHER_CODES = {"no": "nb", "iw": "he", "in": "id"}

# By Babel's name: what its readers call it, and an amount and a day as it writes them. Written out, because Babel
# keeps about a megabyte of memory for each that is asked for an example; a test compares.
LOCALES = {
    "ca_ES": ("Català (Espanya)", "1.234,56\u00a0€", "31 de des. 2026"),
    "da_DK": ("Dansk (Danmark)", "1.234,56\u00a0€", "31. dec. 2026"),
    "de_DE": ("Deutsch (Deutschland)", "1.234,56\u00a0€", "31.12.2026"),
    "de_CH": ("Deutsch (Schweiz)", "EUR\u00a01\u2019234.56", "31.12.2026"),
    "de_AT": ("Deutsch (Österreich)", "€\u00a01.234,56", "31.12.2026"),
    "et_EE": ("Eesti (Eesti)", "1\u00a0234,56\u00a0€", "31. dets 2026"),
    "en_AU": ("English (Australia)", "EUR1,234.56", "31 Dec 2026"),
    "en_CA": ("English (Canada)", "€1,234.56", "Dec 31, 2026"),
    "en_IN": ("English (India)", "€1,234.56", "31 Dec 2026"),
    "en_IE": ("English (Ireland)", "€1,234.56", "31 Dec 2026"),
    "en_NZ": ("English (New Zealand)", "€1,234.56", "31 Dec 2026"),
    "en_ZA": ("English (South Africa)", "€1\u00a0234,56", "31 Dec 2026"),
    "en_GB": ("English (United Kingdom)", "€1,234.56", "31 Dec 2026"),
    "en_US": ("English (United States)", "€1,234.56", "Dec 31, 2026"),
    "es_AR": ("Español (Argentina)", "EUR1.234,56", "31 dic 2026"),
    "es_ES": ("Español (España)", "1.234,56\u00a0€", "31 dic 2026"),
    "es_MX": ("Español (México)", "EUR1,234.56", "31 dic 2026"),
    "fr_BE": ("Français (Belgique)", "1\u202f234,56\u00a0€", "31 déc. 2026"),
    "fr_CA": ("Français (Canada)", "1\u00a0234,56\u00a0€", "31 déc. 2026"),
    "fr_FR": ("Français (France)", "1\u202f234,56\u00a0€", "31 déc. 2026"),
    "fr_CH": ("Français (Suisse)", "1\u202f234,56\u00a0€", "31 déc. 2026"),
    "hr_HR": ("Hrvatski (Hrvatska)", "1.234,56\u00a0€", "31. pro 2026."),
    "id_ID": ("Indonesia (Indonesia)", "€1.234,56", "31 Des 2026"),
    "it_IT": ("Italiano (Italia)", "1.234,56\u00a0€", "31 dic 2026"),
    "it_CH": ("Italiano (Svizzera)", "€\u00a01\u2019234.56", "31 dic 2026"),
    "lv_LV": ("Latviešu (Latvija)", "1\u00a0234,56\u00a0€", "2026. gada 31. dec."),
    "lt_LT": ("Lietuvių (Lietuva)", "1\u00a0234,56\u00a0€", "2026-12-31"),
    "hu_HU": ("Magyar (Magyarország)", "1\u00a0234,56\u00a0EUR", "2026. dec. 31."),
    "ms_MY": ("Melayu (Malaysia)", "€1,234.56", "31 Dis 2026"),
    "nl_BE": ("Nederlands (België)", "€\u00a01.234,56", "31 dec 2026"),
    "nl_NL": ("Nederlands (Nederland)", "€\u00a01.234,56", "31 dec 2026"),
    "nb_NO": ("Norsk bokmål (Norge)", "1\u00a0234,56\u00a0€", "31. des. 2026"),
    "pl_PL": ("Polski (Polska)", "1\u00a0234,56\u00a0€", "31 gru 2026"),
    "pt_BR": ("Português (Brasil)", "€\u00a01.234,56", "31 de dez. de 2026"),
    "pt_PT": ("Português (Portugal)", "1\u00a0234,56\u00a0€", "31/12/2026"),
    "ro_RO": ("Română (România)", "1.234,56\u00a0EUR", "31 dec. 2026"),
    "sk_SK": ("Slovenčina (Slovensko)", "1\u00a0234,56\u00a0€", "31. 12. 2026"),
    "sl_SI": ("Slovenščina (Slovenija)", "1.234,56\u00a0€", "31. dec. 2026"),
    "fi_FI": ("Suomi (Suomi)", "1\u00a0234,56\u00a0€", "31.12.2026"),
    "sv_SE": ("Svenska (Sverige)", "1\u00a0234,56\u00a0€", "31 dec. 2026"),
    "vi_VN": ("Tiếng Việt (Việt Nam)", "1.234,56\u00a0€", "31 thg 12, 2026"),
    "tr_TR": ("Türkçe (Türkiye)", "€1.234,56", "31 Ara 2026"),
    "is_IS": ("Íslenska (Ísland)", "1.234,56\u00a0EUR", "31. des. 2026"),
    "cs_CZ": ("Čeština (Česko)", "1\u00a0234,56\u00a0€", "31. 12. 2026"),
    "el_GR": ("Ελληνικά (Ελλάδα)", "1.234,56\u00a0€", "31 Δεκ 2026"),
    "bg_BG": ("Български (България)", "1\u00a0234,56\u00a0€", "31.12.2026\u202fг."),
    "ru_RU": ("Русский (Россия)", "1\u00a0234,56\u00a0€", "31 дек. 2026\u202fг."),
    "sr_RS": ("Српски (ћирилица, Србија)", "1.234,56\u00a0€", "31. 12. 2026."),
    "uk_UA": ("Українська (Україна)", "1\u00a0234,56\u00a0EUR", "31 груд. 2026\u202fр."),
    "he_IL": ("עברית (ישראל)", "\u200f1,234.56\u00a0\u200f€", "31 בדצמ׳ 2026"),
    "ar_EG": ("العربية (مصر)", "\u200f1,234.56\u00a0€", "31\u200f/12\u200f/2026"),
    "fa_IR": ("فارسی (ایران)", "\u200e€\u00a01,234.56", "31 دسامبر 2026"),
    "hi_IN": ("हिन्दी (भारत)", "€1,234.56", "31 दिस॰ 2026"),
    "bn_BD": ("বাংলা (বাংলাদেশ)", "1,234.56€", "31 ডিসে, 2026"),
    "th_TH": ("ไทย (ไทย)", "€1,234.56", "31 ธ.ค. 2026"),
    "zh_CN": ("中文 (简体, 中国)", "€1,234.56", "2026年12月31日"),
    "zh_TW": ("中文 (繁體, 台灣)", "€1,234.56", "2026年12月31日"),
    "ja_JP": ("日本語 (日本)", "€1,234.56", "2026/12/31"),
    "ko_KR": ("한국어 (대한민국)", "€1,234.56", "2026. 12. 31."),
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
