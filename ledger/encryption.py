"""Encryption of secrets that the database stores, with keys that are derived from the secret key."""

import base64
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# Part of each key, so that none is the same as one for another purpose.
PURPOSE = b"ledger: secrets of two-factor authentication"


class SecretBox:
    """Encrypts with the first of several keys and decrypts with any of them."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Derive a key from each of `secret_keys`, which have to be random."""
        self._fernets = [Fernet(_derive(key)) for key in secret_keys]

    def encrypt(self, secret: str) -> str:
        """Return `secret`, encrypted and authenticated."""
        return self._fernets[0].encrypt(secret.encode()).decode()

    def decrypt(self, encrypted: str) -> str | None:
        """Return what was encrypted, or None if none of the keys fits or the text was changed."""
        found = (_decrypt(fernet, encrypted) for fernet in self._fernets)
        return next((secret for secret in found if secret is not None), None)

    def is_current(self, encrypted: str) -> bool:
        """Tell whether a text was encrypted with the first key."""
        return _decrypt(self._fernets[0], encrypted) is not None


def _decrypt(fernet: Fernet, encrypted: str) -> str | None:
    try:
        # As bytes, because Fernet raises other errors for a text that is not ASCII.
        return fernet.decrypt(encrypted.encode(errors="replace")).decode()
    except InvalidToken:
        return None


@lru_cache(maxsize=4)
def secret_box(*secret_keys: str) -> SecretBox:
    """Return the box for these secret keys, the current one first."""
    return SecretBox(secret_keys)


def _derive(secret_key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode())
    return base64.urlsafe_b64encode(derived)
