"""Writing an export: everything from one moment, in constant memory."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import sqlalchemy as sa

from database.engine import connect_to_read
from ledger.archives.layout import FORMAT, MANIFEST, SETTINGS, VERSION, TableFile, table_files
from ledger.csv_export import ExportFile, export_files
from ledger.pieces import OperationRunningError
from ledger.retention import UNDO_RETENTION
from models import Expense, Operation, Statement, User

ROWS_AT_ONCE = 1000
# A stronger compression takes four times as long for a file that is 5 % smaller.
COMPRESS_LEVEL = 4


class Source(NamedTuple):
    """The user whose data is exported, and the time of the export."""

    user_id: int
    now: datetime


def write_file(engine: sa.Engine, user_id: int, now: datetime) -> ExportFile:
    """Return a temporary file with the export of a user, ready to be read.

    Raises TooManyFilesError, OperationRunningError, and OSError when there is no room on the disk.
    """
    file = export_files.open(user_id)
    try:
        write_archive(engine, user_id, now, file)
        file.size = file.seek(0, 2)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def write_archive(engine: sa.Engine, user_id: int, now: datetime, target: IO[bytes]) -> dict[str, int]:
    """Write the export of a user to a file, and return how many rows each of its files has.

    All of it is read in one transaction, while others can write. Raises OperationRunningError.
    """
    source = Source(user_id, now)
    counts = {}
    with (
        connect_to_read(engine) as connection,
        ZipFile(target, "w", ZIP_DEFLATED, compresslevel=COMPRESS_LEVEL) as archive,
    ):
        user = connection.execute(sa.select(User.__table__).where(User.id == user_id)).one()
        if user.running_operation is not None:
            raise OperationRunningError
        for file in table_files(user.currency):
            with archive.open(file.name, "w", force_zip64=True) as member:
                counts[file.name] = _write_rows(connection, source, file, member)
        with archive.open(MANIFEST, "w") as member:
            member.write(_manifest(user, now, counts).encode())
    return counts


def _manifest(user: sa.Row[Any], now: datetime, counts: dict[str, int]) -> str:
    """Return the JSON that names the format, the settings and the files."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "account": {"username": user.username, "email": user.email},
        "settings": {name: getattr(user, name) for name in SETTINGS},
        "files": counts,
    }
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"


def _write_rows(connection: sa.Connection, source: Source, file: TableFile, member: IO[bytes]) -> int:
    """Write the rows of one table as CSV, and return how many there are."""
    count = 0
    text = TextIOWrapper(member, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(file.header)
    writes = [column.write for column in file.columns]
    query = _query(source, file)
    with closing(connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})) as rows:
        for some in rows.partitions():
            writer.writerows(_cells(some, writes))
            count += len(some)
    text.flush()
    text.detach()
    return count


def _cells(rows: Any, writes: list[Any]) -> Iterator[list[str]]:
    for row in rows:
        yield ["" if value is None else write(value) for write, value in zip(writes, row, strict=True)]


def _query(source: Source, file: TableFile) -> sa.Select[*tuple[Any, ...]]:
    """Return the query of the rows of a file: history that can be undone, and imports that were added."""
    column = file.table.c
    query = sa.select(*(column.raw for column in file.columns)).where(column.author_id == source.user_id)
    recent = Operation.author_id == source.user_id, Operation.created_at >= source.now - UNDO_RETENTION
    added = Statement.author_id == source.user_id, Statement.added_at.is_not(None)
    if file.table is Operation.__table__:
        query = query.where(*recent)
    elif "operation_id" in column:
        query = query.where(column.operation_id.in_(sa.select(Operation.id).where(*recent)))
    elif file.table is Statement.__table__:
        query = query.where(*added)
    elif "statement_id" in column:
        query = query.where(column.statement_id.in_(sa.select(Statement.id).where(*added)))
    order = [column.date, column.id] if file.table is Expense.__table__ else file.table.primary_key.columns
    return query.order_by(*order)
