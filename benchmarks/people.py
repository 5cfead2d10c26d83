"""People who use a served application over one kept connection each."""

import re
import time
import uuid
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from uuid_utils.compat import uuid7

PASSWORD = "a quiet river at noon"
# Flask redirects with 302, and from 3.2 on with 303.
REDIRECTS = (302, 303)
# The server ends a connection on which nothing was asked for 20 seconds.
IDLE_SECONDS = 10
CHUNK = 64 * 1024


class UnexpectedAnswerError(RuntimeError):
    """A page that is not what the measure is about; a figure made of it would be worth nothing."""


class Busy(UnexpectedAnswerError):  # noqa: N818 - not an error: the page asks for patience
    """The page that asks for patience while the database is busy (503)."""


class Person:
    """Somebody with a browser that keeps its connection, and the cookies of the log-in."""

    def __init__(self, port: int, email: str = "") -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=120)
        self.email = email
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.last_used = time.perf_counter()

    def get(self, address: str) -> bytes:
        """Read a page."""
        response = self._ask("GET", address)
        body = response.read()
        self._check(response, 200)
        return body

    def post(self, address: str, **typed: str) -> HTTPResponse:
        """Send a form, which must be accepted; what it leads to is not read."""
        response = self._ask("POST", address, {"csrf_token": self.token} | typed)
        response.read()
        self._check(response, *REDIRECTS)
        return response

    def download(self, address: str) -> int:
        """Read a file as it comes, keep nothing of it, and return its length."""
        response = self._ask("GET", address)
        length = 0
        while chunk := response.read(CHUNK):
            length += len(chunk)
        self._check(response, 200)
        return length

    def log_in(self) -> "Person":
        """Log in through the form, and keep the cookies and the token that every later request carries."""
        self.open_login_form()
        self.send_login_form()
        self._read_token("/expenses/add")
        return self

    def open_login_form(self) -> None:
        """Read the log-in page as somebody who is not logged in."""
        self.cookies = {}
        self._read_token("/login")

    def send_login_form(self) -> None:
        """Send the form that was read."""
        self._keep_cookies(self.post("/login", email=self.email, password=PASSWORD))

    def add(self, **typed: str) -> uuid.UUID:
        """Add an expense from the list and return its id."""
        row_id = uuid7()
        self.post("/expenses", id=str(row_id), **(EXPENSE | typed))
        return row_id

    def edit(self, row_id: uuid.UUID, **typed: str) -> None:
        """Edit an expense."""
        self.post(f"/expenses/{row_id}/edit", **(EXPENSE | typed))

    def delete(self, row_id: uuid.UUID) -> None:
        """Delete an expense."""
        self.post(f"/expenses/{row_id}/delete")

    def change_all(self, action: str, **typed: str) -> None:
        """Change or delete all expenses."""
        self.post("/expenses/bulk", all_matching="y", action=action, **typed)

    def undo(self) -> None:
        """Undo the latest operation, from History."""
        found = re.search(rb'action="(/history/[0-9a-f-]+/undo)"', self.get("/history"))
        if found is None:
            raise UnexpectedAnswerError("a history without anything to undo")
        self.post(found[1].decode())

    def leave(self) -> None:
        """Close the connection; the next request opens another."""
        self.connection.close()

    def _ask(self, method: str, address: str, typed: dict[str, str] | None = None) -> HTTPResponse:
        if time.perf_counter() - self.last_used > IDLE_SECONDS:
            self.leave()
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if typed is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(typed)
        self.connection.request(method, address, body, headers)
        response = self.connection.getresponse()
        self.last_used = time.perf_counter()
        return response

    def _check(self, response: HTTPResponse, *statuses: int) -> None:
        # A stranger's change is answered by the way to the log-in page.
        if response.status in statuses and "/login" not in response.headers.get("Location", ""):
            return
        kind = Busy if response.status == 503 else UnexpectedAnswerError
        raise kind(f"{response.status} {response.headers.get('Location', '')} in place of {statuses}")

    def _read_token(self, address: str) -> None:
        response = self._ask("GET", address)
        body = response.read()
        self._check(response, 200)
        self._keep_cookies(response)
        self.token = _value_of("csrf_token", body)

    def _keep_cookies(self, response: HTTPResponse) -> None:
        for header in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}


EXPENSE = {"amount": "4.20", "category": "Food", "description": "Coffee", "date": "2026-06-30"}


def _value_of(name: str, page: bytes) -> str:
    """Return the value of the first hidden field of this name."""
    for tag in re.findall(r"<input[^>]*>", page.decode()):
        if re.search(rf'\bname="{name}"', tag) and (found := re.search(r'\bvalue="([^"]*)"', tag)):
            return found[1]
    raise UnexpectedAnswerError(f"a page without {name}")
