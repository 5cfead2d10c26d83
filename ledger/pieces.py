"""Large operations: many expenses are changed in pieces, one transaction each, so that nobody waits for long.

While such an operation is running, its user's row names it and the user's other changes are refused. It holds a
lease, which every piece renews. After an error what was done is rolled back. If the lease has run out, the process
was killed: then the user's next request rolls it back. Once a category has its new name, however, a rename is
completed in both cases, because the journal does not hold the expenses of a category.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from database import db
from database.engine import connect_to_read
from database.pace import Pace
from ledger import account_rows
from ledger.errors import LedgerError
from ledger.journal import CHANGE, row_count, touched_columns, write_changes
from models import Category, Expense, ExpenseChange, Operation, RowChange, User, utc_now

# An operation on more expenses is split into pieces, none of which is larger.
PIECE_SIZE = 2_000
# A piece that has taken longer was interrupted.
LEASE = timedelta(seconds=5)
ID_BYTES = 16
# Ids of expenses, for `in_`.
Piece = sa.Select[uuid.UUID] | Sequence[uuid.UUID]


class OperationRunningError(LedgerError):
    """The user has a large operation that is not finished."""

    def __init__(self) -> None:
        super().__init__("operation_running")


class LeaseLostError(LedgerError):
    """The operation counted as interrupted; another request is rolling it back, or completing a rename."""

    def __init__(self) -> None:
        super().__init__("operation_took_too_long")


def is_large(ids: sa.Select[uuid.UUID]) -> bool:
    """Tell whether there are more `ids` than one piece holds."""
    some = ids.order_by(None).limit(PIECE_SIZE + 1).subquery()
    with connect_to_read(db.engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() > PIECE_SIZE


def start(operation: Operation) -> None:
    """Store `operation` and let nothing else change its user's data until it is finished. Commits.

    Waits for the user's other operations to end. Raises OperationRunningError.
    """
    own = User.id == operation.author_id
    running = sa.select(User.running_operation).where(own).with_for_update()
    if db.session.scalar(running) is not None:
        raise OperationRunningError
    operation.running_until = utc_now() + LEASE
    db.session.add(operation)
    db.session.flush()
    row_count(sa.update(User).where(own).values(running_operation=operation.id))
    db.session.commit()


def split(operation: Operation, ids: sa.Select[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    """Yield the `ids` in pieces, and commit what the caller has done before the first one and with each.

    The ids are read without holding up anybody who writes. Raises LeaseLostError.
    """
    commit(operation)
    packed = _read(ids)
    start, pace = 0, pace_of(operation)
    while start < len(packed):
        end = min(start + pace.rows * ID_BYTES, len(packed))
        piece = [uuid.UUID(bytes=bytes(packed[at : at + ID_BYTES])) for at in range(start, end, ID_BYTES)]
        operation.piece = piece
        yield piece
        commit(operation)
        start = end
    operation.piece = None


def pace_of(operation: Operation) -> Pace:
    """Return how many rows a large operation changes in one transaction."""
    if operation.pace is None:
        operation.pace = Pace(PIECE_SIZE)
    return operation.pace


def commit(operation: Operation, leases: int = 1) -> None:
    """Commit what was done of a large operation so far, and let others write. Raises LeaseLostError.

    What comes next must take less than this many `leases`.
    """
    _keep_lease(operation, utc_now() + leases * LEASE)
    db.session.commit()
    pace_of(operation).pause()


def _keep_lease(operation: Operation, until: datetime | None) -> None:
    """Let the lease end at another time, or with the operation. Raises LeaseLostError."""
    held = sa.update(Operation).where(*_key(operation.author_id, operation.id))
    if not row_count(held.where(Operation.running_until == operation.running_until).values(running_until=until)):
        raise LeaseLostError
    set_committed_value(operation, "running_until", until)


def _read(ids: sa.Select[uuid.UUID]) -> bytearray:
    """Return the ids in their order, one after the other in 16 bytes each.

    All at once: a reader that stayed until the last piece would keep SQLite from emptying its write-ahead log,
    which slows everybody down. A million ids take 16 MB.
    """
    packed = bytearray()
    ordered = ids.order_by(None).order_by(*ids.selected_columns)
    with (
        connect_to_read(db.engine) as connection,
        connection.execute(ordered, execution_options={"yield_per": PIECE_SIZE}) as rows,
    ):
        for expense_id in rows.scalars():
            packed += expense_id.bytes
    return packed


def finish(operation: Operation) -> None:
    """Let the user make other changes again; the caller commits. Raises LeaseLostError."""
    _keep_lease(operation, None)
    operation.last_renamed = None
    _release(operation.author_id, operation.id)


def _release(author_id: int, operation_id: uuid.UUID) -> None:
    running = User.id == author_id, User.running_operation == operation_id
    row_count(sa.update(User).where(*running).values(running_operation=None))


def recover(user: User) -> None:
    """Roll back or complete the user's large operation if its process was killed. Commits.

    Pages call this as well: it is the only change that a request makes that otherwise only reads.
    """
    operation_id = user.running_operation
    if operation_id is None or _is_running(user.id, operation_id):
        return
    _begin_writing()
    try:
        if _take_lease(user.id, operation_id):
            end(user.id, operation_id)
    except LeaseLostError:
        # Another process is going on with it.
        pass
    db.session.rollback()
    db.session.refresh(user)


def _is_running(author_id: int, operation_id: uuid.UUID) -> bool:
    until = db.session.scalar(sa.select(Operation.running_until).where(*_key(author_id, operation_id)))
    return until is not None and until >= utc_now()


def _take_lease(author_id: int, operation_id: uuid.UUID) -> bool:
    """Renew a lease that has run out; tell whether it had."""
    has_run_out = *_key(author_id, operation_id), Operation.running_until < utc_now()
    return row_count(sa.update(Operation).where(*has_run_out).values(running_until=utc_now() + LEASE)) == 1


def end(author_id: int, operation_id: uuid.UUID) -> None:
    """Complete an operation that was interrupted after it had renamed categories; roll back any other. Commits.

    This is done in pieces as well, and can be interrupted and continued. Raises LeaseLostError.
    """
    operation = db.session.get_one(Operation, (author_id, operation_id), populate_existing=True)
    if operation.kind == "restore":
        _empty_account(author_id, operation_id)
        return
    if not renamed_by(operation):
        roll_back(author_id, operation_id)
        return
    rename_expenses(operation)
    _begin_writing()
    finish(operation)
    db.session.commit()


def roll_back(author_id: int, operation_id: uuid.UUID) -> None:
    """Restore the user's expenses from before an operation; nothing else has changed them since. Commits."""
    own = CHANGE.author_id == author_id, CHANGE.operation_id == operation_id
    some = sa.select(CHANGE.id).where(*own).order_by(CHANGE.id)
    pace = Pace(PIECE_SIZE)
    while ids := db.session.scalars(some.limit(pace.rows)).all():
        piece = *own, CHANGE.id.between(ids[0], ids[-1])
        for change in ExpenseChange.CHANGES:
            recorded = *piece, CHANGE.change == change
            write_changes(author_id, change, recorded, touched_columns(recorded), backwards=True)
        row_count(sa.delete(ExpenseChange).where(*piece))
        _commit_rollback(author_id, operation_id, pace)
    row_count(sa.delete(Operation).where(*_key(author_id, operation_id)))
    _release(author_id, operation_id)
    db.session.commit()


