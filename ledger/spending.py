"""Every question about expenses: which ones, how many, and how much."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from database import db
from database.month_totals import has_month_totals, month_total
from database.statements import OWNER_ID, built_once, fetch_all
from database.types import IdText
from ledger.descriptions import with_words
from ledger.periods import Period
from models import Expense, StatementLine, User
from text import search_words

# Columns of the table: with those of the model, SQLAlchemy would use the ORM, which takes much longer.
expense = Expense.__table__.c
# How a list can be ordered: the column that comes first, and whether the largest is on top.
ORDERS: dict[str, tuple[sa.ColumnElement[Any], bool]] = {
    "-date": (expense.date, True),
    "date": (expense.date, False),
    "-amount": (expense.amount, True),
    "amount": (expense.amount, False),
}
# The number of rows on a page of the list, and on the page for printing.
PAGE_SIZE, MAX_PRINTED = 50, 2_000
Query = TypeVar("Query", bound=sa.Select[*tuple[Any, ...]])
# How many recent expenses the suggested descriptions come from, and how many are suggested at most.
RECENT, MAX_SUGGESTIONS = 200, 12


class ExpenseValues(NamedTuple):
    """The columns of an expense that a user fills in; the category is the name of one of their categories."""

    amount: Decimal
    category: str
    description: str
    date: date


VALUES = ExpenseValues._fields


@dataclass(frozen=True)
class ExpenseFilter:
    """Criteria of a list of expenses, and its order; empty criteria match every expense, newest first."""

    categories: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    search: str = ""
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    # A statement whose lines became these expenses.
    import_id: uuid.UUID | None = None
    sort: str = "-date"
    is_invalid: bool = False

    @property
    def is_active(self) -> bool:
        """Whether the filter may leave expenses out."""
        return self != ExpenseFilter(sort=self.sort)


class Cursor(NamedTuple):
    """Start of a page: the date or amount and the id of the expense before it, which may be gone."""

    value: date | Decimal
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.value}_{self.id}"


@dataclass(frozen=True)
class CategoryTotal:
    """Count and sum of the matching expenses in one category."""

    category: str
    count: int
    total: Decimal


@dataclass(frozen=True)
class Summary:
    """Count and sum of the matching expenses, and their breakdown by category, largest first."""

    count: int
    total: Decimal
    breakdown: tuple[CategoryTotal, ...] = ()

    @classmethod
    def of(cls, breakdown: Sequence[CategoryTotal]) -> "Summary":
        """Return the summary with this breakdown."""
        total = sum((entry.total for entry in breakdown), Decimal(0))
        return cls(sum(entry.count for entry in breakdown), total, tuple(breakdown))


@dataclass(frozen=True)
class Page:
    """Some rows in order, and the cursors of the neighbouring pages."""

    rows: list[sa.Row[str, date, str, str, Decimal]]
    before: Cursor | None
    after: Cursor | None


def expenses_query(user: User, filters: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of the user's matching expenses."""
    return _expenses_query(filters).params(owner_id=user.id)


