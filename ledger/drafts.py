"""Drafts: the fields of forms that were sent after the session had ended."""

import json
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa

from database import db
from models import Draft, User

DRAFT_MAX_AGE = timedelta(hours=24)
DRAFT_MAX_BYTES = 64 * 1024
MAX_DRAFTS = 5
# The names and values of a form's fields, in their order.
Fields = list[tuple[str, str]]


def save(user_id: int, path: str, fields: Fields, now: datetime) -> uuid.UUID | None:
    """Store what was typed into the form at `path`, and return its id; the caller commits.

    It replaces an earlier draft of that form, and drafts that are too old or too many are deleted. Returns None if
    it is too large, or if there is no such user.
    """
    size = len(json.dumps(fields, ensure_ascii=False).encode(errors="replace"))
    if size > DRAFT_MAX_BYTES or db.session.get(User, user_id) is None:
        return None
    kept = (
        sa.select(Draft.id)
        .where(Draft.author_id == user_id, Draft.path != path, Draft.created_at > now - DRAFT_MAX_AGE)
        .order_by(Draft.created_at.desc(), Draft.id.desc())
        .limit(MAX_DRAFTS - 1)
    )
    db.session.execute(sa.delete(Draft).where(Draft.author_id == user_id, Draft.id.not_in(kept)))
    draft = Draft(author_id=user_id, path=path, fields=fields, created_at=now)
    db.session.add(draft)
    db.session.flush()
    return draft.id


def find(user_id: int, draft_id: uuid.UUID, now: datetime) -> Fields | None:
    """Return the fields of a draft that is not too old, or None."""
    query = sa.select(Draft.fields).where(
        Draft.author_id == user_id, Draft.id == draft_id, Draft.created_at > now - DRAFT_MAX_AGE
    )
    return db.session.scalar(query)


def delete(user_id: int, draft_id: uuid.UUID) -> None:
    """Delete a draft; the caller commits."""
    db.session.execute(sa.delete(Draft).where(Draft.author_id == user_id, Draft.id == draft_id))


def delete_old(now: datetime, user_id: int | None = None) -> None:
    """Delete the drafts of a user, or of all users, that are too old; the caller commits."""
    old = Draft.created_at <= now - DRAFT_MAX_AGE
    db.session.execute(
        sa.delete(Draft).where(old if user_id is None else sa.and_(Draft.author_id == user_id, old))
    )
