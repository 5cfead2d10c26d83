"""The ways of writing that can be chosen."""

from datetime import date
from decimal import Decimal

import pytest
from babel import Locale
from babel.dates import format_date

from ledger.locales import LOCALES
from ledger.money import format_amount
from models import User


@pytest.mark.parametrize("name", LOCALES)
def test_the_example_of_a_way_of_writing_is_what_it_writes(name):
    locale = Locale.parse(name)
    shown = format_amount(Decimal("1234.56"), "EUR", locale)

    assert len(name) <= User.LOCALE_MAX
    words = locale.display_name[0].upper() + locale.display_name[1:]
    assert LOCALES[name] == (words, shown, format_date(date(2026, 12, 31), "medium", locale))
