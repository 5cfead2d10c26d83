"""The commands that delete, export and restore an account."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

import clock
from database import db
from doctor import count_text, size_text
from ledger import accounts, deletion
from ledger.archives import restoring, writing
from ledger.archives.layout import FILE_NAMES
from ledger.archives.reading import NO_LIMITS, open_archive
from ledger.errors import LedgerError
from ledger.pieces import recover
from messages import error_message
from models import Expense, User

log = logging.getLogger("ledger")


def find_user(email: str) -> User:
    """Return the user with this email address, or end the command."""
    user = accounts.find_by_email(email)
    if user is None:
        raise click.ClickException(f"No account has the email address {email}.")
    return user


@click.command("delete-user")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_appcontext
def delete_user(email: str, yes: bool) -> None:
    """Remove the account of EMAIL with all its data, at once and for ever."""
    user = find_user(email)
    username = user.username
    # Others can write until the question is answered.
    db.session.commit()
    if not yes:
        click.confirm(
            f"Remove the account {username} ({user.email}) with all its data? This cannot be undone", abort=True
        )
    remove_account(user)
    log.info("account removed by command: user %s", user.id)
    click.echo(f"Removed the account {username} with all its data.")


def remove_account(user: User) -> None:
    """Remove an account with all its rows, or end the command while it is being changed."""
    recover(user)
    try:
        deletion.remove(user)
    except LedgerError:
        raise click.ClickException("The expenses of this account are being changed. Try again.") from None


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
@with_appcontext
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
@with_appcontext
def restore_account(email: str, file: Path) -> None:
    """Restore the export FILE into the empty account of EMAIL."""
    user, now = find_user(email), clock.now()
    # Others can write while the file is read.
    db.session.commit()
    recover(user)
    with _reporting_errors(), file.open("rb") as source, open_archive(source, user.id, now, NO_LIMITS) as archive:
        restoring.restore(user, archive, now)
    click.echo(f"Restored {count_text(archive.expenses, 'expense')} into the account of {user.username}.")
