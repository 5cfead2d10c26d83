"""Everything that a new statement is compared with: known lines, typed expenses, payees and their categories."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import sqlalchemy as sa

from database import db
from database.engine import connect_to_read
from ledger.import_matching import ALIASES, TYPED_DAYS, KnownLine, Line, TypedExpense
from models import Expense, Operation, Statement, StatementLine, User

LINES = cast("sa.Table", StatementLine.__table__)
LINE = LINES.c
STATEMENT = Statement.__table__.c
EXPENSE = Expense.__table__.c
OPERATION = Operation.__table__.c
# How many keys one statement looks up.
KEYS_AT_ONCE = 500
MAX_CHUNKS = 10


@contextmanager
def reading() -> Iterator[sa.Connection]:
    """Yield a connection that only reads, so that others can write meanwhile."""
    with connect_to_read(db.engine) as connection:
        yield connection


# --- Lines that are known


def known_lines(connection: sa.Connection, user_id: int, lines: Sequence[Line]) -> list[KnownLine]:
    """Return the known lines of the accounts and days of these `lines`."""
    if not lines:
        return []
    sources = {line.source for line in lines}
    first, last = min(line.date for line in lines), max(line.date for line in lines)
    query = _known_query(user_id).where(LINE.date.between(first, last))
    if len(sources) <= KEYS_AT_ONCE:
        query = query.where(LINE.source.in_(sources))
    return _known(connection.execute(query.order_by(LINE.id)).all())


def _known_query(user_id: int) -> sa.Select[Any]:
    has_expense = sa.exists().where(EXPENSE.author_id == user_id, EXPENSE.id == LINE.id).label("has_expense")
    query = sa.select(
        *(LINE[name] for name in Line._fields),
        LINE.state,
        LINE.duplicate,
        LINE.expense_id,
        STATEMENT.undone_at,
        has_expense.label("has_expense"),
    )
    # The undo of a whole statement is noted there, that of one of its expenses at the line.
    is_remembered = sa.and_(STATEMENT.undone_at.is_(None), LINE.state != "undone")
    return query.where(
        LINE.author_id == user_id,
        STATEMENT.author_id == user_id,
        STATEMENT.id == LINE.statement_id,
        STATEMENT.added_at.is_not(None),
        LINE.state.in_(StatementLine.BOOKED),
        sa.or_(is_remembered, has_expense),
    )


def _known(rows: Sequence[sa.Row[Any]]) -> list[KnownLine]:
    """Return the lines that are known, each with later lines that counted as the same."""
    found: dict[uuid.UUID, KnownLine] = {}
    aliases = []
    for row in rows:
        values = tuple(row)
        line = Line._make(values[:-5])
        state, duplicate, expense_id, undone_at, has_expense = values[-5:]
        if state == "skip" and duplicate in ALIASES:
            if undone_at is None:
                aliases.append((expense_id, line))
            continue
        fate = "same" if has_expense or duplicate == "typed" else "seen" if state == "skip" else "deleted"
        found[line.id] = KnownLine(line, fate)
    for known_id, line in aliases:
        if known_id in found:
            found[known_id].aliases.append(line)
    return list(found.values())


def typed_expenses(
    connection: sa.Connection, user_id: int, lines: Sequence[Line], is_own: bool = False
) -> list[TypedExpense]:
    """Return the expenses around the days of these `lines` that came from no statement and stand for no line.

    An export of this application (`is_own`) contains those that came from statements as well.
    """
    if not lines:
        return []
    margin = timedelta(days=TYPED_DAYS)
    days = min(line.date for line in lines) - margin, max(line.date for line in lines) + margin
    query = sa.select(EXPENSE.id, EXPENSE.date, EXPENSE.amount)
    query = query.where(EXPENSE.author_id == user_id, EXPENSE.date.between(*days))
    if not is_own:
        query = query.where(~sa.exists().where(LINE.author_id == user_id, LINE.id == EXPENSE.id))
    taken = sa.select(LINE.expense_id).where(
        LINE.author_id == user_id,
        LINE.date.between(days[0] - margin, days[1] + margin),
        LINE.state == "skip",
        LINE.duplicate == "typed",
        STATEMENT.author_id == user_id,
        STATEMENT.id == LINE.statement_id,
        STATEMENT.added_at.is_not(None),
        STATEMENT.undone_at.is_(None),
    )
    taken_ids = set(connection.scalars(taken))
    rows = connection.execute(query.order_by(EXPENSE.date.desc(), EXPENSE.id.desc()))
    return [TypedExpense(*row) for row in rows if row.id not in taken_ids]


def state_of(connection: sa.Connection, user_id: int, own: uuid.UUID | None = None) -> str | None:
    """Return a text that changes with every change of the user's data.

    Every change is an operation. None while a large one is running, because it goes on under the same id; `own` is
    the caller's operation, which has changed nothing yet.
    """
    currency, running = connection.execute(
        sa.select(User.currency, User.running_operation).where(User.id == user_id)
    ).one()
    if running != own:
        return None
    others = sa.select(OPERATION.id).where(OPERATION.author_id == user_id)
    if own is not None:
        others = others.where(OPERATION.id != own)
    latest = connection.scalar(others.order_by(OPERATION.id.desc()).limit(1))
    count = connection.scalar(sa.select(sa.func.count()).select_from(others.subquery()))
    return f"{currency} {count} {latest}"


# --- Payees


@dataclass(slots=True)
class PayeeHistory:
    """The last category of a payee, whether it was paid before, and whether it was left out the last time."""

    category: str = ""
    is_paid: bool = False
    is_left_out: bool = False


def payee_histories(connection: sa.Connection, user_id: int, keys: Collection[str]) -> dict[str, PayeeHistory]:
    """Return what is known of payees, by their keys."""
    if connection.scalar(sa.select(STATEMENT.id).where(*_is_remembered(user_id)).limit(1)) is None:
        # A user's first import is often the largest.
        return {}
    payments = _payments_query(user_id)
    if len(keys) <= KEYS_AT_ONCE:
        payments = payments.where(LINE.payee_key.in_(keys))
    lines = payments.subquery().c
    columns = (lines.payee_key, lines.category, lines.left_out)
    grouped = sa.select(*columns, sa.func.max(lines.date).label("day")).group_by(*columns)
    rows = connection.execute(grouped)
    latest = sorted((row.day, row.left_out, row.payee_key, row.category) for row in rows if row.payee_key in keys)
    found: dict[str, PayeeHistory] = {}
    for _day, left_out, key, name in latest:
        history = found.setdefault(key, PayeeHistory())
        history.category = name or history.category
        history.is_paid |= bool(name)
        if name or left_out:
            history.is_left_out = bool(left_out)
    return found


def _is_remembered(user_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return STATEMENT.author_id == user_id, STATEMENT.added_at.is_not(None), STATEMENT.undone_at.is_(None)


def _payments_query(user_id: int) -> sa.Select[Any]:
    """Return the query of lines with money out: payee, category of the expense, whether left out, and day."""
    is_left_out = sa.and_(LINE.state == "skip", LINE.reason == "payee_left_out")
    expense_id = sa.case((LINE.state == "add", LINE.id), else_=LINE.expense_id)
    category = sa.select(EXPENSE.category).where(EXPENSE.author_id == user_id, EXPENSE.id == expense_id)
    return sa.select(
        LINE.payee_key,
        sa.func.coalesce(category.scalar_subquery(), "").label("category"),
        sa.case((is_left_out, 1), else_=0).label("left_out"),
        LINE.date,
    ).where(
        LINE.author_id == user_id,
        LINE.statement_id.in_(sa.select(STATEMENT.id).where(*_is_remembered(user_id))),
        LINE.amount < 0,
    )


def categories_of_descriptions(connection: sa.Connection, user_id: int, keys: Collection[str]) -> dict[str, str]:
    """Return the last category of each description, by its key."""
    query = (
        sa.select(EXPENSE.description_key, EXPENSE.category, sa.func.max(EXPENSE.date))
        .where(EXPENSE.author_id == user_id)
        .group_by(EXPENSE.description_key, EXPENSE.category)
    )
    latest: dict[str, tuple[date, str]] = {}
    wanted = {key for key in keys if key}
    # For a large file, it is quicker to look at all descriptions that were used.
    chunks = [None] if len(wanted) > MAX_CHUNKS * KEYS_AT_ONCE else _chunks(wanted)
    for some in chunks:
        of_keys = query if some is None else query.where(EXPENSE.description_key.in_(some))
        for key, category, day in connection.execute(of_keys):
            latest[key] = max(latest.get(key, (day, category)), (day, category))
    return {key: category for key, (_day, category) in latest.items()}


def _chunks(keys: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), KEYS_AT_ONCE):
        yield ordered[start : start + KEYS_AT_ONCE]
