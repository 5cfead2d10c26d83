"""Checks of an installation: settings, files, database and backups."""

import difflib
import logging
import os
import platform
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from babel.dates import format_timedelta
from flask import current_app
from sqlalchemy.exc import DBAPIError

import clock
from database import Base, db
from database.engine import connect_to_read, public_url
from database.revision import current_revision, is_migrated, migration_head, revisions, unknown_migration
from ledger.backups import count_accounts, count_rows, last_backup
from ledger.encryption import secret_box
from mail import MailServer, connect
from models import Expense, TwoFactor, User

log = logging.getLogger("ledger")
SETTINGS = (
    "ALLOW_LOCAL_EMAILS",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "DEFAULT_CURRENCY",
    "HSTS_SUBDOMAINS",
    "HTTPS",
    "IMPORT_MAX_BYTES",
    "IMPORT_MAX_LINES",
    "LOG_FORMAT",
    "MAIL_FROM",
    "MAIL_URL",
    "MAIL_URL_FILE",
    "PASSWORD_MIN",
    "PROXY_HOPS",
    "PUBLIC_URL",
    "REGISTRATION",
    "RESTORE_MAX_BYTES",
    "SCRIPT_NAME",
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "SECRET_KEY_FALLBACKS",
    "THROTTLE_ACCOUNT",
    "THROTTLE_ADDRESS",
    "THROTTLE_WINDOW",
    "TIMEZONE",
    "TRUSTED_HOSTS",
    "URL_PREFIX",
)
BACKUP_MAX_AGE = timedelta(days=7)
# Deleted accounts are removed by `flask purge`, which should run every day.
PURGE_MAX_AGE = timedelta(days=2)
SPARE_BYTES = 100_000_000
UNITS = (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000))
LIBRARIES = ("flask", "sqlalchemy", "alembic", "wtforms")


class Finding(NamedTuple):
    """One line of the doctor's report. That of a problem says how to fix it."""

    text: str
    is_problem: bool = False


def database_location() -> str:
    """Return the URL of the database without its secrets."""
    return public_url(db.engine.url)


def cannot_open(error: DBAPIError) -> str:
    """Return what to check when the database cannot be opened."""
    # On a full disk, SQLite speaks of an input/output error.
    disk = " and the free space on its disk" if db.engine.dialect.name == "sqlite" else ""
    return f"Cannot open the database {database_location()}: {reason_text(error)} Check DATABASE_URL{disk}."


def reason_text(error: DBAPIError) -> str:
    """Return what the driver of the database says, as one line with a mark at the end of each sentence."""
    reason = " ".join(re.sub(r"(?<![.?:])\n\s*(?=[A-Z])", ". ", str(error.orig)).split())
    return reason if reason.endswith((".", "?")) else f"{reason}."


def not_ready() -> str | None:
    """Return what to do before the database can be used, or None if it is ready."""
    if is_migrated(db.engine):
        return None
    location = database_location()
    with connect_to_read(db.engine) as connection:
        revision = current_revision(connection)
        tables = {*sa.inspect(connection).get_table_names()} - {"alembic_version"}
    if revision is not None and revision not in revisions():
        return unknown_migration(location, revision)
    if revision is None and tables:
        return (
            f"{location} has only tables of another program. Correct DATABASE_URL, or add the tables of this "
            "application with: flask db upgrade"
        )
    if revision is None:
        return (
            f"{location} is empty. For a new installation, run: flask db upgrade. "
            "If you expected your data there, correct DATABASE_URL."
        )
    return f"{location} is not up to date. Run: flask db upgrade"


def log_start() -> None:
    """Log which database is used, its state, and whether it is still empty."""
    try:
        missing = not_ready()
        if missing:
            log.error("%s", missing)
            return
        with connect_to_read(db.engine) as connection:
            accounts = count_accounts(connection)
            taken_at = last_backup(connection)
    except DBAPIError as error:
        log.error("%s", cannot_open(error))
        return
    log.info(
        "Database %s: %s, migration %s, last backup %s",
        database_location(),
        count_text(accounts, "account"),
        migration_head(),
        _ago(taken_at) if taken_at else "never",
    )
    if not accounts:
        log.info("No account yet: %s", _first_step())


