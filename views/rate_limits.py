"""Rate limits: failed logins, registrations and password checks; known devices; password hashing."""

import ipaddress
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, after_this_request, current_app, request
from flask_babel import gettext, ngettext
from itsdangerous import BadData, URLSafeTimedSerializer

import clock
from database import db
from ledger.throttling import Counter, account_key, other_key, record, reset, seconds_to_wait

# The longest waits, in seconds. The shorter ones are for users who mistype on their own device, and for those who
# share a network address with an attacker.
WAIT_MAX, OWN_WAIT_MAX, SHARED_WAIT_MAX = 24 * 3600, 3600, 3600
# The limit for an account from all addresses together, as a multiple of that from one address: an attacker needs
# this many addresses to make others wait. NIST SP 800-63B allows a hundred failures in a row. The same holds for
# all known devices together: whoever has once had the password can have any number of them.
ACCOUNT_FACTOR = 10
# How many links to choose a new password one address can ask for before a wait, and the factor for all addresses
# together.
RESET_LINKS, RESET_FACTOR = 3, 3
# A device that has not logged in for a year is a new one.
DEVICE_MAX_AGE = 365 * 24 * 3600


class RateLimitedError(Exception):
    """An attempt that must wait, with a message for the user, a `status` (429 or 503) and `headers`."""

    def __init__(self, message: str, status: int, retry_after: int) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"Retry-After": str(retry_after)}


def address_counter(address: str | None) -> Counter:
    """Return the counter of failures and registrations from a network address, which many people may share."""
    limit = current_app.config["THROTTLE_ADDRESS"]
    return _counter(other_key(f"address {_network(address)}"), limit, SHARED_WAIT_MAX, shared=True)


def login_counters(address: str | None, email: str) -> list[Counter]:
    """Return the counters of failed logins at an account.

    A device that has logged in to the account before has a counter of its own, and one together with the others
    that have, so that failures elsewhere never make it wait. Any other one counts for its address, for the account
    from this address, and for the account from all addresses.
    """
    limit = current_app.config["THROTTLE_ACCOUNT"]
    device_id, key = _read_device()
    if limit and key == account_key(email):
        return [
            _counter(account_key(email, f"device {device_id}"), limit, OWN_WAIT_MAX),
            _counter(account_key(email, "devices"), limit * ACCOUNT_FACTOR, OWN_WAIT_MAX, shared=True),
        ]
    return [
        address_counter(address),
        _counter(account_key(email, f"address {_network(address)}"), limit, WAIT_MAX),
        _counter(account_key(email), limit * ACCOUNT_FACTOR, WAIT_MAX, shared=True),
    ]


def password_counter(login_key: str) -> Counter:
    """Return the counter of wrong current passwords within one login; logins that fail elsewhere do not count."""
    limit = current_app.config["THROTTLE_ACCOUNT"]
    return _counter(other_key(f"login {login_key}"), limit, OWN_WAIT_MAX)


def code_counters(address: str | None, user_id: int, email: str) -> list[Counter]:
    """Return the counters of wrong codes of two-factor authentication.

    Only somebody who has the password gets this far, so all codes of a user are counted together. A device that
    has logged in to the account before has its own counters, so that a thief of the password cannot lock it out.
    """
    limit = current_app.config["THROTTLE_ACCOUNT"]
    device_id, key = _read_device()
    if limit and key == account_key(email):
        return [
            _counter(other_key(f"codes of {user_id}, device {device_id}"), limit, WAIT_MAX),
            _counter(other_key(f"codes of {user_id}, devices"), limit * ACCOUNT_FACTOR, WAIT_MAX, shared=True),
        ]
    return [address_counter(address), _counter(other_key(f"codes of {user_id}"), limit, WAIT_MAX)]


def reset_counters(address: str | None, email: str) -> list[Counter]:
    """Return the counters of links to choose a new password, which could flood the mailbox of the address.

    A device that has logged in to the account before has counters of its own here, too.
    """
    limit = current_app.config["THROTTLE_ACCOUNT"] and RESET_LINKS
    device_id, key = _read_device()
    if limit and key == account_key(email):
        return [
            _counter(account_key(email, f"reset, device {device_id}"), limit, WAIT_MAX),
            _counter(account_key(email, "reset, devices"), limit * RESET_FACTOR, WAIT_MAX),
        ]
    return [
        address_counter(address),
        _counter(account_key(email, f"reset, address {_network(address)}"), limit, WAIT_MAX),
        _counter(account_key(email, "reset"), limit * RESET_FACTOR, WAIT_MAX),
    ]


