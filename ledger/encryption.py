"""Encryption of secrets that the database stores, with keys that are derived from the secret key."""

import base64
import importlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

# Part of each key, so that none is the same as one for another purpose.
PURPOSE = b"ledger: secrets of two-factor authentication"


def _module(name: str) -> Any:
    """Import a module of the library when it is needed: it takes 6 MB, and most accounts have no such secret."""
    return importlib.import_module(f"cryptography.{name}")


class SecretBox:
    """Encrypts with the first of several keys and decrypts with any of them."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Derive a key from each of `secret_keys`, which have to be random."""
        self._fernets = [_module("fernet").Fernet(_derive(key)) for key in secret_keys]

    def encrypt(self, secret: str) -> str:
        """Return `secret`, encrypted and authenticated."""
        return str(self._fernets[0].encrypt(secret.encode()).decode())

    def decrypt(self, encrypted: str) -> str | None:
        """Return what was encrypted, or None if none of the keys fits or the text was changed."""
        found = (_decrypt(fernet, encrypted) for fernet in self._fernets)
        return next((secret for secret in found if secret is not None), None)

    def is_current(self, encrypted: str) -> bool:
        """Tell whether a text was encrypted with the first key."""
        return _decrypt(self._fernets[0], encrypted) is not None


def _decrypt(fernet: Any, encrypted: str) -> str | None:
    try:
        # As bytes, because Fernet raises other errors for a text that is not ASCII.
        return str(fernet.decrypt(encrypted.encode(errors="replace")).decode())
    except _module("fernet").InvalidToken:
        return None


@lru_cache(maxsize=4)
def secret_box(*secret_keys: str) -> SecretBox:
    """Return the box for these secret keys, the current one first."""
    return SecretBox(secret_keys)


def _derive(secret_key: str) -> bytes:
    algorithm = _module("hazmat.primitives.hashes").SHA256()
    hkdf = _module("hazmat.primitives.kdf.hkdf").HKDF(algorithm=algorithm, length=32, salt=None, info=PURPOSE)
    derived = hkdf.derive(secret_key.encode())
    return base64.urlsafe_b64encode(derived)
