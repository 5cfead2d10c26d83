"""The application below a path of a host that it shares with others, such as /ledger."""

import re
from datetime import date
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from database import db
from models import Expense
from tests.browsing import PASSWORD, REDIRECTS, HttpClient, Visitor, expense_rows, form_values, read
from tests.server import Server, own_database
from url_prefix import UrlPrefix

PREFIX = "/ledger"
LOGIN = {"email": "ana@example.com", "password": PASSWORD}
# Attributes that lead somewhere.
ADDRESSES = ("href", "src", "action", "formaction", "srcset", "poster", "data")


@pytest.fixture
def prefixed(app, monkeypatch):
    """The application as URL_PREFIX=/ledger configures it."""
    monkeypatch.setattr(app, "wsgi_app", UrlPrefix(app.wsgi_app, PREFIX))
    app.config.update(SESSION_COOKIE_PATH=PREFIX, REMEMBER_COOKIE_PATH=PREFIX, URL_PREFIX=PREFIX)
    return app


class PrefixedVisitor(Visitor):
    """A visitor who knows the site by its prefix; the addresses that the pages name are taken as they are."""

    def token(self):
        return self.token_on_page(f"{PREFIX}/logout")

    def post(self, address, data=None, **options):
        return self.client.post(f"{PREFIX}{address}", data={"csrf_token": self.token(), **(data or {})}, **options)

    def page(self, address):
        return super().page(address if address.startswith(PREFIX) else f"{PREFIX}{address}")


@pytest.fixture
def ana(prefixed):
    """A user of the application with a prefix, who owns one of everything."""
    visitor = PrefixedVisitor(prefixed)
    visitor.name = "ana"
    values = {"username": "ana", "email": "ana@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
    assert visitor.post("/register", values).location == f"{PREFIX}/expenses"
    today = visitor.page("/expenses").one(id="date")["value"]
    # More than one page.
    with prefixed.app_context():
        values = {"author_id": visitor.user().id, "category": "Food", "date": date.fromisoformat(today)}
        db.session.add_all(
            Expense(**values, amount=Decimal(5), description=f"Tea {number}") for number in range(60)
        )
        db.session.commit()
    weekly = {"amount": "9", "category": "Housing", "frequency": "week", "date": "2026-01-01"}
    assert visitor.post("/expenses", weekly).status_code in REDIRECTS
    return visitor


def addresses_of(page):
    """Every address that a page names, and every form with its button's address."""
    for element in page.all():
        for name in ADDRESSES:
            if element.get(name):
                yield element, name, element[name]


def walk(visitor, start):
    """Open every page that can be reached by links, and return the pages by address."""
    found, waiting = {}, [start]
    while waiting:
        address = waiting.pop()
        pattern = re.sub(r"[0-9a-f-]{36}|\?.*|\d{4}(-\d\d)?", "*", address)
        if pattern in found:
            continue
        response = visitor.client.get(address, follow_redirects=True)
        assert response.status_code == 200, address
        if response.mimetype != "text/html":
            continue
        found[pattern] = page = read(response)
        for element, _, target in addresses_of(page):
            parts = urlsplit(target)
            if element.tag == "a" and not parts.netloc and parts.path:
                waiting.append(target.partition("#")[0])
    return found


def test_every_address_on_every_page_has_the_prefix(ana):
    pages = walk(ana, f"{PREFIX}/")

    assert len(pages) > 12
    for address, page in pages.items():
        for element, name, target in addresses_of(page):
            if target.startswith("/"):
                assert target.startswith(f"{PREFIX}/"), (address, element.tag, name, target)
            elif not target.startswith("otpauth:"):
                assert target.startswith(("#", "?")), (address, element.tag, name, target)


@pytest.mark.slow
def test_every_form_on_every_page_reaches_the_application(ana):
    missing = []
    for address, page in walk(ana, f"{PREFIX}/").items():
        for form in page.all("form"):
            targets = {form["action"]} | {
                button["formaction"] for button in form.all("button") if button.get("formaction")
            }
            for target in targets:
                # Without a token nothing is changed.
                method = ana.client.get if form.get("method") == "get" else ana.client.post
                if method(target).status_code in {404, 405}:
                    missing.append((address, target))

    assert missing == []


def test_static_files_are_there_and_name_each_other_by_relative_addresses(ana):
    page = ana.page("/expenses")
    links = [link["href"] for link in page.all("link")] + [script["src"] for script in page.all("script")]

    for link in links:
        with ana.client.get(link) as response:
            assert response.status_code == 200, link
            names_files = response.mimetype in {"text/css", "application/manifest+json"}
            text = response.text if names_files else ""
        if names_files:
            assert not re.search(r"""url\(["']?/|@import\s+["']/|": "/""", text), link


def test_an_expense_is_edited_deleted_and_restored(ana):
    row = expense_rows(ana.page("/expenses?search=Tea+59"))[0]

    edit = read(ana.client.get(row.one("a")["href"])).one("main").one("form")
    changed = ana.client.post(edit["action"], data=form_values(edit) | {"amount": "70"})
    deleted = ana.client.post(row.one("button")["formaction"], data={"csrf_token": ana.token()})
    message = read(ana.client.get(deleted.location)).all("div", class_="message")[-1]
    undone = ana.client.post(message.one("form")["action"], data=form_values(message.one("form")))

    for response in (changed, deleted, undone):
        assert urlsplit(response.location).path == f"{PREFIX}/expenses"
        assert parse_qs(urlsplit(response.location).query) == {"search": ["Tea 59"]}
    assert {expense.amount for expense in ana.expenses() if expense.description == "Tea 59"} == {70}


def test_history_returns_to_itself(ana):
    form = next(form for form in ana.page("/history").one("main").all("form"))

    assert ana.client.post(form["action"], data=form_values(form)).location == f"{PREFIX}/history"


@pytest.mark.parametrize("wanted", ["/expenses?search=Tea", "/months/2026-01", "/account"])
def test_after_the_login_the_page_that_was_asked_for_is_opened(prefixed, ana, wanted):
    stranger = prefixed.test_client()
    login = stranger.get(f"{PREFIX}{wanted}")
    assert urlsplit(login.location).path == f"{PREFIX}/login"
    form = read(stranger.get(login.location)).one("main").one("form")

    response = stranger.post(form["action"], data=form_values(form) | LOGIN)

    assert response.location == f"{PREFIX}{wanted}"
    assert stranger.get(response.location).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/other/page",
        f"{PREFIX}/account",
        "/account",
        "//evil",
        "https://evil",
        PREFIX,
        "/../x",
        f"{PREFIX}/%2e./x",
    ],
)
def test_a_redirect_after_the_login_stays_within_the_application(prefixed, ana, target):
    stranger = prefixed.test_client()
    form = read(stranger.get(f"{PREFIX}/login")).one("main").one("form")

    response = stranger.post(
        f"{PREFIX}/login",
        query_string={"next": target},
        data=form_values(form) | LOGIN,
    )

    assert f"{response.location}/".startswith(f"{PREFIX}/")
    assert "./" not in response.location


