"""What a page costs, without a clock: its statements, the steps that SQLite takes for them, and their plans."""

import os
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, insert, select
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import categories, history
from ledger.spending import CATEGORIES
from models import Expense
from tests.people import Visitor, empty_tables

SIZES = (0, 5, 120)
FEW, MANY = 1_000, 10_000
# So many of the larger accounts are of this month: a page of it shows the same, whatever lies around it.
MONTH, OF_MONTH = date(2026, 3, 1), 60
# So many of the acts of each kind, and of the expenses, can be used up by the tests.
ACTS, POOL = 3, 12

# The statements that read, by what they ask; any other is called by its verb and its table.
READS = {
    "log-in": r"JOIN login_session",
    "categories": r"^SELECT category\.id",
    "lock of categories": r"^SELECT \"?user\"?\.monthly_budget",
    "categories of the act": r"^SELECT (deleted|changed)_expense\.category",
    "category acts": r"^SELECT changed_category",
    "log-ins": r"FROM login_session WHERE",
    "person": r"FROM \"?user\"? WHERE",
    "sums": r"^SELECT coalesce\(\S+\.category",
    "rows": r"^SELECT expense\.id, expense\.date",
    "file": r"^SELECT expense\.date AS date",
    "months": r"^SELECT \S+\.place",
    "days": r"^SELECT expense\.date, count",
    "first day": r"^SELECT min\(expense\.date\)",
    "budgets": r"^SELECT category\.name",
    "descriptions": r"^SELECT expense\.description FROM",
    "usual category": r"^SELECT expense\.category FROM",
    "expense": r"^SELECT expense\.author_id",
    "number of the act": r"^SELECT count\(\*\) AS \S+ coalesce\(sum\((deleted|changed)_expense",
    "acts": r"^SELECT (deleted|changed)_expense\.batch",
    "what acts touched": r"FROM (deleted|changed)_expense .*ORDER BY (deleted|changed)_expense\.batch",
    "deleted expense": r"FROM deleted_expense WHERE .*deleted_expense\.id =",
    "what the act changed": r"^SELECT max\(CASE WHEN \(changed_expense",
    "repeats": r"FROM recurring_expense .*IN \(SELECT recurring_day",
    "due": r"FROM recurring_expense .*recurring_expense\.next_day <=",
    "all that repeats": r"FROM recurring_expense WHERE recurring_expense\.author_id = \S+ ORDER BY",
    "recurring": r"FROM recurring_expense",
    "days done": r"^SELECT recurring_day\.recurring_id, recurring_day\.day FROM",
    "left alone": r"^SELECT coalesce\(nullif\(changed_expense\.description",
}
FOUND = ["log-in", "categories", "sums", "rows", "descriptions"]
# What is due stands above the unfiltered list only.
LIST = ["log-in", "categories", "due", "sums", "rows", "descriptions"]
# Every page, and the statements that it sends. {id} and {place} are those of an expense.
PAGES = {
    "/expenses": LIST,
    "/expenses?category=Food": FOUND,
    "/expenses?period=2026-03": FOUND,
    "/expenses?search=tea": FOUND,
    "/expenses?sort=-amount": FOUND,
    "/expenses?category=Food&search=tea&period=2026&min_amount=1&sort=amount": FOUND,
    "/expenses?after={place}": FOUND,
    "/expenses?before={place}": FOUND,
    "/expenses.csv": ["log-in", "categories", "file"],
    "/expenses/add": ["log-in", "categories"],
    "/expenses/{id}/edit": ["log-in", "expense", "categories", "repeats"],
    "/expenses/{id}/duplicate": ["log-in", "expense", "categories"],
    "/categories": ["log-in", "sums", "categories"],
    "/expenses/deleted": ["log-in", "category acts", *["what acts touched", "acts"] * 2],
    "/account": ["log-in", "log-ins"],
    "/months": ["log-in", "months", "first day", "budgets", "days", "rows"],
    "/months/2026-03": ["log-in", "months", "first day", "budgets", "days", "rows"],
    "/years/2026": ["log-in", "months"],
    "/recurring": ["log-in", "all that repeats"],
    "/logout": ["log-in"],
}
EXPENSE = {"amount": "3", "category": "Food", "description": "Tea", "date": "2026-01-01"}
ADDED = ["insert expense", "deleted expense"]
REPEATED = ["insert recurring_expense", "insert recurring_day", "days done", "update recurring_expense"]
CHANGED = ["insert changed_expense", "update expense", "number of the act"]
DELETED = ["insert deleted_expense", "delete expense", "number of the act"]
TAKEN_BACK = ["lock of categories", "categories of the act", "insert expense", "delete deleted_expense"]
# What was done to categories by the act; and whether those that come back with the expenses are there.
PUT_BACK = ["category acts", "categories"]
# One act on categories at a time; which there are, and which are used.
BEGUN = ["lock of categories", "sums", "categories"]
# Every form, where it is sent, what is typed, and the statements of it.
FORMS = {
    "add": ("/expenses", EXPENSE, ["log-in", "categories", *ADDED]),
    "add without a category": (
        "/expenses",
        EXPENSE | {"category": ""},
        ["log-in", "categories", "usual category", *ADDED],
    ),
    "add with a new category": (
        "/expenses",
        EXPENSE | {"new_category": "Gifts"},
        ["log-in", "categories", *BEGUN, "insert category", "insert changed_category", *ADDED],
    ),
    "save the categories": (
        "/categories",
        {"monthly_budget": "5"},
        [
            *("log-in", "sums", "categories", *BEGUN, "lock of categories", "update user"),
            *("insert changed_category", "category acts"),
        ],
    ),
    "add what repeats": (
        "/expenses/add",
        EXPENSE | {"every": "year", "date": "2099-01-01"},
        ["log-in", "categories", *ADDED, "repeats", "expense", *REPEATED],
    ),
    "edit": ("/expenses/{id}/edit", EXPENSE, ["log-in", "expense", "categories", *CHANGED]),
    "delete": ("/expenses/{id}/delete", {}, ["log-in", *DELETED, "categories"]),
    "undo a deletion": (
        "/expenses/restore",
        {"batch": "{deleted}"},
        ["log-in", *TAKEN_BACK, *PUT_BACK, "categories"],
    ),
    "undo a change": (
        "/expenses/restore",
        {"batch": "{changed}"},
        [
            *("log-in", *TAKEN_BACK, "what the act changed", "update expense", "delete changed_expense"),
            *("left alone", *PUT_BACK, "categories"),
        ],
    ),
    "change the ticked": (
        "/expenses/bulk",
        {"ids": "{id}", "action": "category", "category": "Other"},
        ["log-in", "categories", *CHANGED],
    ),
    "change all that match": (
        "/expenses/bulk?period=2026-03",
        {"all_matching": "y", "action": "date", "date": "2026-03-02"},
        ["log-in", "categories", *CHANGED],
    ),
    "settings": ("/account/settings", {"time_zone": "{zone}"}, ["log-in", "update user"]),
    "delete all that match": (
        "/expenses/bulk?period=2026-03&category=Food",
        {"all_matching": "y", "action": "delete"},
        ["log-in", "categories", *DELETED],
    ),
}
# What grows with the account by its nature: sums over all of it, a text or an order that no index knows, a file.
GROWS = {
    ("/expenses?search=tea", "rows"),
    ("/expenses?sort=-amount", "rows"),
    ("/expenses?category=Food&search=tea&period=2026&min_amount=1&sort=amount", "rows"),
    ("/expenses.csv", "file"),
    *((page, "sums") for page in PAGES if "text=" in page),
}


