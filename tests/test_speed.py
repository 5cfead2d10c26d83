"""The cost of a page without a clock: its statements, and the steps that SQLite takes for them."""

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, insert, select
from uuid_utils.compat import uuid7

import clock
from app import app as application
from database import db
from database.month_totals import has_month_totals
from database.used_descriptions import has_used_descriptions
from ledger import categories, operations
from ledger.spending import ExpenseValues
from models import DEFAULT_CATEGORIES, Expense, RecurringExpense
from tests.browsing import Visitor, empty_tables

SIZES = (0, 5, 120)
FEW, MANY = 1_000, 10_000
# So many of the larger accounts are of this month: a page of it shows the same, whatever lies around it.
MONTH, OF_MONTH = date(2026, 3, 1), 60
# In the middle of a month, and so the month a year ago is compared in part.
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
# So many of the operations of each kind, and of the expenses, can be used up by the tests.
OPERATIONS, POOL = 3, 12

# Every page, and how many statements it sends. {id} and {place} are those of an expense, the others are named.
PAGES = {
    "/expenses": 5,
    "/expenses?category=Food": 5,
    "/expenses?period=2026-03": 6,
    "/expenses?search=tea": 5,
    "/expenses?sort=-amount": 5,
    "/expenses?category=Food&sort=amount": 5,
    "/expenses?category=Food&search=tea&period=2026&min_amount=1&sort=amount": 5,
    "/expenses?after={place}": 5,
    "/expenses?before={place}": 5,
    "/expenses/print": 4,
    "/expenses.csv": 3,
    "/expenses/add": 2,
    "/expenses/{id}/edit": 4,
    "/expenses/{id}/duplicate": 3,
    "/categories": 4,
    "/categories/{category}/edit": 5,
    "/history": 5,
    "/account": 2,
    "/account/security": 4,
    "/account/two-factor": 2,
    "/account/restore": 2,
    "/account/delete": 2,
    "/imports": 3,
    "/months": 5,
    "/months/2026-03": 5,
    "/years/2026": 4,
    "/recurring": 2,
    "/recurring/{recurring}/edit": 3,
    "/logout": 1,
}
EXPENSE = {"amount": "3", "category": "Food", "description": "Tea", "date": "2026-01-01"}
# The pages that are not among these: of visitors and of monitoring, a file of the whole account, and those of an
# import, which test_import_speed.py measures.
OTHER_PAGES = {
    *(
        "index",
        "register",
        "login",
        "enter_code",
        "forgot_password",
        "reset_password",
        "healthz",
        "readyz",
        "static",
    ),
    *("export_account", "review_import", "choose_columns", "review_payee"),
}
# Every form, where it is sent, what is typed, and how many statements it sends.
FORMS = {
    "add": ("/expenses", EXPENSE, 8),
    "add without a category": ("/expenses", EXPENSE | {"category": ""}, 9),
    "add with a new category": ("/expenses", EXPENSE | {"new_category": "Gifts"}, 11),
    "save the budgets": ("/categories", {"total-monthly_budget": "5"}, 11),
    "add what repeats": ("/expenses/add", EXPENSE | {"frequency": "year", "date": "2099-01-01"}, 15),
    "edit": ("/expenses/{id}/edit", EXPENSE, 11),
    "delete": ("/expenses/{id}/delete", {}, 10),
    "undo a deletion": ("/history/{deleted}/undo", {}, 19),
    "undo a change": ("/history/{changed}/undo", {}, 18),
    "change the ticked": ("/expenses/bulk", {"ids": "{id}", "action": "category", "category": "Other"}, 11),
    "change all that match": (
        "/expenses/bulk?period=2026-03",
        {"all_matching": "y", "action": "date", "date": "2026-03-02"},
        10,
    ),
    "settings": ("/account/settings", {"time_zone": "{zone}"}, 2),
    "delete all that match": (
        "/expenses/bulk?period=2026-03&category=Food",
        {"all_matching": "y", "action": "delete"},
        11,
    ),
}
# How many statements of a page grow with the account by their nature: an order that no index knows, a file. The
# larger account has as many different descriptions as the smaller one, and a search takes as long.
GROWS = {
    "/expenses?category=Food&sort=amount": 1,
    "/expenses/print": 1,
    "/expenses.csv": 1,
    # How many expenses the category has is counted.
    "/categories/{category}/edit": 1,
    # The days of the month that was in progress a year ago.
    "/years/2026": 1,
}

