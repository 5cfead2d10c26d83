"""Statements of banks and exports of other trackers, read into lines; nothing here is stored or shown."""

from ledger.statements.model import (
    NO_LIMITS,
    UPLOAD_LIMITS,
    Layout,
    Limits,
    Question,
    State,
    Statement,
    StatementError,
    StatementLine,
)
from ledger.statements.reader import read_statement

__all__ = [
    "NO_LIMITS",
    "UPLOAD_LIMITS",
    "Layout",
    "Limits",
    "Question",
    "State",
    "Statement",
    "StatementError",
    "StatementLine",
    "read_statement",
]
