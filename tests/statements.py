"""Statements for tests that are about something else."""

from datetime import UTC, date, datetime

from database import db
from ledger.import_drafts import owner_of, read_as_before, save_draft

NOW = datetime(2026, 2, 1, tzinfo=UTC)
STATEMENT = b"""Date,Payee,Amount
2026-01-13,Coffee bar,-3.00
2026-01-13,Coffee bar,-3.00
2026-01-14,Book shop,-12.50
"""


def store_draft(visitor, content=STATEMENT, account="", now=None):
    """Store a statement of a visitor's as a draft, as after an upload, and return its id."""
    with visitor.app.app_context():
        owner = owner_of(visitor.user())
        db.session.commit()
        read = read_as_before(owner, content, "statement.csv", account, today=date(2026, 2, 1))
        return save_draft(owner, read.statement, content, "statement.csv", read.source, now or NOW)
