"""Commands: `flask serve`, `flask demo`, `flask backup` and others."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError
from waitress.server import BaseWSGIServer

import account_commands
import archive_commands
import clock
import doctor
import http_server
import import_command
from account_commands import need_database, save_new_user, with_database
from database import Base, db
from database.citus import citus_statements
from database.engine import database_url
from database.files import SQLITE_SUFFIXES
from ledger import (
    backups,
    deletion,
    demo,
    descriptions,
    drafts,
    import_drafts,
    invitations,
    password_resets,
    retention,
    security_events,
)
from ledger.backup_checks import BackupError
from ledger.periods import day_in
from models import Expense, User

# Citus also lists tables that it has not distributed; their type is "local".
DISTRIBUTED = """
    SELECT relname FROM citus_tables JOIN pg_class ON pg_class.oid = table_name
    WHERE citus_table_type IN ('distributed', 'reference') AND pg_table_is_visible(table_name)
"""
DEMO_URL = "sqlite:///demo.db"


class Commands(AppGroup):
    """The commands of the application. Those of `flask db`, with Alembic, are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), "db"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name."""
        if cmd_name == "db":
            from flask_migrate.cli import db as migrations

            return migrations
        return super().get_command(ctx, cmd_name)


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    app.cli = Commands(app.name)
    for command in (
        serve,
        *account_commands.COMMANDS,
        archive_commands.export_account,
        archive_commands.restore_account,
        purge,
        show_demo,
        import_command.import_statement,
        backup,
        restore,
        examine,
        distribute,
    ):
        app.cli.add_command(command)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@with_database
def serve(host: str, port: int) -> None:
    """Run the application with the built-in server."""
    # Process 1 of a container ignores SIGTERM unless it handles it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = _listen(host, port)
    address = f"http://{host}:{port}{current_app.config['URL_PREFIX']}"
    if current_app.config["SESSION_COOKIE_SECURE"]:
        click.echo(f"Serving {address} for a proxy that adds https (HTTPS=1). Stop with Ctrl+C.")
    else:
        click.echo(f"Open {address} in a browser. Stop with Ctrl+C.")
    doctor.log_start()
    server.run()


def _listen(host: str, port: int) -> BaseWSGIServer:
    """Return the server, or end the command if its address cannot be used."""
    config = current_app.config
    # Larger than what the application accepts, so that its own page can say so.
    max_body_bytes = max(
        4 * config["MAX_CONTENT_LENGTH"],
        3 * config["IMPORT_MAX_BYTES"],
        config["RESTORE_MAX_BYTES"] + config["MAX_CONTENT_LENGTH"],
    )
    # ProxyFix reads the X-Forwarded headers, from as many proxies as PROXY_HOPS says.
    trust_proxy_headers = bool(config["PROXY_HOPS"])
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        return http_server.listen(app, host, port, max_body_bytes, trust_proxy_headers)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "There is no such host"
        raise click.ClickException(
            f"Cannot serve on {host}:{port}: {reason}. Choose another address with --host and --port."
        ) from None


@click.command()
@with_database
def purge() -> None:
    """Permanently delete what has expired: history, drafts, imports, links, events and deleted accounts."""
    number, has_more = 0, True
    while has_more:
        deleted, has_more = retention.purge(clock.now())
        number += deleted
        # Each part is one transaction, so that nobody waits until everything is deleted.
        db.session.commit()
    drafts.delete_old(clock.now())
    import_drafts.purge(clock.now())
    invitations.delete_expired(clock.now())
    password_resets.delete_expired(clock.now())
    security_events.delete_old(clock.now())
    db.session.commit()
    descriptions.purge()
    removed = deletion.remove_expired(clock.now())
    click.echo(f"Deleted {doctor.count_text(number, 'operation')}.")
    if removed:
        click.echo(f"Removed {doctor.count_text(removed, 'account')}.")


@click.command("demo")
@click.option("--here", is_flag=True, help="Use the configured database instead of a separate one.")
@click.option("--remove", is_flag=True, help="Remove the demo account again, with all its data.")
@with_appcontext
def show_demo(here: bool, remove: bool) -> None:
    """Create a demo account with two years of sample data, in a separate database: instance/demo.db."""
    if here and remove:
        _remove_demo_account()
    elif here:
        _create_demo_account()
    elif remove:
        _remove_demo_database()
    else:
        _create_demo_database()


def _create_demo_account() -> None:
    need_database()
    password = secrets.token_urlsafe(9)
    user = User(username=demo.USERNAME, email=demo.EMAIL)
    save_new_user(user, password)
    count = demo.fill_account(user, day_in(user.time_zone, clock.now()))
    db.session.commit()
    click.echo(
        f"Created a demo account with {count} expenses. Log in as {demo.EMAIL} with the password {password}"
    )


def _remove_demo_account() -> None:
    need_database()
    user = demo.find_account()
    if user is None:
        raise click.ClickException(f"This database has no demo account ({demo.EMAIL}).")
    account_commands.remove_account(user)
    click.echo("Removed the demo account with all its data.")


def _demo_file() -> Path:
    return Path(current_app.instance_path, database_url(DEMO_URL).database or "")


def _create_demo_database() -> None:
    if _demo_file().exists():
        raise click.ClickException(f"{_demo_file()} exists already. To remove it, run: flask demo --remove")
    # In other processes, because this one has opened its database already. An empty setting also overrides .env.
    settings = {"DATABASE_URL": DEMO_URL, "DATABASE_URL_FILE": ""}
    for arguments in (["db", "upgrade"], ["demo", "--here"]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            cwd=current_app.root_path,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            _delete_demo_files()
            raise click.ClickException(f"The demo could not be created: {done.stderr.strip() or done.stdout}")
    # Settings with which nobody could log in to the demo over http.
    undone = {"DATABASE_URL_FILE": "", "HTTPS": "0", "TRUSTED_HOSTS": "", "PROXY_HOPS": "0"}
    changed = {name: value for name, value in undone.items() if os.environ.get(name, "0") not in {"", "0"}}
    command = " ".join(f"{name}={value}" for name, value in {"DATABASE_URL": DEMO_URL, **changed}.items())
    click.echo(f"{done.stdout}To see it, run: {command} flask serve\nTo remove it, run: flask demo --remove")


def _remove_demo_database() -> None:
    if not _demo_file().exists():
        raise click.ClickException(f"There is no {_demo_file()}.")
    _delete_demo_files()
    click.echo(f"Removed {_demo_file()}.")


def _delete_demo_files() -> None:
    for suffix in SQLITE_SUFFIXES:
        _demo_file().with_name(f"{_demo_file().name}{suffix}").unlink(missing_ok=True)


@contextmanager
def _reporting_errors() -> Iterator[None]:
    """End the command with a message if a backup cannot be written or read."""
    try:
        yield
    except BackupError as error:
        raise click.ClickException(f"{error} Nothing was changed.") from None
    except (DBAPIError, OSError, ValueError, sqlite3.Error) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise click.ClickException(f"{reason}. Nothing was changed.") from None


def _show_progress(table: str, rows: int) -> None:
    """Show the progress on a terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{table}: {rows:,} rows", nl=False, err=True)


