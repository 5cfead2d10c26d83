"""Retention: how long and how much of the journal is kept, and the deletion of what has expired."""

import uuid
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from database import db
from ledger.journal import CHANGE, row_count
from models import ExpenseChange, Operation, User

# An older operation has expired: it is not shown, cannot be undone, and is deleted in time.
UNDO_RETENTION = timedelta(days=30)
# An operation expires earlier when later ones of the user have changed this many expenses, about 230 bytes each.
UNDO_MAX_CHANGES = 400_000
# From this size on, recording an operation lets older ones expire at once. Smaller ones count at the next login.
LARGE_OPERATION = 100
# How many expired operations and changes are deleted in one transaction, so that nobody waits for long.
PURGE_MAX_OPERATIONS, PURGE_MAX_CHANGES = 100, 5_000


def trim(user: User, now: datetime) -> None:
    """Let the oldest operations beyond UNDO_MAX_CHANGES expire, and delete some of the user's that have expired.

    The latest operation stays, whatever its size. The caller commits.
    """
    newer = sa.func.sum(Operation.count + 1).over(order_by=Operation.id.desc(), rows=(None, -1))
    recent = sa.select(Operation.id, newer.label("newer")).where(
        Operation.author_id == user.id, Operation.created_at >= now - UNDO_RETENTION
    )
    recent_rows = recent.subquery()
    beyond = sa.select(recent_rows.c.id).where(recent_rows.c.newer >= UNDO_MAX_CHANGES)
    expired = sa.update(Operation).where(Operation.author_id == user.id, Operation.id.in_(beyond))
    row_count(expired.values(created_at=now - UNDO_RETENTION - timedelta(seconds=1)))
    purge(now, user)


class Purged(NamedTuple):
    """Number of operations that were deleted, and whether there is more to delete."""

    operations: int
    has_more: bool


def purge(now: datetime, user: User | None = None) -> Purged:
    """Delete some operations that have expired, of all users or of one, the oldest first; the caller commits.

    A large one is deleted over several calls.
    """
    query = sa.select(Operation.author_id, Operation.id, Operation.count).where(
        Operation.created_at < now - UNDO_RETENTION
    )
    if user is not None:
        query = query.where(Operation.author_id == user.id)
    expired = db.session.execute(query.order_by(Operation.created_at).limit(PURGE_MAX_OPERATIONS)).all()
    left = PURGE_MAX_CHANGES
    for number, (author_id, operation_id, count) in enumerate(expired):
        own = Operation.author_id == author_id, Operation.id == operation_id
        if count > left:
            _delete_changes(author_id, operation_id, left)
            row_count(sa.update(Operation).where(*own).values(count=count - left))
            return Purged(number, True)
        row_count(sa.delete(Operation).where(*own))
        left -= count
    return Purged(len(expired), len(expired) == PURGE_MAX_OPERATIONS)


def _delete_changes(author_id: int, operation_id: uuid.UUID, number: int) -> None:
    """Delete some of the expense changes of an operation."""
    recorded = CHANGE.author_id == author_id, CHANGE.operation_id == operation_id
    some = sa.select(CHANGE.id).where(*recorded).order_by(CHANGE.id).limit(number)
    row_count(sa.delete(ExpenseChange).where(*recorded, CHANGE.id.in_(some)))