def _commit_rollback(author_id: int, operation_id: uuid.UUID, pace: Pace) -> None:
    """Commit a piece that was rolled back, and let others write before the next one."""
    running = sa.update(Operation).where(*_key(author_id, operation_id))
    row_count(running.values(running_until=utc_now() + LEASE))
    db.session.commit()
    pace.pause()
    _begin_writing()


def _empty_account(author_id: int, operation_id: uuid.UUID) -> None:
    """Make an account as empty as it was before a restore began, with the categories that it had. Commits."""
    pace = Pace(account_rows.ROWS_AT_ONCE)
    own = {Operation.__table__: Operation.id, RowChange.__table__: RowChange.operation_id}
    for table in reversed(account_rows.DATA_TABLES):
        others = [own[table] != operation_id] if table in own else []
        while account_rows.delete_some(table, author_id, pace.rows, *others):
            _commit_rollback(author_id, operation_id, pace)
    removed = sa.select(RowChange).where(RowChange.author_id == author_id, RowChange.operation_id == operation_id)
    for change in db.session.scalars(removed):
        db.session.add(Category(author_id=author_id, id=uuid.UUID(change.row_key), **change.before or {}))
    row_count(sa.delete(Operation).where(*_key(author_id, operation_id)))
    _release(author_id, operation_id)
    db.session.commit()


# --- Renaming categories


def new_names(changes: Sequence[RowChange]) -> dict[str, str]:
    """Return the new names of the categories that these changes renamed, by their old ones."""
    renamed = (
        (change.before["name"], change.after["name"])
        for change in changes
        if change.table_name == Category.__tablename__ and change.before and change.after
        if "name" in change.before
    )
    return dict(renamed)


def renamed_by(operation: Operation) -> dict[str, str]:
    """Return the new names of the categories that a stored operation renamed, by their old ones."""
    query = sa.select(RowChange).where(
        RowChange.author_id == operation.author_id,
        RowChange.operation_id == operation.id,
        RowChange.table_name == Category.__tablename__,
    )
    return new_names(db.session.scalars(query).all())


def expenses_in(author_id: int, names: Collection[str]) -> sa.Select[uuid.UUID]:
    """Return the query of the ids of the user's expenses in categories of these names."""
    return sa.select(Expense.id).where(Expense.author_id == author_id, Expense.category.in_(names))


def rename_expenses(operation: Operation) -> None:
    """Give the expenses of the categories that `operation` has renamed their new names, in pieces if it is large.

    A large operation is committed before; from then on it can only be completed. Nobody adds an expense meanwhile.
    Raises LeaseLostError.
    """
    names = new_names(operation.row_changes)
    if not names:
        return
    if operation.running_until is None:
        _rename(operation.author_id, names)
        return
    left = expenses_in(operation.author_id, names)
    if operation.last_renamed is not None:
        left = left.where(Expense.id > operation.last_renamed)
    for piece in split(operation, left):
        _begin_writing()
        _rename(operation.author_id, names, Expense.id.in_(piece))
        operation.last_renamed = piece[-1]


def _rename(author_id: int, names: Mapping[str, str], *conditions: sa.ColumnElement[bool]) -> None:
    in_category = Expense.author_id == author_id, Expense.category.in_(list(names)), *conditions
    row_count(sa.update(Expense).where(*in_category).values(category=sa.case(names, value=Expense.category)))


def _begin_writing() -> None:
    """End the transaction and begin one that writes, even in a request that otherwise only reads."""
    db.session.commit()
    db.session.connection(execution_options={"reading": False})


def _key(author_id: int, operation_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return Operation.author_id == author_id, Operation.id == operation_id
