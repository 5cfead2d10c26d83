"""Sample data of two years, for demo accounts and screenshots."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import sqlalchemy as sa

from database import db
from ledger.schedule import due_days
from models import Budget, Expense, Occurrence, RecurringExpense, User

YEARS = 2
EMAIL, USERNAME = "demo@example.com", "demo"
MONTHLY_BUDGET = Decimal(2400)
BUDGETS = {"Food": Decimal(620), "Entertainment": Decimal(90), "Transport": Decimal(110), "Shopping": Decimal(150)}
# Days before today, category, description, amount.
REFUNDS = (
    (9, "Shopping", "Shoes, returned", Decimal("-59.90")),
    (47, "Health", "Insurance", Decimal("-84.30")),
    (160, "Utilities", "Electricity, last year", Decimal("-41.75")),
)
# The latest one of these is due, and not added yet.
DUE = "Film streaming"
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


def _expense(day: date, category: str, description: str, amount: Decimal) -> dict[str, Any]:
    return {"date": day, "category": category, "description": description, "amount": amount}


def fill_account(user: User, today: date) -> int:
    """Give a new user two years of expenses, refunds, budgets and recurring expenses; return how many expenses.

    The caller commits.
    """
    rows = list(sample_expenses(today))
    for days, name, description, amount in REFUNDS:
        rows.append(_expense(today - timedelta(days=days), name, description, amount))
    expenses = [Expense(author_id=user.id, **row) for row in sorted(rows, key=lambda row: row["date"])]
    latest = {expense.description: expense for expense in expenses}
    expenses.remove(latest[DUE])
    db.session.add_all(expenses)
    db.session.flush()
    latest |= {expense.description: expense for expense in expenses}
    for _day, _category, description, _amount in MONTHLY:
        _repeat_monthly(latest[description])
    first_month = min(expense.date for expense in expenses).replace(day=1)
    ids = {category.name: category.id for category in user.categories}
    amounts = {None: MONTHLY_BUDGET} | {ids[name]: amount for name, amount in BUDGETS.items()}
    for category_id, amount in amounts.items():
        key = {"author_id": user.id, "category_id": category_id, "start_date": first_month}
        db.session.add(Budget(**key, amount=amount))
    return len(expenses)


def _repeat_monthly(expense: Expense) -> None:
    """Make an expense the first one of a recurring expense."""
    row = {name: getattr(expense, name) for name in ("author_id", "id", "amount", "category", "description")}
    (second_date,) = islice(due_days(expense.date, "month", expense.date), 1, 2)
    db.session.add(RecurringExpense(**row, frequency="month", start_date=expense.date, next_date=second_date))
    db.session.flush()
    key = {"author_id": expense.author_id, "recurring_id": expense.id, "day": expense.date}
    db.session.add(Occurrence(**key, expense_id=expense.id))


def find_account() -> User | None:
    """Return the demo account of this database, if it has one."""
    return db.session.scalar(sa.select(User).where(User.email == EMAIL, User.username == USERNAME))