def names_counters(address: str | None, user_id: int) -> list[Counter]:
    """Return the counters of new names that a user asks for: the answer tells whether another account has them."""
    limit = current_app.config["THROTTLE_ACCOUNT"]
    return [address_counter(address), _counter(other_key(f"names {user_id}"), limit, WAIT_MAX)]


def _counter(key: str, limit: int, longest_wait: int, shared: bool = False) -> Counter:
    return Counter(key, limit, current_app.config["THROTTLE_WINDOW"], longest_wait, shared)


def check_attempts(*counters: Counter) -> None:
    """Raise RateLimitedError (429) while one of `counters` has to wait. This only reads.

    Called before any work is done for an attempt. Rolls the session back, so that no other request waits for the
    locks of this one.
    """
    db.session.rollback()
    _refuse_for(seconds_to_wait(counters, int(clock.now().timestamp())))


def record_attempt(*counters: Counter) -> None:
    """Count an attempt as a failure, before it is known to be one. Raises RateLimitedError (429).

    Stored in the database, so that it applies to all workers and outlasts restarts, and committed at once: no
    transaction is open while a hash is computed.
    """
    db.session.rollback()
    _refuse_for(record(counters, int(clock.now().timestamp())))


def reset_attempts(*counters: Counter) -> None:
    """Reset the counters of `record_attempt`, because the attempt succeeded; the caller commits."""
    reset(counters)


def _refuse_for(wait: int) -> None:
    if wait:
        raise RateLimitedError(_wait_message(wait), status=429, retry_after=wait)


def _wait_message(seconds: int) -> str:
    """Return how long to wait, in minutes or hours, rounded up."""
    minutes = -(-seconds // 60)
    if minutes > 90:
        return ngettext(
            "Too many attempts. Try again in %(num)d hour.",
            "Too many attempts. Try again in %(num)d hours.",
            -(-minutes // 60),
        )
    return ngettext(
        "Too many attempts. Try again in a minute.",
        "Too many attempts. Try again in %(num)d minutes.",
        minutes,
    )


def _network(address: str | None) -> str:
    """Return the network that an address belongs to, because an IPv6 household has a whole /64 to choose from."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    found = getattr(found, "ipv4_mapped", None) or found
    if found.version == 6:
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def remember_device(email: str) -> None:
    """Remember that this browser has logged in to the account, even after it has logged out.

    The cookie gives no access. It only keeps an attacker elsewhere from locking this device out.
    """
    device_id, key = _read_device()
    if key != account_key(email):
        device_id = secrets.token_hex(8)
    value = _device_serializer().dumps([device_id, account_key(email)])

    @after_this_request
    def set_cookie(response: Response) -> Response:
        config = current_app.config
        secure = config["SESSION_COOKIE_SECURE"]
        options = {
            "path": config["SESSION_COOKIE_PATH"],
            "max_age": DEVICE_MAX_AGE,
            "secure": secure,
            "httponly": True,
            "samesite": "Lax",
        }
        response.set_cookie(config["DEVICE_COOKIE_NAME"], value, **options)
        return response


def is_known_device() -> bool:
    """Tell whether this browser has logged in to some account before."""
    return _read_device() != ("", "")


def _read_device() -> tuple[str, str]:
    """Return the id of this browser and the key of the account that it has logged in to, or two empty texts."""
    cookie = request.cookies.get(current_app.config["DEVICE_COOKIE_NAME"], "")
    try:
        device_id, key = _device_serializer().loads(cookie, max_age=DEVICE_MAX_AGE)
    except BadData:
        return "", ""
    return device_id, key


def _device_serializer() -> URLSafeTimedSerializer:
    config = current_app.config
    # The last key signs; every one is accepted.
    return URLSafeTimedSerializer([*config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]], salt="known device")


class PasswordHashLimiter:
    """At most one password hash at a time and two waiting, so that logins cannot block the other pages."""

    def __init__(self, places: int = 3) -> None:
        self._working = threading.Lock()
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a turn to hash. Raises RateLimitedError (503) if too many others are waiting."""
        if not self._places.acquire(blocking=False):
            raise RateLimitedError(
                gettext("Many people are logging in right now. Try again in a moment."), status=503, retry_after=2
            )
        try:
            with self._working:
                yield
        finally:
            self._places.release()


hashing = PasswordHashLimiter()
