"""The base of all errors that a user can correct."""

from typing import Any


class LedgerError(ValueError):
    """A value or request that is refused: a `code`, and the `values` that its message names.

    `messages.py` has the sentence for every code.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class AmountError(LedgerError):
    """A text that is not an amount."""
