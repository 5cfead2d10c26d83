"""Reading an export: it is checked completely, in constant memory, before any of it is stored.

Its rows go into a temporary SQLite database with the constraints of the real one, from which they are copied. No
transaction of the real database is open meanwhile.
"""

import csv
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from itertools import islice
from typing import IO, Any, NamedTuple, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable

from database.pace import Pace
from ledger.account_rows import DATA_TABLES
from ledger.archives.checks import (
    ArchiveError,
    Rules,
    bad_column,
    check_settings,
    complete,
    is_consistent,
    refuse_inconsistent,
)
from ledger.archives.layout import FILE_NAMES, FORMAT, MANIFEST, SETTINGS, VERSION, TableFile, table_files
from models import Expense, User

ROWS_AT_ONCE = 1_000
# The list of files in an export takes 700 bytes. A list of a million files would take all memory.
MAX_READ_BYTES = 128 * 1024
MANIFEST_MAX_BYTES = 16 * 1024
# The longest rows are those of history, whose values are limited as well.
ROW_MAX_CHARACTERS = 64 * 1024
# Unpacked, an export may be this many times as large as the largest upload. One of 100,000 expenses with as many
# changes becomes five times as large.
UNPACKED_FACTOR = 10
# How many times smaller a file in it can be than its contents: a change of the longest texts takes 2 kB, of which
# only the id cannot be compressed.
MAX_RATIO = 300
# Up to this size, the contents may be compressed by any factor.
SMALL_BYTES = 2**20


class Limits(NamedTuple):
    """The largest export that is read, in bytes as it is sent and as it is unpacked."""

    max_bytes: int
    max_unpacked_bytes: int

    @classmethod
    def of(cls, max_bytes: int) -> "Limits":
        """Return the limits for a file of this size."""
        return cls(max_bytes, UNPACKED_FACTOR * max_bytes)


# For the command line.
NO_LIMITS = Limits(2**40, 2**40)
UPLOAD_MAX_BYTES = 32 * 2**20


class Archive(NamedTuple):
    """An export that was checked: the user's settings, the number of expenses, and all rows by their tables."""

    settings: dict[str, Any]
    expenses: int
    connection: sa.Connection

    def pieces(self, pace: Pace) -> Iterator[tuple[sa.Table, Sequence[sa.Row[Any]]]]:
        """Yield the rows in pieces, each table after those that it refers to."""
        for table in DATA_TABLES:
            # In the order of their keys, by which a database is filled most quickly.
            query = sa.select(table).order_by(*table.primary_key.columns)
            with self.connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
                while some := rows.fetchmany(pace.rows):
                    yield table, some


