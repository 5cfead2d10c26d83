"""Every text that a user can see is marked for translation, and is in the template of the catalogues.

A pseudo-locale puts each translated text in brackets. What is left outside of them must be data.
"""

import gettext
import re
from datetime import date
from pathlib import Path
from typing import ClassVar

import pyotp
import pytest
from babel.messages.pofile import read_po
from sqlalchemy.exc import TimeoutError
from uuid_utils.compat import uuid7

import clock
from database import db
from languages import LANGUAGES, catalogues
from ledger import csv_export, password_resets, spending
from ledger.categories import get_categories
from ledger.import_summary import SECTIONS
from ledger.operations import CurrencyChangedError
from ledger.pieces import LeaseLostError, OperationRunningError
from models import DEFAULT_CATEGORIES, Expense
from tests.archives import export_of, restore
from tests.browsing import PASSWORD, REDIRECTS, Visitor, form_values, read
from tests.test_import_pages import review, upload, values_of

POT = Path(__file__).parent.parent / "translations" / "messages.pot"
OPEN, CLOSE = "⟦", "⟧"
WORD = re.compile(r"[^\W\d_]{2,}")
# Names and data, which are the same in every language.
DATA = {
    # The application, the users of these tests and what they typed.
    *("Ledger", "ana", "ana@example.com", "Noor", "Gym", "zz", "noor", "nothing"),
    # The default categories belong to the user from the start.
    *("Food", "Housing", "Transport", "Utilities", "Health", "Entertainment", "Shopping", "Travel"),
    *("Education", "Other"),
    # The languages, each by its own name.
    *WORD.findall(" ".join(LANGUAGES.values())),
    # Codes of currencies and formats.
    *("USD", "CSV", "EUR"),
    # Of a time of day, from the locale database.
    *("AM", "PM"),
}
# Names of months, which the locale database has in every language.
MONTHS = re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b")
ATTRIBUTES = ("title", "aria-label", "placeholder", "alt", "label", "data-label", "data-text")
# Their options are names of currencies, time zones and formats, from the locale database.
NAMES = {"language", "currency", "time_zone", "locale"}


class PseudoTranslations(gettext.NullTranslations):
    """Translations that put every text in brackets, and note which there are."""

    used: ClassVar[set[str]] = set()

    def gettext(self, message):
        self.used.add(message)
        # The names of the first categories become data.
        return message if message in DEFAULT_CATEGORIES else f"{OPEN}{message}{CLOSE}"

    def ngettext(self, singular, plural, number):
        self.used.add(singular)
        return f"{OPEN}{singular if number == 1 else plural}{CLOSE}"

    ugettext, ungettext = gettext, ngettext


@pytest.fixture
def pseudo(app, monkeypatch):
    """The application in the pseudo-locale; every text that it uses must be in the template."""
    monkeypatch.setattr(catalogues, "load", lambda _language: PseudoTranslations())
    monkeypatch.setattr(PseudoTranslations, "used", set())
    yield app
    with POT.open("rb") as file:
        known = {message.id if isinstance(message.id, str) else message.id[0] for message in read_po(file)}
    assert PseudoTranslations.used - known == set()


@pytest.fixture
def user(pseudo):
    """A user with something on every page."""
    ana = Visitor(pseudo).with_account("ana")
    ana.add("12.50", "Food", description="Noor")
    ana.add("3.50", "Travel", refund="y")
    ana.add("20", "Health", date="2026-01-31", frequency="month")
    return ana


def texts_of(element, inside=""):
    """Yield the text of a page with its attributes, in the order of the page, but for names and data."""
    for name in ATTRIBUTES:
        if name in element.attributes:
            yield f"{element[name]}\n"
    if element.tag == "input" and element.get("type") == "submit":
        yield element["value"]
    if element.tag in {"script", "style"} or (
        element.tag == "option" and inside in NAMES and element.get("value")
    ):
        return
    inside = element.get("name", inside) if element.tag == "select" else inside
    for child in element.children:
        if isinstance(child, str):
            yield child
        elif child.tag == "option" and inside in NAMES and OPEN not in child.text:
            continue
        else:
            yield " "
            yield from texts_of(child, inside)
            yield " "


