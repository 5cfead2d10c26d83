"""Ten years of realistic expenses, the same ones in every run; needs nothing but Python."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from ledger.sample_expenses import IRREGULAR

LAST_DAY = date(2026, 6, 30)
DAYS = 3652
# Even a small account has this many expenses in this month. Otherwise its page would have fewer rows than that of
# a large account, and the two could not be compared.
BUSY_MONTH, BUSY = date(2026, 3, 1), 60
SHOPS = 500


class Expense(NamedTuple):
    """Money spent on one day."""

    date: date
    category: str
    description: str
    amount: Decimal


def sample_expenses(number: int) -> Iterator[Expense]:
    """Yield this many expenses, oldest first."""
    chance = random.Random(number)
    weights = [times_a_week for times_a_week, *_rest in IRREGULAR]
    busy = min(BUSY, number)
    spread = (LAST_DAY - timedelta(DAYS - DAYS * n // number) for n in range(number - busy))
    days = sorted([*spread, *(BUSY_MONTH + timedelta(n % 31) for n in range(busy))])
    kinds = chance.choices(IRREGULAR, weights, k=number)
    for day, (_times, category, descriptions, lowest, highest) in zip(days, kinds, strict=True):
        cents = lowest + int((highest - lowest) * chance.random() ** 2.5)
        # As on bank statements: most of the shops differ, and some expenses have no description.
        description = chance.choice(descriptions)
        shop = f"{description} {chance.randrange(SHOPS)}" if description else ""
        yield Expense(day, category, shop, Decimal(cents).scaleb(-2))
