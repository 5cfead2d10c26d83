"""The available number and date formats."""

from decimal import Decimal

import pytest
from babel import Locale

from ledger.locales import LOCALES, day_pattern
from ledger.money import format_amount
from models import User


@pytest.mark.parametrize("name", LOCALES)
def test_the_example_of_a_way_of_writing_is_what_it_writes(name):
    locale = Locale.parse(name)
    shown = format_amount(Decimal("1234.56"), "EUR", locale)

    assert len(name) <= User.LOCALE_MAX
    assert LOCALES[name] == (shown, day_pattern(locale))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("de_AT", "31.12.2026"),
        ("fr_FR", "31 Dec 2026"),
        ("pt_BR", "31 Dec 2026"),
        ("he_IL", "31 Dec 2026"),
        ("hu_HU", "2026. Dec 31."),
        ("en_US", "Dec 31, 2026"),
    ],
)
def test_a_date_has_the_order_of_its_format_and_the_month_names_of_the_page(ana, name, shown):
    ana.add("1", date="2026-12-31")
    settings = {"currency": "USD", "time_zone": "Etc/UTC", "locale": name, "first_day_of_month": "1"}
    ana.post("/account/settings", settings)

    assert shown in ana.page("/history").text
    option = ana.page("/account").one(id="settings-locale").one("option", value=name)
    assert option.text.endswith(f" · {shown}")
