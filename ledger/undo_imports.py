"""Undo of imports: lines that an undo removed count as never seen, until that undo is undone."""

import uuid

import sqlalchemy as sa

from database import db
from ledger import operations
from ledger.journal import CHANGE, changes_of, row_count
from models import Operation, RowChange, Statement, StatementLine, User

# How many undos of undos are followed back to the import. After more, the lines count as seen.
MAX_UNDOS = 100


def revert(user: User, operation: Operation, change: RowChange) -> None:
    """Note, as a part of `operation`, that the lines of a statement were removed, or that they are back."""
    statement = db.session.get(Statement, (user.id, uuid.UUID(change.row_key)), populate_existing=True)
    if statement is None:
        return
    before, after = (operations.decode(Statement, values or {}) for values in (change.before, change.after))
    if "added_at" in after:
        # It stays added, so that it is remembered; only `undone_at` changes.
        before, after = {"undone_at": operation.created_at}, {"undone_at": None}
    if statement.undone_at == after["undone_at"]:
        operations.change_row(operation, statement, statement.file_name, before)


def note_single(user: User, operation: Operation, original: Operation) -> None:
    """Note in the lines of an import that their expenses were removed, or came back."""
    root = _root(user, original)
    if root is not None and root.kind != "import":
        return
    changes = {"added": ("undone", "add")}
    if root is not None:
        # If it has expired, the user may have deleted the expense, and then its line counts as seen.
        changes["deleted"] = ("add", "undone")
    for change, (before, after) in changes.items():
        ids = sa.select(CHANGE.id).where(*changes_of(operation, change))
        changed = StatementLine.author_id == user.id, StatementLine.state == before, StatementLine.id.in_(ids)
        row_count(sa.update(StatementLine).where(*changed).values(state=after))


def _root(user: User, operation: Operation | None) -> Operation | None:
    """Return the operation to which an undo goes back, or None if it has expired."""
    for _ in range(MAX_UNDOS):
        if operation is None or operation.undoes is None:
            break
        operation = db.session.get(Operation, (user.id, operation.undoes))
    return operation
