"""Sample data of two years, for demo accounts and screenshots."""

from datetime import date
from decimal import Decimal
from itertools import islice

import sqlalchemy as sa

from database import db
from ledger.sample_expenses import MONTHLY, sample_expenses, sample_refunds
from ledger.schedule import due_days
from models import Budget, Expense, Occurrence, RecurringExpense, User

EMAIL, USERNAME = "demo@example.com", "demo"
MONTHLY_BUDGET = Decimal(2400)
BUDGETS = {"Food": Decimal(620), "Entertainment": Decimal(90), "Transport": Decimal(110), "Shopping": Decimal(150)}
# The latest one of these is due, and not added yet.
DUE = "Film streaming"


def fill_account(user: User, today: date) -> int:
    """Give a new user two years of expenses, refunds, budgets and recurring expenses; return how many expenses.

    The caller commits.
    """
    rows = [*sample_expenses(today), *sample_refunds(today)]
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
