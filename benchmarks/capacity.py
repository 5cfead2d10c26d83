"""Capacity of a PostgreSQL server: rows, bytes, and the cost of a page and an added expense.

`python -m benchmarks.capacity --database URL --rows 1000000` fills an empty database, in the order in which
people would, and prints Markdown. It sends the same statements as the application, but directly.
"""

import argparse
import os
import random
import secrets
import statistics
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from ledger import operations, sessions, spending
from ledger.periods import Period
from ledger.sample_expenses import sample_expenses
from models import Expense, User, description_key

TODAY = date(2026, 1, 1)
YEARS = 5
REPEATS = 21
ADDING_SECONDS = 5
COLUMNS = tuple(Expense.__table__.c.keys())
Statement = tuple[str, dict[str, Any]]


def main() -> None:
    """Fill the database, measure it, and print both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--database", metavar="URL", required=True, help="an empty PostgreSQL database")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many expenses to insert")
    parser.add_argument("--accounts", type=int, default=1_000, help="how many users to create")
    asked = parser.parse_args()
    # The application reads its settings when it is imported.
    os.environ |= {"DATABASE_URL": asked.database, "SECRET_KEY": secrets.token_hex(32), "FLASK_SKIP_DOTENV": "1"}
    import flask_migrate

    from app import app

    with app.app_context():
        flask_migrate.upgrade()
        sizes = fill(asked.rows, asked.accounts)
        report_sizes(asked.rows)
        report_pages(sizes)
        report_adding(sizes)


def fill(rows: int, people: int) -> dict[int, int]:
    """Fill the tables and return how many expenses each user has; the n-th has an n-th of the first one's.

    The rows are inserted by day, those of all users mixed, while all indexes exist, so that the indexes are as
    loose as after years of use.
    """
    if db.session.scalar(sa.select(sa.func.count()).select_from(User)):
        raise SystemExit("The database is not empty.")
    names = [f"person{number}" for number in range(people)]
    db.session.add_all(User(username=name, email=f"{name}@example.com", password_hash="-") for name in names)
    db.session.flush()
    users = list(db.session.scalars(sa.select(User.id).order_by(User.id)))
    db.session.commit()
    chance = random.Random(1)
    owners = chance.choices(users, [1 / (place + 1) for place in range(people)], k=rows)
    started = time.perf_counter()
    columns = ", ".join(COLUMNS)
    with driver_connection() as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY expense ({columns}) FROM STDIN") as copy:
            lines = expense_lines(owners, chance)
            while some := "".join(islice(lines, 5_000)):
                copy.write(some)
        connection.commit()
    print(f"{rows:,} rows written in {time.perf_counter() - started:.0f} s.\n")
    with driver_connection() as connection:
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE)")
    return {user: owners.count(user) for user in (users[0], users[people // 100], users[people // 2])}


def expense_lines(owners: list[int], chance: random.Random) -> Iterator[str]:
    """Yield an expense of each of the owners as PostgreSQL's COPY reads it, by day."""
    usual = [
        (values["amount"], values["category"], values["description"], description_key(values["description"]))
        for values in sample_expenses(TODAY)
    ]
    start_date = TODAY - timedelta(days=365 * YEARS)
    now = datetime.now(UTC).replace(tzinfo=None)
    for number, owner in enumerate(owners):
        amount, category, description, key = chance.choice(usual)
        values = {
            "author_id": owner,
            "id": uuid7(),
            "amount": int(amount * 1000) + chance.randrange(100) * 10,
            "category": category,
            "description": description,
            "description_key": key,
            "date": start_date + timedelta(days=number * 365 * YEARS // len(owners)),
            "created_at": now,
        }
        yield "\t".join(str(values[name]) for name in COLUMNS) + "\n"


def driver_connection() -> psycopg.Connection:
    """Open a connection without the application's pool and settings."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url)


def report_sizes(rows: int) -> None:
    """Print how many bytes a row takes, in the table and in each index."""
    query = """
        SELECT relname, pg_table_size(pg_class.oid) FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
        WHERE 'expense'::regclass IN (pg_class.oid, indrelid) ORDER BY relkind DESC, relname
    """
    sizes: dict[str, int] = dict(db.session.execute(sa.text(query)).all())
    db.session.rollback()
    print("| | MB | bytes a row |\n| --- | --: | --: |")
    for name, size in {**sizes, "all": sum(sizes.values())}.items():
        print(f"| {name} | {size / 1e6:,.0f} | {size / rows:.0f} |")


def report_pages(sizes: dict[int, int]) -> None:
    """Print what each question of the list costs the database, for people with many and few expenses."""
    print("\n| expenses of the person | question | ms | how | heap fetches | blocks of 8 kB |")
    print("| --: | --- | --: | --- | --: | --: |")
    for user_id, number in sizes.items():
        user = db.session.get_one(User, user_id)
        total = 0.0
        for name, ask in questions(user).items():
            for statement in statements_of(ask):
                milliseconds, plan = cost(statement)
                total += milliseconds if "month" not in name else 0
                print(f"| {number:,} | {name} | {milliseconds:.2f} | {plan} |")
        print(f"| {number:,} | **the first page** | **{total:.2f}** | | | |")


def questions(user: User) -> dict[str, Callable[[], object]]:
    """Return what the list asks, by name."""
    now, filters, no_page = datetime.now(UTC), spending.ExpenseFilter(), spending.Page([], None, None)
    month = spending.ExpenseFilter(period=Period(date(2025, 12, 1), date(2025, 12, 31)))
    sessions.create_session(user, remember=False, user_agent="", now=now)
    db.session.commit()
    # Otherwise, every question would begin with reading the user again.
    db.session.refresh(user)
    db.session.expunge(user)
    return {
        "who is it": lambda: sessions.find_session(user.get_id(), now),
        "total and parts": lambda: spending.summarise(user, filters),
        "newest 50": lambda: spending.read_page(user, filters),
        "last descriptions": lambda: spending.suggested_descriptions(user, no_page),
        "total of a month": lambda: spending.summarise(user, month),
    }


def statements_of(action: Callable[[], object]) -> list[Statement]:
    """Do `action` and return the statements it sent, with their parameters."""
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        sent.append((statement, dict(parameters)))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
        db.session.rollback()
    return [statement for statement in sent if "FROM" in statement[0] or statement[0].startswith("INSERT")]


def cost(statement: Statement) -> tuple[float, str]:
    """Return the median milliseconds of a statement, its rows fetched, and how it was answered."""
    taken = []
    with driver_connection() as connection:
        for _repeat in range(REPEATS):
            started = time.perf_counter()
            connection.execute(*statement).fetchall()
            taken.append(time.perf_counter() - started)
        sql, parameters = statement
        explained = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parameters).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    scans = [node for node in nodes(plan) if "Scan" in node["Node Type"]]
    how = ", ".join(f"{node['Node Type']} {node.get('Index Name', '')}".strip() for node in scans)
    heap = sum(node.get("Heap Fetches", 0) for node in scans)
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return statistics.median(taken) * 1000, f"{how} | {heap} | {blocks:,}"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every step of a plan."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def report_adding(sizes: dict[int, int]) -> None:
    """Print how many expenses can be added per second, each in its own transaction."""
    user = db.session.get_one(User, list(sizes)[1])
    values = spending.ExpenseValues(Decimal("3.20"), "Food", "Coffee", TODAY)

    def add_one() -> None:
        with operations.record(user, "add", datetime.now(UTC)) as operation:
            operations.add_expense(operation, uuid7(), values)

    statements = statements_of(add_one)
    print("\n| connections | adds a second |\n| --: | --: |")
    for number in (1, 4, 16):
        done: list[int] = []
        threads = [
            threading.Thread(target=add, args=(driver_connection(), statements, done)) for _ in range(number)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"| {number} | {sum(done) / ADDING_SECONDS:,.0f} |")


def add(connection: psycopg.Connection, statements: list[Statement], done: list[int]) -> None:
    """Add expenses for a while, under new ids in place of those that were sent, and note how many."""
    number, end = 0, time.perf_counter() + ADDING_SECONDS
    with connection:
        while time.perf_counter() < end:
            ids = defaultdict[uuid.UUID, uuid.UUID](uuid7)
            for sql, parameters in statements:
                fresh = {
                    name: ids[value] if isinstance(value, uuid.UUID) else value
                    for name, value in parameters.items()
                }
                connection.execute(sql, fresh)
            connection.commit()
            number += 1
    done.append(number)


if __name__ == "__main__":
    main()
