"""The command `flask import-statement`."""

import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

import clock
from account_commands import find_user, with_database
from database import db
from doctor import count_text
from ledger import imports
from ledger.categories import get_categories
from ledger.import_drafts import Reading, discard, owner_of, read_as_before, save_draft
from ledger.import_knowledge import reading
from ledger.import_lines import build_rows, count_here, count_to_add
from ledger.imports import usual_category
from ledger.periods import day_in
from ledger.pieces import LeaseLostError, OperationRunningError, recover
from ledger.statements import NO_LIMITS, Person, State, Statement, StatementError
from ledger.statements.summary import StatementSummary, summarise_statement
from messages import error_message
from models import User

# How many times adding is tried while other changes to the same account get in between.
MAX_ATTEMPTS = 5


@click.command("import-statement")
@click.argument("email")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--add", is_flag=True, help="Add the expenses. Without it, nothing is changed.")
@click.option("--account", default="", help="Name of the bank account, if the file does not say it.")
@click.option("--category", default="", help="Category of expenses for which none is known.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
@with_database
def import_statement(email: str, file: str, add: bool, account: str, category: str, as_json: bool) -> None:
    """Show what would be read from the bank statement FILE for the account of EMAIL, or add its expenses.

    FILE can be - for the standard input.
    """
    user = find_user(email)
    # Others can write while the file is read.
    db.session.commit()
    file_name = "" if file == "-" else Path(file).name
    try:
        with click.open_file(file, "rb") as opened:
            content = opened.read()
        read = read_as_before(owner_of(user), content, file_name, account, **reading_options(user))
    except (StatementError, OSError) as error:
        reason = error_message(error) if isinstance(error, StatementError) else str(error)
        raise click.ClickException(reason) from None
    statement = read.statement
    with reading() as connection:
        rows = build_rows(connection, owner_of(user), statement, read.source)
    summary = summarise_statement(statement, count_to_add(rows), count_here(rows))
    if summary.bad_lines == len(statement.lines):
        show(statement, summary, as_json, is_added=False)
        raise click.ClickException(f"None of the {summary.bad_lines} lines could be read.")
    if add:
        save(user, read, content, file_name, category)
    show(statement, summary, as_json, is_added=add)


def reading_options(user: User) -> dict[str, Any]:
    """Return the options for reading a file of this user."""
    return {
        "today": day_in(user.time_zone, clock.now()),
        "person": Person(user.locale, user.currency, user.time_zone),
        "limits": NO_LIMITS,
    }


def save(user: User, read: Reading, content: bytes, file_name: str, category: str) -> None:
    """Add the expenses of a statement, or end the command if it cannot be done."""
    names = [known.name for known in get_categories(user) if not known.archived]
    if category and category not in names:
        raise click.ClickException(f"There is no category {category}. Choose one of {', '.join(names)}.")
    db.session.commit()
    recover(user)
    statement_id = save_draft(owner_of(user), read.statement, content, file_name, read.source, clock.now())
    try:
        with suppress(OperationRunningError, LeaseLostError):
            # Something else can have been added since the file was read.
            for _ in range(MAX_ATTEMPTS):
                outcome, _operation = imports.add(
                    user, statement_id, clock.now(), category or usual_category(names)
                )
                if outcome == "nothing":
                    discard(user, statement_id)
                if outcome != "changed":
                    return
    except SQLAlchemyError:
        forget(user, statement_id)
        raise
    forget(user, statement_id)
    raise click.ClickException("The expenses of this account are being changed. Try again.")


def forget(user: User, statement_id: uuid.UUID) -> None:
    """Delete the draft of what could not be added, if the database lets it; else it is purged as old ones are."""
    db.session.rollback()
    with suppress(OperationRunningError, SQLAlchemyError):
        discard(user, statement_id)


def show(statement: Statement, summary: StatementSummary, as_json: bool, is_added: bool) -> None:
    """Print the figures of a statement, its questions and the lines that cannot be read."""
    if as_json:
        click.echo(json.dumps(summary.as_dict(statement)))
        return
    click.echo(f"{statement.format}: {count_text(summary.lines, 'line')}, {summary.sum:f} {statement.currency}")
    click.echo(
        f"{'Added' if is_added else 'To add'}: {summary.to_add}. Already here: {summary.already_here}. "
        f"Left out: {summary.left_out}. Unreadable: {summary.bad_lines}."
    )
    for question in statement.questions:
        click.echo(f"Not clear from the file: {question.name}. Read as {question.default}.")
    for line in statement.in_state(State.BAD):
        click.echo(f"Line {line.line_number} cannot be read ({line.reason}): {line.raw[:200]}")