# The statements of a page on PostgreSQL, and those that begin and end its transaction.
MOST_ROUND_TRIPS = 7
# A file is read through a cursor, which is opened, asked for its first row and then for the others, and closed.
ROUND_TRIPS = {"/expenses.csv": 8}


@dataclass
class Sent:
    """A statement as the database was sent it, and how many steps SQLite took for it."""

    statement: str
    parameters: object
    steps: int = 0


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
        sent.append(Sent(statement, parameters[0] if executemany else parameters))
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
            "category": DEFAULT_CATEGORIES[number % len(DEFAULT_CATEGORIES)],
            "description": f"thing {number % 97}",
            "description_key": f"thing {number % 97}",
            "amount": 1 + number % 89,
        }


@dataclass
class Keeper:
    """Somebody with so many expenses; `pools` are what tests may use up: ids, places and operations of theirs."""

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
        address, typed, _number = FORMS[form]
        address, typed = self.fill(address), {name: self.fill(text) for name, text in typed.items()}
        own = {"csrf_token": self.token, "id": uuid7()}
        with noted() as sent:
            response = self.visitor.client.post(address, data=own | typed)
            assert response.location.startswith(("/expenses", "/account", "/categories", "/history"))
        return sent


def owner(app, size):
    """Somebody with so many expenses, of which a few were deleted and a few changed."""
    visitor = Visitor(app).with_account(f"keeper-{size}")
    with app.app_context():
        author, now = visitor.user(), NOW
        if size:
            db.session.execute(insert(Expense), [row | {"author_id": author.id} for row in rows(size)])
        mine = [Expense.id == expense.id for expense in expenses_of(author, Expense.id)[: size // 10]]
        # In every account something was deleted.
        one = uuid7()
        with operations.record(author, "add", now) as operation:
            operations.add_expense(operation, one, ExpenseValues(Decimal(1), "Food", "", MONTH))
        with operations.record(author, "delete", now) as operation:
            operations.delete_expenses(operation, Expense.id == one)
        done = {"deleted": [], "changed": []}
        for chosen in mine[:OPERATIONS]:
            with operations.record(author, "delete", now) as operation:
                operations.delete_expenses(operation, chosen)
            done["deleted"].append(operation.id)
        for chosen in mine[OPERATIONS : 2 * OPERATIONS]:
            with operations.record(author, "edit", now) as operation:
                operations.change_expenses(operation, chosen, {"amount": 100})
            done["changed"].append(operation.id)
        others = expenses_of(author, Expense.date, from_row=max(0, size // 2 - POOL // 2))
        places = [f"{expense.date}_{expense.id}" for expense in others]
        zones = ["Europe/Madrid", "Europe/Rome", "Europe/Paris"]
        repeated = RecurringExpense(
            author_id=author.id,
            id=uuid7(),
            **{"amount": 1, "category": "Food", "description": "", "frequency": "year", "stopped": False},
            **dict.fromkeys(("start_date", "next_date"), date(2099, 1, 1)),
            created_at=now,
        )
        db.session.add(repeated)
        category_id = categories.get_categories(author)[0].id
        pools = {"id": [expense.id for expense in others], "place": places, "zone": zones} | done
        pools |= {"category": [category_id] * POOL, "recurring": [repeated.id] * POOL}
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
    with migrated.app_context():
        # A process asks once.
        has_month_totals(db.engine)
        has_used_descriptions(db.engine)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "now", lambda: NOW)
        yield {size: owner(migrated, size) for size in (*SIZES, FEW, MANY)}
    empty_tables(migrated)


# --- The statements


def test_every_page_is_measured(app):
    urls = app.url_map.bind("localhost")
    shown = [re.sub(r"{\w+}", str(uuid7()), page).partition("?")[0] for page in PAGES]

    measured = {urls.match(page)[0] for page in shown}

    assert {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in rule.methods} == measured | OTHER_PAGES


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_sends_as_many_statements_at_any_size(keepers, page, size):
    count, expected = len(keepers[size].read(page)), PAGES[page]

    # A list with enough descriptions does not ask for others to suggest.
    assert count == expected or (size == SIZES[-1] and page.startswith("/expenses?") and count == expected - 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_sends_as_many_statements_at_any_size(keepers, form, size):
    count, expected = len(keepers[size].send(form)), FORMS[form][2]

    # A form that finds nothing to change leaves out the statements that would change it. An undo does not ask for
    # the names of categories if none has changed, which depends on the tests that ran before.
    may_leave_one_out = size < SIZES[-1] or form.startswith("undo")
    assert count == expected or (may_leave_one_out and count == expected - 1)


# --- The round trips


@contextmanager
def traced(engine, file):
    """Let the driver of PostgreSQL write down all messages of the connections that are used meanwhile."""
    traced_connections = set()

    def trace(connection, _record, _fairy):
        connection.pgconn.trace(file.fileno())
        traced_connections.add(connection.pgconn)

    event.listen(engine, "checkout", trace)
    try:
        yield
    finally:
        event.remove(engine, "checkout", trace)
        for connection in traced_connections:
            connection.untrace()


@pytest.mark.skipif(
    "not os.environ['DATABASE_URL'].startswith('postgres')", reason="SQLite is in the same process"
)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_makes_few_round_trips_to_the_database(keepers, page, tmp_path):
    with application.app_context():
        engine = db.engine
    keepers[FEW].read(page)

    with (tmp_path / "messages").open("w") as file, traced(engine, file):
        keepers[FEW].read(page)
    answers = (tmp_path / "messages").read_text().split("ReadyForQuery")

    # A statement that a connection has often sent is prepared once, which is not counted.
    assert sum("CommandComplete" in answer for answer in answers) <= ROUND_TRIPS.get(page, MOST_ROUND_TRIPS)


# --- The steps

sqlite = pytest.mark.skipif(
    not os.environ["DATABASE_URL"].startswith("sqlite"), reason="this is what SQLite says of itself"
)


def assert_flat(few, many, grows=0):
    """No statement takes more than twice the steps in the account of many; of those that grow, every one does."""
    assert all(statement.steps for statement in few)
    grown = [more.statement for less, more in zip(few, many, strict=True) if more.steps > 2 * less.steps]
    assert len(grown) == grows, grown


@sqlite
@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_as_many_steps_at_any_size(keepers, page):
    few, many = (keepers[size].read(page) for size in (FEW, MANY))

    assert_flat(few, many, GROWS.get(page, 0))


@sqlite
@pytest.mark.parametrize("form", FORMS)
def test_a_form_takes_as_many_steps_at_any_size(keepers, form):
    few, many = (keepers[size].send(form) for size in (FEW, MANY))

    assert_flat(few, many)


# --- The plans


def plans(sent):
    """The steps of the plans of these statements."""
    found = []
    with application.app_context(), db.engine.connect() as connection:
        for statement in sent:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.statement}", statement.parameters)
            found += [row.detail for row in plan]
    return found


def scans(sent):
    """The steps that read a whole table of what people keep."""
    return [detail for detail in plans(sent) if re.match(r"SCAN \w*expense", detail)]


@sqlite
@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_the_expenses_of_all(keepers, page):
    assert scans(keepers[FEW].read(page)) == []


@sqlite
def test_the_history_reads_no_changes_older_than_its_page(keepers):
    of_rows = [sent for sent in keepers[FEW].read("/history") if "FROM row_change" in sent.statement]

    details = [detail for detail in plans(of_rows[-1:]) if "row_change" in detail]

    assert details
    assert all("operation_id" in detail for detail in details)


@sqlite
@pytest.mark.parametrize("form", FORMS)
def test_no_form_reads_the_expenses_of_all(keepers, form):
    assert scans(keepers[FEW].send(form)) == []


@sqlite
@pytest.mark.parametrize(
    "statement", ["SELECT sum(amount) FROM expense", "SELECT * FROM expense WHERE amount = 7"]
)
def test_a_statement_that_did_would_be_seen(keepers, statement):
    assert scans([Sent(statement, ())])


@sqlite
def test_the_days_of_a_month_a_year_ago_are_summed_from_an_index_alone(keepers):
    found = [detail for detail in plans(keepers[FEW].read("/years/2026")) if " expense " in detail]

    assert found
    assert all("USING COVERING INDEX" in detail for detail in found), found


@sqlite
@pytest.mark.parametrize("page", ["/months/2026-02", "/expenses?category=Food&sort=-amount"])
def test_the_largest_expenses_are_found_by_an_index_alone(keepers, page):
    found = [detail for detail in plans(keepers[FEW].read(page)) if re.match(r"(SEARCH|SCAN) expense ", detail)]

    assert found
    # The rest of an expense is read for those that are shown, by their keys.
    assert all("COVERING INDEX" in detail or "(author_id=? AND id=?)" in detail for detail in found), found
