"""Invitations: links, each of which lets one person register."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from database import db
from ledger.tokens import is_token, new_token, token_hash
from models import Invitation

INVITATION_MAX_AGE = timedelta(days=7)
# The beginning of the hash, by which the administrator names an invitation. It does not open anything.
ID_LENGTH = 8


def create(note: str, now: datetime) -> str:
    """Create an invitation and return its token; the caller commits. Those that have expired are deleted."""
    delete_expired(now)
    token = new_token()
    expires_at = now + INVITATION_MAX_AGE
    row = Invitation(token_hash=token_hash(token), note=note, created_at=now, expires_at=expires_at)
    db.session.add(row)
    return token


def is_valid(token: str, now: datetime) -> bool:
    """Tell whether somebody can still register with this token."""
    return is_token(token) and db.session.scalar(sa.select(sa.true()).where(*_valid(token, now))) is not None


def redeem(token: str, now: datetime) -> bool:
    """Delete the invitation with this token, and tell whether it was valid; the caller commits.

    If two requests do so at the same moment, only one of them succeeds.
    """
    if not is_token(token):
        return False
    found = db.session.execute(sa.delete(Invitation).where(*_valid(token, now)).returning(Invitation.token_hash))
    return found.first() is not None


def _valid(token: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Invitation.token_hash == token_hash(token), Invitation.expires_at > now


def list_pending(now: datetime) -> Sequence[Invitation]:
    """Return the invitations that can still be used, the oldest first."""
    query = sa.select(Invitation).where(Invitation.expires_at > now)
    return db.session.scalars(query.order_by(Invitation.created_at, Invitation.token_hash)).all()


def id_of(invitation: Invitation) -> str:
    """Return the id by which the administrator withdraws an invitation."""
    return invitation.token_hash[:ID_LENGTH]


def withdraw(invitation_id: str) -> bool:
    """Delete the invitation with this id, and tell whether there was one; the caller commits."""
    if not re.fullmatch(f"[0-9a-f]{{{ID_LENGTH}}}", invitation_id):
        return False
    named = Invitation.token_hash.startswith(invitation_id, autoescape=True)
    found = db.session.execute(sa.delete(Invitation).where(named).returning(Invitation.token_hash))
    return found.first() is not None


def delete_expired(now: datetime) -> None:
    """Delete the invitations that have expired; the caller commits."""
    db.session.execute(sa.delete(Invitation).where(Invitation.expires_at <= now))
