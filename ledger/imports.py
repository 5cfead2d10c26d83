"""Imports: adding the lines of a statement as one operation, which can be undone."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from database import db
from database.pace import Pace
from ledger import categories, operations, pieces
from ledger.import_drafts import find_draft, owner_of
from ledger.import_knowledge import EXPENSE, LINE, LINES, known_lines, reading, state_of, typed_expenses
from ledger.import_lines import OWN_FORMAT, Owner, Row, line_of, set_duplicate
from ledger.import_matching import Line, find_duplicates
from ledger.import_preview import forget_summary, renamed_since, store_summary
from ledger.journal import CHANGE
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

# The default category of expenses for which none is known, if the user has one of this name.
USUAL_CATEGORY = "Other"
# Comparing 50,000 lines with 100,000 expenses takes one or two seconds, and on a small computer ten times as long.
COMPARISON_LEASES = 6
Outcome = Literal["gone", "changed", "nothing", "added", "already_added"]


def usual_category(names: Sequence[str]) -> str:
    """Return the category that is proposed for expenses for which none is known."""
    return next((name for name in names if category_key(name) == category_key(USUAL_CATEGORY)), names[-1])


def add(user: User, statement_id: uuid.UUID, now: datetime, category: str) -> tuple[Outcome, Operation | None]:
    """Add the lines of a draft as one operation; those without a category get this one. Commits.

    Adds nothing if the preview is out of date ("changed"), and records nothing if no line is chosen ("nothing").
    Nothing else can change the user's data meanwhile, and if this is interrupted, nothing is added. Raises
    OperationRunningError.
    """
    draft = db.session.get(Statement, (user.id, statement_id))
    label = draft.file_name if draft is not None else None
    ids = sa.select(LINE.id).where(*_to_add(user, statement_id))
    with operations.record_in_pieces(user, "import", now, ids, label, always=True) as (operation, _ids):
        outcome = _obstacle(user, statement_id, operation) or _add(user, statement_id, operation, now, category)
    db.session.commit()
    return outcome, operation if outcome == "added" else None


def _add(user: User, statement_id: uuid.UUID, operation: Operation, now: datetime, category: str) -> Outcome:
    """Add the lines of a draft, and note that it is not a draft any more."""
    first, used = _add_up(user, statement_id, operation)
    if first is None:
        return "nothing"
    names = _category_names(user, statement_id, used, category)
    _add_lines(user, statement_id, operation, first, names)
    categories.lock(user)
    categories.ensure_exist(user, operation, set(names.values()))
    statement = db.session.get_one(Statement, (user.id, statement_id), populate_existing=True)
    operations.change_row(operation, statement, statement.file_name, {"added_at": now})
    statement.content = statement.preview = None
    return "added"


def _obstacle(user: User, statement_id: uuid.UUID, operation: Operation) -> Outcome | None:
    """Return why a draft cannot be added as the preview has shown it, after updating its lines.

    Nothing is locked meanwhile: the user's other operations are refused until this one is finished.
    """
    statement = db.session.get(Statement, (user.id, statement_id), populate_existing=True)
    if statement is not None and statement.added_at is not None:
        return "already_added"
    if statement is None or find_draft(user, statement_id) is None:
        return "gone"
    pieces.commit(operation, COMPARISON_LEASES)
    with reading() as connection:
        state = state_of(connection, user.id, operation.id)
        if state is not None and state == statement.compared_with:
            return None
        changes = _refresh(connection, owner_of(user), statement_id, statement.format == OWN_FORMAT)
        changes += _other_currency(connection, owner_of(user), statement_id)
    for start in range(0, len(changes), pieces.PIECE_SIZE):
        _save_changes(user, changes[start : start + pieces.PIECE_SIZE])
        pieces.commit(operation)
    if changes:
        forget_summary(user, statement_id)
        store_summary(user, statement_id)
    return "changed" if changes else None


def _refresh(connection: sa.Connection, owner: Owner, statement_id: uuid.UUID, is_own: bool) -> list[Row]:
    """Return the lines of a draft whose duplicates have changed, as rows with their new values."""
    names = (*Line._fields, "reason", "state", "duplicate", "expense_id")
    query = sa.select(*(LINE[name] for name in names)).where(
        LINE.author_id == owner.id, LINE.statement_id == statement_id, LINE.state.in_(StatementLine.BOOKED)
    )
    rows = [dict(row) for row in connection.execute(query.order_by(LINE.line_number)).mappings()]
    lines = [line_of(row) for row in rows]
    wanted = [
        line for line, row in zip(lines, rows, strict=True) if row["state"] == "add" or row["duplicate"] == "typed"
    ]
    known, typed = known_lines(connection, owner.id, lines), typed_expenses(connection, owner.id, lines, is_own)
    duplicates = find_duplicates(lines, known, typed, wanted)
    changed = []
    for row in rows:
        duplicate = duplicates.get(row["id"])
        after = (duplicate.code, duplicate.row_id) if duplicate else ("", None)
        if after != (row["duplicate"], row["expense_id"]):
            set_duplicate(row, duplicate)
            changed.append(row)
    return changed


def _other_currency(connection: sa.Connection, owner: Owner, statement_id: uuid.UUID) -> list[Row]:
    """Return the lines that are no longer in the currency of the account, as rows with their new values."""
    query = sa.select(LINE.id, LINE.duplicate, LINE.expense_id).where(
        *_to_add(owner, statement_id), LINE.currency != owner.currency
    )
    return [dict(row) | {"state": "skip", "reason": "currency"} for row in connection.execute(query).mappings()]


def _save_changes(user: User, changes: Sequence[Row]) -> None:
    names = ("state", "reason", "duplicate", "expense_id")
    statement = (
        sa.update(LINES)
        .where(LINE.author_id == user.id, LINE.id == sa.bindparam("line_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    rows = [{"line_id": row["id"]} | {f"new_{name}": row[name] for name in names} for row in changes]
    db.session.connection().execute(statement, rows)


def _to_add(owner: User | Owner, statement_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return LINE.author_id == owner.id, LINE.statement_id == statement_id, LINE.state == "add"


def _add_up(user: User, statement_id: uuid.UUID, operation: Operation) -> tuple[uuid.UUID | None, Collection[str]]:
    """Note how many lines are added, and their sum; return the id of the first one, and all their categories."""
    # As text, because PostgreSQL before 18 has no smallest id.
    first = sa.func.min(sa.cast(LINE.id, sa.String))
    query = sa.select(LINE.category, sa.func.count(), sa.func.sum(-LINE.amount), first).group_by(LINE.category)
    with reading() as connection:
        rows = connection.execute(query.where(*_to_add(user, statement_id))).all()
    if not rows:
        return None, ()
    used, counts, totals, ids = zip(*rows, strict=True)
    operation.count, operation.total = sum(counts), sum(totals, Decimal(0))
    return uuid.UUID(min(ids)), used


def _category_names(user: User, statement_id: uuid.UUID, used: Collection[str], category: str) -> dict[str, str]:
    """Return the current names of the lines' categories, spelled as the user does; no name becomes `category`."""
    renamed = renamed_since(user, statement_id)
    names = db.session.scalars(sa.select(Category.name).where(Category.author_id == user.id))
    spelled = {category_key(name): name for name in names}
    found = {name: renamed.get(name, name) or category for name in used}
    return {name: spelled.get(category_key(latest), latest) for name, latest in found.items()}


