"""The preview of an import: figures, and the lines by payee, with what the person chose for them."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from database import db
from ledger import operations
from ledger.category_names import current_names
from ledger.import_knowledge import LINE
from ledger.import_lines import ADDED_REASONS
from ledger.journal import row_count
from models import Category, Expense, StatementLine, User

PAYEES_ON_PAGE, LINES_OF_PAYEE, LINES_ON_PAGE = 25, 20, 100
# The lists of the preview: to add, to check, already here, left out, no bookings, and unreadable.
SECTIONS = ("add", "check", "here", "left", "none", "bad")
_IS_ADDED = LINE.reason.in_(ADDED_REASONS)
SECTION: sa.Case[Any] = sa.case(
    (LINE.state == "bad", "bad"),
    (LINE.state.in_(("pending", "left_out")), "none"),
    (LINE.duplicate.in_(("reworded", "typed")), "check"),
    (LINE.duplicate.in_(("same", "same_id", "deleted")), "here"),
    (sa.and_(LINE.duplicate == "seen", _IS_ADDED), "here"),
    (sa.or_(_IS_ADDED, LINE.reason == "payee_left_out"), "add"),
    else_="left",
)


class Figure(NamedTuple):
    """Number and sum of some lines; money that came in is above zero."""

    number: int = 0
    total: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a draft: what would be added, and how many lines are in each section, by their reason."""

    spending: Figure = field(default_factory=Figure)
    refunds: Figure = field(default_factory=Figure)
    sections: dict[str, int] = field(default_factory=dict)
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    # Payees to add without a category.
    uncategorised: int = 0
    money_in: int = 0

    @property
    def left_reasons(self) -> list[str]:
        """The reasons of the lines that are left out, the most frequent first."""
        counts = {reason: count for (section, reason), count in self.reasons.items() if section == "left"}
        return sorted(counts, key=lambda reason: -counts[reason])

    @property
    def to_add(self) -> int:
        """The number of expenses and refunds that would be added."""
        return self.spending.number + self.refunds.number


class ShownLine(NamedTuple):
    """A line, and the expense that it is compared with, if there is one."""

    id: uuid.UUID
    number: int
    day: date | None
    amount: Decimal | None
    currency: str
    text: str
    state: str
    reason: str
    duplicate: str
    expense_id: uuid.UUID | None
    expense: tuple[date, str, Decimal] | None = None

    @property
    def is_added(self) -> bool:
        """Whether it will be added."""
        return self.state == "add"

    @property
    def can_be_added(self) -> bool:
        """Whether the person can decide: amounts in another currency cannot be added."""
        return self.state in StatementLine.BOOKED and self.reason != "currency"


@dataclass(frozen=True, slots=True)
class ShownPayee:
    """The lines of a payee in one section, of which some are shown.

    `category` is empty if it has none or several.
    """

    section: str
    key: str
    name: str
    number: int
    count: int
    total: Decimal
    to_add: int
    category: str
    has_several: bool
    lines: tuple[ShownLine, ...] = ()


@dataclass(frozen=True, slots=True)
class PayeePage:
    """Some payees of a section, the largest sums first, and how many pages there are."""

    payees: tuple[ShownPayee, ...]
    page: int
    pages: int


def figures(user: User, statement_id: uuid.UUID) -> Figures:
    """Return the figures of a draft, by two statements."""
    is_in = LINE.amount > 0
    columns = (SECTION.label("section"), LINE.state, LINE.reason, LINE.duplicate, is_in.label("is_in"))
    query = sa.select(*columns, sa.func.count(), sa.func.coalesce(sa.func.sum(LINE.amount), 0))
    rows = db.session.execute(query.where(*_of(user, statement_id)).group_by(*columns)).all()
    sections: dict[str, int] = defaultdict(int)
    reasons: dict[tuple[str, str], int] = defaultdict(int)
    spending, refunds, money_in = Figure(), Figure(), 0
    for section, state, reason, duplicate, came_in, count, total in rows:
        sections[section] += count
        reasons[section, reason if section == "left" else duplicate or reason] += count
        if state == "add" and came_in:
            refunds = Figure(refunds.number + count, refunds.total + total)
        elif state == "add":
            spending = Figure(spending.number + count, spending.total + total)
        money_in += count if came_in and state in StatementLine.BOOKED and reason == "money_in" else 0
    payees = sa.select(sa.func.count(LINE.payee_key.distinct()))
    missing = payees.where(*_of(user, statement_id), LINE.state == "add", LINE.category == "")
    return Figures(spending, refunds, sections, reasons, db.session.scalar(missing) or 0, money_in)


