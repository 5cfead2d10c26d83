"""Deletion of accounts: it is scheduled, which a login cancels, and then every row is removed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from database import db
from database.pace import Pace
from ledger import account_rows, sessions, throttling
from ledger.journal import row_count
from ledger.pieces import OperationRunningError
from models import User

# How long an account is kept after its user has deleted it.
GRACE_PERIOD = timedelta(days=7)
# Marks an account whose removal has begun, so that no login can keep the rest of it, whatever the clock says.
REMOVAL_BEGUN = datetime(1970, 1, 1, tzinfo=UTC)


def schedule(user: User, now: datetime) -> datetime:
    """End all sessions of a locked user, and return when the account will be removed; the caller commits."""
    user.delete_at = now + GRACE_PERIOD
    sessions.revoke_all_sessions(user)
    return user.delete_at


def cancel(user: User, now: datetime) -> bool:
    """Keep the account of a user who has logged in again; tell whether it was scheduled. The caller commits."""
    if user.delete_at is None:
        return False
    in_time = User.id == user.id, User.delete_at > now
    is_kept = row_count(sa.update(User).where(*in_time).values(delete_at=None)) == 1
    db.session.refresh(user, ["delete_at"])
    return is_kept


def is_over(user: User, now: datetime) -> bool:
    """Tell whether it is too late to keep the account."""
    return user.delete_at is not None and user.delete_at <= now


def remove_expired(now: datetime) -> int:
    """Remove the accounts whose grace period is over, and return how many there were. Commits."""
    ids: Sequence[int] = db.session.scalars(sa.select(User.id).where(User.delete_at <= now)).all()
    db.session.commit()
    return sum(_begin(user_id, User.delete_at <= now) and _remove_rows(user_id) for user_id in ids)


def remove(user: User) -> None:
    """Remove an account with all its rows now. Commits. Raises OperationRunningError.

    If it is interrupted, the next call or `remove_expired` completes it.
    """
    running = sa.select(User.running_operation).where(User.id == user.id).with_for_update()
    if db.session.scalar(running) is not None:
        raise OperationRunningError
    _begin(user.id)
    _remove_rows(user.id)


def _begin(user_id: int, *conditions: sa.ColumnElement[bool]) -> bool:
    """Let nobody log in to the account any more; tell whether it exists and meets the conditions. Commits."""
    own = sa.update(User).where(User.id == user_id, *conditions)
    has_begun = row_count(own.values(delete_at=REMOVAL_BEGUN)) == 1
    db.session.commit()
    return has_begun


def _remove_rows(user_id: int) -> bool:
    """Delete all rows of a user, a piece at a time so that nobody waits for long, and then the user."""
    pace = Pace(account_rows.ROWS_AT_ONCE)
    for table in account_rows.owned_tables():
        while account_rows.delete_some(table, user_id, pace.rows):
            db.session.commit()
            pace.pause()
    email = db.session.scalar(sa.select(User.email).where(User.id == user_id))
    if email is not None:
        throttling.forget_account(email)
    is_removed = row_count(sa.delete(User).where(User.id == user_id)) == 1
    db.session.commit()
    return is_removed
