"""A fake browser: it reads pages and sends the forms it finds there, within this process or over HTTP."""

import os
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask
import lxml.html
from flask import Flask, request
from flask.testing import FlaskClient
from flask_login import login_user
from flask_wtf.csrf import generate_csrf
from sqlalchemy import delete, func, select
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

import clock
from database import Base, db
from database.citus import OWNER_TABLE, owner_column
from database.month_totals import has_month_totals, month_total
from database.used_descriptions import has_used_descriptions, used_description
from ledger import accounts, operations, sessions
from ledger.periods import Period
from ledger.spending import ExpenseValues
from models import Expense, User
from views.events import record_event
from views.rate_limits import remember_device

# Tests hash in a quicker way; one asks for the real one.
REAL_HASH_METHOD = User.HASH_METHOD
PASSWORD = "a quiet river at noon"
# Each before those that its rows refer to. They are sorted once, which takes longer than to empty them.
TABLES = tuple(reversed(Base.metadata.sorted_tables))
# Flask redirects with 302, and from 3.2 on with 303.
REDIRECTS = frozenset({302, 303})


class Element:
    """An element of a page, or the whole document."""

    def __init__(self, node: lxml.html.HtmlElement) -> None:
        self.node = node

    @property
    def tag(self) -> str:
        return self.node.tag

    @property
    def attributes(self) -> dict[str, str]:
        return dict(self.node.attrib)

    def __getitem__(self, name: str) -> str:
        return self.node.attrib[name]

    def get(self, name: str, default: str | None = None) -> str | None:
        return self.node.attrib.get(name, default)

    @property
    def text(self) -> str:
        """The visible text in it, with single spaces."""
        return " ".join(self.raw_text().split())

    def raw_text(self) -> str:
        return str(self.node.text_content())

    @property
    def children(self) -> Iterator["str | Element"]:
        """The texts and elements directly in it, in the order of the page."""
        yield self.node.text or ""
        for child in self.node.iterchildren("*"):
            yield Element(child)
            yield child.tail or ""

    def all(self, tag: str | None = None, **attributes: str) -> list["Element"]:
        """Return all elements within it with this tag and these attributes (`class_` names one of the classes)."""
        found = [Element(node) for node in self.node.iterdescendants(tag or "*")]
        for name, value in attributes.items():
            found = [element for element in found if element.has(name, value)]
        return found

    def has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in self.node.attrib.get("class", "").split()
        return self.node.attrib.get(name.replace("_", "-")) == value

    def one(self, tag: str | None = None, **attributes: str) -> "Element":
        """Return the only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in: {self.text[:500]}"
        return found[0]


# Two attributes without a space between them.
GLUED = re.compile(r'<[a-z][^<>]*="[^"<>]*"[a-z]')


def read(response: Any) -> Element:
    """Parse the page."""
    assert not GLUED.search(response.text)
    document = lxml.html.Element("document")
    document.append(lxml.html.document_fromstring(response.text or "<html></html>"))
    return Element(document)


def controls(form: Element) -> list[Element]:
    """The elements in a form, and those elsewhere on the page that belong to it, without those of another form."""
    name = form.get("id")
    elsewhere = [Element(node) for node in form.node.getroottree().iter("*") if name and node.get("form") == name]
    return [element for element in form.all() if element.get("form") is None] + elsewhere


def form_values(form: Element) -> dict[str, str]:
    """The values that a browser would send of `form` as it is."""
    values: dict[str, str] = {}
    for control in controls(form):
        if control.tag == "input" and control.get("name"):
            selected = "checked" in control.node.attrib
            if control.get("type") not in {"checkbox", "radio"} or selected:
                values[control["name"]] = control.get("value") or ("" if "value" in control.node.attrib else "on")
        elif control.tag == "select":
            options = control.all("option")
            chosen = [option for option in options if "selected" in option.node.attrib] or options[:1]
            values[control["name"]] = (chosen[0].get("value", chosen[0].text) or "") if chosen else ""
    return values


@dataclass
class HttpResponse:
    """A response that has the names of one by Flask's test client."""

    status_code: int
    headers: Message
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def location(self) -> str | None:
        return self.headers["Location"]


# Kinds of forms, without and with a file.
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


