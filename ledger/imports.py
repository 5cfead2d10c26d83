"""Imports: adding the lines of a statement as one operation, which can be undone."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from database import db
from ledger import categories, operations
from ledger.import_drafts import LINES_AT_ONCE, commit_piece, find_draft, owner_of, pause
from ledger.import_knowledge import EXPENSE, LINE, LINES, known_lines, latest_operation, reading, typed_expenses
from ledger.import_lines import Owner, Row, line_of, set_duplicate
from ledger.import_matching import Line, find_duplicates
from ledger.journal import CHANGE, row_count
from models import (
    Category,
    Expense,
    ExpenseChange,
    Operation,
    RowChange,
    Statement,
    StatementLine,
    User,
    category_key,
)

# SQLite lets one writer in at a time: up to this many lines are added in one transaction, and more of them in
# pieces, between which others get their turn.
LINES_IN_ONE = 2_000
# How often the known lines are read again because others were added meanwhile.
MAX_ATTEMPTS = 5
# The category of expenses for which none is known, if the user has one of this name.
USUAL_CATEGORY = "Other"
Outcome = Literal["gone", "changed", "added", "already_added", "nothing"]


def usual_category(names: Sequence[str]) -> str:
    """Return which of the user's categories is proposed for expenses for which none is known."""
    return next((name for name in names if category_key(name) == category_key(USUAL_CATEGORY)), names[-1])


def refresh(connection: sa.Connection, owner: Owner, statement_id: uuid.UUID) -> list[Row]:
    """Return the lines of a draft about which something else is known now, as rows with their new values."""
    names = (*Line.__slots__, "reason", "state", "duplicate", "expense_id")
    query = sa.select(*(LINE[name] for name in names)).where(
        LINE.author_id == owner.id, LINE.statement_id == statement_id, LINE.state.in_(StatementLine.BOOKED)
    )
    rows = [dict(row) for row in connection.execute(query.order_by(LINE.line_number)).mappings()]
    lines = [line_of(row) for row in rows]
    wanted = [row["id"] for row in rows if row["state"] == "add" or row["duplicate"] == "typed"]
    known, typed = known_lines(connection, owner.id, lines), typed_expenses(connection, owner.id, lines)
    duplicates = find_duplicates(lines, known, typed, wanted)
    changed = []
    for row in rows:
        duplicate = duplicates.get(row["id"])
        after = (duplicate.code, duplicate.row_id) if duplicate else ("", None)
        if after != (row["duplicate"], row["expense_id"]):
            set_duplicate(row, duplicate)
            changed.append(row)
    return changed


def add(user: User, statement_id: uuid.UUID, now: datetime, category: str) -> tuple[Outcome, Operation | None]:
    """Add the lines of a draft as one operation; those without a category get this one. Commits by itself.

    Adds nothing when something else is known now than the preview has shown ("changed"). Of two that add the same
    draft at the same moment, one does.
    """
    owner = owner_of(user)
    _set_missing_category(owner, statement_id, category)
    for _ in range(MAX_ATTEMPTS):
        with reading() as connection:
            version = connection.scalar(latest_operation(owner.id))
            changes = refresh(connection, owner, statement_id)
        # Whatever changes expenses waits from here on, and what did so meanwhile is seen.
        db.session.execute(sa.select(User.id).where(User.id == owner.id).with_for_update())
        if db.session.scalar(latest_operation(owner.id)) == version:
            return _add_locked(user, statement_id, now, changes)
        db.session.commit()
    return "changed", None


