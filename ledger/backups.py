"""Backups: SQLite files with the data of all users, from SQLite or PostgreSQL."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from database import Base, Money, db
from database.bulk import insert_rows
from database.engine import connect_to_read
from database.revision import MIGRATIONS, current_revision, migration_head, revisions
from ledger.backup_checks import (
    BackupError,
    limit_time,
    refuse_bad_row,
    refuse_foreign_objects,
    refuse_inconsistent,
    refuse_missing_tables,
)
from models import Backup, Draft, Invitation, LoginSession, PasswordReset, SecurityEvent, Throttle, User

ROWS_AT_ONCE = 2000
MAX_RECORDS = 10
# These belong to one database and the browsers that use it. Users log in again after a restore.
EXCLUDED = (LoginSession, SecurityEvent, PasswordReset, Draft, Invitation, Throttle, Backup)
EXCLUDED_TABLES = frozenset(model.__tablename__ for model in EXCLUDED)
TABLES = [table for table in Base.metadata.sorted_tables if table.name not in EXCLUDED_TABLES]
# Called with the name of a table and the number of rows written so far.
Progress = Callable[[str, int], None]


def write_backup(engine: sa.Engine, file: Path, progress: Progress) -> dict[str, int]:
    """Write the current contents of the database to the new `file`, which appears complete or not at all.

    Other connections can write at the same time. The database must have every migration. Returns the number of
    rows of each table in the file. Raises BackupError.
    """
    if os.path.lexists(file):
        raise BackupError(f"{file} already exists. Choose another name, because a backup never overwrites a file.")
    with _unfinished(file) as unfinished:
        copy = _open_file(unfinished, "rw")
        if engine.dialect.name == "sqlite":
            _copy_file(engine, unfinished)
            _delete_excluded(copy)
        else:
            _copy_database(engine, copy, progress)
        _refuse_damaged(copy, "quick_check", "The new backup")
        with copy.connect() as connection:
            counts = count_rows(connection, TABLES)
        _sync(unfinished)
        unfinished.rename(file)
    _sync(file.absolute().parent)
    return counts


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """Create an empty file beside `file` that only its owner can read, and delete it unless it is renamed.

    Raises BackupError.
    """
    unfinished = file.with_name(f"{file.name}.part")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BackupError(
            f"{unfinished} exists: another backup is running or was interrupted. Delete it if none is running."
        ) from None
    try:
        yield unfinished
    finally:
        for suffix in ("", "-journal"):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)


def _open_file(file: Path, mode: str) -> sa.Engine:
    """Return an engine that reads (`ro`) or writes (`rw`) a SQLite file that no other process uses."""
    address = f"{file.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        limit_time(connection, file.stat().st_size)
        # The constraints of the database that the rows are copied to count, not those of the file.
        connection.execute("PRAGMA ignore_check_constraints=ON")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool, hide_parameters=True)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _copy_file(engine: sa.Engine, copy: Path) -> None:
    """Copy the current contents of a SQLite database to the empty file `copy`.

    Unlike SQLite's backup API, VACUUM INTO omits deleted data, and often fails on a damaged database instead of
    copying the damage. The copy needs no write-ahead log.
    """
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM INTO ?", (str(copy),))


def _delete_excluded(copy: sa.Engine) -> None:
    """Empty the tables that are not part of a backup, so that the file contains no traces of them."""
    with copy.begin() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        for name in EXCLUDED_TABLES:
            connection.execute(sa.delete(Base.metadata.tables[name]))


def _copy_database(engine: sa.Engine, copy: sa.Engine, progress: Progress) -> None:
    """Copy every row of a PostgreSQL snapshot to the empty file that `copy` opens."""
    _upgrade(copy)
    with connect_to_read(engine) as source, copy.begin() as target:
        source.exec_driver_sql("SET TRANSACTION READ ONLY")
        _copy_rows(source, target, progress)


def _upgrade(engine: sa.Engine) -> None:
    """Apply every missing migration to a backup file."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"engine": engine})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")


