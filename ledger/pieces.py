"""Large operations: many expenses are changed in pieces, one transaction each, so that nobody waits for long.

While such an operation is running, its user's row names it and the user's other changes are refused. It holds a
lease, which every piece renews. After an error what was done is rolled back. If the lease has run out, the process
was killed: then the user's next request rolls it back.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from database import db
from ledger.errors import LedgerError
from ledger.journal import CHANGE, row_count, touched_columns, write_changes
from models import ExpenseChange, Operation, User, utc_now

# As many expenses are changed in one transaction, which takes about 50 ms.
PIECE_SIZE = 2_500
# A piece that has taken longer was interrupted.
LEASE = timedelta(seconds=5)
PAUSE_SECONDS = 0.005
ID_BYTES = 16
# Ids of expenses, for `in_`.
Piece = sa.Select[uuid.UUID] | Sequence[uuid.UUID]


class OperationRunningError(LedgerError):
    """The user has a large operation that is not finished."""

    def __init__(self) -> None:
        super().__init__("operation_running")


class LeaseLostError(Exception):
    """The operation was taken for interrupted, and is being rolled back by somebody else."""


def is_large(ids: sa.Select[uuid.UUID]) -> bool:
    """Tell whether there are more `ids` than one piece holds."""
    some = ids.order_by(None).limit(PIECE_SIZE + 1).subquery()
    with db.engine.connect().execution_options(reading=True) as connection:
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


def split(operation: Operation, ids: sa.Select[uuid.UUID]) -> Iterator[Piece]:
    """Yield the `ids` in pieces, and commit what the caller has done with one before the next.

    The ids are read without holding up anybody who writes. Raises LeaseLostError.
    """
    packed = _read(ids)
    size = PIECE_SIZE * ID_BYTES
    for start in range(0, len(packed), size):
        piece = packed[start : start + size]
        operation.piece = [
            uuid.UUID(bytes=bytes(piece[at : at + ID_BYTES])) for at in range(0, len(piece), ID_BYTES)
        ]
        yield operation.piece
        commit(operation)
    operation.piece = None


def commit(operation: Operation) -> None:
    """Commit what was done of a large operation so far, and let others write. Raises LeaseLostError."""
    until = utc_now() + LEASE
    held = sa.update(Operation).where(*_key(operation.author_id, operation.id))
    if not row_count(held.where(Operation.running_until == operation.running_until).values(running_until=until)):
        raise LeaseLostError
    set_committed_value(operation, "running_until", until)
    db.session.commit()
    # Whoever waits for the write lock of SQLite tries to get it every 2 ms.
    time.sleep(PAUSE_SECONDS)


def _read(ids: sa.Select[uuid.UUID]) -> bytearray:
    """Return the ids in their order, one after the other in 16 bytes each.

    All at once: a reader that stayed until the last piece would keep SQLite from emptying its write-ahead log,
    which slows everybody down. A million ids take 16 MB.
    """
    packed = bytearray()
    ordered = ids.order_by(None).order_by(*ids.selected_columns)
    with (
        db.engine.connect().execution_options(reading=True) as connection,
        connection.execute(ordered, execution_options={"yield_per": PIECE_SIZE}) as rows,
    ):
        for expense_id in rows.scalars():
            packed += expense_id.bytes
    return packed


def finish(operation: Operation) -> None:
    """Let the user make other changes again; the caller commits."""
    operation.running_until = None
    _release(operation.author_id, operation.id)


def _release(author_id: int, operation_id: uuid.UUID) -> None:
    running = User.id == author_id, User.running_operation == operation_id
    row_count(sa.update(User).where(*running).values(running_operation=None))


def recover(user: User) -> None:
    """Roll back the user's large operation if its process was killed. Commits.

    A page may call this as well: it is the only change that a request makes that only reads.
    """
    operation_id = user.running_operation
    if operation_id is None or _is_running(user.id, operation_id):
        return
    _begin_writing()
    if _take_lease(user.id, operation_id):
        roll_back(user.id, operation_id)
    else:
        db.session.rollback()
    db.session.refresh(user)


def _is_running(author_id: int, operation_id: uuid.UUID) -> bool:
    until = db.session.scalar(sa.select(Operation.running_until).where(*_key(author_id, operation_id)))
    return until is not None and until >= utc_now()


def _take_lease(author_id: int, operation_id: uuid.UUID) -> bool:
    """Renew a lease that has run out; tell whether it had."""
    has_run_out = *_key(author_id, operation_id), Operation.running_until < utc_now()
    return row_count(sa.update(Operation).where(*has_run_out).values(running_until=utc_now() + LEASE)) == 1


def roll_back(author_id: int, operation_id: uuid.UUID) -> None:
    """Make the user's expenses as they were before an operation, which nothing has changed since. Commits.

    This is done in pieces as well, and can be interrupted and continued.
    """
    own = CHANGE.author_id == author_id, CHANGE.operation_id == operation_id
    some = sa.select(CHANGE.id).where(*own).order_by(CHANGE.id).limit(PIECE_SIZE)
    while ids := db.session.scalars(some).all():
        piece = *own, CHANGE.id.in_(ids)
        for change in ExpenseChange.CHANGES:
            recorded = *piece, CHANGE.change == change
            write_changes(author_id, change, recorded, touched_columns(recorded), backwards=True)
        row_count(sa.delete(ExpenseChange).where(*piece))
        running = sa.update(Operation).where(*_key(author_id, operation_id))
        row_count(running.values(running_until=utc_now() + LEASE))
        db.session.commit()
        time.sleep(PAUSE_SECONDS)
        _begin_writing()
    row_count(sa.delete(Operation).where(*_key(author_id, operation_id)))
    _release(author_id, operation_id)
    db.session.commit()


def _begin_writing() -> None:
    """End the transaction and begin one that writes, even in a request that otherwise only reads."""
    db.session.commit()
    db.session.connection(execution_options={"reading": False})


def _key(author_id: int, operation_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return Operation.author_id == author_id, Operation.id == operation_id
