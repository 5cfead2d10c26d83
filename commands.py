"""What runs without a browser: `flask serve`, `flask create-user` and the like."""

import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import click
import waitress
from flask import Flask, current_app
from flask.cli import with_appcontext

from database import db, is_migrated
from ledger import accounts, history
from ledger.demo import believable_expenses
from ledger.periods import day_in
from models import Expense, User

log = logging.getLogger("ledger")
DEMO_EMAIL = "demo@example.com"


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    for command in (serve, create_user, reset_password, end_sessions, purge, demo):
        app.cli.add_command(command)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@with_appcontext
def serve(host: str, port: int) -> None:
    """Serve the application to browsers, with waitress."""
    # Both say at length what helps nobody here.
    for name in ("alembic", "waitress"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not is_migrated(db.engine):
        raise click.ClickException("The database is not up to date. Run: flask db upgrade")
    click.echo(f"Open http://{host}:{port} in a browser. Stop with Ctrl+C.")
    click.echo(f"Your data lies in {db.engine.url.render_as_string(hide_password=True)}")
    waitress.serve(
        current_app._get_current_object(),  # type: ignore[attr-defined]
        host=host,
        port=port,
        threads=8,
        channel_timeout=20,
        # Larger than what the application accepts, so that its own page can say so.
        max_request_body_size=4 * current_app.config["MAX_CONTENT_LENGTH"],
        max_request_header_size=16 * 1024,
        # ProxyFix reads the X-Forwarded headers, and only as many as there are proxies of ours.
        clear_untrusted_proxy_headers=not current_app.config["PROXY_HOPS"],
        ident=None,
    )


def _checked(check: Callable[..., str | None], *values: object) -> str | None:
    """Return what `check` makes of the values, or end the command with its refusal."""
    try:
        return check(*values)
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from None


def _person(email: str) -> User:
    """Return the person with this e-mail address, or end the command."""
    user = accounts.find_by_email(email)
    if user is None:
        raise click.ClickException(f"There is no account with the e-mail address {email}.")
    return user


@click.command("create-user")
@click.option("--username", prompt=True)
@click.option("--email", prompt="E-mail")
@click.password_option()
@with_appcontext
def create_user(username: str, email: str, password: str) -> None:
    """Create an account, also while registration is closed."""
    username = _checked(accounts.check_username, username) or ""
    email = _checked(accounts.check_email, email) or ""
    _checked(accounts.check_new_password, password, current_app.config["PASSWORD_MIN"], username, email)
    _save_new_user(User(username=username, email=email), password)
    db.session.commit()
    click.echo(f"Created {username}, who logs in as {email}.")


def _save_new_user(user: User, password: str) -> None:
    """Add `user` with the settings' currency and time zone, or end the command when a name is taken.

    The caller commits.
    """
    user.currency = current_app.config["DEFAULT_CURRENCY"]
    user.time_zone = current_app.config["TIMEZONE"]
    user.set_password(password)
    try:
        accounts.register(user)
    except accounts.TakenError as taken:
        raise click.ClickException(f"Already in use: {' and '.join(sorted(taken.fields))}.") from None


@click.command("reset-password")
@click.argument("email")
@click.password_option(prompt="New password")
@with_appcontext
def reset_password(email: str, password: str) -> None:
    """Give the account of EMAIL a new password and end all its log-ins."""
    user = _person(email)
    minimum = current_app.config["PASSWORD_MIN"]
    _checked(accounts.check_new_password, password, minimum, user.username, user.email)
    user.set_password(password)
    accounts.close_every_login(user)
    db.session.commit()
    log.info("password reset by command: user %s", user.id)
    click.echo(f"{user.username} has a new password and is logged in nowhere.")


@click.command("end-sessions")
@click.argument("email")
@with_appcontext
def end_sessions(email: str) -> None:
    """End all log-ins of the account of EMAIL, on every device."""
    user = _person(email)
    accounts.close_every_login(user)
    db.session.commit()
    click.echo(f"{user.username} is logged in nowhere.")


@click.command()
@with_appcontext
def purge() -> None:
    """Forget for good what was deleted or changed over 30 days ago."""
    number = history.purge(datetime.now(UTC))
    db.session.commit()
    click.echo(f"Forgot {number} rows.")


@click.command()
@with_appcontext
def demo() -> None:
    """Create an account with two years of believable expenses, to look around in."""
    password = secrets.token_urlsafe(9)
    user = User(username="demo", email=DEMO_EMAIL)
    _save_new_user(user, password)
    today = day_in(user.time_zone, datetime.now(UTC))
    expenses = [Expense(author_id=user.id, **values) for values in believable_expenses(today)]
    db.session.add_all(expenses)
    db.session.commit()
    click.echo(f"{len(expenses)} expenses are waiting. Log in as {DEMO_EMAIL} with the password {password}")