def _sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are stored on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def open_backup(file: Path) -> Iterator[sa.Connection]:
    """Check a backup and open it for reading. An older one is upgraded in a temporary copy.

    Raises BackupError if the file is damaged or is not a backup.
    """
    with file.open("rb") as start:
        if start.read(16) != b"SQLite format 3\0":
            raise BackupError(f"{file} is not a backup: it is not a SQLite file.")
    engine = _open_file(file, "ro")
    _refuse_foreign(engine, file)
    _refuse_damaged(engine, "integrity_check", str(file))
    with engine.connect() as connection:
        revision = current_revision(connection)
    if revision is None:
        raise BackupError(f"{file} is not a backup: it is a SQLite file of another program.")
    if revision not in revisions():
        raise BackupError(
            f"{file} is at migration {revision}, which this version does not know. "
            "It was made by a newer version or by another program. Restore it with that version."
        )
    with tempfile.TemporaryDirectory(prefix="ledger-restore-") as folder:
        if revision != migration_head():
            copy = Path(folder, "upgraded.db")
            _copy_file(engine, copy)
            engine = _open_file(copy, "rw")
            _upgrade(engine)
        with engine.connect() as connection:
            refuse_missing_tables(connection, TABLES)
            yield connection


def _refuse_foreign(engine: sa.Engine, file: Path) -> None:
    """Raise BackupError if a file cannot be read, or contains more than a backup does."""
    try:
        with engine.connect() as connection:
            refuse_foreign_objects(connection)
    except DBAPIError as error:
        raise BackupError(f"{file} is damaged: {error.orig}.") from None


def _refuse_damaged(engine: sa.Engine, check: str, name: str) -> None:
    """Raise BackupError if SQLite's `quick_check` or `integrity_check` finds damage."""
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar()
    except DBAPIError as error:
        found = str(error.orig)
    if found != "ok":
        raise BackupError(f"{name} is damaged: {found}.")


def restore(source: sa.Connection, target: sa.Connection, progress: Progress) -> dict[str, int]:
    """Copy an opened backup to a database without accounts. The caller commits.

    Returns the number of rows of each table. Raises BackupError.
    """
    accounts = count_accounts(target)
    if accounts:
        raise BackupError(
            f"The database is not empty (accounts: {accounts}), and a restore never overwrites data. "
            "Set DATABASE_URL to a new database, run flask db upgrade and restore into that."
        )
    try:
        _copy_rows(source, target, progress, check=True)
    except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
        # A value that cannot be converted to the type of its column.
        raise BackupError(f"The file contains a value that is not valid: {error}.") from None
    refuse_inconsistent(target)
    if target.dialect.name == "postgresql":
        # The sequence has to continue after the ids that were copied.
        greatest = sa.select(sa.func.max(User.id)).scalar_subquery()
        target.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence('"user"', "id"), greatest)))
    return count_rows(target, TABLES)


def _copy_rows(source: sa.Connection, target: sa.Connection, progress: Progress, check: bool = False) -> None:
    """Copy every table in chunks of constant size, after a `check` of each row.

    Raises BackupError for a row that is not valid, and if the copy differs from the source.
    """
    for table in TABLES:
        written = 0
        with source.execute(sa.select(table), execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for some in rows.mappings().partitions():
                if check:
                    for row in some:
                        refuse_bad_row(table, row)
                insert_rows(target, table, table.c.keys(), [tuple(row.values()) for row in some])
                written += len(some)
                progress(table.name, written)
        before, after = _figures(source, table), _figures(target, table)
        if before != after:
            raise BackupError(f"{table.name} was not copied correctly: {len(before ^ after)} sums differ.")


def _figures(connection: sa.Connection, table: sa.Table) -> set[tuple[Any, ...]]:
    """Return the number of rows and the sums of amounts for each owner."""
    owner = [column for column in table.c if column.name == "author_id"]
    sums = [sa.func.sum(column) for column in table.c if isinstance(column.type, Money)]
    query = sa.select(*owner, sa.func.count(), *sums).select_from(table).group_by(*owner)
    return {tuple(row) for row in connection.execute(query)}


def count_rows(connection: sa.Connection, tables: list[sa.Table]) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables}


def count_accounts(connection: sa.Connection) -> int:
    """Return the number of accounts."""
    return connection.scalar(sa.select(sa.func.count()).select_from(User)) or 0


def remember(now: datetime, expenses: int) -> None:
    """Record a backup and delete all but the latest records. The caller commits."""
    db.session.add(Backup(taken_at=now, expenses=expenses))
    newest = sa.select(Backup.taken_at).order_by(Backup.taken_at.desc()).limit(MAX_RECORDS)
    db.session.execute(sa.delete(Backup).where(Backup.taken_at.not_in(newest)))


def last_backup(connection: sa.Connection) -> datetime | None:
    """Return the time of the last backup of this database."""
    return connection.scalar(sa.select(sa.func.max(Backup.taken_at)))