@dataclass
class Sent:
    """A statement as the database was sent it, and how many steps SQLite took for it."""

    name: str
    statement: str
    parameters: object
    steps: int = 0


def name_of(statement):
    """What a statement is called here."""
    if statement.startswith("SELECT"):
        return next((name for name, pattern in READS.items() if re.search(pattern, statement)), statement)
    verb, table = re.match(r"(INSERT|UPDATE|DELETE)(?: INTO| FROM)? \"?(\w+)", statement).groups()
    return f"{verb.lower()} {table}"


@contextmanager
def noted():
    """Collect what the database is sent, without the statements that begin and end transactions."""
    sent = []

    def step():
        sent[-1].steps += 1

    def note(connection, _cursor, statement, parameters, _context, executemany):
        driver = connection.connection.driver_connection
        if statement.startswith(("BEGIN", "PRAGMA", "SET TRANSACTION")):
            return
        text = " ".join(statement.split())
        sent.append(Sent(name_of(text), statement, parameters[0] if executemany else parameters))
        if engine.dialect.name == "sqlite":
            driver.set_progress_handler(step, 1)
            drivers.add(driver)

    with application.app_context():
        engine = db.engine
    drivers = set()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
        for driver in drivers:
            driver.set_progress_handler(None, 0)


def rows(size):
    """The columns of so many expenses, oldest first."""
    for number in range(size):
        around = number - OF_MONTH
        yield {
            "date": MONTH + timedelta(number % 31 if around < 0 else -1 - 7 * around % 3_000),
            "category": CATEGORIES[number % len(CATEGORIES)],
            "description": f"thing {number % 97}",
            "description_key": f"thing {number % 97}",
            "amount": 1 + number % 89,
        }


