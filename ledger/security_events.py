"""Security events: what happened to the login of a user, for the user to look at."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from database import db
from models import SecurityEvent, User

EVENT_MAX_AGE = timedelta(days=90)
# How many failures of a user are kept, and how many other events, which failures must not push out.
MAX_EVENTS = 50
FAILURES = ("login_failed", "code_failed")
# How many bits of an IPv4 and of an IPv6 address are stored: enough to recognise a network, not a person.
IPV4_PREFIX, IPV6_PREFIX = 24, 48


def record(user_id: int, kind: str, user_agent: str, address: str, now: datetime) -> None:
    """Record an event, without device and address for one that the administrator caused. The caller commits.

    The oldest of too many events of the user, and those that are too old, are deleted.
    """
    is_failure = SecurityEvent.kind.in_(FAILURES)
    alike = SecurityEvent.user_id == user_id, is_failure if kind in FAILURES else sa.not_(is_failure)
    kept = sa.select(SecurityEvent.id).where(*alike, SecurityEvent.created_at > now - EVENT_MAX_AGE)
    kept = kept.order_by(SecurityEvent.id.desc()).limit(MAX_EVENTS - 1)
    old = sa.delete(SecurityEvent).where(*alike, SecurityEvent.id.not_in(kept))
    db.session.execute(old, execution_options={"synchronize_session": False})
    db.session.add(
        SecurityEvent(
            user_id=user_id,
            kind=kind,
            user_agent=user_agent[: SecurityEvent.USER_AGENT_MAX],
            address=shorten_address(address),
            created_at=now,
        )
    )


def list_recent(user: User, now: datetime) -> Sequence[SecurityEvent]:
    """Return the events of `user`, the latest first."""
    query = sa.select(SecurityEvent).where(
        SecurityEvent.user_id == user.id, SecurityEvent.created_at > now - EVENT_MAX_AGE
    )
    return db.session.scalars(query.order_by(SecurityEvent.id.desc()).limit(2 * MAX_EVENTS)).all()


def delete_old(now: datetime) -> None:
    """Delete the events of all users that are too old; the caller commits."""
    db.session.execute(sa.delete(SecurityEvent).where(SecurityEvent.created_at <= now - EVENT_MAX_AGE))


def shorten_address(address: str) -> str:
    """Return the network that an address belongs to, such as 192.0.2.0/24, or "" if it is not an address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    if found.version == 6:
        return str(ipaddress.IPv6Network((int(found), IPV6_PREFIX), strict=False))
    return str(ipaddress.IPv4Network((int(found), IPV4_PREFIX), strict=False))