def _first_step() -> str:
    """Return how to create the first account."""
    is_open = current_app.config["REGISTRATION"] is True
    return "open the address and create one." if is_open else "create one with flask create-user."


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun: "1 account", "1,038 expenses"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size_text(size: int) -> str:
    """Return a size in bytes with a unit: "1.4 MB", "81 GB"."""
    unit, unit_bytes = next((unit for unit in UNITS if size >= unit[1]), UNITS[-1])
    number = size / unit_bytes
    return f"{number:.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"


def _ago(moment: datetime) -> str:
    return format_timedelta(moment - clock.now(), add_direction=True, locale="en")


def examine() -> Iterator[Finding]:
    """Yield each finding as soon as it is known."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    ledger = current_app.config["VERSION"]
    yield Finding(f"Ledger {ledger}, Python {platform.python_version()}, {libraries}")
    yield from _examine_settings()
    yield from _examine_mail()
    yield from _examine_private_files()
    yield Finding(f"Database: {database_location()}")
    try:
        missing = not_ready()
        if missing:
            yield Finding(missing, is_problem=True)
            return
        with connect_to_read(db.engine) as connection:
            yield from _examine_rows(connection)
            if connection.dialect.name == "sqlite":
                yield from _examine_file(connection)
            else:
                yield from _examine_server(connection)
    except DBAPIError as error:
        yield Finding(cannot_open(error), is_problem=True)


def _examine_settings() -> Iterator[Finding]:
    config = current_app.config
    https = config["SESSION_COOKIE_SECURE"]
    if config["PROXY_HOPS"] and not https:
        yield Finding("PROXY_HOPS is set without HTTPS. If the proxy serves https, set HTTPS=1.", is_problem=True)
    if https and not config["TRUSTED_HOSTS"]:
        text = "HTTPS is set without TRUSTED_HOSTS. Set TRUSTED_HOSTS to the host names of your site."
        yield Finding(text, is_problem=True)
    own_paths = {f"/{rule.rule.split('/')[1]}" for rule in current_app.url_map.iter_rules()}
    if f"/{config['URL_PREFIX'].partition('/')[2].partition('/')[0]}" in own_paths - {"/"}:
        text = f"URL_PREFIX={config['URL_PREFIX']} is also a path of the application. Choose another one."
        yield Finding(text, is_problem=True)
    for name in ("THROTTLE_ACCOUNT", "THROTTLE_ADDRESS", "THROTTLE_WINDOW"):
        if not config[name]:
            yield Finding(f"{name}=0 allows unlimited guessing of passwords. Remove it.", is_problem=True)
    if os.environ.get("SECRET_KEY") and _key_file().exists():
        text = f"SECRET_KEY is set, so {_key_file()} is not used. Delete one of them."
        yield Finding(text, is_problem=True)
    if config["REGISTRATION"] is True:
        text = "Registration is open to everyone who can reach this site. REGISTRATION=0 closes it"
        yield Finding(f"{text}, REGISTRATION=invite asks for an invitation.")
    if https and config["PUBLIC_URL"].startswith("http:"):
        yield Finding("PUBLIC_URL begins with http:// although HTTPS=1. Change it to https://", is_problem=True)
    for name in sorted(set(os.environ) - set(SETTINGS)):
        similar = difflib.get_close_matches(name.upper(), SETTINGS, 1, cutoff=0.85)
        if similar:
            yield Finding(f"Unknown setting {name}. Did you mean {similar[0]}?", is_problem=True)


def _examine_mail() -> Iterator[Finding]:
    server: MailServer | None = current_app.config["MAIL_SERVER"]
    if server is None:
        yield Finding("No mail server: forgotten passwords are reset with flask reset-password.")
        return
    try:
        with connect(server):
            yield Finding(f"Mail server {server}: logging in works")
    except OSError as error:
        text = f"Mail server {server}: {error or type(error).__name__}. Check MAIL_URL."
        yield Finding(text, is_problem=True)


def _key_file() -> Path:
    return Path(current_app.instance_path, "secret_key")


def _examine_private_files() -> Iterator[Finding]:
    paths = [_key_file().parent, _key_file()]
    if db.engine.dialect.name == "sqlite":
        paths.append(Path(db.engine.url.database or ""))
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o077:
            mode = "700" if path.is_dir() else "600"
            text = f"Other users of this machine can read {path}. Run: chmod {mode} '{path}'"
            yield Finding(text, is_problem=True)


def _examine_rows(connection: sa.Connection) -> Iterator[Finding]:
    revision = current_revision(connection)
    yield Finding(f"Migration {revision} (the latest)")
    tables = Base.metadata.tables
    counts = count_rows(connection, [tables[User.__tablename__], tables[Expense.__tablename__]])
    if not counts[User.__tablename__]:
        yield Finding(f"No account yet: {_first_step()} If you expected your data here, correct DATABASE_URL.")
        return
    accounts = count_text(counts[User.__tablename__], "account")
    yield Finding(f"{accounts}, {count_text(counts[Expense.__tablename__], 'expense')}")
    yield from _examine_deleted(connection)
    yield from _examine_secrets(connection)
    taken_at = last_backup(connection)
    if taken_at is None:
        yield Finding("There is no backup yet. Run: flask backup FILE", is_problem=True)
    else:
        is_old = clock.now() - taken_at > BACKUP_MAX_AGE
        advice = ". Run: flask backup FILE" if is_old else ""
        yield Finding(f"Last backup {_ago(taken_at)}{advice}", is_problem=is_old)


def _examine_deleted(connection: sa.Connection) -> Iterator[Finding]:
    """Yield how many accounts their users have deleted, and how many `flask purge` should have removed."""
    deleted = sa.select(sa.func.count()).where(User.delete_at.is_not(None))
    if number := connection.scalar(deleted) or 0:
        yield Finding(f"{count_text(number, 'account')} deleted by the user and not removed yet")
    overdue = deleted.where(User.delete_at <= clock.now() - PURGE_MAX_AGE)
    if number := connection.scalar(overdue) or 0:
        accounts = count_text(number, "account")
        yield Finding(
            f"{accounts} should have been removed. Run flask purge, and schedule it daily", is_problem=True
        )


def _examine_secrets(connection: sa.Connection) -> Iterator[Finding]:
    """Yield how many secrets of two-factor authentication cannot be read, or depend on a former secret key."""
    config = current_app.config
    box = secret_box(config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])
    stored = connection.scalars(sa.select(TwoFactor.secret)).all()
    lost = sum(box.decrypt(secret) is None for secret in stored)
    former = sum(not box.is_current(secret) for secret in stored) - lost
    if lost:
        text = (
            f"{count_text(lost, 'authenticator app')} cannot be checked, because SECRET_KEY has changed since the "
            "setup. Set SECRET_KEY_FALLBACKS to the former key. If it is lost, these users log in with "
            "recovery codes, or after flask disable-two-factor EMAIL."
        )
        yield Finding(text, is_problem=True)
    if former:
        apps = count_text(former, "authenticator app")
        yield Finding(f"SECRET_KEY_FALLBACKS is still needed for {apps}, until their users log in")


def _examine_file(connection: sa.Connection) -> Iterator[Finding]:
    file = Path(db.engine.url.database or "")
    size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    # An upgrade copies the file first.
    is_full = free < size + SPARE_BYTES
    advice = ": too little to copy the file before an upgrade. Free some space" if is_full else ""
    yield Finding(f"Database file {size_text(size)}, disk {size_text(free)} free{advice}", is_problem=is_full)
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if mode != "wal":
        text = f"The journal mode is {mode}, not WAL. If the file is on a network drive, move it to a local disk."
        yield Finding(text, is_problem=True)
    yield Finding("Checking the file for damage (a large one takes a while) ...")
    damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if damage == "ok":
        yield Finding("No damage found")
    else:
        text = f"The file is damaged: {damage}. Restore the last backup into a new file."
        yield Finding(text, is_problem=True)


def _examine_server(connection: sa.Connection) -> Iterator[Finding]:
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar() or 0
    server = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    yield Finding(f"PostgreSQL {server}, database size {size_text(size)}")
