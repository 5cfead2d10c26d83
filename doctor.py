"""What an operator should know: where the data lies, how it is, and which settings look wrong."""

import difflib
import logging
import os
import platform
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from babel.dates import format_timedelta
from flask import current_app
from sqlalchemy.exc import DBAPIError

import clock
from database import Base, db
from database.revision import is_migrated, migration_head
from ledger.backups import count_accounts, count_rows, last_backup
from models import User

log = logging.getLogger("ledger")
SETTINGS = (
    "ALLOW_LOCAL_EMAILS",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "DEFAULT_CURRENCY",
    "HTTPS",
    "LOG_FORMAT",
    "PASSWORD_MIN",
    "PROXY_HOPS",
    "REGISTRATION",
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "SECRET_KEY_FALLBACKS",
    "THROTTLE_ACCOUNT",
    "THROTTLE_ADDRESS",
    "THROTTLE_WINDOW",
    "TIMEZONE",
    "TRUSTED_HOSTS",
)
BACKUP_MAX_AGE = timedelta(days=7)
SPARE_BYTES = 100_000_000
LIBRARIES = ("flask", "sqlalchemy", "alembic", "wtforms")


class Finding(NamedTuple):
    """A line for the operator; one that is `wrong` says what to do."""

    text: str
    wrong: bool = False


def database_location() -> str:
    """Return where the data lies, without a password."""
    return db.engine.url.render_as_string(hide_password=True)


def not_ready() -> str | None:
    """Return what to do before the database can be used, or None when it can."""
    if is_migrated(db.engine):
        return None
    if not sa.inspect(db.engine).get_table_names():
        return (
            f"{database_location()} is empty. If your data should be there, correct DATABASE_URL; "
            "if you are starting, run: flask db upgrade"
        )
    return f"The database is not up to date ({database_location()}). Run: flask db upgrade"


def log_start() -> None:
    """Write into the log where the data lies, and warn when it looks like the wrong place."""
    try:
        missing = not_ready()
        if missing:
            log.error("%s", missing)
            return
        with db.engine.connect().execution_options(reading=True) as connection:
            accounts = count_accounts(connection)
            taken_at = last_backup(connection)
    except DBAPIError as error:
        log.error("%s cannot be reached: %s", database_location(), error.orig)
        return
    saved = _ago(taken_at) if taken_at else "never"
    log.info(
        "data lies in %s: accounts %s, migration %s, last backup %s",
        database_location(),
        accounts,
        migration_head(),
        saved,
    )
    if not accounts:
        log.warning("there is no account in this database. If your data should be there, correct DATABASE_URL")


def _ago(moment: datetime) -> str:
    return format_timedelta(moment - clock.now(), add_direction=True, locale="en")


def examine() -> Iterator[Finding]:
    """Yield all there is to say, each when it is known."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield Finding(f"Python {platform.python_version()}, {versions}")
    yield from _examine_settings()
    yield from _examine_private_files()
    yield Finding(f"Data: {database_location()}")
    try:
        missing = not_ready()
        if missing:
            yield Finding(missing, wrong=True)
            return
        with db.engine.connect().execution_options(reading=True) as connection:
            yield from _examine_rows(connection)
            if connection.dialect.name == "sqlite":
                yield from _examine_file(connection)
            else:
                yield from _examine_server(connection)
    except DBAPIError as error:
        yield Finding(f"The database cannot be read: {error.orig}. Is DATABASE_URL right?", wrong=True)


def _examine_settings() -> Iterator[Finding]:
    config = current_app.config
    https = config["SESSION_COOKIE_SECURE"]
    if config["PROXY_HOPS"] and not https:
        yield Finding("PROXY_HOPS is set without HTTPS. If the proxy speaks TLS, set HTTPS=1.", wrong=True)
    if https and not config["TRUSTED_HOSTS"]:
        yield Finding("HTTPS is set without TRUSTED_HOSTS. Name the hosts that you serve.", wrong=True)
    for name in ("THROTTLE_ACCOUNT", "THROTTLE_ADDRESS"):
        if not config[name]:
            yield Finding(f"{name}=0 lets anybody guess passwords. Take it out.", wrong=True)
    if os.environ.get("SECRET_KEY") and _kept_key().exists():
        text = f"SECRET_KEY is set, so {_kept_key()} is not used. Delete one of them."
        yield Finding(text, wrong=True)
    if config["REGISTRATION"]:
        yield Finding("Whoever reaches the application can create an account. REGISTRATION=0 closes that.")
    for name in sorted(set(os.environ) - set(SETTINGS)):
        meant = difflib.get_close_matches(name.upper(), SETTINGS, 1, cutoff=0.85)
        if meant:
            yield Finding(f"{name} is no setting. If you mean {meant[0]}, rename it.", wrong=True)


def _kept_key() -> Path:
    return Path(current_app.instance_path, "secret_key")


def _examine_private_files() -> Iterator[Finding]:
    paths = [_kept_key().parent, _kept_key()]
    if db.engine.dialect.name == "sqlite":
        paths.append(Path(db.engine.url.database or ""))
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o077:
            mode = "700" if path.is_dir() else "600"
            yield Finding(f"Others on this machine can read {path}. Run: chmod {mode} '{path}'", wrong=True)


def _examine_rows(connection: sa.Connection) -> Iterator[Finding]:
    revision = MigrationContext.configure(connection).get_current_revision()
    yield Finding(f"Migration {revision}, which is the last")
    counts = count_rows(connection, Base.metadata.sorted_tables)
    yield Finding("Rows: " + ", ".join(f"{name} {number}" for name, number in counts.items()))
    if not counts[User.__tablename__]:
        yield Finding("There is no account yet. If your data should be there, correct DATABASE_URL.")
        return
    taken_at = last_backup(connection)
    if taken_at is None:
        yield Finding("There has never been a backup. Run: flask backup FILE", wrong=True)
    else:
        old = clock.now() - taken_at > BACKUP_MAX_AGE
        advice = ". Run: flask backup FILE" if old else ""
        yield Finding(f"Last backup {_ago(taken_at)}{advice}", wrong=old)


def _examine_file(connection: sa.Connection) -> Iterator[Finding]:
    file = Path(db.engine.url.database or "")
    size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    # A migration copies the file first.
    short = free < size + SPARE_BYTES
    advice = ": too little for a copy of it. Make room" if short else ""
    yield Finding(f"The file has {_megabytes(size)}, the disk {_megabytes(free)} free{advice}", wrong=short)
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if mode != "wal":
        text = f"The journal mode is {mode}, not WAL: is it on a network disk? Move it to this machine."
        yield Finding(text, wrong=True)
    yield Finding("Checking the file, which takes a while when it is large ...")
    damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if damage == "ok":
        yield Finding("The file is sound")
    else:
        yield Finding(f"The file is damaged: {damage}. Restore the last backup into a new one.", wrong=True)


def _examine_server(connection: sa.Connection) -> Iterator[Finding]:
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar() or 0
    server = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    yield Finding(f"PostgreSQL {server}, the database has {_megabytes(size)}")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