def unmarked(response):
    """The words of a page outside of all brackets."""
    assert response.mimetype == "text/html"
    depth, outside = 0, []
    for character in "".join(texts_of(read(response))):
        depth += {OPEN: 1, CLOSE: -1}.get(character, 0)
        assert depth >= 0
        outside.append(character if depth == 0 else " ")
    assert depth == 0
    return set(WORD.findall(MONTHS.sub(" ", "".join(outside)))) - DATA


LIST_PAGES = [
    "/expenses",
    "/expenses?category=Food&period=2026&search=noor&min_amount=1&max_amount=99&sort=amount",
    "/expenses?category=Food&category=Travel&start_date=2026-01-01",
    "/expenses?end_date=2026-12-31",
    "/expenses?search=nothing",
    "/expenses?category=Housing",
    "/expenses?category=Housing&period=2026",
    "/expenses?period=1999",
    "/expenses?min_amount=1000",
    "/expenses?period=2026-13&min_amount=x&max_amount=1&start_date=1&category=zz&sort=zz&after=zz&search=´",
    "/expenses?start_date=2026-02-01&end_date=2026-01-01&min_amount=2&max_amount=1",
]
PAGES = [
    *LIST_PAGES,
    *(
        "/expenses/add",
        "/expenses/print",
        "/months/2026-01",
        "/months/2026-11",
        "/months/1999-01",
        "/years/2026",
        "/years/1999",
    ),
    *("/recurring", "/history", "/account", "/account/restore", "/account/delete", "/account/security", "/logout"),
    "/forgot-password",
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_text_of_a_page_is_marked(user, page):
    response = user.get(page)

    assert response.status_code == 200
    assert OPEN in response.text
    assert unmarked(response) == set()


def test_every_text_of_the_page_of_an_expense_is_marked(user):
    for expense in user.expenses():
        for page in ("edit", "duplicate"):
            assert unmarked(user.get(f"/expenses/{expense.id}/{page}")) == set()
    recurring = next(expense for expense in user.expenses() if expense.category == "Health")
    assert unmarked(user.get(f"/recurring/{recurring.id}/edit")) == set()


def test_every_text_of_an_empty_account_is_marked(pseudo):
    ana = Visitor(pseudo).register("ana")

    assert read(ana.get("/expenses")).one("section", class_="first-steps")
    for page in ("/expenses", "/recurring", "/history", "/categories", "/months/2026-11", "/years/2026"):
        assert unmarked(ana.get(page)) == set()


def test_every_text_of_a_long_list_is_marked(user):
    with user.app.app_context():
        columns = {"author_id": user.user().id, "category": "Food", "date": date(2026, 2, 1)}
        db.session.add_all(Expense(id=uuid7(), amount=number + 1, **columns) for number in range(120))
        db.session.commit()
    for sort in ("-date", "amount"):
        first = user.get(f"/expenses?sort={sort}")
        assert unmarked(first) == set()
        assert unmarked(user.get(read(first).one("a", rel="next")["href"])) == set()


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_every_text_of_a_public_page_is_marked(pseudo, stranger, page):
    assert unmarked(stranger.get(page)) == set()
    assert unmarked(stranger.post(page, {})) == set()
    assert unmarked(stranger.post(page, {"email": "x", "username": "a b", "password": "x"})) == set()


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("aж", "short"),
        ("zz" * 50, "passwordpassword"),
        ("zz", "evelyn99"),
        ("zz", "x" * 1025),
        ("zz", "nul\0nul nul"),
        (" ", PASSWORD),
        ("ana", PASSWORD),
    ],
)
def test_every_reason_to_refuse_an_account_is_marked(user, stranger, username, password):
    values = {"username": username, "email": "evelyn99@example.com", "currency": "USD"}

    response = stranger.post("/register", values | {"password": password, "confirm_password": password})

    assert response.status_code == 422
    assert unmarked(response) <= {username}


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("/expenses/add", {}),
        ("/expenses/add", {"amount": "1,234", "date": "x", "category": "New …"}),
        ("/expenses/add", {"amount": "-1", "date": "1800-01-01", "category": "zz", "description": "´" * 201}),
        ("/expenses/add", {"amount": "1.005", "category": "Food", "frequency": "x"}),
        ("/expenses/add", {"amount": "1/3", "category": "Food", "description": "\u202e"}),
        ("/expenses/add", {"amount": "9999999999", "category": "Food", "description": "´" * 3000}),
        ("/expenses", {"amount": "0"}),
        ("/expenses/bulk", {}),
        ("/expenses/bulk", {"action": "category", "all_matching": "y"}),
        ("/expenses/bulk", {"action": "date", "all_matching": "y"}),
        ("/recurring/due", {}),
        ("/account/profile", {"username": "a ж", "email": "x"}),
        ("/account/password", {"password": "x", "confirm_password": "y", "current_password": "z"}),
        ("/account/settings", {"currency": "x"}),
        ("/account/sessions/end", {"current_password": PASSWORD}),
        ("/account/sessions/end-all", {"current_password": "z"}),
        (
            "/account/settings",
            {"currency": "JPY", "time_zone": "Etc/UTC", "locale": "", "first_day_of_month": "1"},
        ),
    ],
)
def test_every_error_is_marked(user, url, values):
    response = user.post(url, values)

    assert response.status_code == 422
    assert unmarked(response) <= {"JPY"}


