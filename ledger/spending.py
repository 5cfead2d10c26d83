"""Every question about expenses: which ones, how many, how much."""

import uuid
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from database import db
from models import Expense, User

CATEGORIES = (
    "Food",
    "Housing",
    "Transport",
    "Utilities",
    "Health",
    "Entertainment",
    "Shopping",
    "Travel",
    "Education",
    "Other",
)
PAGE_SIZE = 50


@dataclass(frozen=True)
class ExpenseFilter:
    """Which expenses are wanted; an empty one wants them all."""

    category: str | None = None
    nothing: bool = False

    def describe(self) -> str:
        """Say in words what is wanted."""
        return "Nothing" if self.nothing else self.category or "All categories"


class Place(NamedTuple):
    """Where a page begins: right after or right before the expense of this day and id, which may be gone."""

    day: date
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.day}_{self.id}"


@dataclass(frozen=True)
class Summary:
    """How many expenses there are, and their sum."""

    count: int
    total: Decimal


def add_once(expense: Expense) -> bool:
    """Add `expense` under the id it carries, and tell whether it is there now; the caller commits.

    When the same form arrives twice, even at the same moment, the primary key lets one in, and both are
    told yes. The answer is no when the id belongs to an expense with other values.
    """
    names = ("amount", "category", "description", "date")
    values = {name: getattr(expense, name) for name in names}
    key = (expense.author_id, expense.id)
    db.session.add(expense)
    try:
        db.session.flush()
        return True
    except IntegrityError:
        db.session.rollback()
        stored = db.session.get(Expense, key)
        if stored is None:
            raise
        return values == {name: getattr(stored, name) for name in names}


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE rows, newest first, and the places where the neighbouring pages begin."""

    rows: list[sa.Row[uuid.UUID, date, str, str, Decimal]]
    newer: Place | None
    older: Place | None


def expenses_query(user: User, wanted: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of the user's expenses that are wanted; every list, sum and export begins here."""
    query = sa.select(Expense.id, Expense.date, Expense.category, Expense.description, Expense.amount)
    query = query.where(Expense.author_id == user.id)
    if wanted.nothing:
        query = query.where(sa.false())
    if wanted.category is not None:
        query = query.where(Expense.category == wanted.category)
    return query


def summarise(user: User, wanted: ExpenseFilter) -> Summary:
    """Return number and sum of all the wanted expenses; both are zero when there are none."""
    query = expenses_query(user, wanted).with_only_columns(
        sa.func.count(), sa.func.coalesce(sa.func.sum(Expense.amount), 0)
    )
    return Summary(*db.session.execute(query).one())


def read_page(user: User, wanted: ExpenseFilter, after: Place | None = None, before: Place | None = None) -> Page:
    """Return one page of the wanted expenses, newest first and by creation within a day.

    `after` asks for what is older than a place, `before` for what is newer. Pages are found by place,
    not by number, so that none skips or repeats a row when others are added or removed in between.
    """
    position = sa.tuple_(Expense.date, Expense.id)
    query = expenses_query(user, wanted)
    if before is not None:
        query = query.where(position > sa.tuple_(before.day, before.id))
        query = query.order_by(Expense.date, Expense.id)
    else:
        if after is not None:
            query = query.where(position < sa.tuple_(after.day, after.id))
        query = query.order_by(Expense.date.desc(), Expense.id.desc())
    rows = list(db.session.execute(query.limit(PAGE_SIZE + 1)))
    more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    if before is not None:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    first, last = (Place(row.date, row.id) for row in (rows[0], rows[-1]))
    has_newer = more if before is not None else after is not None
    has_older = more if before is None else True
    return Page(rows, first if has_newer else None, last if has_older else None)
