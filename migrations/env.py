"""Running migrations: without losing a row, in one transaction, after copying a SQLite file."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import context
from alembic.migration import MigrationContext
from alembic.util import CommandError
from flask import current_app

from database.engine import public_url
from database.revision import current_revision, unknown_migration

# SQLSTATE of PostgreSQL.
INSUFFICIENT_PRIVILEGE = "42501"
db = current_app.extensions["migrate"].db


def save_copy(engine: sa.Engine) -> Path | None:
    """Copy a SQLite database that is about to change, next to it, as `<name>.before-<revision>-<time>`.

    Returns the copy, or None if nothing changes.
    """
    file = engine.url.database
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    try:
        wanted = context.get_revision_argument()
    except KeyError:
        # This command only compares.
        return None
    if current in {None, wanted}:
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = Path(file).with_name(f"{Path(file).name}.before-{current}-{moment}")
    # It gets its name only once it is complete.
    unfinished = copy.with_name(f".{copy.name}")
    unfinished.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        return unfinished.rename(copy)
    finally:
        unfinished.unlink(missing_ok=True)


def render_item(kind: str, item: object, _autogen: object) -> str | bool:
    """Write our column types as the types of the database, so that migrations do not change with our types."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether to compare this table with the models: derived tables have no model."""
    return kind != "table" or name not in {"month_total", "used_description"}


def migrate(connection: sa.Connection) -> None:
    """Run the migrations in one transaction, and check at the end that every foreign key still has its row."""
    options = current_app.extensions["migrate"].configure_args
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        transactional_ddl=True,
        render_item=render_item,
        include_name=is_ours,
        **options,
    )
    with context.begin_transaction():
        run_steps(connection)
        if connection.dialect.name == "sqlite":
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if lost:
                raise RuntimeError(f"{len(lost)} rows would refer to rows that are gone: {lost[:5]}")


def run_steps(connection: sa.Connection) -> None:
    """Run the migrations. Raises RuntimeError if the database has one that this version does not know."""
    try:
        context.run_migrations()
    except CommandError:
        # Alembic would name the migration, but not say what to do.
        revision = current_revision(connection)
        if revision is None or revision in {step.revision for step in context.script.walk_revisions()}:
            raise
        raise RuntimeError(unknown_migration(public_url(connection.engine.url), revision)) from None


def migrate_sqlite(connection: sa.Connection) -> None:
    """Run the steps with foreign keys off, which works outside of a transaction only.

    A table is changed by making it anew and dropping the old one. With foreign keys on, dropping a parent
    deletes its children, without an error. While it is dropped, triggers on other tables may still name it.
    """
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute("PRAGMA legacy_alter_table=ON")
    try:
        migrate(connection)
    finally:
        driver.execute("PRAGMA legacy_alter_table=OFF")
        driver.execute("PRAGMA foreign_keys=ON")


def migrate_postgresql(connection: sa.Connection) -> None:
    """Run the steps. Raises RuntimeError if the user of the database is not allowed to."""
    try:
        migrate(connection)
    except sa.exc.ProgrammingError as error:
        if error.orig.sqlstate != INSUFFICIENT_PRIVILEGE:
            raise
        raise RuntimeError(
            f"Cannot change the database {public_url(connection.engine.url)}: {error.orig.diag.message_primary}. "
            "Make the user in DATABASE_URL the owner of the database."
        ) from None


if context.is_offline_mode():
    raise SystemExit("Migrations run on a database only: they look at what is there.")
# Backups are upgraded as well.
engine = context.config.attributes.get("engine", db.engine)
copy = None
try:
    if engine.dialect.name == "sqlite" and engine.url.database not in {None, "", ":memory:"}:
        copy = save_copy(engine)
    connection = engine.connect()
except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
    # The command then ends with this message, and without a traceback.
    reason = getattr(error, "orig", error)
    raise RuntimeError(f"Cannot open the database {public_url(engine.url)}: {reason}") from None
try:
    with connection:
        if engine.dialect.name == "sqlite":
            migrate_sqlite(connection)
        else:
            migrate_postgresql(connection)
except Exception:
    # Nothing was changed. A service that starts again and again would fill the disk with copies.
    if copy:
        copy.unlink()
    raise