@built_once
def _expenses_query(filters: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of the matching expenses of an owner; every list, sum and export begins here."""
    query = sa.select(expense.id, expense.date, expense.category, expense.description, expense.amount)
    query = query.where(expense.author_id == OWNER_ID)
    if filters.is_invalid:
        query = query.where(sa.false())
    if filters.categories:
        query = query.where(expense.category.in_(filters.categories))
    if filters.period.start_date is not None:
        query = query.where(expense.date >= filters.period.start_date)
    if filters.period.end_date is not None:
        query = query.where(expense.date <= filters.period.end_date)
    if words := search_words(filters.search):
        query = query.where(with_words(words, filters.period))
    # The index of amounts is for sorting only: it does not cover a sum.
    amount = _without_index(expense.amount)
    if filters.min_amount is not None:
        query = query.where(amount >= filters.min_amount)
    if filters.max_amount is not None:
        query = query.where(amount <= filters.max_amount)
    if filters.import_id is not None:
        query = query.where(expense.id.in_(_imported_query(filters.import_id)))
    return query


def _imported_query(statement_id: uuid.UUID) -> sa.Select[uuid.UUID]:
    """Return the Select of the ids that the expenses of a statement got."""
    return sa.select(StatementLine.id).where(
        StatementLine.author_id == OWNER_ID,
        StatementLine.statement_id == statement_id,
        StatementLine.state == "add",
    )


def _without_index(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Wrap `column` so that SQLite does not use its indexes.

    SQLite would prefer an index that saves sorting, even if it has to look up every expense, to the one that finds
    the matching expenses.
    """
    return sa.func.coalesce(column, column)


def ordered(query: Query, order: str, backwards: bool = False, bare: bool = False) -> Query:
    """Return `query` in one of the ORDERS, or `backwards`; equal rows are in the order of creation.

    With `bare`, it is sorted without an index.
    """
    column, descending = ORDERS[order]
    keys: list[Any] = [column, expense.id]
    if bare:
        keys = [_without_index(key) for key in keys]
    return query.order_by(*(key.desc() if descending ^ backwards else key for key in keys))


def ordered_query(user: User, filters: ExpenseFilter) -> sa.Select[uuid.UUID, date, str, str, Decimal]:
    """Return the Select of all matching expenses, in order."""
    return ordered(expenses_query(user, filters), filters.sort, bare=_is_part(filters))


def summarise(user: User, filters: ExpenseFilter) -> Summary:
    """Return count, sum and breakdown of all matching expenses, by one statement; zero when there are none."""
    rows = fetch_all(_summary_query(filters, _kept_months(user)), owner_id=user.id)
    if not rows:
        return Summary(0, Decimal(0))
    return Summary(int(rows[0][3]), rows[0][4], tuple(CategoryTotal(row[0], int(row[1]), row[2]) for row in rows))


@built_once
def _summary_query(
    filters: ExpenseFilter, first_day_of_month: int | None
) -> sa.Select[str, int, Decimal, int, Decimal]:
    """Return the Select of each category with its count and sum, and with those of all categories together."""
    addends = sa.union_all(*_addends(filters, first_day_of_month)).subquery().c
    category = _without_index(addends.category)
    number, total = sa.func.sum(addends.number), sa.func.sum(addends.amount)
    return (
        sa.select(category, number, total, sa.func.sum(number).over(), sa.func.sum(total).over())
        .group_by(category)
        # Several rows of a month can add up to zero.
        .having(number != 0)
        .order_by(total.desc(), category)
    )


def _kept_months(user: User) -> int | None:
    """Return the first day of the months for which the database has totals of the user, or None if it has none."""
    return user.first_day_of_month if has_month_totals(db.engine) else None


def summarise_periods(user: User, periods: Sequence[Period]) -> tuple[list[Summary], date | None]:
    """Return a summary of each of these consecutive periods, and the day of the first expense ever, if any.

    This takes one statement.
    """
    sums = _period_sums_query(user, periods).subquery().c
    first = _expenses_query(ExpenseFilter()).with_only_columns(sa.func.min(expense.date).label("day")).subquery()
    query = (
        sa.select(first.c.day, sums.index, sums.category, sums.number, sums.amount)
        .select_from(first.outerjoin(sums.index.table, sa.true()))
        .order_by(sums.index, sums.amount.desc(), sums.category)
    )
    rows = db.session.execute(query, {"owner_id": user.id}).all()
    breakdowns: list[list[CategoryTotal]] = [[] for _ in periods]
    for _day, index, category, number, amount in rows:
        if index is not None:
            breakdowns[index].append(CategoryTotal(category, int(number), amount))
    return [Summary.of(breakdown) for breakdown in breakdowns], rows[0][0]


def _period_sums_query(user: User, periods: Sequence[Period]) -> sa.Select[int, str, int, Decimal]:
    """Return the Select of the index of each period, and the number and amount of each category in it."""
    whole = Period(periods[0].start_date, periods[-1].end_date)
    first_day = _kept_months(user)
    # Monthly totals cover whole months only.
    if first_day and not all(period == period.by_months(first_day)[0] for period in periods):
        first_day = None
    rows = sa.union_all(*_addends(ExpenseFilter(period=whole), first_day)).subquery().c
    index = sa.case(*((rows.date <= period.end_date, index) for index, period in enumerate(periods)))
    indexed = sa.select(index.label("index"), rows.category, rows.number, rows.amount).subquery().c
    number, amount = sa.func.sum(indexed.number), sa.func.sum(indexed.amount)
    query = sa.select(indexed.index, indexed.category, number.label("number"), amount.label("amount"))
    return query.group_by(indexed.index, indexed.category).having(number != 0)


def count_and_total(user: User, period: Period) -> tuple[int, Decimal]:
    """Return count and sum of all expenses of a period."""
    row = db.session.execute(_count_query(period, _kept_months(user)), {"owner_id": user.id}).one()
    return int(row[0]), row[1]


@built_once
def _count_query(period: Period, first_day_of_month: int | None) -> sa.Select[int, Decimal]:
    """Return the Select of count and sum of an owner's expenses of a period."""
    # With a separate sum and without categories, single expenses are read from the index of dates alone.
    names, addends = ("number", "amount"), _addends(ExpenseFilter(period=period), first_day_of_month)
    sums = [
        query.with_only_columns(*(sa.func.sum(query.selected_columns[name]).label(name) for name in names))
        for query in addends
    ]
    rows = sa.union_all(*sums).subquery().c
    return sa.select(*(sa.func.coalesce(sa.func.sum(rows[name]), 0) for name in names))


def summarise_days(user: User, period: Period) -> dict[date, tuple[int, Decimal]]:
    """Return count and sum of each day of the period that has expenses."""
    query = (
        expenses_query(user, ExpenseFilter(period=period))
        .with_only_columns(expense.date, sa.func.count(), sa.func.sum(expense.amount))
        .group_by(expense.date)
    )
    return {day: (count, total) for day, count, total in db.session.execute(query)}


def _addends(filters: ExpenseFilter, first_day_of_month: int | None) -> list[sa.Select[date, str, int, Decimal]]:
    """Return Selects of date, category, number and amount that add up to the matching expenses of an owner.

    If the database has totals of months, which begin on `first_day_of_month`, these are whole months, and the
    single expenses before and after them.
    """
    is_by_days = filters != ExpenseFilter(filters.categories, filters.period, sort=filters.sort)
    if first_day_of_month is None or is_by_days:
        return [_single_expenses_query(filters)]
    months, edges = filters.period.by_months(first_day_of_month)
    addends = [_single_expenses_query(replace(filters, period=edge)) for edge in edges]
    if months is not None:
        addends.append(_monthly_totals_query(filters.categories, months))
    return addends


def _single_expenses_query(filters: ExpenseFilter) -> sa.Select[date, str, int, Decimal]:
    """Return date, category, number and amount of each of an owner's matching expenses."""
    number = sa.literal_column("1", sa.Integer).label("number")
    return _expenses_query(filters).with_only_columns(expense.date, expense.category, number, expense.amount)


def _monthly_totals_query(categories: tuple[str, ...], months: Period) -> sa.Select[date, str, int, Decimal]:
    """Return first day, category, number and amount of an owner's whole months in these categories, or in all."""
    kept = month_total.c
    month = kept.month.label("date")
    query = sa.select(month, kept.category, kept.number, kept.amount).where(kept.author_id == OWNER_ID)
    if categories:
        query = query.where(kept.category.in_(categories))
    if months.start_date is not None:
        query = query.where(kept.month >= months.start_date)
    if months.end_date is not None:
        query = query.where(kept.month <= months.end_date)
    return query


def read_page(
    user: User,
    filters: ExpenseFilter,
    after: Cursor | None = None,
    before: Cursor | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """Return one page of up to `size` matching expenses, in order; equal rows are in the order of creation.

    `after` and `before` ask for the page after or before a cursor. Pages have cursors instead of numbers, so that
    no row is skipped or repeated when others are added or removed in between.
    """
    column, _descending = ORDERS[filters.sort]
    backwards, cursor = before is not None, before or after
    place = {} if cursor is None else {"cursor_value": cursor.value, "cursor_id": cursor.id}
    rows = list(fetch_all(_page_query(filters, cursor is not None, backwards, size), owner_id=user.id, **place))
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    first, last = (Cursor(getattr(row, str(column.key)), uuid.UUID(row.id)) for row in (rows[0], rows[-1]))
    has_before = more if backwards else after is not None
    has_after = backwards or more
    return Page(rows, first if has_before else None, last if has_after else None)


@built_once
def _page_query(
    filters: ExpenseFilter, has_cursor: bool, backwards: bool, size: int
) -> sa.Select[str, date, str, str, Decimal]:
    """Return the Select of the rows of a page, and of one more, from the first or from a cursor on."""
    column, descending = ORDERS[filters.sort]
    query = _expenses_query(filters).with_only_columns(
        sa.type_coerce(expense.id, IdText).label("id"),
        expense.date,
        expense.category,
        expense.description,
        expense.amount,
    )
    if has_cursor:
        # In a tuple, a parameter would have no type of its own.
        value = sa.bindparam("cursor_value", type_=column.type)
        here = sa.tuple_(column, expense.id)
        there = sa.tuple_(value, sa.bindparam("cursor_id", type_=expense.id.type))
        query = query.where(here < there if descending ^ backwards else here > there)
    is_part = _is_part(filters)
    if is_part:
        # The ids are found first, by an index alone: of most expenses, the rest is not needed.
        found = ordered(query.with_only_columns(expense.id), filters.sort, backwards, bare=True)
        is_found = expense.id.in_(found.limit(size + 1))
        query = sa.select(*query.selected_columns).where(expense.author_id == OWNER_ID, is_found)
    return ordered(query, filters.sort, backwards, bare=is_part).limit(size + 1)


def read_all(user: User, filters: ExpenseFilter) -> list[sa.Row[uuid.UUID, date, str, str, Decimal]]:
    """Return the first MAX_PRINTED of the matching expenses, in their order."""
    return list(db.session.execute(ordered_query(user, filters).limit(MAX_PRINTED)))


def _is_part(filters: ExpenseFilter) -> bool:
    """Tell whether it is quicker to find the matching expenses and sort them than to read all in order.

    In the order of amounts, the few of a category, a period or an import are far apart.
    """
    by_amount = ORDERS[filters.sort][0] is expense.amount
    is_narrow = filters.categories or filters.import_id or filters.period != Period()
    return bool(filters.search or (by_amount and is_narrow))


def suggested_descriptions(user: User, page: Page, is_whole: bool = False) -> list[str]:
    """Return the descriptions on a page, then those that the user has used lately, the latest first, each once.

    Most pages have enough different ones, and the only page of the whole list has all.
    """
    found = _each_once(row.description for row in page.rows)
    if len(found) == MAX_SUGGESTIONS or (is_whole and page.after is None):
        return found
    recent = fetch_all(_descriptions_query(), owner_id=user.id)
    return _each_once([*found, *(row.description for row in recent)])


def _each_once(descriptions: Iterable[str]) -> list[str]:
    """Return the first of these texts, each once."""
    return [text for text in dict.fromkeys(descriptions) if text][:MAX_SUGGESTIONS]


@built_once
def _descriptions_query() -> sa.Select[str]:
    """Return the Select of the descriptions of an owner's last expenses."""
    query = _expenses_query(ExpenseFilter()).with_only_columns(expense.description)
    return ordered(query, "-date").limit(RECENT)
