"""Every question about expenses: which ones, how many, how much, and what is usual."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from database import db
from ledger.periods import Period
from models import DeletedExpense, Expense, User, description_key, month_total

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
# How a list can be ordered: the column that comes first, and whether the largest is on top.
ORDERS: dict[str, tuple[InstrumentedAttribute[Any], bool]] = {
    "-date": (Expense.date, True),
    "date": (Expense.date, False),
    "-amount": (Expense.amount, True),
    "amount": (Expense.amount, False),
}
# The columns that a person fills in.
VALUES = ("amount", "category", "description", "date")
PAGE_SIZE = 50
Query = TypeVar("Query", bound=sa.Select[*tuple[Any, ...]])
# Of how many recent expenses the descriptions are proposed, and how many at the most.
RECENT, MAX_SUGGESTIONS = 200, 12


@dataclass(frozen=True)
class ExpenseFilter:
    """Which expenses are wanted, and in which order; an empty one wants them all, newest first."""

    categories: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    text: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    order: str = "-date"
    nothing: bool = False

    def narrows(self) -> bool:
        """Tell whether some expenses may be left out."""
        return self != ExpenseFilter(order=self.order)


class Place(NamedTuple):
    """Where a page begins: next to the expense of this day or amount and this id, which may be gone."""

    value: date | Decimal
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.value}_{self.id}"


class Part(NamedTuple):
    """How many of the wanted expenses are of one category, and their sum."""

    category: str
    number: int
    total: Decimal


@dataclass(frozen=True)
class Summary:
    """How many expenses there are, their sum, and the parts by category, largest first, that add up to both."""

    number: int
    total: Decimal
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE rows in the wanted order, and the places where the neighbouring pages begin."""

    rows: list[sa.Row[uuid.UUID, date, str, str, Decimal]]
    before: Place | None
    after: Place | None


