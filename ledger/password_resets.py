"""Password resets: links with which a user chooses a new password."""

import hashlib
from datetime import datetime, timedelta

import sqlalchemy as sa

from database import db
from ledger.sessions import revoke_all_sessions
from ledger.tokens import new_token, parse_key, token_hash
from models import PasswordReset, User

RESET_MAX_AGE = timedelta(hours=1)
# How many of the links that a user has asked for work: the latest ones.
MAX_RESETS = 3


def create(user: User, now: datetime) -> str:
    """Create a reset for `user` and return the key for its link; the caller commits.

    Resets that have expired, and the oldest of too many, are deleted.
    """
    token = new_token()
    kept = (
        sa.select(PasswordReset.token_hash)
        .where(PasswordReset.user_id == user.id, PasswordReset.expires_at > now)
        .order_by(PasswordReset.expires_at.desc())
        .limit(MAX_RESETS - 1)
    )
    old = PasswordReset.user_id == user.id, PasswordReset.token_hash.not_in(kept)
    db.session.execute(sa.delete(PasswordReset).where(*old), execution_options={"synchronize_session": False})
    db.session.add(
        PasswordReset(
            user_id=user.id,
            token_hash=token_hash(token),
            password_mark=_mark(user.password_hash),
            expires_at=now + RESET_MAX_AGE,
        )
    )
    return f"{user.id}.{token}"


def find(key: str, now: datetime) -> User | None:
    """Return the user who can choose a new password with this key, or None."""
    parsed = parse_key(key)
    if parsed is None:
        return None
    query = (
        sa.select(User, PasswordReset.password_mark)
        .join(PasswordReset, PasswordReset.user_id == User.id)
        .where(*_valid(*parsed, now))
    )
    row = db.session.execute(query).one_or_none()
    return row.User if row is not None and row.password_mark == _mark(row.User.password_hash) else None


def redeem(key: str, password_hash: str, now: datetime) -> User | None:
    """Give the user of this key a new password and end all their sessions; the caller commits.

    Returns None, and changes nothing, if the key is not valid any more: it expired, it was used, or the password
    was changed since. If it is used twice at the same moment, only one use succeeds.
    """
    parsed = parse_key(key)
    if parsed is None:
        return None
    user = db.session.get(User, parsed[0], with_for_update=True, populate_existing=True)
    used = sa.delete(PasswordReset).where(*_valid(*parsed, now)).returning(PasswordReset.password_mark)
    mark = db.session.scalar(used)
    if user is None or mark != _mark(user.password_hash):
        db.session.rollback()
        return None
    user.password_hash = password_hash
    delete_all(user)
    revoke_all_sessions(user)
    return user


def _valid(user_id: int, token: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        PasswordReset.user_id == user_id,
        PasswordReset.token_hash == token_hash(token),
        PasswordReset.expires_at > now,
    )


def _mark(password_hash: str) -> str:
    """Return a mark that changes with the password and reveals nothing about it."""
    return hashlib.sha256(password_hash.encode()).hexdigest()


def delete_all(user: User) -> None:
    """Delete the resets of `user`, whose mailbox may not be theirs any more; the caller commits."""
    db.session.execute(sa.delete(PasswordReset).where(PasswordReset.user_id == user.id))


def delete_expired(now: datetime) -> None:
    """Delete the resets of all users that have expired; the caller commits."""
    db.session.execute(sa.delete(PasswordReset).where(PasswordReset.expires_at <= now))