def test_every_refused_form_is_marked(user):
    for url in ("/expenses/add", "/account/settings"):
        response = user.client.post(url, data={"csrf_token": "x"})
        assert response.status_code == 400
        assert unmarked(response) == set()


def settings(**changed):
    """The values of the preferences' form."""
    return {"currency": "USD", "time_zone": "Etc/UTC", "locale": "", "first_day_of_month": "1"} | changed


@pytest.fixture
def send(user):
    """Sends a form, whose message on the next page must be marked."""

    def send_form(url, **values):
        assert user.post(url, values).status_code in REDIRECTS, url
        page = user.get("/expenses")
        assert read(page).all("div", class_="message"), url
        assert unmarked(page) == set()

    return send_form


def undo_all(user, send):
    """Press every button of History, whose page must be marked before and after."""
    assert unmarked(user.get("/history")) == set()
    for form in read(user.get("/history")).one("main").all("form"):
        send(form["action"])
    assert unmarked(user.get("/history")) == set()


@pytest.mark.slow
def test_every_message_is_marked_and_so_is_history(user, send):
    ids = [str(expense.id) for expense in user.expenses()]
    recurring = next(expense for expense in user.expenses() if expense.category == "Health").id
    send("/expenses/add", amount="1", category="Food", new_category="Gym", frequency="week")
    send("/expenses/add", amount="1", category="Food", refund="y", date="2026-11-01")
    send(f"/expenses/{ids[0]}/edit", amount="2", category="Food", date="2026-11-01", frequency="year")
    send("/expenses/bulk", action="category", category="Travel", all_matching="y")
    send("/expenses/bulk", action="delete", ids=ids[0])
    send(f"/expenses/{ids[1]}/delete")
    due = read(user.get("/expenses")).one("form", class_="due").all("button", name="add")
    send("/recurring/due", add=due[0]["value"], **{due[0]["value"]: "3"})
    send("/recurring/due", skip=due[1]["value"])
    send("/recurring/due", skip=due[1]["value"])
    values = {"amount": "21", "category": "Health", "date": "2026-02-28", "frequency": "quarter"}
    send(f"/recurring/{recurring}/edit", **values)
    send(f"/recurring/{recurring}/stop")
    assert unmarked(user.get("/recurring")) == set()
    send(f"/recurring/{recurring}/resume")
    send("/account/settings", **settings(first_day_of_month="5"))
    send("/account/settings", **settings(first_day_of_month="5"))
    assert unmarked(user.get("/months/2026-11")) == set()
    undo_all(user, send)


def category_url(user, name):
    """The URL of a category, without what is done there."""
    with user.app.app_context():
        categories = get_categories(user.user())
    return f"/categories/{next(category.id for category in categories if category.name == name)}"


