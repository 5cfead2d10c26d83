"""Clients of a running server that keep their connection and check every answer."""

import time
import uuid
from collections.abc import Callable
from http.client import HTTPResponse
from typing import TypeVar

from uuid_utils.compat import uuid7

from tests.browsing import FORM, PASSWORD, REDIRECTS, HttpClient, read

# The server ends a connection after 20 seconds without a request.
IDLE_SECONDS = 10
PAUSE_SECONDS = 0.01
Answer = TypeVar("Answer")
CHUNK = 64 * 1024
EXPENSE = {"amount": "4.20", "category": "Food", "description": "Coffee", "date": "2026-06-30"}


class UnexpectedAnswerError(RuntimeError):
    """An answer other than the measured one; its figure would be worth nothing."""


class BusyError(UnexpectedAnswerError):
    """The answer while the database is busy (503)."""


def until_accepted(action: Callable[[], Answer]) -> Answer:
    """Do `action` again as long as the answer is that the database is busy, as the page says."""
    while True:
        try:
            return action()
        except BusyError:
            time.sleep(PAUSE_SECONDS)


class Client(HttpClient):
    """One browser with a kept connection, which can log in as the user with this email."""

    def __init__(self, port: int, email: str = "") -> None:
        super().__init__(port, keep_alive=True)
        self.email = email
        self.token = ""
        self.last_used = time.perf_counter()

    def at(self, port: int) -> "Client":
        """Return the same browser at another server of the same application."""
        other = Client(port, self.email)
        other.cookies, other.token = self.cookies.copy(), self.token
        return other

    def start(
        self, method: str, url: str, body: str | bytes | None = None, content_type: str = FORM
    ) -> HTTPResponse:
        """Send a request. Raises UnexpectedAnswerError unless it succeeds."""
        if time.perf_counter() - self.last_used > IDLE_SECONDS:
            self.close()
        response = super().start(method, url, body, content_type)
        self.last_used = time.perf_counter()
        expected = {200} if method == "GET" else REDIRECTS
        location = response.headers.get("Location", "")
        # Without a session, a change is answered by a redirect to the login page.
        if response.status not in expected or "/login" in location:
            kind = BusyError if response.status == 503 else UnexpectedAnswerError
            response.read()
            raise kind(f"{response.status} {location} instead of {sorted(expected)}")
        return response

    def send(self, url: str, **values: str) -> None:
        """Send a form with the CSRF token of this client; the page it redirects to is not read."""
        self.post(url, {"csrf_token": self.token} | values)

    def download(self, url: str) -> int:
        """Read a file piece by piece without keeping it, and return its length."""
        response = self.start("GET", url)
        length = 0
        while chunk := response.read(CHUNK):
            length += len(chunk)
        return length

    def log_in(self) -> "Client":
        """Log in through the form, and keep the token that every later request carries."""
        self.open_login_form()
        self.send_login_form()
        self._read_token("/expenses/add")
        return self

    def open_login_form(self) -> None:
        """Open the login page without a session."""
        self.cookies = {}
        self._read_token("/login")

    def send_login_form(self) -> None:
        """Send the open login form."""
        self.send("/login", email=self.email, password=PASSWORD)

    def add(self, **values: str) -> uuid.UUID:
        """Add an expense and return its id."""
        row_id = uuid7()
        self.send("/expenses", id=str(row_id), **(EXPENSE | values))
        return row_id

    def edit(self, row_id: uuid.UUID, **values: str) -> None:
        """Edit an expense."""
        self.send(f"/expenses/{row_id}/edit", **(EXPENSE | values))

    def delete(self, row_id: uuid.UUID) -> None:
        """Delete an expense."""
        self.send(f"/expenses/{row_id}/delete")

    def change_all(self, action: str, **values: str) -> None:
        """Change or delete all expenses."""
        self.send("/expenses/bulk", all_matching="y", action=action, **values)

    def undo(self) -> None:
        """Undo the latest operation from the entry in History, not from a message above it."""
        operations = read(self.get("/history")).all("section", class_="operation")
        forms = operations[0].one("header").all("form") if operations else []
        if not forms:
            raise UnexpectedAnswerError("a history without anything to undo")
        self.send(forms[0]["action"])

    def _read_token(self, url: str) -> None:
        self.token = read(self.get(url)).all("input", name="csrf_token")[0]["value"]