def _add_lines(
    user: User,
    statement_id: uuid.UUID,
    operation: Operation,
    first: uuid.UUID | None,
    names: Mapping[str, str],
) -> None:
    """Add the lines from the `first` one on as expenses of the operation; the last piece is not committed."""
    # Their ids follow each other, so the primary key finds them; the coalesce keeps SQLite from other indexes.
    is_of_statement = sa.func.coalesce(LINE.statement_id, LINE.statement_id) == statement_id
    # Adding a line takes half as long as changing an expense.
    operation.pace = Pace(2 * pieces.PIECE_SIZE)
    while first is not None:
        pieces.commit(operation)
        left = LINE.author_id == user.id, is_of_statement, LINE.state == "add", LINE.id >= first
        others = sa.select(LINE.id).where(*left).order_by(LINE.id).offset(pieces.pace_of(operation).rows)
        first = db.session.scalar(others.limit(1))
        _add_piece(operation, left if first is None else (*left, LINE.id < first), names)


def _add_piece(operation: Operation, piece: Sequence[sa.ColumnElement[bool]], names: Mapping[str, str]) -> None:
    """Add the lines of a piece as expenses of the operation."""
    values: dict[str, sa.ColumnElement[Any]] = {
        "amount": -LINE.amount,
        "category": sa.case(dict(names), value=LINE.category),
        "description": sa.func.substr(LINE.text, 1, Expense.DESCRIPTION_MAX),
        "description_key": LINE.text_key,
        "date": LINE.date,
        "created_at": sa.literal(operation.created_at, EXPENSE.created_at.type),
    }
    query = sa.select(LINE.author_id, LINE.id, *values.values()).where(*piece).order_by(LINE.id)
    db.session.execute(sa.insert(Expense).from_select(["author_id", "id", *values], query))
    recorded = query.add_columns(sa.literal(operation.id, CHANGE.operation_id.type), sa.literal("added"))
    columns = ["author_id", "id", *(f"new_{name}" for name in values), "operation_id", "change"]
    db.session.execute(sa.insert(ExpenseChange).from_select(columns, recorded))


def is_added_or_running(user: User, statement_id: uuid.UUID) -> bool:
    """Tell whether the lines of a statement were added, or are being added at this moment."""
    statement = db.session.get(Statement, (user.id, statement_id), populate_existing=True)
    if statement is None or statement.added_at is not None:
        return statement is not None
    running = sa.select(Operation.label).where(
        Operation.author_id == user.id, Operation.id == user.running_operation, Operation.kind == "import"
    )
    return db.session.scalar(running) == statement.file_name


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
