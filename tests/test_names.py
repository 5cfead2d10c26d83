"""Names of currencies, time zones, formats and months in each language."""

from datetime import date
from decimal import Decimal

import pytest
from babel import Locale
from babel.dates import format_date

from languages import NAMES
from ledger.locales import LOCALES, day_pattern, full_day_pattern, month_name, month_title
from ledger.money import currencies
from ledger.names import currency_names, locale_names, time_zone_names
from ledger.periods import time_zones
from tests.browsing import form_values, read
from tests.test_account import send
from views.filters import short_number

DAY = date(2026, 2, 3)


@pytest.mark.parametrize("language", NAMES)
def test_every_choice_has_a_name_of_its_own(language):
    for names, codes in (
        (currency_names(language), currencies()),
        (locale_names(language), LOCALES),
        (time_zone_names(language), time_zones()),
    ):
        assert set(names) == set(codes)
        assert all(names.values())
    assert len(set(time_zone_names(language).values())) == len(time_zones())
    assert len(set(locale_names(language).values())) == len(LOCALES)


def test_names_are_in_the_language():
    assert currency_names("de")["CHF"] == "Schweizer Franken"
    assert locale_names("fr")["de_AT"] == "Allemand (Autriche)"
    zones = time_zone_names("de")
    assert zones["Europe/Berlin"] == "Deutschland – Berlin"
    assert zones["Etc/UTC"] == "Etc/UTC"
    assert zones["Asia/Calcutta"] == "Indien – Kalkutta (Asia/Calcutta)"
    assert list(zones.values()).index(zones["Africa/Cairo"]) < 5


def test_the_account_page_names_choices_in_its_language(ana):
    page = read(ana.get("/account", headers={"Accept-Language": "en"}))
    labels = {
        name: page.one("select", name=name).one("option", value=value).text
        for name, value in (("currency", "CHF"), ("time_zone", "Europe/Berlin"), ("locale", "de_AT"))
    }

    assert labels == {
        "currency": "CHF – Swiss Franc",
        "time_zone": "Germany – Berlin",
        "locale": "German (Austria): € 1.234,56 · 31.12.2026",
    }
    send(ana, "settings", time_zone="Asia/Calcutta")
    assert (
        form_values(ana.page("/account").one("form", action="/account/settings"))["time_zone"] == "Asia/Calcutta"
    )


def test_a_short_number_has_the_separator_of_the_format_and_the_word_of_the_language(app):
    headers = {"Accept-Language": "de-DE", "Cookie": "language=en"}
    with app.test_request_context(headers=headers):
        assert [short_number(Decimal(number)) for number in ("1500", "2500000", "-0.5")] == [
            "1,5K",
            "2,5M",
            "−0,5",
        ]


@pytest.mark.parametrize(
    ("language", "name", "title"),
    [
        ("en", "February 2026", "February 2026"),
        ("de", "Februar 2026", "Februar 2026"),
        ("es", "febrero de 2026", "Febrero de 2026"),
        # In the form that stands alone, and without the abbreviation of "year".
        ("uk", "лютий 2026", "Лютий 2026"),
        ("pl", "luty 2026", "Luty 2026"),
        ("ja", "2026年2月", "2026年2月"),
        ("ar", "فبراير 2026", "فبراير 2026"),
    ],
)
def test_a_month_is_named_as_the_language_does(language, name, title):
    assert (month_name("2026-02", language), month_title("2026-02", language)) == (name, title)


def test_the_names_of_months_do_not_depend_on_which_languages_were_used_before():
    # Babel shares names that several languages lack. What is used here is in each of them.
    for language in ("ja", "zh_Hans", "ar", "tr"):
        format_date(DAY, "MMM MMMM", language)

    assert format_date(DAY, "MMM", "ar") == "فبراير"
    assert month_name("2026-11", "ar") == "نوفمبر 2026"


@pytest.mark.parametrize(
    ("locale", "language", "day", "short", "full"),
    [
        ("en_US", "en", "Feb 3, 2026", "Feb 3", "February 3, 2026"),
        ("en_GB", "en", "3 Feb 2026", "3 Feb", "3 February 2026"),
        ("de_DE", "en", "03.02.2026", "03.02.", "3 February 2026"),
        ("de_AT", "de", "03.02.2026", "03.02.", "3. Februar 2026"),
        ("en_US", "de", "Feb. 3, 2026", "Feb. 3", "Februar 3, 2026"),
        ("es_ES", "es", "3 feb 2026", "3 feb", "3 de febrero de 2026"),
        ("ja_JP", "en", "2026/02/03", "02/03", "2026 February 3"),
        ("en_US", "ja", "2026年2月3日", "2月3日", "2026年2月3日"),
        ("en_GB", "ja", "03/02/2026", "03/02", "2026年2月3日"),
        ("de_DE", "ja", "03.02.2026", "03.02.", "2026年2月3日"),
        ("uk_UA", "uk", "3 лют. 2026", "3 лют.", "3 лютого 2026"),
        ("ar_EG", "ar", "03\u200f/02\u200f/2026", "03\u200f/02", "3 فبراير 2026"),
    ],
)
def test_a_date_has_the_order_of_the_format_and_the_words_of_the_language(locale, language, day, short, full):
    order, words = Locale.parse(locale), Locale.parse(language)
    patterns = (
        day_pattern(order, language=words),
        day_pattern(order, with_year=False, language=words),
        full_day_pattern(order, words),
    )

    assert [format_date(DAY, pattern, words) for pattern in patterns] == [day, short, full]