def _set_missing_category(owner: Owner, statement_id: uuid.UUID, category: str) -> None:
    """Give the lines that have no category this one, a piece at a time. Commits by itself."""
    of_draft = (
        LINE.author_id == owner.id,
        LINE.statement_id == statement_id,
        LINE.state == "add",
        LINE.category == "",
    )
    is_draft = sa.select(Statement.id).where(
        Statement.author_id == owner.id, Statement.id == statement_id, Statement.added_at.is_(None)
    )
    if db.session.scalar(is_draft) is None:
        return
    some = sa.select(LINE.id).where(*of_draft).limit(LINES_AT_ONCE)
    statement = sa.update(StatementLine).where(LINE.author_id == owner.id, LINE.id.in_(some))
    while row_count(statement.values(category=category)) == LINES_AT_ONCE:
        commit_piece()
    db.session.commit()


def _add_locked(
    user: User, statement_id: uuid.UUID, now: datetime, changes: Sequence[Row]
) -> tuple[Outcome, Operation | None]:
    statement = db.session.get(Statement, (user.id, statement_id), populate_existing=True)
    if statement is None or (statement.added_at is None and find_draft(user, statement_id) is None):
        return "gone", None
    if statement.added_at is not None:
        db.session.commit()
        return "already_added", None
    changes = [*changes, *_other_currency(user, statement_id)]
    if changes:
        _save_changes(user, changes)
        db.session.commit()
        return "changed", None
    with operations.record(user, "import", now, statement.file_name) as operation:
        _prepare_categories(user, operation, statement_id)
        operations.change_row(operation, statement, statement.file_name, {"added_at": now})
        operations.store(operation)
        rest = _add_piece(user, statement_id, operation, _first_id(user, statement_id), _first_piece())
        if rest is None:
            statement.content = None
    db.session.commit()
    if rest is not None:
        finish(user, statement_id, rest)
    return "added", operation


def _other_currency(user: User, statement_id: uuid.UUID) -> list[Row]:
    """Return the lines that are no longer in the currency of the account, as rows with their new values."""
    query = sa.select(LINE.id, LINE.duplicate, LINE.expense_id).where(
        *_to_add(user, statement_id), LINE.currency != user.currency
    )
    rows = db.session.execute(query).mappings()
    return [dict(row) | {"state": "skip", "reason": "currency"} for row in rows]


