"""Sessions: one row for each login on a device, and its end."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from database import db
from database.statements import OWNER_ID, built_once
from ledger.tokens import new_token, parse_key, token_hash
from models import LoginSession, User

# A session that is not remembered ends this long after the last change made in it, any other after
# SESSION_MAX_AGE. Reading does not count: it would have to write.
SESSION_MAX_IDLE = timedelta(hours=24)
SESSION_MAX_AGE = timedelta(days=30)
# The last use is stored at most this often, because storing it is a write.
TOUCH_INTERVAL = timedelta(minutes=5)
# How many sessions are listed; a program that logs in again and again has more.
MAX_SESSIONS_SHOWN = 100


def create_session(user: User, remember: bool, user_agent: str, now: datetime) -> None:
    """Create a session for `user`, and set its secret token as their `login_token`."""
    user.login_token = new_token()
    expired = sa.or_(
        LoginSession.created_at < now - SESSION_MAX_AGE, LoginSession.last_seen_at < now - SESSION_MAX_AGE
    )
    db.session.execute(sa.delete(LoginSession).where(LoginSession.user_id == user.id, expired))
    db.session.add(
        LoginSession(
            user_id=user.id,
            token_hash=token_hash(user.login_token),
            created_at=now,
            last_seen_at=now,
            remember=remember,
            user_agent=user_agent[: LoginSession.USER_AGENT_MAX],
        )
    )


class SessionTimes(NamedTuple):
    """When a session was created and last used, and whether it is remembered."""

    created_at: datetime
    last_seen_at: datetime
    remember: bool


def find_session(login_id: str, now: datetime) -> tuple[User, SessionTimes] | None:
    """Return the user and the session that `User.get_id` named, or None if there is no such session any more."""
    key = parse_key(login_id)
    if key is None:
        return None
    user_id, token = key
    parameters = {"owner_id": user_id, "token_hash": token_hash(token)}
    row = db.session.execute(_session_query(), parameters).one_or_none()
    if row is None:
        return None
    user, times = row[0], SessionTimes(*row[1:])
    if not _lasts(times, now) or user.delete_at is not None:
        return None
    user.login_token = token
    return user, times


@built_once
def _session_query() -> sa.Select[User, datetime, datetime, bool]:
    """Return the Select of a user with the times of one of their sessions."""
    return (
        sa.select(User, LoginSession.created_at, LoginSession.last_seen_at, LoginSession.remember)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.user_id == OWNER_ID, LoginSession.token_hash == sa.bindparam("token_hash"))
    )


def _lasts(login: LoginSession | SessionTimes, now: datetime) -> bool:
    """Tell whether a session is still young enough."""
    idle_max = SESSION_MAX_AGE if login.remember else SESSION_MAX_IDLE
    return now - login.last_seen_at <= idle_max and now - login.created_at <= SESSION_MAX_AGE


def list_sessions(user: User, now: datetime) -> list[LoginSession]:
    """Return the sessions of `user`, the current one first, then the most recently used."""
    query = (
        sa.select(LoginSession)
        .where(LoginSession.user_id == user.id)
        .order_by(sa.desc(LoginSession.token_hash == key_of(user)), LoginSession.last_seen_at.desc())
        .limit(MAX_SESSIONS_SHOWN)
    )
    return [login for login in db.session.scalars(query) if _lasts(login, now)]


def key_of(user: User) -> str:
    """Return the key of the current session of `user`, which gives no access."""
    return token_hash(user.login_token or "")


def is_remembered(user: User) -> bool:
    """Tell whether the current session of `user` is remembered."""
    login = db.session.get(LoginSession, (user.id, key_of(user)))
    return login is not None and login.remember


def revoke_session(user: User, key: str) -> bool:
    """End the session of `user` with this key, for every copy of its cookies; tell whether there was one."""
    if not re.fullmatch("[0-9a-f]{64}", key):
        return False
    where = (LoginSession.user_id == user.id, LoginSession.token_hash == key)
    ended = db.session.execute(sa.delete(LoginSession).where(*where).returning(LoginSession.user_id))
    return ended.first() is not None


def revoke_all_sessions(user: User) -> None:
    """End all sessions of `user`, on every device."""
    db.session.execute(sa.delete(LoginSession).where(LoginSession.user_id == user.id))


def touch(user: User, times: SessionTimes, now: datetime) -> None:
    """Store, at most once in five minutes, that the current session is in use; the caller commits.

    If the session began in the future, by a clock that has been set back since, it begins now. Otherwise it would
    last too long.
    """
    is_ahead = times.created_at > now
    if is_ahead or now - times.last_seen_at >= TOUCH_INTERVAL:
        noted = {"created_at": now, "last_seen_at": now} if is_ahead else {"last_seen_at": now}
        where = (LoginSession.user_id == user.id, LoginSession.token_hash == key_of(user))
        # The user is locked first, as by whatever ends sessions: otherwise the two could wait for each other.
        locked = sa.select(User.id).where(User.id == user.id).with_for_update(read=True, key_share=True)
        db.session.execute(locked)
        db.session.execute(sa.update(LoginSession).where(*where).values(noted))


# Browsers also name others that they are compatible with, so the first match counts.
BROWSERS = (
    ("Edg|EdgA|EdgiOS", "Edge"),
    ("OPR|OPT", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("Firefox|FxiOS", "Firefox"),
    ("Chromium", "Chromium"),
    ("HeadlessChrome|Chrome|CriOS", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone|iPod", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh|Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux|X11", "Linux"),
)


def parse_user_agent(user_agent: str) -> tuple[str, str]:
    """Return the names of the browser and of the system that a user agent names, or empty texts."""

    def first(kinds: tuple[tuple[str, str], ...]) -> str:
        return next((name for pattern, name in kinds if re.search(rf"\b(?:{pattern})\b", user_agent)), "")

    return first(BROWSERS), first(SYSTEMS)
