"""The preview of an import: figures, and the lines by payee, with the user's choices for them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from database.statements import OWNER_ID, built_once
from ledger import operations
from ledger.category_names import current_names
from ledger.import_knowledge import EXPENSE, LINE
from ledger.import_summary import (
    COLUMNS,
    PLAIN_SECTIONS,
    ROWS_ON_PAGE,
    SECTION,
    DraftSummary,
    ShownLine,
    summarise_lines,
)
from ledger.journal import row_count
from models import Category, Statement, StatementLine, User

CATEGORY = Category.__table__.c
LINES_ON_PAGE = 100


class PlainLine(NamedTuple):
    """A line that is not a booking, or that cannot be read."""

    number: int
    text: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownPayee:
    """The lines of a payee in one section, of which some are shown.

    `category` is empty if it has none or several, and so is `currency`: then the total has no meaning.
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
    currency: str
    lines: tuple[ShownLine, ...] = ()


def summary_of(user: User, statement_id: uuid.UUID) -> DraftSummary:
    """Return the summary of a draft, the stored one unless something has changed it."""
    statement = db.session.get(Statement, (user.id, statement_id))
    text = statement.preview if statement is not None else None
    stored = DraftSummary.from_text(text) if text else None
    return stored or _summarise(user, statement_id)


def _summarise(user: User, statement_id: uuid.UUID) -> DraftSummary:
    query = sa.select(*(LINE[name] for name in COLUMNS)).where(*_of(user, statement_id)).order_by(LINE.id.desc())
    return summarise_lines(db.session.execute(query).all())


def store_summary(user: User, statement_id: uuid.UUID) -> None:
    """Store the summary of a draft if something has changed it since; the caller commits."""
    draft = Statement.author_id == user.id, Statement.id == statement_id
    if db.session.scalar(sa.select(Statement.id).where(*draft, Statement.preview.is_(None))):
        row_count(sa.update(Statement).where(*draft).values(preview=_summarise(user, statement_id).to_text()))


def forget_summary(user: User, statement_id: uuid.UUID) -> None:
    """Let the summary of a draft be made again, because its lines have changed; the caller commits."""
    row_count(
        sa.update(Statement)
        .where(Statement.author_id == user.id, Statement.id == statement_id)
        .values(preview=None)
    )


def _of(user: User, statement_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return LINE.author_id == user.id, LINE.statement_id == statement_id


def _is_in(section: str) -> sa.ColumnElement[bool]:
    return SECTION.in_([section])


def payees(
    user: User, summary: DraftSummary, section: str, page: int, renamed: Mapping[str, str]
) -> list[ShownPayee]:
    """Return a page of the payees of a section with their first lines, in at most one statement.

    `renamed` are the new names of categories that were renamed since, by the names in the lines.
    """
    found = summary.payees(section, page)
    expenses = _compared_expenses(user, [line for payee in found for line in payee.lines])
    shown = []
    for payee in found:
        names = {renamed.get(name, name) for name in payee.categories}
        shown.append(
            ShownPayee(
                *(section, payee.key, payee.name, payee.number, payee.count, payee.total, payee.to_add),
                category=names.pop() if len(names) == 1 else "",
                has_several=len(names) > 1,
                currency=payee.currencies[0] if len(payee.currencies) == 1 else "",
                lines=_with_expenses(payee.lines, expenses),
            )
        )
    return shown


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
        sa.func.min(LINE.currency),
        sa.func.max(LINE.currency),
    )
    return sa.select(*columns).where(*conditions).group_by(LINE.payee_key)


def _payee(section: str, row: sa.Row[Any]) -> ShownPayee:
    key, name, number, count, total, to_add, category, last_category, currency, last_currency = tuple(row)
    return ShownPayee(
        *(section, key, name, number, count, total, int(to_add)),
        category=category if category == last_category else "",
        has_several=category != last_category,
        currency=currency if currency == last_currency else "",
    )


def _lines_query() -> sa.Select[Any]:
    return sa.select(
        *(LINE.line_number, LINE.date, LINE.amount, LINE.currency, LINE.text),
        *(LINE.state, LINE.reason, LINE.duplicate, LINE.expense_id),
    )