def test_every_text_about_categories_is_marked(user, send):
    send("/categories/add", id=str(uuid7()), name="Gym")
    gym, travel = category_url(user, "Gym"), category_url(user, "Travel")
    for url in (gym, travel, category_url(user, "Health")):
        assert unmarked(user.get(f"{url}/edit")) == set()
    assert unmarked(user.get("/categories")) == set()

    values = form_values(read(user.get(f"{gym}/edit")).one("main").all("form")[0])
    for name in ("", "Travel", "New …", "x" * 500):
        refused = user.post(f"{gym}/edit", values | {"name": name})
        assert refused.status_code == 422
        assert unmarked(refused) <= {name}
    for url in ("/categories/add", f"{gym}/merge"):
        refused = user.post(url, {})
        assert refused.status_code == 422
        assert unmarked(refused) == set()
    send(f"{gym}/swap", into=travel.rpartition("/")[2])
    values = form_values(read(user.get(f"{gym}/edit")).one("main").all("form")[0])
    send(f"{gym}/edit", **values | {"name": "zz"})
    values = form_values(read(user.get(f"{gym}/edit")).one("main").all("form")[0])
    send(f"{gym}/edit", **values)
    send(f"{gym}/edit", **values | {"archived": "y"})
    assert unmarked(user.get("/categories")) == set()
    send(f"{category_url(user, 'Housing')}/delete")
    send(f"{category_url(user, 'Food')}/merge", into=category_url(user, "Health").rpartition("/")[2])
    assert user.post(f"{category_url(user, 'Health')}/delete", {}).status_code in REDIRECTS
    assert unmarked(user.get(f"{category_url(user, 'Health')}/edit")) == set()
    undo_all(user, send)


def test_every_text_about_budgets_is_marked(user, send):
    form = next(form for form in read(user.get("/categories")).all("form") if form.get("class") == "budgets")
    names = [name for name in form_values(form) if name.endswith("monthly_budget")]
    send("/categories", **form_values(form))
    refused = user.post("/categories", form_values(form) | {names[0]: "x", names[1]: "1,234"})
    assert refused.status_code == 422
    assert unmarked(refused) == set()
    rollover = names[0].replace("monthly_budget", "rollover")
    for amount in ("20", "1", "1000"):
        form = next(form for form in read(user.get("/categories")).all("form") if form.get("class") == "budgets")
        send("/categories", **form_values(form) | dict.fromkeys(names, amount) | {rollover: "y"})
        assert unmarked(user.get("/categories")) == set()
        for page in ("/months/2026-11", "/years/2026", "/expenses?period=this-month"):
            assert unmarked(user.get(page)) == set()
    stale = user.post("/categories", form_values(form) | {names[0]: "7"})
    assert stale.status_code == 422
    assert unmarked(stale) == set()
    undo_all(user, send)


def test_every_text_about_recurring_expenses_is_marked(user, send):
    recurring = next(expense for expense in user.expenses() if expense.category == "Health").id
    url = f"/recurring/{recurring}"
    assert unmarked(user.get(f"{url}/edit")) == set()
    for values in (
        {"amount": "x", "category": "zz", "frequency": "x", "date": "x", "end_date": "x", "occurrences": "x"},
        {"date": "2026-02-01", "end_date": "2026-01-01", "frequency": "month", "amount": "1", "category": "Food"},
        {"date": "2026-02-01", "end_date": "2026-03-01", "occurrences": "2", "amount": "1", "category": "Food"},
        {"date": "2026-02-01", "occurrences": "999", "frequency": "year", "amount": "1", "category": "Food"},
    ):
        refused = user.post(f"{url}/edit", values)
        assert refused.status_code == 422
        assert unmarked(refused) == set()
    assert unmarked(user.get("/recurring")) == set()
    send("/recurring/due/skip")
    day = next(form for form in read(user.get("/recurring")).all("form") if form["action"] == f"{url}/add")
    send(f"{url}/add", day=form_values(day)["day"])
    send(f"{url}/add", day=form_values(day)["day"])
    values = {"amount": "21", "category": "Health", "date": "2026-01-31", "frequency": "month"}
    send(f"{url}/edit", **values | {"end_date": "2026-12-31"})
    assert unmarked(user.get("/recurring")) == set()
    send(f"{url}/edit", **values | {"end_date": "2026-02-28"})
    assert unmarked(user.get("/recurring")) == set()
    send(f"/expenses/{recurring}/delete")
    send(f"{url}/delete")
    undo_all(user, send)