def test_a_draft_comes_back(prefixed, ana):
    form = ana.page("/expenses/add").one("main").one("form")
    ana.end_sessions()
    asked = ana.client.post(form["action"], data=form_values(form) | {"amount": "5", "description": "Draft"})
    login = read(ana.client.get(asked.location)).one("main").one("form")

    back = ana.client.post(login["action"], data=form_values(login) | LOGIN)

    page = read(ana.client.get(back.location))
    assert urlsplit(back.location).path == f"{PREFIX}/expenses/add"
    assert page.one(id="description")["value"] == "Draft"


def test_an_error_page_leads_back(ana):
    page = read(ana.client.get(f"{PREFIX}/nowhere"))

    assert page.one("main").one("a")["href"] == f"{PREFIX}/"


@pytest.mark.parametrize("address", ["", "/"])
def test_the_prefix_alone_is_the_start_page(ana, address):
    assert ana.client.get(f"{PREFIX}{address}").location == f"{PREFIX}/expenses"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("", "/ledger/expenses"), ("/ledger", "/expenses")),
        (("", "/ledger"), ("/ledger", "/")),
        # A proxy, or gunicorn with SCRIPT_NAME, has already taken the prefix away.
        (("", "/expenses"), ("/ledger", "/expenses")),
        (("/ledger", "/expenses"), ("/ledger", "/expenses")),
        (("/ledger", "/ledger"), ("/ledger", "/ledger")),
        (("", "/ledgers/1"), ("/ledger", "/ledgers/1")),
    ],
)
def test_the_prefix_is_taken_from_the_path(given, expected):
    seen = {}
    application = UrlPrefix(lambda environ, _: seen.update(environ) or [], PREFIX)

    application({"SCRIPT_NAME": given[0], "PATH_INFO": given[1]}, None)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == expected


def test_no_header_sets_the_prefix(stranger):
    headers = dict.fromkeys(("X-Forwarded-Prefix", "X-Script-Name", "Script-Name", "X-Forwarded-Path"), "/evil")

    page = read(stranger.get("/login", headers=headers))

    assert page.one("main").one("form")["action"] == "/login"


@pytest.mark.slow
@pytest.mark.parametrize(("program", "setting"), [("serve", "URL_PREFIX"), ("gunicorn", "SCRIPT_NAME")])
def test_a_real_server_has_the_prefix(tmp_path, program, setting):
    server = Server(tmp_path, own_database(tmp_path), program, **{setting: PREFIX, "HTTPS": "0"})
    server.first_page = f"{PREFIX}/login"
    server.start()
    try:
        server.empty_tables()
        server.create_person("ana")
        client = HttpClient(server.port)
        form = read(client.get(f"{PREFIX}/expenses", follow_redirects=True)).one("main").one("form")
        assert form["action"] == f"{PREFIX}/login?next=/expenses"

        logged_in = client.post(form["action"], form_values(form) | LOGIN)

        assert logged_in.location == f"{PREFIX}/expenses"
        listed = client.get(logged_in.location)
        assert listed.status_code == 200
        assert client.get(read(listed).one("link", rel="stylesheet")["href"]).status_code == 200
    finally:
        server.stop()