@contextmanager
def open_archive(file: IO[bytes], user_id: int, now: datetime, limits: Limits) -> Iterator[Archive]:
    """Check an export, and yield it as the data of this user.

    Raises ArchiveError, and OSError when there is no room on the disk.
    """
    if file.seek(0, 2) > limits.max_bytes:
        raise ArchiveError("archive_too_large", limit=limits.max_bytes // 2**20)
    with _opening(file) as archive:
        _check_members(archive, limits)
        settings, counts = _read_manifest(archive)
        engine = _staging_engine()
        try:
            with engine.begin() as connection:
                _stage_files(connection, archive, user_id, Rules(settings["currency"], now), counts)
                yield Archive(settings, counts[FILE_NAMES[Expense]], connection)
        finally:
            engine.dispose()


# --- The zip file


class SmallReads:
    """A file of which little can be read at once, and only at positions within it.

    The length of its list of files, and where each of them begins, are what the zip file claims.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position and return it. Raises BadZipFile for one that is not in the file."""
        position = offset + {0: 0, 1: self._file.tell(), 2: self._size}[whence]
        if not 0 <= position <= self._size:
            raise BadZipFile
        return self._file.seek(position)

    def read(self, size: int = -1) -> bytes:
        """Read at most MAX_READ_BYTES. Raises BadZipFile for more."""
        data = self._file.read(MAX_READ_BYTES + 1 if size < 0 else min(size, MAX_READ_BYTES + 1))
        if len(data) > MAX_READ_BYTES:
            raise BadZipFile
        return data


@contextmanager
def _opening(file: IO[bytes]) -> Iterator[ZipFile]:
    try:
        archive = ZipFile(SmallReads(file))
    except (BadZipFile, NotImplementedError, ValueError, OSError):
        raise ArchiveError("archive_not_zip") from None
    with archive:
        yield archive


def _check_members(archive: ZipFile, limits: Limits) -> None:
    """Raise ArchiveError unless the zip file has exactly the files of an export, within the limits."""
    members = archive.infolist()
    expected = {MANIFEST, *FILE_NAMES.values()}
    names = [member.filename for member in members]
    if MANIFEST not in names:
        raise ArchiveError("archive_not_export")
    unexpected = next((name for name in names if name not in expected or names.count(name) > 1), None)
    if unexpected is not None:
        raise ArchiveError("archive_unexpected", name=unexpected[:50])
    missing = sorted(expected - {*names})
    if missing:
        raise ArchiveError("archive_missing", name=missing[0])
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise ArchiveError("archive_damaged", name=member.filename)
    is_bomb = any(member.file_size > max(SMALL_BYTES, MAX_RATIO * member.compress_size) for member in members)
    if is_bomb or sum(member.file_size for member in members) > limits.max_unpacked_bytes:
        raise ArchiveError("archive_too_large", limit=limits.max_bytes // 2**20)


@contextmanager
def _member(archive: ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open a file in the zip file, which yields no more than its stated size. Raises ArchiveError if damaged."""
    try:
        with archive.open(name) as member:
            yield member
    except (BadZipFile, ZlibError, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError, csv.Error):
        raise ArchiveError("archive_damaged", name=name) from None


def _read_manifest(archive: ZipFile) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the settings, and the number of rows of each file. Raises ArchiveError."""
    with _member(archive, MANIFEST) as member:
        text = member.read(MANIFEST_MAX_BYTES + 1)
    try:
        manifest = json.loads(text) if len(text) <= MANIFEST_MAX_BYTES else None
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArchiveError("archive_not_export")
    if manifest.get("version") != VERSION:
        raise ArchiveError("archive_version")
    check_settings(manifest.get("settings"))
    counts = manifest.get("files")
    if not isinstance(counts, dict) or counts.keys() != {*FILE_NAMES.values()}:
        raise ArchiveError("archive_manifest")
    return {name: manifest["settings"][name] for name in SETTINGS}, counts


# --- The rows


def _staging_engine() -> sa.Engine:
    """Return an engine for the temporary database."""

    def connect() -> sqlite3.Connection:
        # SQLite keeps a database without a name in a file that nobody else can open, and that does not outlive the
        # process, however it ends.
        connection = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode=MEMORY", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.StaticPool, hide_parameters=True)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _stage_files(
    connection: sa.Connection, archive: ZipFile, user_id: int, rules: Rules, counts: dict[str, int]
) -> None:
    """Copy all files to the temporary database. Raises ArchiveError, and OSError when there is no room for it."""
    try:
        _create_tables(connection, user_id)
        for file in table_files(rules.currency):
            if _stage(connection, archive, file, user_id, rules) != counts[file.name]:
                raise ArchiveError("archive_damaged", name=file.name)
        refuse_inconsistent(connection)
    except OperationalError as error:
        raise OSError(f"temporary database: {error.orig}") from None


def _create_tables(connection: sa.Connection, user_id: int) -> None:
    """Create the tables with their constraints, which are checked, and without indexes, and the user."""
    for table in (cast("sa.Table", User.__table__), *DATA_TABLES):
        connection.execute(CreateTable(table))
    names = {"username": "x", "username_key": "x", "email": "x@x", "password_hash": ""}
    connection.execute(sa.insert(User).values(id=user_id, **names))


def _stage(connection: sa.Connection, archive: ZipFile, file: TableFile, user_id: int, rules: Rules) -> int:
    """Copy a file to the temporary database, and return its number of rows. Raises ArchiveError."""
    count = 0
    with _member(archive, file.name) as member:
        rows = _read_rows(member, file, rules)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            for _line, row in some:
                row["author_id"] = user_id
            _insert(connection, file, some)
            count += len(some)
    return count


def _insert(connection: sa.Connection, file: TableFile, rows: list[tuple[int, dict[str, Any]]]) -> None:
    """Insert rows; if their constraints refuse one, find out which."""
    insert = sa.insert(file.table)
    try:
        with connection.begin_nested():
            connection.execute(insert, [row for _line, row in rows])
            return
    except IntegrityError:
        pass
    for line, row in rows:
        try:
            connection.execute(insert, row)
        except IntegrityError:
            raise ArchiveError("archive_row", name=file.name, line=line) from None


def _read_rows(member: IO[bytes], file: TableFile, rules: Rules) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row of a file, with its line. Raises ArchiveError, UnicodeDecodeError and csv.Error."""
    lines = Lines(TextIOWrapper(member, "utf-8", newline=""), file.name)
    reader = csv.reader(lines, strict=True)
    if next(reader, None) != file.header:
        raise ArchiveError("archive_header", name=file.name)
    line = reader.line_num + 1
    for cells in reader:
        lines.begin_row()
        yield line, _read_row(cells, file, line, rules)
        line = reader.line_num + 1


def _read_row(cells: list[str], file: TableFile, line: int, rules: Rules) -> dict[str, Any]:
    if len(cells) != len(file.columns):
        raise ArchiveError("archive_row", name=file.name, line=line)
    row: dict[str, Any] = {}
    for column, cell in zip(file.columns, cells, strict=True):
        name = column.column.name
        try:
            row[name] = column.read(cell) if cell else _empty(column.column)
        except (ValueError, KeyError, RecursionError):
            raise ArchiveError("archive_value", name=file.name, line=line, column=name) from None
    if (wrong := bad_column(file.table, row, rules)) is not None:
        raise ArchiveError("archive_value", name=file.name, line=line, column=wrong)
    complete(file.table, row)
    if not is_consistent(file.table, row, rules):
        raise ArchiveError("archive_row", name=file.name, line=line)
    return row


def _empty(column: sa.Column[Any]) -> str | None:
    """Return the value of an empty cell."""
    return "" if isinstance(column.type, sa.String) and not column.nullable else None


class Lines:
    """Lines of a text. A row may take several of them, but not more than ROW_MAX_CHARACTERS."""

    def __init__(self, text: TextIOWrapper, name: str) -> None:
        self._text, self._name = text, name
        self._left = ROW_MAX_CHARACTERS

    def begin_row(self) -> None:
        """Allow the next row its full length."""
        self._left = ROW_MAX_CHARACTERS

    def __iter__(self) -> Iterator[str]:
        """Yield the lines. Raises ArchiveError within a row that is too long."""
        while line := self._text.readline(self._left + 1):
            self._left -= len(line)
            if self._left < 0:
                raise ArchiveError("archive_damaged", name=self._name)
            yield line