# The headings of the file, its name, and its payee.
OF_STATEMENT = {"Date", "Payee", "Amount", "statement", "csv", "Noor"}
STATEMENT = """Date,Payee,Amount
03/04/2026,Noor,-3.00
03/04/2026,Noor,-3.00
05/04/2026,Noor,1.00
02/04/2026,Noor,900.00
06/04/2026,Noor,x
"""


def test_every_text_of_an_import_is_marked(user):
    for content, status in ((STATEMENT, 302), ("nothing", 422), ("", 422)):
        response = upload(user, content, "statement.csv")
        assert response.status_code == status
        if status == 422:
            assert unmarked(response) - OF_STATEMENT <= {"nothing"}
    columns = upload(user, STATEMENT, "statement.csv").location
    assert unmarked(user.get(columns)) - OF_STATEMENT == set()
    form = user.page(columns).one("main").one("form")
    url = user.client.post(columns, data=form_values(form) | {"go": "save"}).location
    pages = ["/imports", f"{url}/columns", *(f"{url}?show={section}" for section in SECTIONS)]
    for page in pages:
        response = user.get(page)
        assert response.status_code == 200, page
        assert unmarked(response) - OF_STATEMENT == set(), page
    refused = user.post(url, {"shown": "x", "go": "add-all"})
    assert unmarked(refused) - OF_STATEMENT == set()
    form = review(user.page(url))
    added = user.client.post(form["action"], data=values_of(form) | {"go": "add-all"})
    other = upload(user, STATEMENT, "statement.csv").location
    for page in (added.location, other, f"{other}?show=here", "/history", "/imports"):
        assert unmarked(user.get(page)) - OF_STATEMENT == set(), page
    assert user.post(f"{other}/discard").status_code in REDIRECTS
    undone = read(user.get("/history")).one("main").all("form")[0]
    assert user.post(undone["action"], {}).status_code in REDIRECTS
    for page in ("/expenses", "/history", "/imports"):
        assert unmarked(user.get(page)) - OF_STATEMENT == set(), page


def test_every_text_about_an_export_and_a_deletion_is_marked(user, stranger):
    content = export_of(user)
    for visitor, sent in ((user, content), (stranger.register("bob"), b""), (stranger, b"PK")):
        response = restore(visitor, sent)
        assert response.status_code == 422
        assert unmarked(response) <= {"bob"}
    assert restore(stranger, content).status_code in REDIRECTS
    assert unmarked(stranger.get("/expenses")) <= {"bob"}
    wrong = stranger.post("/account/delete", {"current_password": "another one"})
    assert wrong.status_code == 422
    assert unmarked(wrong) <= {"bob"}
    stranger.post("/account/delete", {"current_password": PASSWORD})
    assert unmarked(stranger.get("/login")) == set()
    stranger.log_in()
    assert unmarked(stranger.get("/expenses")) <= {"bob"}


def test_every_message_after_the_end_of_a_session_is_marked(user):
    names = {"current_password": PASSWORD, "password": f"{PASSWORD}!", "confirm_password": f"{PASSWORD}!"}
    assert user.post("/account/password", names).status_code in REDIRECTS
    assert unmarked(user.get("/account")) == set()
    all_devices = "/account/sessions/end-all"
    assert user.post(all_devices, {"current_password": f"{PASSWORD}!"}).status_code in REDIRECTS
    assert unmarked(user.get("/login")) == set()
    for values in ({"amount": "1"}, {}, {"description": "´" * 5000}):
        user.client.post("/expenses/add", data=values)
        assert unmarked(user.get("/login?next=/expenses/add")) == set()


def test_every_text_of_a_draft_is_marked(user):
    user.end_sessions()
    user.client.post("/expenses/add", data={"amount": "1"})

    response = user.log_in_at("/login?next=/expenses/add")

    assert unmarked(user.get(response.location)) == set()