def with_file(fields: dict[str, str], name: str, content: bytes) -> bytes:
    """A form with these fields and a file, as a browser sends it."""
    parts = [(f'name="{field}"', value.encode()) for field, value in fields.items() if field != "file"]
    parts.append((f'name="file"; filename="{name}"', content))
    lines = [b"--x\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), b) for head, b in parts]
    return b"".join([*lines, b"--x--\r\n"])


class HttpClient:
    """The cookies of a browser and the calls of Flask's test client, over HTTP to a server on this machine.

    Each request opens a connection of its own, unless `keep_alive` is set.
    """

    def __init__(self, port: int, headers: dict[str, str] | None = None, keep_alive: bool = False) -> None:
        self.port = port
        self.headers = headers or {}
        self.keep_alive = keep_alive
        self.cookies: dict[str, str] = {}
        self.connection = HTTPConnection("127.0.0.1", port, timeout=120 if keep_alive else 30)

    def get(self, url: str, follow_redirects: bool = False) -> HttpResponse:
        response = self.open("GET", url)
        while follow_redirects and response.location:
            response = self.open("GET", response.location)
        return response

    def post(self, url: str, data: dict[str, Any] | bytes, content_type: str = FORM) -> HttpResponse:
        body = data if isinstance(data, bytes) else urlencode(data, doseq=True)
        return self.open("POST", url, body, content_type)

    def open(
        self, method: str, url: str, body: str | bytes | None = None, content_type: str = FORM
    ) -> HttpResponse:
        """Send a request and read the whole response."""
        try:
            response = self.start(method, url, body, content_type)
            return HttpResponse(response.status, response.headers, response.read())
        finally:
            if not self.keep_alive:
                self.close()

    def start(
        self, method: str, url: str, body: str | bytes | None = None, content_type: str = FORM
    ) -> HTTPResponse:
        """Send a request and return the response, whose body is still to be read."""
        headers = self.headers | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = content_type
        self.connection.request(method, urlsplit(url)._replace(scheme="", netloc="").geturl(), body, headers)
        response = self.connection.getresponse()
        for header in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.coded_value
                if morsel["max-age"] == "0" or not morsel.value:
                    del self.cookies[name]
        return response

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self.connection.close()


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()
        self.name = "stranger"

    def get(self, address: str, **options: Any) -> TestResponse:
        return self.client.get(address, **options)

    def page(self, address: str) -> Element:
        """The page at this address, after redirects."""
        response = self.client.get(address, follow_redirects=True)
        assert response.status_code == 200, response.status
        return read(response)

    def token(self) -> str:
        """A CSRF token of this browser's session, without a page: almost every test needs several."""
        name = self.app.config["SESSION_COOKIE_NAME"]
        cookie = self.client.get_cookie(name, path=self.app.config["SESSION_COOKIE_PATH"] or "/")
        with self.app.test_request_context(headers={"Cookie": f"{name}={cookie.value}"} if cookie else None):
            token = str(generate_csrf())
            if flask.session.modified:
                response = flask.Response()
                self.app.session_interface.save_session(self.app, flask.session, response)
                self.keep_cookies(response)
        return token

    def keep_cookies(self, response: flask.Response) -> None:
        """Keep the cookies of an answer to no request of this browser."""
        for header in response.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                self.client.set_cookie(name, morsel.value, path=morsel["path"])

    def token_on_page(self, address: str = "/logout") -> str:
        """The CSRF token on the shortest page, for those who are logged in and for those who are not."""
        page = read(self.client.get(address, follow_redirects=True))
        return page.all("input", name="csrf_token")[0]["value"]

    def post(self, address: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form that carries this browser's token."""
        return self.client.post(address, data={"csrf_token": self.token(), **(data or {})}, **options)

    def message(self, address: str = "/expenses") -> Element:
        """The last message on the next page."""
        return self.page(address).all("div", class_="message")[-1]

    def undo(self, address: str = "/expenses") -> TestResponse:
        """Press the button in the message."""
        form = self.message(address).one("form")
        return self.client.post(form["action"], data=form_values(form))

    def fill(self, address: str, **typed: str) -> TestResponse:
        """Open a page, fill its own form in, and send it."""
        form = next(form for form in self.page(address).one("main").all("form") if form.get("method") == "post")
        return self.client.post(form["action"], data=form_values(form) | typed)

    def register(self, name: str, **typed: str) -> "Visitor":
        """Create an account on the page, without reading the form, which is long."""
        self.name = name
        values = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        response = self.post("/register", values | {"confirm_password": PASSWORD} | typed)
        assert response.location == "/expenses", read(response).text
        return self

    def with_account(self, name: str) -> "Visitor":
        """Create an account and log in, by what the page calls for it; almost every test starts with this."""
        self.name = name
        with self.app.test_request_context(method="POST", environ_base=self.client.environ_base):
            user = User(username=name, email=f"{name}@example.com")
            user.set_password(PASSWORD)
            accounts.save(user)
            record_event(user, "registered")
            sessions.create_session(user, remember=False, user_agent=request.user_agent.string, now=clock.now())
            db.session.commit()
            login_user(user)
            remember_device(user.email)
            self.keep_cookies(self.app.process_response(flask.Response()))
        return self

    def log_in(self, email: str | None = None, password: str = PASSWORD, **typed: str) -> TestResponse:
        return self.fill("/login", email=email or f"{self.name}@example.com", password=password, **typed)

    def log_in_at(self, address: str) -> TestResponse:
        """Log in on the login page that a redirect led to."""
        return self.fill(address, email=f"{self.name}@example.com", password=PASSWORD)

    def end_sessions(self) -> None:
        """End every session of this user, as from another device."""
        with self.app.app_context():
            sessions.revoke_all_sessions(self.user())
            db.session.commit()

    def add(self, amount: str = "12.50", category: str = "Food", **typed: str) -> TestResponse:
        """Add an expense, without reading the form: the tests of forms do."""
        return self.post("/expenses/add", {"amount": amount, "category": category, **typed})

    def save(self, expenses: Iterable[tuple[str, str, str, str]]) -> None:
        """Save expenses (day, category, description, amount) without the page, each as a separate operation."""
        with self.app.app_context():
            user = self.user()
            for day, category, description, amount in expenses:
                values = ExpenseValues(Decimal(amount), category, description, date.fromisoformat(day))
                with operations.record(user, "add", clock.now()) as operation:
                    operations.add_expense(operation, uuid7(), values)
            db.session.commit()

    def rows(self, address: str = "/expenses") -> list[tuple[str, str, str, str]]:
        """The rows of the list: date, category, description, amount."""
        rows = []
        for row in expense_rows(self.page(address)):
            category, description, amount = (
                row.one("td", class_=name).text for name in ("category", "description", "amount")
            )
            rows.append((row.one("time")["datetime"], category, description, amount))
        return rows

    def total(self, address: str = "/expenses") -> str:
        return self.page(address).one(id="total").text

    def count(self, address: str = "/expenses") -> int:
        return int(self.page(address).one(id="count").text)

    def user(self) -> User:
        return db.session.scalars(select(User).where(User.email == f"{self.name}@example.com")).one()

    def expenses(self) -> list[Expense]:
        """The user's expenses in the database, newest first."""
        with self.app.app_context():
            return list(self.user().expenses)


def expense_rows(page: Element) -> list[Element]:
    """The rows of expenses on the list, without its head and the form in the first row."""
    return [row for row in page.one("table", class_="expenses").all("tr") if row.get("id")]


def press(visitor: Visitor, form: Element, **typed: str) -> TestResponse:
    """Send a form with its current values, except for those in `typed`."""
    return visitor.client.post(form["action"], data=form_values(form) | typed)


def operations_shown(visitor: Visitor) -> list[Element]:
    """The operations that History lists, the latest first."""
    return visitor.page("/history").one("main").all("section", class_="operation")


def at_once(do: Callable[[Any], object], values: Iterable[Any]) -> None:
    """Do something with each of the values, all at the same moment."""
    threads = [threading.Thread(target=do, args=[value]) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def empty_tables(app: Flask) -> None:
    """Delete every row. Those of users go with them, except on a cluster, which refuses that."""
    is_cluster = "TEST_CITUS_URL" in os.environ
    with app.app_context():
        for table in TABLES:
            if is_cluster or owner_column(table) is None:
                if is_cluster and table.name == OWNER_TABLE:
                    # A cluster refuses to empty the table of users in the same breath as theirs.
                    db.session.commit()
                db.session.execute(delete(table))
        db.session.commit()


def unknown_descriptions() -> list[tuple[Any, ...]]:
    """Descriptions of expenses that a search would not find; there should be none."""
    if not has_used_descriptions(db.engine):
        return []
    columns = Expense.author_id, Expense.description_key
    known = select(used_description.c.author_id, used_description.c.description_key)
    return [tuple(row) for row in db.session.execute(select(*columns).except_(known))]


def summed_months() -> list[tuple[Any, ...]]:
    """Spending of all users by month and category, summed from the expenses."""
    months = Counter[tuple[int, date, str]]()
    sums = defaultdict[tuple[int, date, str], Decimal](Decimal)
    first_days = {
        row.id: row.first_day_of_month for row in db.session.execute(select(User.id, User.first_day_of_month))
    }
    for author, day, category, amount in db.session.execute(
        select(Expense.author_id, Expense.date, Expense.category, Expense.amount)
    ):
        key = (author, Period.month(day, first_days[author]).begin, category)
        months[key] += 1
        sums[key] += amount
    return [(*key, months[key], sums[key]) for key in sorted(months)]


def kept_months() -> list[tuple[Any, ...]]:
    """The same as the database keeps it, where several rows of a month add up; a cluster keeps none."""
    if not has_month_totals(db.engine):
        return summed_months()
    kept = month_total.c
    key, number = (kept.author_id, kept.month, kept.category), func.sum(kept.number)
    query = select(*key, number, func.sum(kept.amount)).group_by(*key).having(number != 0).order_by(*key)
    return [tuple(row) for row in db.session.execute(query)]