def _summary(counts: dict[str, int], started: float) -> str:
    """Return how much was copied and how long it took."""
    seconds = time.monotonic() - started
    accounts = doctor.count_text(counts[User.__tablename__], "account")
    expenses = doctor.count_text(counts[Expense.__tablename__], "expense")
    return f"{accounts}, {expenses}, {seconds:.1f} seconds."


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_database
def backup(file: Path) -> None:
    """Write a backup of all data to the new FILE. The application can keep running."""
    taken_at, started = clock.now(), time.monotonic()
    with _reporting_errors():
        counts = backups.write_backup(db.engine, file, _show_progress)
    # Before anything is printed, because a pipe that is closed ends the command.
    backups.remember(taken_at, counts["expense"])
    db.session.commit()
    size = doctor.size_text(file.stat().st_size)
    click.echo(f"\nWrote {file} ({size}): {_summary(counts, started)}")
    click.echo("Keep it private and copy it to another machine. Sessions and the secret key are not included.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_database
def restore(file: Path) -> None:
    """Restore the backup FILE into a database without accounts."""
    started = time.monotonic()
    with _reporting_errors(), backups.open_backup(file) as source, db.engine.begin() as target:
        counts = backups.restore(source, target, _show_progress)
    click.echo(f"\nRestored {_summary(counts, started)}")
    click.echo("All counts and sums match the backup. Everyone has to log in again, with the same password.")


@click.command("doctor")
@with_appcontext
def examine() -> None:
    """Check settings, files, database and backups. The exit code is 1 if there is a problem."""
    has_problem = False
    for finding in doctor.examine():
        click.echo(f"{'!' if finding.is_problem else ' '} {finding.text}")
        has_problem = has_problem or finding.is_problem
    if has_problem:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the statements and change nothing.")
@with_database
def distribute(dry_run: bool) -> None:
    """Distribute the tables over a Citus cluster. Tables that are distributed already stay as they are."""
    if db.engine.dialect.name == "sqlite":
        raise click.ClickException("SQLite cannot be distributed. Set DATABASE_URL to a Citus coordinator.")
    with db.engine.begin() as connection:
        if not connection.scalar(sa.text("SELECT true FROM pg_extension WHERE extname = 'citus'")):
            raise click.ClickException(
                "Citus is not set up in this database. Install it on every machine, run CREATE EXTENSION citus "
                "here and add the workers, as described in docs/scaling.md."
            )
        # Views cannot be distributed.
        existing = sa.inspect(connection).get_table_names()
        tables = [table for table in Base.metadata.sorted_tables if table.name in existing]
        statements = citus_statements(tables, connection.scalars(sa.text(DISTRIBUTED)).all())
        for statement in statements:
            click.echo(f"{statement};")
            if not dry_run:
                connection.exec_driver_sql(statement)
    if not statements:
        click.echo("All tables are distributed already.")
