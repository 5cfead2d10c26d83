"""Commands for accounts: `flask create-user`, `flask reset-password`, `flask invite` and others."""

import logging
from collections.abc import Callable
from functools import wraps

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError, OperationalError

import clock
import doctor
from database import db
from ledger import accounts, deletion, invitations, security_events, sessions, throttling, two_factor
from ledger.errors import LedgerError
from ledger.money import FALLBACK_CURRENCY
from ledger.pieces import recover
from messages import error_message
from models import Invitation, User

log = logging.getLogger("ledger")


def with_database(command: Callable[..., None]) -> Callable[..., None]:
    """Run a command in the application, and end it with a message if its database cannot be used."""

    @with_appcontext
    @wraps(command)
    def checked(*arguments: object, **options: object) -> None:
        need_database()
        try:
            command(*arguments, **options)
        except OperationalError as error:
            reason = doctor.reason_text(error)
            location = doctor.database_location()
            raise click.ClickException(f"The database {location} cannot be used: {reason} Try again.") from None

    return checked


def need_database() -> None:
    """End the command unless the database has every migration."""
    # Their messages would only distract from the one that says what to do.
    for name in ("alembic", "waitress"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        missing = doctor.not_ready()
    except DBAPIError as error:
        raise click.ClickException(doctor.cannot_open(error)) from None
    if missing:
        raise click.ClickException(missing)


def _checked(check: Callable[..., str | None], *values: object) -> str | None:
    """Return what `check` returns for the values, or end the command with its error message."""
    try:
        return check(*values)
    except accounts.AccountError as error:
        raise click.ClickException(error_message(error)) from None


def find_user(email: str) -> User:
    """Return the user with this email address, or end the command."""
    user = accounts.find_by_email(accounts.canonical_email(email))
    if user is None:
        raise click.ClickException(f"No account has the email address {email}.")
    return user


def _record_event(user: User, kind: str) -> None:
    """Record for the user's security page that the administrator changed something; the caller commits."""
    security_events.record(user.id, kind, user_agent="", address="", now=clock.now())


@click.command("create-user")
@click.option("--username", prompt=True)
@click.option("--email", prompt="Email")
@click.password_option()
@with_database
def create_user(username: str, email: str, password: str) -> None:
    """Create an account, even while registration is closed."""
    username = _checked(accounts.check_username, username) or ""
    email = _checked(accounts.check_email, email) or ""
    _checked(accounts.check_new_password, password, current_app.config["PASSWORD_MIN"], username, email)
    save_new_user(User(username=username, email=email), password)
    db.session.commit()
    click.echo(f"Created the account {username}. Log in as {email}.")


def save_new_user(user: User, password: str) -> None:
    """Add `user` with the default currency and time zone, or end the command if the username or email is taken.

    The caller commits.
    """
    user.currency = current_app.config["DEFAULT_CURRENCY"] or FALLBACK_CURRENCY
    user.time_zone = current_app.config["TIMEZONE"]
    user.set_password(password)
    try:
        accounts.save(user)
    except accounts.AlreadyTakenError as taken:
        raise click.ClickException(f"Already in use: {' and '.join(sorted(taken.fields))}.") from None


@click.command("reset-password")
@click.argument("email")
@click.password_option(prompt="New password")
@with_database
def reset_password(email: str, password: str) -> None:
    """Change the password of the account of EMAIL. Ends all its sessions and resets its failed logins."""
    user = find_user(email)
    minimum = current_app.config["PASSWORD_MIN"]
    _checked(accounts.check_new_password, password, minimum, user.username, user.email)
    user.set_password(password)
    sessions.revoke_all_sessions(user)
    throttling.forget_account(user.email)
    _record_event(user, "password_reset")
    db.session.commit()
    log.info("password reset by command: user %s", user.id)
    click.echo(f"The password of {user.username} was changed and all sessions were ended.")


@click.command("end-sessions")
@click.argument("email")
@with_database
def end_sessions(email: str) -> None:
    """End all sessions of the account of EMAIL, on every device."""
    user = find_user(email)
    sessions.revoke_all_sessions(user)
    _record_event(user, "sessions_ended")
    db.session.commit()
    click.echo(f"All sessions of {user.username} were ended.")


@click.command("disable-two-factor")
@click.argument("email")
@with_database
def disable_two_factor(email: str) -> None:
    """Turn two-factor authentication off for the account of EMAIL. The password stays as it is."""
    user = find_user(email)
    if not two_factor.turn_off(user):
        raise click.ClickException(f"{user.username} does not use two-factor authentication.")
    _record_event(user, "two_factor_off")
    db.session.commit()
    log.info("two-factor authentication turned off by command: user %s", user.id)
    click.echo(f"{user.username} logs in with the password alone now.")


@click.command("delete-user")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_database
def delete_user(email: str, yes: bool) -> None:
    """Remove the account of EMAIL with all its data, immediately and permanently."""
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


@click.command("invite")
@click.option("--note", default="", help="Whom the invitation is for; shown by --list.")
@click.option("--list", "is_list", is_flag=True, help="Show the invitations that can still be used.")
@click.option(
    "--withdraw", "withdrawn", metavar="ID", help="Delete the invitation with this ID, which --list shows."
)
@with_database
def invite(note: str, is_list: bool, withdrawn: str | None) -> None:
    """Create a link with which one person can register within 7 days."""
    if withdrawn is not None:
        _withdraw_invitation(withdrawn)
    elif is_list:
        _list_invitations()
    else:
        _create_invitation(note)


def _create_invitation(note: str) -> None:
    if current_app.config["REGISTRATION"] != "invite":
        raise click.ClickException("Invitations need the setting REGISTRATION=invite.")
    if len(note) > Invitation.NOTE_MAX:
        raise click.ClickException(f"Use a note of at most {Invitation.NOTE_MAX} characters.")
    token = invitations.create(note, clock.now())
    db.session.commit()
    log.info("invitation created")
    click.echo("Send this link to the person you invite. It works once, within 7 days.")
    click.echo(f"{current_app.config['PUBLIC_URL']}/register?invitation={token}")
    if not current_app.config["PUBLIC_URL"]:
        click.echo("Write the address of your site in front of it, or set PUBLIC_URL to that address.")


def _list_invitations() -> None:
    pending = invitations.list_pending(clock.now())
    for invitation in pending:
        dates = f"created {invitation.created_at:%Y-%m-%d}, expires {invitation.expires_at:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{invitations.id_of(invitation)}  {dates}  {invitation.note}".rstrip())
    if not pending:
        click.echo("There are no invitations that can still be used.")


def _withdraw_invitation(invitation_id: str) -> None:
    if not invitations.withdraw(invitation_id):
        raise click.ClickException(f"There is no invitation {invitation_id}. Run: flask invite --list")
    db.session.commit()
    log.info("invitation withdrawn")
    click.echo(f"Withdrew the invitation {invitation_id}. Its link no longer works.")


COMMANDS = (create_user, reset_password, disable_two_factor, end_sessions, delete_user, invite)