def expenses_query(user: User, wanted: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of the user's expenses that are wanted; every list, sum and export begins here."""
    query = sa.select(Expense.id, Expense.date, Expense.category, Expense.description, Expense.amount)
    query = query.where(Expense.author_id == user.id)
    if wanted.nothing:
        query = query.where(sa.false())
    if wanted.categories:
        query = query.where(Expense.category.in_(wanted.categories))
    if wanted.period.first_day is not None:
        query = query.where(Expense.date >= wanted.period.first_day)
    if wanted.period.last_day is not None:
        query = query.where(Expense.date <= wanted.period.last_day)
    if wanted.text:
        query = query.where(Expense.description_key.contains(description_key(wanted.text), autoescape=True))
    if wanted.least is not None:
        query = query.where(Expense.amount >= wanted.least)
    if wanted.most is not None:
        query = query.where(Expense.amount <= wanted.most)
    return query


def _without_index(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the values of `column` without its indexes.

    SQLite takes an index that spares it the sorting, even when it has to look up every expense for it, before
    the one by which it would find the wanted ones.
    """
    return sa.func.coalesce(column, column)


def ordered(query: Query, order: str, backwards: bool = False, bare: bool = False) -> Query:
    """Return `query` in one of the ORDERS, or `backwards`; what is equal is in order of creation.

    A `bare` order is made without an index.
    """
    column, descending = ORDERS[order]
    keys: list[Any] = [column, Expense.id]
    if bare:
        keys = [_without_index(key) for key in keys]
    return query.order_by(*(key.desc() if descending ^ backwards else key for key in keys))


def ordered_query(user: User, wanted: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of all the wanted expenses, in their order."""
    return ordered(expenses_query(user, wanted), wanted.order)


def summarise(user: User, wanted: ExpenseFilter) -> Summary:
    """Return number, sum and parts of all the wanted expenses, by one statement; zero when there are none."""
    addends = _total_rows(user, wanted).c
    category, number, total = (
        _without_index(addends.category),
        sa.func.sum(addends.number),
        sa.func.sum(addends.amount),
    )
    query = (
        sa.select(category, number, total, sa.func.sum(number).over(), sa.func.sum(total).over())
        .group_by(category)
        .order_by(total.desc(), category)
    )
    rows = db.session.execute(query).all()
    if not rows:
        return Summary(0, Decimal(0))
    return Summary(int(rows[0][3]), rows[0][4], tuple(Part(row[0], int(row[1]), row[2]) for row in rows))


def summarise_each(user: User, periods: Sequence[Period]) -> list[Summary]:
    """Return a summary of each of these periods, of which one begins the day after the other, by one statement."""
    whole = Period(periods[0].first_day, periods[-1].last_day)
    # Only whole calendar months are kept.
    by_months = all(period == period.by_months()[0] for period in periods)
    addends = _total_rows(user, ExpenseFilter(period=whole), by_months).c
    ends = [addends.date <= period.last_day for period in periods]
    place = sa.case(*((is_before, place) for place, is_before in enumerate(ends)))
    placed = sa.select(place.label("place"), addends.category, addends.number, addends.amount).subquery().c
    number, total = sa.func.sum(placed.number), sa.func.sum(placed.amount)
    query = (
        sa.select(placed.place, placed.category, number, total)
        .group_by(placed.place, placed.category)
        .order_by(placed.place, total.desc(), placed.category)
    )
    parts: list[list[Part]] = [[] for _ in periods]
    for row in db.session.execute(query):
        parts[row[0]].append(Part(row[1], int(row[2]), row[3]))
    return [
        Summary(sum(part.number for part in each), sum((part.total for part in each), Decimal(0)), tuple(each))
        for each in parts
    ]


def summarise_days(user: User, period: Period) -> dict[date, tuple[int, Decimal]]:
    """Return number and sum of each day of the period that has expenses."""
    query = (
        expenses_query(user, ExpenseFilter(period=period))
        .with_only_columns(Expense.date, sa.func.count(), sa.func.sum(Expense.amount))
        .group_by(Expense.date)
    )
    return {day: (number, total) for day, number, total in db.session.execute(query)}


def first_day(user: User) -> date | None:
    """Return the day of the user's first expense, if there is one."""
    return db.session.scalar(expenses_query(user, ExpenseFilter()).with_only_columns(sa.func.min(Expense.date)))


def _total_rows(user: User, wanted: ExpenseFilter, by_months: bool = True) -> sa.Subquery:
    """Return rows of date, category, number and amount that add up to the wanted expenses.

    Where months are kept, and may be used, these are whole months and the single expenses before and after them.
    """

    def single(wanted: ExpenseFilter) -> sa.Select[date, str, int, Decimal]:
        number = sa.literal_column("1", sa.Integer).label("number")
        return expenses_query(user, wanted).with_only_columns(
            Expense.date, Expense.category, number, Expense.amount
        )

    by_months &= wanted == ExpenseFilter(wanted.categories, wanted.period, order=wanted.order)
    if not by_months or db.session.get_bind().dialect.name != "sqlite":
        return single(wanted).subquery()
    months, edges = wanted.period.by_months()
    addends = [single(replace(wanted, period=edge)) for edge in edges]
    if months is not None:
        addends.append(_monthly_totals(user, wanted.categories, months))
    return sa.union_all(*addends).subquery()


def _monthly_totals(user: User, categories: tuple[str, ...], months: Period) -> sa.Select[date, str, int, Decimal]:
    """Return first day, category, number and amount of the user's whole months in these categories, or in all."""
    kept = month_total.c
    month = kept.month.label("date")
    query = sa.select(month, kept.category, kept.number, kept.amount).where(kept.author_id == user.id)
    if categories:
        query = query.where(kept.category.in_(categories))
    if months.first_day is not None:
        query = query.where(kept.month >= months.first_day)
    if months.last_day is not None:
        query = query.where(kept.month <= months.last_day)
    return query


def read_page(user: User, wanted: ExpenseFilter, after: Place | None = None, before: Place | None = None) -> Page:
    """Return one page of the wanted expenses, in their order and by creation among equals.

    `after` asks for what follows a place, `before` for what precedes it. Pages are found by place, not by
    number, so that none skips or repeats a row when others are added or removed in between.
    """
    column, descending = ORDERS[wanted.order]
    query = expenses_query(user, wanted)
    backwards, place = before is not None, before or after
    if place is not None:
        here, there = sa.tuple_(column, Expense.id), sa.tuple_(*_bound(column, place))
        query = query.where(here < there if descending ^ backwards else here > there)
    if wanted.text:
        # By the index of descriptions, which covers the search, first which ones they are.
        found = ordered(query.with_only_columns(Expense.id), wanted.order, backwards, bare=True)
        query = query.where(Expense.id.in_(found.limit(PAGE_SIZE + 1)))
    query = ordered(query, wanted.order, backwards, bare=bool(wanted.text))
    rows = list(db.session.execute(query.limit(PAGE_SIZE + 1)))
    more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    first, last = (Place(getattr(row, column.key), row.id) for row in (rows[0], rows[-1]))
    has_before = more if backwards else after is not None
    has_after = backwards or more
    return Page(rows, first if has_before else None, last if has_after else None)


def _bound(column: InstrumentedAttribute[Any], place: Place) -> tuple[sa.BindParameter[Any], ...]:
    """Return the values of `place` as the database stores them: in a tuple they would have no type."""
    return sa.bindparam(None, place.value, column.type), sa.bindparam(None, place.id, Expense.id.type)


def add_once(expense: Expense) -> bool:
    """Add `expense` under the id it carries, and tell whether it is there now; the caller commits.

    When the same form arrives twice, even at the same moment, the primary key lets one in, and both are
    told yes. The answer is no when the id belongs to an expense with other values, or to a deleted one.
    """
    values = {name: getattr(expense, name) for name in VALUES}
    key = (expense.author_id, expense.id)
    db.session.add(expense)
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        stored = db.session.get(Expense, key)
        if stored is None and db.session.get(DeletedExpense, key) is None:
            raise
        return stored is not None and values == {name: getattr(stored, name) for name in VALUES}
    # Asked after the insert, which waits for a deletion of this very expense that is under way.
    if db.session.get(DeletedExpense, key) is not None:
        db.session.rollback()
        return False
    return True


def suggest_category(user: User, description: str) -> str | None:
    """Return the category that the user last gave to this description, or None."""
    key = description_key(description)
    query = (
        sa.select(Expense.category)
        .where(Expense.author_id == user.id, Expense.description_key == key)
        .order_by(Expense.date.desc(), Expense.id.desc())
        .limit(1)
    )
    return db.session.scalar(query) if key else None


def recent_descriptions(user: User) -> list[str]:
    """Return the descriptions that the user has used lately, the latest first, each once."""
    query = expenses_query(user, ExpenseFilter()).with_only_columns(Expense.description)
    used = db.session.scalars(ordered(query, "-date").limit(RECENT))
    return [text for text in dict.fromkeys(used) if text][:MAX_SUGGESTIONS]