def _compared_expenses(user: User, lines: Sequence[ShownLine]) -> dict[uuid.UUID, tuple[date, str, Decimal]]:
    """Return the expenses that doubtful lines are compared with, by their ids."""
    ids = {line.expense_id for line in lines if line.duplicate in {"typed", "reworded"}}
    if not ids:
        return {}
    rows = db.session.execute(_expenses_query(), {"owner_id": user.id, "ids": ids})
    return {row.id: (row.date, row.description or row.category, row.amount) for row in rows}


@built_once
def _expenses_query() -> sa.Select[Any]:
    query = sa.select(EXPENSE.id, EXPENSE.date, EXPENSE.description, EXPENSE.category, EXPENSE.amount)
    return query.where(EXPENSE.author_id == OWNER_ID, EXPENSE.id.in_(sa.bindparam("ids", expanding=True)))


def _with_expenses(
    lines: Sequence[ShownLine], expenses: Mapping[uuid.UUID, tuple[date, str, Decimal]]
) -> tuple[ShownLine, ...]:
    if not expenses:
        return tuple(lines)
    return tuple(
        line._replace(expense=expenses.get(line.expense_id)) if line.expense_id else line for line in lines
    )


def payee_lines(
    user: User, statement_id: uuid.UUID, section: str, number: int, page: int, renamed: Mapping[str, str]
) -> tuple[ShownPayee, int] | None:
    """Return a payee with a page of its lines, and how many pages there are, or None for no such payee."""
    of_statement = _of(user, statement_id)
    key = db.session.scalar(sa.select(LINE.payee_key).where(*of_statement, LINE.line_number == number).limit(1))
    of_payee = (*of_statement, LINE.payee_key == key, _is_in(section))
    has_payees = key is not None and section not in PLAIN_SECTIONS
    row = db.session.execute(_payees_query(of_payee, renamed)).first() if has_payees else None
    if row is None:
        return None
    payee = _payee(section, row)
    # By day and number, not by id: SQLite would go through the lines of all statements in the order of their ids.
    query = _lines_query().where(*of_payee).order_by(LINE.date.desc(), LINE.line_number)
    rows = db.session.execute(query.limit(LINES_ON_PAGE).offset((page - 1) * LINES_ON_PAGE))
    lines = [ShownLine(*row) for row in rows]
    shown = _with_expenses(lines, _compared_expenses(user, lines))
    return replace(payee, lines=shown), -(-payee.count // LINES_ON_PAGE)


def plain_lines(user: User, statement_id: uuid.UUID, section: str, page: int) -> list[PlainLine]:
    """Return a page of the lines of a section in the order of the file."""
    columns = (LINE.line_number, LINE.text, LINE.state, LINE.reason)
    query = sa.select(*columns).where(*_of(user, statement_id), _is_in(section))
    query = query.order_by(LINE.line_number, LINE.id)
    rows = db.session.execute(query.limit(ROWS_ON_PAGE).offset((page - 1) * ROWS_ON_PAGE))
    return [PlainLine(*row) for row in rows]


class CategoryNames(NamedTuple):
    """Names of the categories that are offered, that the file would add, and that its lines have.

    `renamed` are those that have another name since the file was read, even because they were merged.
    """

    offered: list[str]
    new: list[str]
    used: list[str]
    renamed: Mapping[str, str]


def category_names(user: User, statement_id: uuid.UUID, summary: DraftSummary) -> CategoryNames:
    """Return the names of categories that the preview needs, in at most four statements."""
    own = db.session.execute(_categories_query(), {"owner_id": user.id}).all()
    names = [row.name for row in own]
    renamed = renamed_since(user, statement_id)
    found = sorted({renamed.get(name, name) for name in summary.categories})
    offered = [row.name for row in own if not row.archived] or names
    return CategoryNames(offered, [name for name in found if name not in names], found, renamed)


@built_once
def _categories_query() -> sa.Select[str, bool]:
    query = sa.select(CATEGORY.name, CATEGORY.archived).where(CATEGORY.author_id == OWNER_ID)
    return query.order_by(CATEGORY.position, CATEGORY.id)


def renamed_since(user: User, statement_id: uuid.UUID) -> dict[str, str]:
    """Return the new names of the categories that were renamed since a statement was read, by their old ones."""
    statement = db.session.get(Statement, (user.id, statement_id))
    since = (statement and statement.names_since) or statement_id
    return current_names(user, [since])[since]


# --- Choices


class PayeeChoice(NamedTuple):
    """The choices for a payee: its lines on the page and which are ticked, its own box, and its category.

    If the payee's own box was changed, it applies to all of its lines in the section, shown or not.
    """

    section: str
    was_ticked: bool
    is_ticked: bool
    numbers: frozenset[int]
    ticked: frozenset[int]
    category: str


def save_choices(user: User, statement_id: uuid.UUID, choices: Sequence[PayeeChoice], money_in: str) -> None:
    """Save the user's choices in the preview; the caller has locked the categories, and commits.

    Raises OperationRunningError: the operation may be the one that adds these lines.
    """
    operations.lock_account(user)
    _rename(user, statement_id)
    numbers = {number for choice in choices for number in choice.numbers}
    query = sa.select(LINE.line_number, LINE.payee_key).where(
        *_of(user, statement_id), LINE.line_number.in_(numbers), LINE.state.in_(StatementLine.BOOKED)
    )
    keys = {row.line_number: row.payee_key for row in db.session.execute(query)} if numbers else {}
    changed = 0
    for choice in choices:
        key = next((keys[number] for number in choice.numbers if number in keys), None)
        if key is not None:
            changed += _save_choice(user, statement_id, key, choice)
    if money_in:
        came_in = sa.and_(LINE.amount > 0, LINE.reason == "money_in", LINE.duplicate == "")
        changed += _set_state(user, statement_id, money_in, came_in)
    if changed:
        forget_summary(user, statement_id)


def _rename(user: User, statement_id: uuid.UUID) -> None:
    """Give the lines the current names of their categories: a chosen name may have been another one's before."""
    renamed = renamed_since(user, statement_id)
    if renamed:
        named = sa.update(StatementLine).where(*_of(user, statement_id), LINE.category.in_(list(renamed)))
        row_count(named.values(category=sa.case(renamed, value=LINE.category)))
        draft = sa.update(Statement).where(Statement.author_id == user.id, Statement.id == statement_id)
        row_count(draft.values(names_since=uuid7(), preview=None))


def _save_choice(user: User, statement_id: uuid.UUID, key: str, choice: PayeeChoice) -> int:
    """Save the choices for a payee, and return how many lines this has changed."""
    changed = 0
    of_payee = sa.and_(LINE.payee_key == key, _is_in(choice.section))
    if choice.category:
        categorised = sa.update(StatementLine).where(*_of(user, statement_id), LINE.payee_key == key)
        changed += row_count(categorised.where(LINE.category != choice.category).values(category=choice.category))
    if choice.is_ticked and not choice.was_ticked:
        changed += _set_state(user, statement_id, "add", of_payee)
    elif choice.was_ticked and not choice.is_ticked:
        changed += _set_state(user, statement_id, "skip", of_payee)
        left_out = sa.update(StatementLine).where(*_of(user, statement_id), of_payee, LINE.reason == "")
        changed += row_count(left_out.where(LINE.state == "skip").values(reason="payee_left_out"))
    else:
        for state, some in (("add", choice.ticked), ("skip", choice.numbers - choice.ticked)):
            if some:
                on_page = LINE.payee_key == key, LINE.line_number.in_(some)
                changed += _set_state(user, statement_id, state, *on_page)
    return changed


def _set_state(user: User, statement_id: uuid.UUID, state: str, *conditions: sa.ColumnElement[bool]) -> int:
    """Add lines, or leave them out, unless they are in another currency; return how many have changed."""
    before = "skip" if state == "add" else "add"
    can_be_changed = sa.and_(LINE.state == before, LINE.reason != "currency")
    return row_count(
        sa.update(StatementLine).where(*_of(user, statement_id), can_be_changed, *conditions).values(state=state)
    )
