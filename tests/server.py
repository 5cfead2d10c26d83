"""The real application, served by a separate process, and the contents of its database."""

import os
import random
import resource
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy.orm import Session

from database import Base
from database.engine import database_url
from ledger.tokens import new_token, token_hash
from models import Expense, LoginSession, User, utc_now
from static_files import version_of
from tests.browsing import PASSWORD

ROOT = Path(__file__).resolve().parent.parent
# A large file that needs no database.
STYLE_SHEET = f"/static/{version_of(ROOT / 'static')}/pico.min.css"
START_SECONDS = 60
# Settings of whoever runs the tests that would change the server.
REMOVED_SETTINGS = (
    "HTTPS",
    "TRUSTED_HOSTS",
    "PROXY_HOPS",
    "SECRET_KEY_FALLBACKS",
    "DEFAULT_CURRENCY",
    "TIMEZONE",
    "URL_PREFIX",
    "SCRIPT_NAME",
)


def own_database(folder: Path) -> str:
    """The URL of a database for a server: PostgreSQL's where the tests have one, else a new file in `folder`."""
    url = os.environ.get("DATABASE_URL", "")
    # The tests' own file of SQLite is not for two processes that empty it.
    return url if url.startswith("postgres") else f"sqlite:///{folder / 'served.db'}"


def environment_of(url: str) -> dict[str, str]:
    """The environment of an application on this database, with its own secret key and without throttling."""
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED_SETTINGS}
    own = {"DATABASE_URL": url, "SECRET_KEY": secrets.token_hex(32), "FLASK_SKIP_DOTENV": "1"}
    return kept | own | {"THROTTLE_ACCOUNT": "0", "THROTTLE_ADDRESS": "0"}


def upgrade(environment: Mapping[str, str]) -> None:
    """Bring the database up to date."""
    command = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    upgraded = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert upgraded.returncode == 0, upgraded.stderr


class ServerProcess:
    """A separate process that serves pages on a port of this machine; it is ready once `first_page` responds."""

    def __init__(self, module: list[str], first_page: str, environment: Mapping[str, str], log: Path) -> None:
        self.port = _free_port()
        self.host_and_port = ("127.0.0.1", self.port)
        self.address = f"http://127.0.0.1:{self.port}"
        option = "--bind" if module[0] == "gunicorn" else "--port"
        where = f"127.0.0.1:{self.port}" if option == "--bind" else str(self.port)
        self.command = [sys.executable, "-m", *module, option, where]
        self.first_page = first_page
        self.environment = environment
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        # How many files the process may have open, if not as many as this one.
        self.file_limit: int | None = None

    def serve(self) -> float:
        """Start the process and return how many seconds passed until its first page was there."""
        started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self.file_limit:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (self.file_limit, self.file_limit))
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > started_at + START_SECONDS:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.005)
        return time.monotonic() - started_at

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.address}{self.first_page}", timeout=5) as response:
                return bool(response.status == 200 and response.read())
        except (URLError, ConnectionError, TimeoutError):
            return False

    def kill(self) -> None:
        """Kill the process and all of its children in the middle of their work."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End this server's own process, and no other."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Server(ServerProcess):
    """The application with a database and a secret key, from `start` to `stop`; `settings` are further ones."""

    def __init__(self, folder: Path, url: str, program: str = "serve", **settings: str) -> None:
        module = {"serve": ["flask", "--app", "app", "serve"], "gunicorn": ["gunicorn", "app:app"]}[program]
        super().__init__(module, "/login", environment_of(url) | settings, folder / "server.log")
        self.engine = sa.create_engine(database_url(url))

    def start(self) -> None:
        """Bring the database up to date and serve."""
        upgrade(self.environment)
        self.serve()

    def stop(self) -> None:
        """End the process and close the connections to its database."""
        self.engine.dispose()
        super().stop()

    def empty_tables(self) -> None:
        """Delete every row."""
        with Session(self.engine) as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(sa.delete(table))
            session.commit()

    def create_person(self, name: str, **columns: str) -> None:
        """Save an account that logs in with the password of everybody in these tests."""
        user = User(username=columns.pop("username", name), email=f"{name}@example.com", **columns)
        user.set_password(PASSWORD)
        with Session(self.engine) as session:
            session.add(user)
            session.commit()

    def log_in(self, name: str) -> dict[str, Any]:
        """Log a user in without the page, and return the cookies of their browser for Playwright."""
        user = self.user(name)
        user.login_token = new_token()
        now = utc_now()
        with Session(self.engine) as session:
            values = {"created_at": now, "last_seen_at": now, "remember": False, "user_agent": ""}
            session.add(LoginSession(user_id=user.id, token_hash=token_hash(user.login_token), **values))
            session.commit()
        signer = Flask(__name__)
        signer.secret_key = self.environment["SECRET_KEY"]
        serializer = SecureCookieSessionInterface().get_signing_serializer(signer)
        assert serializer
        cookie = serializer.dumps({"_user_id": user.get_id(), "_fresh": True})
        options = {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
        return {"cookies": [{"name": "session", "value": cookie, "domain": "127.0.0.1", "path": "/", **options}]}

    def save(self, name: str, expenses: list[tuple[str, str, str, str]]) -> None:
        """Save expenses (day, category, description, amount) of a user without the form."""
        author_id = self.user(name).id
        with Session(self.engine) as session:
            for day, category, description, amount in expenses:
                values = {"category": category, "description": description, "amount": Decimal(amount)}
                session.add(Expense(author_id=author_id, date=date.fromisoformat(day), **values))
            session.commit()

    def save_many(self, name: str, number: int) -> None:
        """Save this many expenses of a user with long descriptions, 400 bytes each."""
        values = {"author_id": self.user(name).id, "date": date(2026, 1, 1), "category": "Food"}
        values |= {"description": "é" * 200, "description_key": "e" * 200, "amount": Decimal(1)}
        with self.engine.begin() as connection:
            # By returning something, SQLAlchemy sends many rows at once.
            connection.execute(sa.insert(Expense).returning(Expense.id), [values.copy() for _ in range(number)])

    def end_sessions(self, name: str) -> None:
        """End every session of a user, as from another device."""
        author_id = self.user(name).id
        with Session(self.engine) as session:
            session.execute(sa.delete(LoginSession).where(LoginSession.user_id == author_id))
            session.commit()

    def user(self, name: str) -> User:
        """The account of a user."""
        with Session(self.engine, expire_on_commit=False) as session:
            return session.scalars(sa.select(User).where(User.email == f"{name}@example.com")).one()

    def count_sessions(self) -> int:
        """The number of sessions of all users."""
        with Session(self.engine) as session:
            return session.scalars(sa.select(sa.func.count()).select_from(LoginSession)).one()

    def expenses(self, name: str) -> list[tuple[str, str, str, Decimal]]:
        """The saved expenses of a user (date, category, description, amount), newest first."""
        columns = (Expense.date, Expense.category, Expense.description, Expense.amount)
        query = sa.select(*columns).join(User).where(User.email == f"{name}@example.com")
        with Session(self.engine) as session:
            rows = session.execute(query.order_by(Expense.date.desc(), Expense.id.desc()))
            return [(str(day), category, description, amount) for day, category, description, amount in rows]


def _free_port() -> int:
    """A port below those that connections are given: one of a client could take it while the server is away."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