def _of(user: User, statement_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return LINE.author_id == user.id, LINE.statement_id == statement_id


def _is_in(section: str) -> sa.ColumnElement[bool]:
    return SECTION.in_([section])


def payees(user: User, statement_id: uuid.UUID, section: str, page: int, renamed: Mapping[str, str]) -> PayeePage:
    """Return a page of the payees of a section with their first lines, by three statements.

    `renamed` are the categories of lines that have other names now.
    """
    of_section = (*_of(user, statement_id), _is_in(section))
    query = _payees_query(of_section, renamed).add_columns(sa.func.count().over())
    query = query.order_by(sa.func.abs(sa.func.sum(LINE.amount)).desc(), LINE.payee_key)
    rows = db.session.execute(query.limit(PAYEES_ON_PAGE).offset((page - 1) * PAYEES_ON_PAGE)).all()
    shown = [_payee(section, row) for row in rows]
    lines = _first_lines(user, of_section, [payee.key for payee in shown])
    pages = -(-rows[0][-1] // PAYEES_ON_PAGE) if rows else 1
    return PayeePage(tuple(replace(payee, lines=tuple(lines[payee.key])) for payee in shown), page, pages)


def _payees_query(conditions: Sequence[sa.ColumnElement[bool]], renamed: Mapping[str, str]) -> sa.Select[Any]:
    category = sa.case(dict(renamed), value=LINE.category, else_=LINE.category) if renamed else LINE.category
    columns = (
        LINE.payee_key,
        sa.func.min(LINE.payee),
        sa.func.min(LINE.line_number),
        sa.func.count(),
        sa.func.sum(LINE.amount),
        sa.func.sum(sa.case((LINE.state == "add", 1), else_=0)),
        sa.func.min(category),
        sa.func.max(category),
    )
    return sa.select(*columns).where(*conditions).group_by(LINE.payee_key)


def _payee(section: str, row: sa.Row[Any]) -> ShownPayee:
    values = tuple(row)
    key, name, number, count, total, to_add, first, last = values[:8]
    return ShownPayee(
        section,
        key,
        name,
        number,
        count,
        total,
        int(to_add),
        category=first if first == last else "",
        has_several=first != last,
    )


def _first_lines(
    user: User, conditions: Sequence[sa.ColumnElement[bool]], keys: Collection[str]
) -> dict[str, list[ShownLine]]:
    if not keys:
        return {}
    # The index of the payees ends with the ids, which are in the order of the days: so no others are read.
    query = _lines_query().add_columns(LINE.payee_key).where(*conditions).order_by(LINE.id.desc())
    parts = (query.where(LINE.payee_key == key).limit(LINES_OF_PAYEE).subquery() for key in keys)
    found: dict[str, list[ShownLine]] = defaultdict(list)
    for row in db.session.execute(sa.union_all(*map(sa.select, parts))):
        found[row.payee_key].append(ShownLine(*row[:10]))
    return _with_expenses(user, found)


def _lines_query() -> sa.Select[Any]:
    return sa.select(
        *(LINE.id, LINE.line_number, LINE.date, LINE.amount, LINE.currency, LINE.text),
        *(LINE.state, LINE.reason, LINE.duplicate, LINE.expense_id),
    )


def _with_expenses(user: User, lines: dict[str, list[ShownLine]]) -> dict[str, list[ShownLine]]:
    """Add the expenses that doubtful lines are compared with."""
    ids = {line.expense_id for some in lines.values() for line in some if line.duplicate in {"typed", "reworded"}}
    if not ids:
        return lines
    query = sa.select(Expense.id, Expense.date, Expense.description, Expense.category, Expense.amount)
    rows = db.session.execute(query.where(Expense.author_id == user.id, Expense.id.in_(ids)))
    expenses = {row.id: (row.date, row.description or row.category, row.amount) for row in rows}
    return {
        key: [line._replace(expense=expenses.get(line.expense_id)) if line.expense_id else line for line in some]
        for key, some in lines.items()
    }


def payee_lines(
    user: User, statement_id: uuid.UUID, section: str, number: int, page: int, renamed: Mapping[str, str]
) -> tuple[ShownPayee, int] | None:
    """Return a payee with a page of its lines, and how many pages there are, or None for no such payee."""
    of_statement = _of(user, statement_id)
    key = db.session.scalar(sa.select(LINE.payee_key).where(*of_statement, LINE.line_number == number).limit(1))
    of_payee = (*of_statement, LINE.payee_key == key, _is_in(section))
    row = db.session.execute(_payees_query(of_payee, renamed)).first() if key is not None else None
    if row is None:
        return None
    payee = _payee(section, row)
    query = _lines_query().where(*of_payee).order_by(LINE.id.desc())
    rows = db.session.execute(query.limit(LINES_ON_PAGE).offset((page - 1) * LINES_ON_PAGE))
    lines = _with_expenses(user, {payee.key: [ShownLine(*row) for row in rows]})[payee.key]
    return replace(payee, lines=tuple(lines)), -(-payee.count // LINES_ON_PAGE)


def plain_lines(user: User, statement_id: uuid.UUID, section: str, page: int, limit: int) -> list[ShownLine]:
    """Return a page of the lines of a section in the order of the file."""
    query = _lines_query().where(*_of(user, statement_id), _is_in(section)).order_by(LINE.line_number, LINE.id)
    return [ShownLine(*row) for row in db.session.execute(query.limit(limit).offset((page - 1) * limit))]


class CategoryNames(NamedTuple):
    """Names of the categories that are offered, that the file would add, and that its lines have.

    `renamed` are those that have another name since the file was read, also because they were merged.
    """

    offered: list[str]
    new: list[str]
    used: list[str]
    renamed: Mapping[str, str]


def category_names(user: User, statement_id: uuid.UUID) -> CategoryNames:
    """Return the names of categories that the preview needs, by five statements at the most."""
    query = sa.select(Category.name, Category.archived).where(Category.author_id == user.id)
    own = db.session.execute(query.order_by(Category.position, Category.id)).all()
    names = [row.name for row in own]
    used = sa.select(LINE.category).where(*_of(user, statement_id), LINE.category != "").distinct()
    renamed = current_names(user, [statement_id])[statement_id]
    found = sorted({renamed.get(name, name) for name in db.session.scalars(used)})
    offered = [row.name for row in own if not row.archived] or names
    return CategoryNames(offered, [name for name in found if name not in names], found, renamed)


# --- Choices


class PayeeChoice(NamedTuple):
    """The choices for a payee: its lines on the page and which are ticked, its own box, and its category.

    A box of the payee that was changed goes for all of its lines in the section, shown or not.
    """

    section: str
    was_ticked: bool
    is_ticked: bool
    numbers: frozenset[int]
    ticked: frozenset[int]
    category: str


def save_choices(user: User, statement_id: uuid.UUID, choices: Sequence[PayeeChoice], money_in: str) -> None:
    """Save what the person chose in the preview; the caller commits.

    Raises OperationRunningError: it may be the one that adds these lines.
    """
    operations.lock_account(user)
    numbers = {number for choice in choices for number in choice.numbers}
    query = sa.select(LINE.line_number, LINE.payee_key).where(
        *_of(user, statement_id), LINE.line_number.in_(numbers), LINE.state.in_(StatementLine.BOOKED)
    )
    keys = {row.line_number: row.payee_key for row in db.session.execute(query)}
    for choice in choices:
        key = next((keys[number] for number in choice.numbers if number in keys), None)
        if key is not None:
            _save_choice(user, statement_id, key, choice)
    if money_in:
        came_in = sa.and_(LINE.amount > 0, LINE.reason == "money_in", LINE.duplicate == "")
        _set_state(user, statement_id, money_in, came_in)


def _save_choice(user: User, statement_id: uuid.UUID, key: str, choice: PayeeChoice) -> None:
    of_payee = sa.and_(LINE.payee_key == key, _is_in(choice.section))
    if choice.category:
        categorised = sa.update(StatementLine).where(*_of(user, statement_id), LINE.payee_key == key)
        row_count(categorised.where(LINE.category != choice.category).values(category=choice.category))
    if choice.is_ticked and not choice.was_ticked:
        _set_state(user, statement_id, "add", of_payee)
    elif choice.was_ticked and not choice.is_ticked:
        _set_state(user, statement_id, "skip", of_payee)
        left_out = sa.update(StatementLine).where(*_of(user, statement_id), of_payee, LINE.reason == "")
        row_count(left_out.where(LINE.state == "skip").values(reason="payee_left_out"))
    else:
        for state, some in (("add", choice.ticked), ("skip", choice.numbers - choice.ticked)):
            if some:
                _set_state(user, statement_id, state, LINE.payee_key == key, LINE.line_number.in_(some))


def _set_state(user: User, statement_id: uuid.UUID, state: str, *conditions: sa.ColumnElement[bool]) -> None:
    """Add lines, or leave them out, unless they are in another currency."""
    before = "skip" if state == "add" else "add"
    can_be_changed = sa.and_(LINE.state == before, LINE.reason != "currency")
    row_count(
        sa.update(StatementLine).where(*_of(user, statement_id), can_be_changed, *conditions).values(state=state)
    )
