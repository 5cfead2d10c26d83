"""Random tokens that give access, of which only hashes are stored."""

import hashlib
import re
import secrets

TOKEN_BYTES = 32
# The form of the result of `new_token`; no other text is looked up.
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)


def new_token() -> str:
    """Return a new token of 256 random bits, which can be a part of a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """Return the hash of a token, which is stored: whoever reads the database cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_key(text: str) -> tuple[int, str] | None:
    """Return the user's id and the token of `<id>.<token>`, or None for any other text."""
    match = re.fullmatch(r"([0-9]{1,9})\.([\w-]{1,100})", text, re.ASCII)
    return (int(match[1]), match[2]) if match else None


def is_token(text: str) -> bool:
    """Tell whether `text` could be a token."""
    return _TOKEN.fullmatch(text) is not None
