"""Encryption of secrets that the database stores, with keys that are derived from the secret key.

The library takes 6 MB, and most accounts have no such secret, so it is imported when it is needed.
"""

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

# Part of each key, so that none is the same as one for another purpose.
PURPOSE = b"ledger: secrets of two-factor authentication"


class SecretBox:
    """Encrypts with the first of several keys and decrypts with any of them."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Derive a key from each of `secret_keys`, which have to be random."""
        from cryptography.fernet import Fernet, MultiFernet

        fernets = [Fernet(_derive(key)) for key in secret_keys]
        self._first, self._any = fernets[0], MultiFernet(fernets)

    def encrypt(self, secret: str) -> str:
        """Return `secret`, encrypted and authenticated."""
        return self._first.encrypt(secret.encode()).decode()

    def decrypt(self, encrypted: str) -> str | None:
        """Return what was encrypted, or None if none of the keys fits or the text was changed."""
        return _decrypt(self._any, encrypted)

    def is_current(self, encrypted: str) -> bool:
        """Tell whether a text was encrypted with the first key."""
        return _decrypt(self._first, encrypted) is not None


@lru_cache(maxsize=4)
def secret_box(*secret_keys: str) -> SecretBox:
    """Return the box for these secret keys, the current one first."""
    return SecretBox(secret_keys)


def _derive(secret_key: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
    return base64.urlsafe_b64encode(hkdf.derive(secret_key.encode()))


def _decrypt(fernet: "Fernet | MultiFernet", encrypted: str) -> str | None:
    from cryptography.fernet import InvalidToken

    try:
        # As bytes, because Fernet raises other errors for a text that is not ASCII.
        return fernet.decrypt(encrypted.encode(errors="replace")).decode()
    except InvalidToken:
        return None