def test_every_error_page_is_marked(user, stranger, monkeypatch):
    assert unmarked(stranger.client.post("/login", data={"csrf_token": "x", "email": "a@example.com"})) == set()
    for response, status in [
        (user.post(f"/history/{user.expenses()[0].id}/undo", {"expense": "x"}), 400),
        (user.get("/nothing-here"), 404),
        (user.client.delete("/expenses"), 405),
        (user.client.post("/expenses/add", data={"description": "x" * 2_000_000}), 413),
    ]:
        assert response.status_code == status
        assert unmarked(response) == set()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError(), 500),
        (TimeoutError(), 503),
        (CurrencyChangedError("currency_changed"), 409),
        (OperationRunningError(), 409),
        (LeaseLostError(), 409),
    ],
)
def test_the_page_of_an_error_is_marked(user, monkeypatch, error, status):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr(spending, "summarise", fail)
    monkeypatch.setitem(user.app.config, "PROPAGATE_EXCEPTIONS", False)
    response = user.get("/expenses")

    assert response.status_code == status
    assert unmarked(response) == set()


@pytest.mark.parametrize("error", [OSError, csv_export.TooManyFilesError])
def test_the_page_of_an_export_that_cannot_be_written_is_marked(user, monkeypatch, error):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr(csv_export, "write_file", fail)
    response = user.get("/expenses.csv")

    assert response.status_code == 503
    assert unmarked(response) == set()


def test_a_refusal_by_a_rate_limit_is_marked(user, app):
    app.config["THROTTLE_ACCOUNT"] = 1
    stranger = Visitor(app)
    for password in ("one", "two", "three"):
        response = stranger.post("/login", {"email": "ana@example.com", "password": password})
        assert unmarked(response) == set()
    assert response.status_code == 429


@pytest.mark.parametrize(("mode", "query"), [(False, ""), ("invite", ""), ("invite", "?invitation=x")])
def test_a_closed_registration_is_marked(pseudo, stranger, mode, query):
    pseudo.config["REGISTRATION"] = mode
    response = stranger.get(f"/register{query}")

    assert response.status_code == 403
    assert unmarked(response) == set()
    assert unmarked(stranger.get("/login")) == set()


def unmarked_beside_codes(response):
    """The same, without the key for the app and the recovery codes."""
    page = read(response)
    codes = {word for code in page.all("code") for word in WORD.findall(code.text)}
    return unmarked(response) - codes


def test_every_text_of_two_factor_authentication_is_marked(user, app):
    page = user.get("/account/two-factor")
    assert unmarked_beside_codes(page) == set()
    form = read(page).one("main").one("form")
    secret = read(page).one("code", class_="secret").text.replace(" ", "")
    for values in ({"code": ""}, {"code": "000000"}, {"code": pyotp.TOTP(secret).now()}):
        typed = form_values(form) | {"current_password": PASSWORD} | values
        response = user.client.post(form["action"], data=typed)
        assert unmarked_beside_codes(response) == set()
    assert response.status_code == 200
    codes = [code.text for code in read(response).all("code")]
    assert unmarked(user.get("/account/two-factor")) == set()
    visitor = Visitor(app)
    response = visitor.post("/login", {"email": "ana@example.com", "password": PASSWORD})
    for url in ("/login/code", "/login/code?recovery=1"):
        assert unmarked(visitor.get(url)) == set()
        assert unmarked(visitor.post(url, {"code": "000000"})) == set()
    typed = {"current_password": PASSWORD, "code": codes[0]}
    assert user.post("/account/two-factor/off", typed).status_code in REDIRECTS
    assert unmarked_beside_codes(user.get("/account/two-factor")) == set()
    assert visitor.get("/login/code").status_code in REDIRECTS
    assert unmarked(visitor.get("/login")) == set()


def test_every_text_of_a_forgotten_password_is_marked(user, app):
    stranger = Visitor(app)
    with app.app_context():
        key = password_resets.create(user.user(), clock.now())
        db.session.commit()
    for url in ("/forgot-password", f"/reset-password/{key}", "/reset-password/x"):
        assert unmarked(stranger.get(url)) == set()
        assert unmarked(stranger.post(url, {"password": "x"})) == set()