@dataclass
class Keeper:
    """Somebody with so many expenses; `pools` are the ids, places and acts of theirs that a test may use up."""

    visitor: Visitor
    token: str
    pools: dict[str, list[object]]

    def fill(self, text):
        """Put one of theirs in the place of a {name}."""
        for name, pool in self.pools.items():
            if f"{{{name}}}" in text:
                if not pool:
                    pytest.skip(f"there is no {name} in so small an account")
                text = text.replace(f"{{{name}}}", str(pool.pop()))
        return text

    def read(self, page):
        """Read a page, and return what the database was sent for it."""
        address = self.fill(page)
        with noted() as sent:
            response = self.visitor.get(address)
            assert response.status_code == 200
            # A file is made while it is read.
            assert response.data
        return sent

    def send(self, form):
        """Send a form, and return what the database was sent for it."""
        address, typed, _names = FORMS[form]
        address, typed = self.fill(address), {name: self.fill(text) for name, text in typed.items()}
        own = {"csrf_token": self.token} | ({} if "batch" in typed else {"id": uuid7()})
        with noted() as sent:
            response = self.visitor.client.post(address, data=own | typed)
            assert response.location.startswith(("/expenses", "/account", "/categories"))
        return sent


def keeper(app, size):
    """Somebody with so many expenses, of which a few were deleted and a few changed."""
    visitor = Visitor(app).register(f"keeper-{size}")
    with app.app_context():
        author, now = visitor.user(), datetime.now(UTC)
        categories.begin(author)
        if size:
            db.session.execute(insert(Expense), [row | {"author_id": author.id} for row in rows(size)])
        mine = [Expense.id == expense.id for expense in expenses_of(author, Expense.id)[: size // 10]]
        acts = {
            "deleted": [history.delete_expenses(author, each, now)[0] for each in mine[:ACTS]],
            "changed": [
                history.change_expenses(author, each, {"amount": 100}, now)[0] for each in mine[ACTS : 2 * ACTS]
            ],
        }
        others = expenses_of(author, Expense.date, from_row=max(0, size // 2 - POOL // 2))
        places = [f"{expense.date}_{expense.id}" for expense in others]
        zones = ["Europe/Madrid", "Europe/Rome", "Europe/Paris"]
        pools = {"id": [expense.id for expense in others], "place": places, "zone": zones} | acts
        db.session.commit()
    return Keeper(visitor, visitor.token(), pools)


def expenses_of(author, order, from_row=0):
    """Some of a person's expenses."""
    query = select(Expense.id, Expense.date).where(Expense.author_id == author.id)
    return db.session.execute(query.order_by(order, Expense.id).offset(from_row).limit(POOL)).all()


@pytest.fixture(scope="module")
def keepers(migrated):
    """A person of every size. What a test changes is little, and so they are shared."""
    empty_tables(migrated)
    yield {size: keeper(migrated, size) for size in (*SIZES, FEW, MANY)}
    empty_tables(migrated)


def names_of(sent):
    return [each.name for each in sent]


# --- The statements


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_sends_the_same_statements_at_any_size(keepers, page, size):
    assert names_of(keepers[size].read(page)) == PAGES[page]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_sends_the_same_statements_at_any_size(keepers, form, size):
    assert names_of(keepers[size].send(form)) == FORMS[form][2]


# --- The steps

sqlite = pytest.mark.skipif(
    not os.environ["DATABASE_URL"].startswith("sqlite"), reason="this is what SQLite says of itself"
)


def steps(sent):
    """The steps of all statements of a name, together."""
    counted = Counter()
    for each in sent:
        counted[each.name] += each.steps
    return counted


def assert_flat(few, many, grows=()):
    """No statement takes more than twice the steps in the account of many; of those that grow, every one does."""
    few, many = steps(few), steps(many)
    assert few.total() > 0
    assert {name for name in many if many[name] > 2 * few[name]} == set(grows)


@sqlite
@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_as_many_steps_at_any_size(keepers, page):
    few, many = (keepers[size].read(page) for size in (FEW, MANY))

    assert_flat(few, many, {name for grown, name in GROWS if grown == page and name in names_of(few)})


@sqlite
@pytest.mark.parametrize("form", FORMS)
def test_a_form_takes_as_many_steps_at_any_size(keepers, form):
    few, many = (keepers[size].send(form) for size in (FEW, MANY))

    assert_flat(few, many)


# --- The plans


def scans(sent):
    """The steps of the plans that read a whole table of what people keep."""
    found = []
    with application.app_context(), db.engine.connect() as connection:
        for each in sent:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each.statement}", each.parameters)
            found += [(each.name, row.detail) for row in plan if re.match(r"SCAN \w*expense", row.detail)]
    return found


@sqlite
@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_the_expenses_of_all(keepers, page):
    assert scans(keepers[FEW].read(page)) == []


@sqlite
@pytest.mark.parametrize("form", FORMS)
def test_no_form_reads_the_expenses_of_all(keepers, form):
    assert scans(keepers[FEW].send(form)) == []


@sqlite
@pytest.mark.parametrize(
    "statement", ["SELECT sum(amount) FROM expense", "SELECT * FROM expense WHERE amount = 7"]
)
def test_a_statement_that_did_would_be_seen(keepers, statement):
    assert scans([Sent("sums", statement, ())])
