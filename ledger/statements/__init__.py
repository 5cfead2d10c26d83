"""Statements of banks and exports of other trackers, read into lines; nothing here is stored or shown."""

from ledger.statements.model import (
    NO_LIMITS,
    UPLOAD_LIMITS,
    Layout,
    Limits,
    Person,
    Question,
    State,
    Statement,
    StatementError,
    StatementLine,
)

__all__ = [
    "NO_LIMITS",
    "UPLOAD_LIMITS",
    "Layout",
    "Limits",
    "Person",
    "Question",
    "State",
    "Statement",
    "StatementError",
    "StatementLine",
]
