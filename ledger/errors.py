"""The base of all errors that a user can correct."""

from typing import Any


class LedgerError(ValueError):
    """A value or request that the ledger refuses: a `code`, and the `values` that its message names.

    The ledger knows no sentences: `messages.py` has one for every code.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class AmountError(LedgerError):
    """A text that is not an amount."""
