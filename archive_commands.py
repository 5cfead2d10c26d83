"""Commands that move an account to another server: `flask export-account` and `flask restore-account`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.exc import DBAPIError

import clock
from account_commands import find_user, with_database
from database import db
from doctor import count_text, size_text
from ledger.archives import restoring, writing
from ledger.archives.layout import FILE_NAMES
from ledger.archives.reading import NO_LIMITS, open_archive
from ledger.errors import LedgerError
from ledger.pieces import recover
from messages import error_message
from models import Expense


@contextmanager
def _reporting_errors() -> Iterator[None]:
    """End the command with a message if an export cannot be written or read."""
    try:
        yield
    except LedgerError as error:
        raise click.ClickException(f"{error_message(error)} Nothing was changed.") from None
    except (OSError, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise click.ClickException(f"{reason}. Nothing was changed.") from None


@click.command("export-account")
@click.argument("email")
@click.argument("file", type=click.Path(path_type=Path))
@with_database
def export_account(email: str, file: Path) -> None:
    """Write all data of the account of EMAIL to the new zip FILE. The application can keep running."""
    user = find_user(email)
    db.session.commit()
    recover(user)
    with _reporting_errors(), open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as target:
        try:
            counts = writing.write_archive(db.engine, user.id, clock.now(), target)
        except BaseException:
            file.unlink()
            raise
    expenses = count_text(counts[FILE_NAMES[Expense]], "expense")
    click.echo(f"Wrote {file} ({size_text(file.stat().st_size)}): {expenses}. Keep it private.")


@click.command("restore-account")
@click.argument("email")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_database
def restore_account(email: str, file: Path) -> None:
    """Restore the export FILE into the empty account of EMAIL."""
    user, now = find_user(email), clock.now()
    # Others can write while the file is read.
    db.session.commit()
    recover(user)
    with _reporting_errors(), file.open("rb") as source, open_archive(source, user.id, now, NO_LIMITS) as archive:
        restoring.restore(user, archive, now)
    click.echo(f"Restored {count_text(archive.expenses, 'expense')} into the account of {user.username}.")
