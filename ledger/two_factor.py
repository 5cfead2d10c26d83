"""Two-factor authentication: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Literal

import pyotp
import sqlalchemy as sa

from database import db
from ledger.accounts import APPLICATION_NAME
from ledger.encryption import SecretBox
from models import RecoveryCode, TwoFactor, User

STEP_SECONDS = 30
# How many steps a clock may be ahead or behind.
TOLERANCE = 1
RECOVERY_CODES = 10
# 120 random bits. From 112 bits on, a plain hash is enough (OWASP ASVS 6.5.2).
RECOVERY_CODE_BYTES = 15
GROUP = 4
# Digits that are typed for letters that look like them; a recovery code has none of these digits.
LOOKALIKES = str.maketrans("018", "olb")
CODE_MAX = 100


# --- The authenticator app


def new_secret() -> str:
    """Return a new secret of 160 random bits, in the letters that authenticator apps use."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, user: User) -> str:
    """Return the URI for a QR code with which an authenticator app adds the account of `user`."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=APPLICATION_NAME)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the step whose code this is, if it is close enough to `now`, or None."""
    current, totp = _step_at(now), pyotp.TOTP(secret)
    steps = range(current - TOLERANCE, current + TOLERANCE + 1)
    # Every step is compared, so that the time does not tell which one matched.
    found = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    return found[-1] if found else None


def _step_at(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


# --- Turning it on and off. The user is locked, and the caller commits.


def find(user: User) -> TwoFactor | None:
    """Return the authenticator app of `user`, or None without two-factor authentication."""
    return db.session.get(TwoFactor, user.id, populate_existing=True)


def turn_on(user: User, secret: str, code: str, box: SecretBox, now: datetime) -> list[str] | None:
    """Turn two-factor authentication on and return the recovery codes, or None if the code is not right."""
    step = matching_step(secret, _squeeze(code), now)
    if step is None or find(user) is not None:
        return None
    row = TwoFactor(user_id=user.id, secret=box.encrypt(secret), last_step=step, created_at=now)
    db.session.add(row)
    return renew_recovery_codes(user)


def turn_off(user: User) -> bool:
    """Turn two-factor authentication off, and tell whether it was on."""
    for model in (RecoveryCode, TwoFactor):
        found = db.session.execute(sa.delete(model).where(model.user_id == user.id).returning(model.user_id)).all()
    return bool(found)


def renew_recovery_codes(user: User) -> list[str]:
    """Replace the recovery codes of `user` and return the new ones, which are stored as hashes only."""
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    db.session.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    db.session.add_all(RecoveryCode(user_id=user.id, code_hash=_code_hash(code)) for code in codes)
    return codes


def count_recovery_codes(user: User) -> int:
    """Return how many recovery codes are left."""
    query = sa.select(sa.func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user.id)
    return db.session.scalar(query) or 0


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower()
    return "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


# --- Checking a code


def use_code(user: User, code: str, box: SecretBox, now: datetime) -> Literal["app", "recovery"] | None:
    """Tell whether `code` is one of the app or a recovery code of `user`, and use it up; None if it is neither.

    The user is locked, so that only one of two requests with the same code succeeds. The caller commits.
    """
    row, code = find(user), _squeeze(code)
    if row is None:
        return None
    if re.fullmatch(r"[0-9]{6}", code, re.ASCII):
        return "app" if _use_app_code(row, code, box, now) else None
    used = sa.delete(RecoveryCode).where(
        RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _code_hash(code)
    )
    if db.session.execute(used.returning(RecoveryCode.user_id)).first() is None:
        return None
    # Ends every other half-finished login, as a code of the app does.
    row.last_step = max(row.last_step, _step_at(now))
    return "recovery"


def _use_app_code(row: TwoFactor, code: str, box: SecretBox, now: datetime) -> bool:
    secret = box.decrypt(row.secret)
    step = None if secret is None else matching_step(secret, code, now)
    # A clock that was set back must not lock the user out: a step far in the future cannot have been used.
    is_used = step is not None and step <= row.last_step <= _step_at(now) + TOLERANCE
    if secret is None or step is None or is_used:
        return False
    row.last_step = step
    if not box.is_current(row.secret):
        row.secret = box.encrypt(secret)
    return True


def login_mark(user: User, row: TwoFactor) -> str:
    """Return a mark of a half-finished login, which changes with the password and with every used code."""
    text = f"{user.password_hash} {row.secret} {row.last_step}"
    return hashlib.sha256(text.encode()).hexdigest()


def _squeeze(code: str) -> str:
    """Return a code as it is compared, however it was typed."""
    return re.sub(r"[\s-]", "", code[:CODE_MAX]).lower()


def _code_hash(code: str) -> str:
    text = _squeeze(code).translate(LOOKALIKES)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
