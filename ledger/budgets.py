"""Budgets: which one is valid in a month, what is left over from the months before, saving and undoing."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from ledger import categories, operations
from ledger.periods import Period
from ledger.spending import Summary
from models import Budget, Category, Operation, RowChange, User


class MonthlyBudget(NamedTuple):
    """A budget of a month, if there is one, and whether what is left of it is added to the next month."""

    amount: Decimal | None = None
    rollover: bool = False


class AvailableBudget(NamedTuple):
    """A budget of a month, and what was left over from the months before."""

    amount: Decimal
    carried: Decimal = Decimal(0)


class StoredBudget(NamedTuple):
    """A budget as it was read, which is valid from a day on."""

    id: uuid.UUID
    category_id: uuid.UUID | None
    category: str | None
    start_date: date
    amount: Decimal | None
    rollover: bool


# By the ids of their categories, in the order of the categories, each list in the order of first months. The total
# budgets are under None.
History = Mapping[uuid.UUID | None, Sequence[StoredBudget]]


def get_history(user: User) -> History:
    """Return all budgets that the user has or had, by one statement."""
    history = defaultdict(list)
    own = Category.author_id == user.id, Category.id == Budget.category_id
    name, position = (
        sa.select(column).where(*own).scalar_subquery() for column in (Category.name, Category.position)
    )
    columns = Budget.id, Budget.category_id, name, Budget.start_date, Budget.amount, Budget.rollover
    query = sa.select(*columns).where(Budget.author_id == user.id)
    query = query.order_by(position, Budget.category_id, Budget.start_date, Budget.id)
    for row in db.session.execute(query):
        history[row.category_id].append(StoredBudget(*row))
    return history


def valid_in(budgets: Sequence[StoredBudget], month: Period) -> MonthlyBudget:
    """Return which of the budgets of a category is valid in a month."""
    last = next((budget for budget in reversed(budgets) if budget.start_date <= month.end), None)
    return MonthlyBudget(last.amount, last.rollover) if last else MonthlyBudget()


def valid_budgets(history: History, month: Period) -> dict[uuid.UUID | None, MonthlyBudget]:
    """Return the budgets of a month by the ids of their categories, the total one by None."""
    return {category_id: valid_in(budgets, month) for category_id, budgets in history.items()}


def available_budgets(
    history: History, months: Sequence[Period], summaries: Sequence[Summary]
) -> dict[str | None, AvailableBudget]:
    """Return the budgets of the last of some months by the names of their categories, the total one by None.

    What was left over from the earlier ones, which follow each other without a gap, is carried over where the user
    wants it. The `summaries` are those of the months.
    """
    spent = [{entry.category: entry.total for entry in summary.breakdown} for summary in summaries[:-1]]
    available: dict[str | None, AvailableBudget] = {}
    for budgets in history.values():
        name, amount = budgets[0].category, valid_in(budgets, months[-1]).amount
        if amount is not None:
            totals = [month.get(name, Decimal(0)) if name else Decimal(0) for month in spent]
            available[name] = AvailableBudget(amount, _carried_over(budgets, months[:-1], totals))
    return available


def _carried_over(budgets: Sequence[StoredBudget], months: Sequence[Period], totals: Sequence[Decimal]) -> Decimal:
    """Return what is left over from some months in which these totals were spent."""
    carried = Decimal(0)
    if not any(budget.rollover for budget in budgets):
        return carried
    for month, total in zip(months, totals, strict=True):
        amount, rollover = valid_in(budgets, month)
        carried = max(carried + amount - total, Decimal(0)) if rollover and amount is not None else Decimal(0)
    return carried


def save(
    user: User, chosen: Mapping[uuid.UUID | None, MonthlyBudget], month: Period, now: datetime
) -> tuple[Operation, int]:
    """Set budgets from a month on, by the ids of their categories, the total one by None.

    Earlier months keep theirs. A budget whose category is gone is left out. Returns the operation and how many
    budgets changed. The caller commits.
    """
    changed = 0
    with operations.record(user, "edit_budgets", now) as operation:
        known = categories.lock_and_get(user)
        history = get_history(user)
        for category_id, budget in chosen.items():
            budgets = history.get(category_id, ())
            if (category_id is None or category_id in known) and valid_in(budgets, month) != budget:
                label = known[category_id].name if category_id else ""
                _set(operation, budgets, category_id, label, month, budget)
                changed += 1
    return operation, changed


def _set(
    operation: Operation,
    budgets: Sequence[StoredBudget],
    category_id: uuid.UUID | None,
    label: str,
    month: Period,
    new: MonthlyBudget,
) -> None:
    """Make a budget valid from a month on. Later ones, set with another first day of the month, are deleted."""
    same = None
    for budget in budgets:
        if budget.start_date >= month.begin:
            row = db.session.get_one(Budget, (operation.author_id, budget.id), populate_existing=True)
            if budget.start_date == month.begin:
                same = row
            else:
                operations.delete_row(operation, row, label)
    if same is not None:
        operations.change_row(operation, same, label, new._asdict())
        return
    row = Budget(author_id=operation.author_id, id=uuid7(), category_id=category_id, start_date=month.begin)
    row.amount, row.rollover = new
    operations.add_row(operation, row, label)


def revert(user: User, operation: Operation, change: RowChange) -> bool | None:
    """Undo, as a part of `operation`, another operation's change to one of the user's budgets.

    Returns True when that was done, None when it had been undone already, and False when the budget was changed
    since, or its category is gone. The caller has locked the categories.
    """
    key = (user.id, uuid.UUID(change.row_key))
    row = db.session.get(Budget, key, populate_existing=True)
    if row is None:
        return None if change.before is None else change.after is None and _restore(user, operation, change)
    if change.after is None:
        return None
    if not _has(row, change.after):
        return None if change.before is not None and _has(row, change.before) else False
    if change.before is None:
        operations.delete_row(operation, row, change.label)
    else:
        operations.change_row(operation, row, change.label, operations.decode(Budget, change.before))
    return True


def _restore(user: User, operation: Operation, change: RowChange) -> bool:
    """Add a deleted budget again, unless its category is gone or another one is valid from the same month on."""
    values = operations.decode(Budget, change.before or {})
    category_id = values["category_id"]
    is_known = category_id is None or any(known.id == category_id for known in categories.get_categories(user))
    others = get_history(user).get(category_id, ())
    if not is_known or any(other.start_date == values["start_date"] for other in others):
        return False
    operations.add_row(operation, Budget(author_id=user.id, id=uuid.UUID(change.row_key), **values), change.label)
    db.session.flush()
    return True


def _has(row: Budget, values: Mapping[str, Any]) -> bool:
    decoded = operations.decode(Budget, values)
    return all(getattr(row, name) == value for name, value in decoded.items())
