"""Realistic sample expenses of two years."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

YEARS = 2
# Days before today, category, description, amount.
REFUNDS = (
    (9, "Shopping", "Shoes, returned", "-59.90"),
    (47, "Health", "Insurance", "-84.30"),
    (160, "Utilities", "Electricity, last year", "-41.75"),
)
# On this day of every month: category, description, amount.
MONTHLY = (
    (1, "Housing", "Rent", "1180.00"),
    (2, "Transport", "Monthly pass", "49.00"),
    (5, "Utilities", "Internet", "34.90"),
    (8, "Utilities", "Electricity", "61.40"),
    (11, "Entertainment", "Film streaming", "12.99"),
    (15, "Health", "Gym", "29.50"),
    (20, "Utilities", "Mobile phone", "17.00"),
)
# Times a week, category, descriptions, lowest and highest amount in cents.
IRREGULAR = (
    (2.4, "Food", ("Groceries", "Market", "Bakery"), 620, 8450),
    (1.6, "Food", ("Coffee", "Lunch with Noor", "Tea and cake", ""), 280, 1890),
    (0.5, "Food", ("Dinner out", "Ramen", "Pizza with friends"), 1850, 7200),
    (0.6, "Transport", ("Taxi home", "Bike repair", "Train to the lake"), 340, 4600),
    (0.5, "Entertainment", ("Cinema", "Concert", "Museum", "Board game"), 900, 6400),
    (0.4, "Shopping", ("Shoes", "Winter coat", "Lamp", "Birthday present", ""), 1200, 15900),
    (0.3, "Health", ("Pharmacy", "Dentist", "New glasses"), 480, 21000),
    (0.25, "Education", ("Books", "Language course", "Evening class"), 990, 14000),
    (0.1, "Travel", ("Weekend in Lisbon", "Hostel", "Flight", "Museum card"), 4200, 48000),
    (0.15, "Other", ("Haircut", "Donation", "Post office"), 350, 5000),
)


def sample_expenses(today: date) -> Iterator[dict[str, Any]]:
    """Yield the columns of expenses up to `today`, oldest first. The same day yields the same expenses."""
    chance = random.Random(today.toordinal())
    start_date = today - timedelta(days=365 * YEARS)
    for passed in range((today - start_date).days + 1):
        day = start_date + timedelta(days=passed)
        for day_of_month, category, description, amount in MONTHLY:
            if day.day == day_of_month:
                yield _expense(day, category, description, Decimal(amount))
        for times_a_week, category, descriptions, lowest, highest in IRREGULAR:
            if chance.random() < times_a_week / 7:
                # Small amounts are more frequent.
                cents = round(lowest + (highest - lowest) * chance.random() ** 2.5)
                yield _expense(day, category, chance.choice(descriptions), Decimal(cents) / 100)


def sample_refunds(today: date) -> Iterator[dict[str, Any]]:
    """Yield the columns of refunds up to `today`."""
    for days, category, description, amount in REFUNDS:
        yield _expense(today - timedelta(days=days), category, description, Decimal(amount))


def _expense(day: date, category: str, description: str, amount: Decimal) -> dict[str, Any]:
    return {"date": day, "category": category, "description": description, "amount": amount}
