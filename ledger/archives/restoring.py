"""Restoring an export into an empty account: all or nothing, but in pieces, so that no other user waits."""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from database import db
from database.bulk import insert_rows
from ledger import operations, pieces
from ledger.account_rows import DATA_TABLES
from ledger.archives.checks import ArchiveError
from ledger.archives.reading import Archive
from ledger.pieces import LeaseLostError
from models import Category, Operation, User


def is_empty(user: User) -> bool:
    """Tell whether the account has nothing but categories and settings, which an export replaces."""
    tables = [table for table in DATA_TABLES if table is not Category.__table__]
    found = (sa.exists().where(table.c.author_id == user.id) for table in tables)
    return not db.session.scalar(sa.select(sa.or_(*found)))


def restore(user: User, archive: Archive, now: datetime) -> None:
    """Store an export in an empty account. Commits. Raises ArchiveError and OperationRunningError.

    While it is running, the user's other changes are refused. An error removes what was stored, and so does the
    user's next request if the process was killed.
    """
    operation = _start(user, now)
    try:
        for table, rows in archive.pieces(pieces.pace_of(operation)):
            insert_rows(db.session.connection(), table, table.c.keys(), rows)
            pieces.commit(operation)
        for name, value in archive.settings.items():
            setattr(user, name, value)
        pieces.finish(operation)
        # The restored history does not include the restore itself.
        db.session.delete(operation)
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        if not isinstance(error, LeaseLostError):
            pieces.end(user.id, operation.id)
        raise


def _start(user: User, now: datetime) -> Operation:
    """Let nothing else change the data of an empty account, and remove its categories. Commits.

    They are recorded, because an interruption brings them back. Waits for operations that have already begun,
    before it checks that the account is empty.
    """
    db.session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
    if not is_empty(user):
        db.session.rollback()
        raise ArchiveError("account_not_empty")
    operation = Operation(author_id=user.id, kind="restore", created_at=now, count=0, total=Decimal(0))
    operation.row_changes = []
    for category in db.session.scalars(sa.select(Category).where(Category.author_id == user.id)).all():
        operations.delete_row(operation, category, category.name)
    pieces.start(operation)
    return operation
