"""Swapping the names of two categories, and undoing that."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from ledger import categories, operations
from ledger.categories import CategoryData, CategoryError
from ledger.journal import row_count
from models import Category, Expense, Operation, RecurringExpense, RowChange, User


def swap(user: User, category_id: uuid.UUID, other_id: uuid.UUID, now: datetime) -> Operation:
    """Let two categories swap their names; their expenses and recurring expenses follow.

    Raises CategoryError. The caller commits.
    """
    names = sa.select(Category.name).where(Category.author_id == user.id, Category.id.in_([category_id, other_id]))
    ids = sa.select(Expense.id).where(Expense.author_id == user.id, Expense.category.in_(names))
    with operations.record_in_pieces(user, "edit_category", now, ids) as (operation, _pieces):
        known = categories.lock_and_get(user)
        if category_id == other_id or not {category_id, other_id} <= known.keys():
            raise CategoryError("category_gone")
        operation.label = known[category_id].name
        _exchange(user, operation, known[category_id], known[other_id])
    return operation


def is_swap(changes: Sequence[RowChange]) -> bool:
    """Tell whether these changes of categories are those of a swap."""
    if len(changes) != 2 or not all(change.before and change.after for change in changes):
        return False
    (first, second), (new_first, new_second) = (
        [(getattr(change, side) or {}).get("name") for change in changes] for side in ("before", "after")
    )
    return first is not None and (first, second) == (new_second, new_first)


def revert(user: User, operation: Operation, changes: Sequence[RowChange]) -> list[str]:
    """Undo a swap as a part of `operation`, and return the names of categories that were changed since."""
    known = {str(category.id): category for category in categories.get_categories(user)}
    current = [known.get(change.row_key) for change in changes]
    names = [category and category.name for category in current]
    before, after = ([(getattr(change, side) or {})["name"] for change in changes] for side in ("before", "after"))
    first, second = current
    if first is not None and second is not None and names == after:
        _exchange(user, operation, first, second)
        return []
    return [] if names == before else [change.label for change in changes]


def _exchange(user: User, operation: Operation, first: CategoryData, second: CategoryData) -> None:
    rows = [
        db.session.get_one(Category, (user.id, category.id), populate_existing=True)
        for category in (first, second)
    ]
    # No two categories can have the same name, not even for a moment.
    is_first = Category.author_id == user.id, Category.id == first.id
    row_count(sa.update(Category).where(*is_first).values(name_key=str(uuid7())))
    operations.change_row(operation, rows[1], second.name, {"name": first.name})
    db.session.flush()
    operations.change_row(operation, rows[0], first.name, {"name": second.name})
    db.session.flush()
    category = RecurringExpense.category
    in_either = RecurringExpense.author_id == user.id, category.in_([first.name, second.name])
    other = sa.case((category == first.name, second.name), else_=first.name)
    row_count(sa.update(RecurringExpense).where(*in_either).values(category=other))
