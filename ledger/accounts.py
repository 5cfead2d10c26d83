"""Accounts: what a username, an email address and a password must be, and who has them."""

import re
import secrets
import unicodedata
from functools import cache

import email_validator
import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash

from database import db
from ledger import deletion
from ledger.errors import LedgerError
from ledger.passwords import is_guessable
from models import User, utc_now
from text import clean_text, identity_key

APPLICATION_NAME = "Ledger"
PASSWORD_MAX = 1024


class AccountError(LedgerError):
    """A username, email address or password that an account cannot have."""


class AlreadyTakenError(Exception):
    """A username or an email address that another account has; `fields` names which."""

    def __init__(self, fields: set[str]) -> None:
        super().__init__(f"taken: {', '.join(sorted(fields))}")
        self.fields = fields


def check_username(text: str) -> str:
    """Return `text` as a username: trimmed, one script or ASCII, at most 64 characters. Raises AccountError."""
    username = clean_text(text)
    if not username or not identity_key(username):
        raise AccountError("username_missing")
    if max(len(username), len(identity_key(username))) > User.USERNAME_MAX:
        raise AccountError("text_too_long", maximum=User.USERNAME_MAX)
    kinds = [unicodedata.category(character)[0] for character in username]
    allowed = all(kind in "LMN" or char in ".@+-_" for kind, char in zip(kinds, username, strict=True))
    if not allowed or kinds[0] == "M":
        raise AccountError("username_characters")
    if not username.isascii() and len({_script(character) for character in username} - {None}) > 1:
        raise AccountError("username_scripts")
    return username


def _script(character: str) -> str | None:
    """Return the alphabet of a letter by its Unicode name; Japanese is written in three that belong together."""
    if not character.isalpha():
        return None
    script = unicodedata.name(character, "UNKNOWN").split()[0]
    return "JAPANESE" if script in {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"} else script


def check_email(text: str) -> str:
    """Return `text` as an email address in the form in which addresses are compared. Raises AccountError."""
    try:
        # Nothing is looked up on the network: the application works without one.
        found = validate_email(clean_text(text), check_deliverability=False)
    except EmailNotValidError:
        raise AccountError("not_an_email") from None
    email = identity_key(found.normalized)
    if len(email) > User.EMAIL_MAX:
        raise AccountError("text_too_long", maximum=User.EMAIL_MAX)
    return email


def allow_local_emails() -> None:
    """Accept addresses that only a home network knows (`ana@localhost`, `ana@nas.local`)."""
    email_validator.GLOBALLY_DELIVERABLE = False
    for name in {"local", "localhost"} & set(email_validator.SPECIAL_USE_DOMAIN_NAMES):
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(name)


def check_new_password(password: str, minimum: int, username: str, email: str) -> None:
    """Refuse a password that is short, easy to guess or one of the user's own names. Raises AccountError.

    There are no rules about kinds of characters, and nothing is trimmed.
    """
    if len(password) < minimum:
        raise AccountError("password_too_short", minimum=minimum)
    if len(password) > PASSWORD_MAX:
        raise AccountError("text_too_long", maximum=PASSWORD_MAX)
    if "\0" in password:
        # The hash would be the same with and without NUL characters at the end.
        raise AccountError("password_with_nul")
    # Longer names are refused elsewhere, and would only take time here.
    username, email = username[: User.USERNAME_MAX], email[: User.EMAIL_MAX]
    local_part = email.partition("@")[0]
    names = {identity_key(name) for name in (username, email, local_part, APPLICATION_NAME)} - {""}
    if identity_key(password) in names:
        raise AccountError("password_is_name")
    name_parts = re.split(r"[\W_]+", identity_key(f"{username} {local_part}"))
    if is_guessable(password, {*names, *name_parts}):
        raise AccountError("password_guessable")


def save(user: User) -> None:
    """Send `user`, new or changed, to the database. Raises AlreadyTakenError if another account has the names.

    There is no check before, because the names could be taken between the check and the statement.
    """
    user_id, username_key, email = user.id, user.username_key, user.email
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        found = sa.or_(User.username_key == username_key, User.email == email)
        fields = set()
        for row in db.session.execute(sa.select(User.id, User.username_key, User.email).where(found)):
            if row.id != user_id:
                fields |= {"username"} if row.username_key == username_key else set()
                fields |= {"email"} if row.email == email else set()
        if not fields:
            raise
        raise AlreadyTakenError(fields) from None


def canonical_email(text: str) -> str:
    """Return an email address in the form in which it is stored, however it is written; other text, folded."""
    try:
        return check_email(text)
    except AccountError:
        return identity_key(text)


def find_by_email(email: str) -> User | None:
    """Return the user with this canonical email address, or None.

    It is not folded again: that could make it another one than that at which failures were counted.
    """
    # PostgreSQL refuses a text with a NUL, even in a search.
    return None if "\0" in email else db.session.scalar(sa.select(User).where(User.email == email))


@cache
def _unknown_hash() -> str:
    """Return a hash that no password matches, so that the work is the same if an account does not exist."""
    return f"{User.HASH_METHOD}${secrets.token_urlsafe(12)}${secrets.token_hex(64)}"


def authenticate(email: str, password: str) -> User | None:
    """Return the user with this canonical email address and password, locked, or None after the same work."""
    return confirm(find_by_email(email), password)


def confirm(user: User | None, password: str, new_password: str | None = None) -> User | None:
    """Return `user`, locked, if this is their password, or None after the same work.

    An account whose grace period is over has no password any more.

    No transaction is open while a hash is computed, so that no writer waits for it. The password becomes
    `new_password`, if there is one; a hash made by an older method is renewed. The caller commits.
    """
    user_id, stored = (user.id, user.password_hash) if user is not None else (None, _unknown_hash())
    db.session.rollback()
    # NUL characters at the end of a password do not change its hash.
    possible = len(password) <= PASSWORD_MAX and "\0" not in password
    matches = check_password_hash(stored, password if possible else "")
    if user_id is None or not (matches and possible):
        return None
    renewed = User()
    if new_password is not None or not stored.startswith(f"{User.HASH_METHOD}$"):
        renewed.set_password(password if new_password is None else new_password)
    # Read again, because the password may have been changed, and its sessions ended, in the meantime.
    user = db.session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None or user.password_hash != stored or deletion.is_over(user, utc_now()):
        return None
    user.password_hash = renewed.password_hash or stored
    return user
