"""Drafts of imports: statements that were read but not added yet, and how earlier ones of a kind were read."""

import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import undefer
from uuid_utils.compat import uuid7

from database import db
from database.bulk import Columns, convert, insert_converted
from database.pace import Pace
from database.statements import OWNER_ID, built_once
from ledger import operations
from ledger.import_knowledge import LINE, LINES, STATEMENT, reading, state_of
from ledger.import_lines import Owner, Row, build_rows
from ledger.import_summary import COLUMNS, summarise_lines
from ledger.journal import row_count
from ledger.statements import Layout
from ledger.statements import Statement as ReadStatement
from models import Statement, StatementLine, User

DRAFT_MAX_AGE = timedelta(days=7)
MAX_DRAFTS = 20
# How many earlier statements of the same kind of file are looked at.
MAX_REMEMBERED = 200
# The most lines that are written in one transaction.
LINES_AT_ONCE = 5_000
# No file that is uploaded is larger; the command has no such limit.
CONTENT_MAX_BYTES = 2**30


def owner_of(user: User) -> Owner:
    """Return the values of a user that reading and storing a statement needs."""
    return Owner(user.id, user.currency)


# --- Drafts


def hash_of(data: bytes) -> str:
    """Return 128 bits that tell files, or signatures, apart."""
    return blake2b(data, digest_size=Statement.HASH_LENGTH // 2).hexdigest()


def save_draft(
    owner: Owner, statement: ReadStatement, content: bytes, file_name: str, source: str, now: datetime
) -> uuid.UUID:
    """Store a statement that was read, and return its id. Others can write meanwhile; commits.

    `source` is the account, if the file names none.
    """
    # Before the categories of the lines are read: those that are renamed after this id are followed.
    statement_id = uuid7()
    with reading() as connection:
        compared_with = state_of(connection, owner.id)
        rows = build_rows(connection, owner, statement, source)
    draft = _values_of(statement, rows, source) | {
        "author_id": owner.id,
        "id": statement_id,
        "file_name": file_name[-Statement.FILE_NAME_MAX :],
        "file_hash": hash_of(content),
        "compared_with": compared_with,
        "read_at": now,
    }
    columns = {"author_id": [owner.id] * len(rows), "statement_id": [draft["id"]] * len(rows)}
    columns |= {name: [row[name] for row in rows] for name in rows[0]}
    lines = convert(db.engine.dialect, LINES, columns)
    packed = zlib.compress(content, 1)
    db.session.execute(sa.insert(Statement), [draft])
    _insert_lines(lines, len(rows))
    mine = STATEMENT.author_id == owner.id, STATEMENT.id == draft["id"]
    # Only its content makes it a draft, so that an interruption never leaves a draft without all lines.
    row_count(sa.update(Statement).where(*mine).values(content=packed))
    db.session.commit()
    return cast("uuid.UUID", draft["id"])


def _values_of(statement: ReadStatement, rows: Sequence[Row], source: str) -> dict[str, Any]:
    """Return the columns of Statement that come from the file, with the preview of its rows."""
    days = [row["date"] for row in rows if row["state"] in StatementLine.BOOKED]
    return {
        "format": statement.format,
        "source": (", ".join(statement.accounts) or source)[: Statement.SOURCE_MAX],
        "signature": hash_of(statement.signature.encode(errors="replace")),
        "layout": statement.layout.to_json(),
        "balances_agree": statement.balances_agree,
        "start_date": min(days, default=None),
        "end_date": max(days, default=None),
        "preview": summarise_lines(map(itemgetter(*COLUMNS), reversed(rows))).to_text(),
    }


def _insert_lines(columns: Columns, number: int) -> None:
    """Insert the lines, whose columns were converted, in pieces; all but the last one are committed."""
    pace = Pace(LINES_AT_ONCE)
    start = 0
    while start < number:
        if start:
            db.session.commit()
            pace.pause()
        end = min(start + pace.rows, number)
        insert_converted(db.session.connection(), LINES, columns, start, end)
        start = end


def find_draft(user: User, statement_id: uuid.UUID) -> Statement | None:
    """Return a statement of the user that can still be added."""
    return db.session.scalar(_draft_query(), {"owner_id": user.id, "statement_id": statement_id})


@built_once
def _draft_query() -> sa.Select[Statement]:
    return (
        sa.select(Statement)
        .options(undefer(Statement.preview))
        .where(
            Statement.author_id == OWNER_ID,
            Statement.id == sa.bindparam("statement_id", type_=sa.Uuid),
            Statement.content.is_not(None),
            Statement.added_at.is_(None),
        )
    )


def read_content(user: User, statement_id: uuid.UUID) -> bytes | None:
    """Return the file of a draft."""
    query = sa.select(Statement.content).where(Statement.author_id == user.id, Statement.id == statement_id)
    content = db.session.scalar(query.where(Statement.added_at.is_(None)))
    return None if content is None else zlib.decompressobj().decompress(content, CONTENT_MAX_BYTES)


def discard(user: User, statement_id: uuid.UUID) -> bool:
    """Delete a draft, and tell whether there was one. Others can write meanwhile; commits.

    Raises OperationRunningError: it may be the one that is being added.
    """
    operations.lock_account(user)
    return _delete(user.id, statement_id)


def _delete(user_id: int, statement_id: uuid.UUID) -> bool:
    """Delete a draft and its lines, a piece at a time, and tell whether there was one. Commits by itself."""
    draft = Statement.author_id == user_id, Statement.id == statement_id, Statement.added_at.is_(None)
    # From here on it is not a draft any more; what an interruption leaves behind is purged.
    if not row_count(sa.update(Statement).where(*draft).values(content=None)):
        return False
    of_statement = LINE.author_id == user_id, LINE.statement_id == statement_id
    some = sa.select(LINE.id).where(*of_statement)
    pace = Pace(LINES_AT_ONCE)
    deleted = 1
    while deleted:
        db.session.commit()
        pace.pause()
        chosen = LINE.author_id == user_id, LINE.id.in_(some.limit(pace.rows))
        deleted = row_count(sa.delete(StatementLine).where(*chosen))
    row_count(sa.delete(Statement).where(Statement.author_id == user_id, Statement.id == statement_id))
    db.session.commit()
    return True


def purge(now: datetime, user: User | None = None) -> list[str]:
    """Delete the drafts of a user that are too old or too many, or of all users that are too old.

    Returns the names of the files. Commits.
    """
    query = sa.select(Statement.author_id, Statement.id, Statement.file_name).where(Statement.added_at.is_(None))
    if user is None:
        query = query.where(Statement.read_at <= now - DRAFT_MAX_AGE)
    else:
        rank = sa.func.row_number().over(order_by=Statement.id.desc())
        recent = sa.select(Statement.id, Statement.read_at, rank.label("rank"))
        drafts = recent.where(Statement.author_id == user.id, Statement.added_at.is_(None)).subquery()
        old = sa.select(drafts.c.id).where(
            sa.or_(drafts.c.read_at <= now - DRAFT_MAX_AGE, drafts.c.rank > MAX_DRAFTS)
        )
        query = query.where(Statement.author_id == user.id, Statement.id.in_(old))
    deleted = []
    for author_id, statement_id, file_name in db.session.execute(query).all():
        running = sa.select(User.running_operation).where(User.id == author_id)
        if db.session.scalar(running.with_for_update(read=True, key_share=True)) is not None:
            # It may be the one that is being added.
            db.session.commit()
            continue
        if _delete(author_id, statement_id):
            deleted.append(file_name)
    return deleted


def list_statements(user: User, limit: int) -> list[Statement]:
    """Return the latest statements of the user, drafts included, the newest first."""
    query = sa.select(Statement).where(
        Statement.author_id == user.id, sa.or_(Statement.content.is_not(None), Statement.added_at.is_not(None))
    )
    return list(db.session.scalars(query.order_by(Statement.id.desc()).limit(limit)))


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement that was read, and the bank account that its lines belong to.

    `sources` are the accounts that such files were added to.
    """

    statement: ReadStatement
    source: str
    sources: tuple[str, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """Whether the user has to say how the file is read, or which account it belongs to."""
        return self.is_guess or self.is_account_unclear

    @property
    def is_guess(self) -> bool:
        """Whether the file does not say how it is read."""
        # A question that the layout has no field for cannot be answered.
        return any(hasattr(self.statement.layout, question.name) for question in self.statement.questions)

    @property
    def is_account_unclear(self) -> bool:
        """Whether such files were added to several accounts, and neither the file nor the user names one."""
        return not self.source and len(self.sources) > 1


def read_as_before(
    owner: Owner, content: bytes, file_name: str, source: str, layout: Layout | None = None, **options: Any
) -> Reading:
    """Read a file with the answers that were given for earlier ones of its kind. Raises StatementError.

    A `layout` is the user's current answer, and takes precedence. No transaction is open meanwhile.
    """
    from ledger.statements.reader import read_statement

    statement = read_statement(content, file_name, layout=layout, **options)
    with reading() as connection:
        layouts, sources = _remembered(connection, owner, statement.signature)
    if layouts and layout is None:
        answers = _answers(statement, layouts[0])
        if answers != statement.layout or statement.questions:
            statement = read_statement(content, file_name, layout=answers, **options)
    named = source or (sources[0] if len(sources) == 1 else "")
    accounts = statement.accounts
    return Reading(statement, accounts[0] if accounts else named, sources)


def without_answers(layout: Layout) -> Layout:
    """Return a layout without the answers, to find out what the file itself does not say."""
    return Layout(delimiter=layout.delimiter)


def _answers(statement: ReadStatement, earlier: Layout) -> Layout:
    """Return the layout of a file: what the file says itself, and earlier answers where it says nothing."""
    asked = {question.name for question in statement.questions}
    answers: dict[str, Any] = {
        name: getattr(earlier, name) for name in ("encoding", "currency", "date", "decimal") if name in asked
    }
    always = {name: getattr(earlier, name) for name in ("sign", "day", "minor", "columns")}
    return replace(statement.layout, **answers, **always)


def _remembered(connection: sa.Connection, owner: Owner, signature: str) -> tuple[list[Layout], tuple[str, ...]]:
    """Return the layouts of added statements with this signature, the latest first, and their accounts."""
    query = sa.select(STATEMENT.layout, STATEMENT.source).where(
        STATEMENT.author_id == owner.id,
        STATEMENT.signature == hash_of(signature.encode(errors="replace")),
        STATEMENT.added_at.is_not(None),
    )
    rows = connection.execute(query.order_by(STATEMENT.added_at.desc()).limit(MAX_REMEMBERED)).all()
    sources = dict.fromkeys(row.source for row in rows)
    return [Layout.from_json(row.layout) for row in rows[:1]], tuple(sources)