def _save_changes(user: User, changes: Iterable[Row]) -> None:
    names = ("state", "reason", "duplicate", "expense_id")
    statement = (
        sa.update(LINES)
        .where(LINE.author_id == user.id, LINE.id == sa.bindparam("line_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    rows = [{"line_id": row["id"]} | {f"new_{name}": row[name] for name in names} for row in changes]
    db.session.connection().execute(statement, rows)


def _to_add(user: User, statement_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return LINE.author_id == user.id, LINE.statement_id == statement_id, LINE.state == "add"


def _prepare_categories(user: User, operation: Operation, statement_id: uuid.UUID) -> None:
    """Add the categories of lines that the user does not have, and spell the others as the user does."""
    categories.lock(user)
    to_add = _to_add(user, statement_id)
    used = set(db.session.scalars(sa.select(LINE.category).where(*to_add).distinct()))
    categories.ensure_exist(user, operation, used)
    db.session.flush()
    names = db.session.scalars(sa.select(Category.name).where(Category.author_id == user.id))
    spelled = {category_key(name): name for name in names}
    for name in used:
        if spelled[category_key(name)] != name:
            respelled = sa.update(StatementLine).where(*to_add, LINE.category == name)
            row_count(respelled.values(category=spelled[category_key(name)]))


def _first_piece() -> int:
    """Return how many lines are added together with the operation: all of them where nobody waits for that."""
    return LINES_IN_ONE if db.session.get_bind().dialect.name == "sqlite" else 2**31 - 1


def _without_index(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column that no index is used for: the lines of a piece are neighbours by their ids."""
    return sa.func.coalesce(column, column)


def _first_id(user: User, statement_id: uuid.UUID) -> uuid.UUID | None:
    """Return the id of the first line of a statement."""
    of_statement = LINE.author_id == user.id, LINE.statement_id == statement_id
    return db.session.scalar(sa.select(LINE.id).where(*of_statement).order_by(LINE.id).limit(1))


def _add_piece(
    user: User, statement_id: uuid.UUID, operation: Operation, first: uuid.UUID | None, size: int
) -> uuid.UUID | None:
    """Add up to `size` lines from the line `first` on as expenses of the operation.

    Returns the first line of the next piece, or None if this was the last.
    """
    of_statement = LINE.author_id == user.id, _without_index(LINE.statement_id) == statement_id
    to_add = (*of_statement, LINE.state == "add", LINE.id >= first)
    last = db.session.scalar(sa.select(LINE.id).where(*to_add).order_by(LINE.id).offset(size).limit(1))
    piece = to_add if last is None else (*to_add, LINE.id < last)
    values = {
        "amount": -LINE.amount,
        "category": LINE.category,
        "description": sa.func.substr(LINE.text, 1, Expense.DESCRIPTION_MAX),
        "description_key": LINE.text_key,
        "date": LINE.date,
        "created_at": sa.literal(operation.created_at, EXPENSE.created_at.type),
    }
    key = sa.select(LINE.author_id, LINE.id).where(*piece).order_by(LINE.id)
    query = key.add_columns(*values.values())
    db.session.execute(sa.insert(Expense).from_select(["author_id", "id", *values], query))
    recorded = query.add_columns(sa.literal(operation.id, CHANGE.operation_id.type), sa.literal("added"))
    names = ["author_id", "id", *(f"new_{name}" for name in values), "operation_id", "change"]
    db.session.execute(sa.insert(ExpenseChange).from_select(names, recorded))
    count, total = db.session.execute(sa.select(sa.func.count(), sa.func.sum(-LINE.amount)).where(*piece)).one()
    operation.count += count
    operation.total += total or 0
    row_count(sa.update(StatementLine).where(*piece).values(state="added", expense_id=LINE.id))
    return last


def finish(user: User, statement_id: uuid.UUID, first: uuid.UUID | None) -> None:
    """Add the rest of a large statement from the line `first` on, a piece at a time. Commits by itself.

    Also after an interruption: nothing is added twice, whoever else is doing the same.
    """
    while first is not None:
        pause()
        db.session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
        statement = db.session.get(Statement, (user.id, statement_id), populate_existing=True)
        operation = operations_of(user, [statement_id]).get(statement_id)
        if statement is None or statement.undone_at is not None or operation is None:
            break
        first = _add_piece(user, statement_id, operation, first, LINES_AT_ONCE)
        if first is None:
            statement.content = None
        db.session.commit()
    db.session.commit()


def find_added(user: User, statement_id: uuid.UUID) -> Statement | None:
    """Return a statement of the user whose lines were added."""
    statement = db.session.get(Statement, (user.id, statement_id))
    return statement if statement is not None and statement.added_at is not None else None


def operations_of(user: User, statement_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Operation]:
    """Return the operations that added these statements, by the ids of the statements."""
    query = sa.select(RowChange.row_key, Operation).where(
        Operation.author_id == user.id,
        Operation.kind == "import",
        RowChange.author_id == user.id,
        RowChange.operation_id == Operation.id,
        RowChange.table_name == Statement.__tablename__,
        RowChange.row_key.in_([str(statement_id) for statement_id in statement_ids]),
    )
    rows = db.session.execute(query, execution_options={"populate_existing": True})
    return {uuid.UUID(row_key): operation for row_key, operation in rows}


def finish_interrupted() -> int:
    """Add the rest of the statements of all users whose adding was interrupted, and return how many there were."""
    query = sa.select(Statement.author_id, Statement.id).where(
        Statement.added_at.is_not(None), Statement.undone_at.is_(None), Statement.content.is_not(None)
    )
    found = db.session.execute(query).all()
    db.session.commit()
    for author_id, statement_id in found:
        user = db.session.get(User, author_id)
        if user is not None:
            finish(user, statement_id, _first_id(user, statement_id))
    return len(found)
