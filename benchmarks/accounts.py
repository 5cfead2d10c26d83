"""Accounts for the benchmarks, inserted directly into the database."""

from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from benchmarks.expenses import Expense as Bought
from benchmarks.expenses import sample_expenses
from database.bulk import insert_rows
from models import Expense, User, description_key
from tests.browsing import PASSWORD

AT_ONCE = 10_000
EXPENSES = cast("sa.Table", Expense.__table__)
COLUMNS = ("author_id", "id", "created_at", "description_key", *Bought._fields)
key_of = cache(description_key)


def refuse_real(engine: sa.Engine) -> None:
    """Raise RuntimeError when the database has accounts: real data must not be touched."""
    with Session(engine) as session:
        if session.scalar(sa.select(User.id).limit(1)):
            raise RuntimeError("There are accounts in this database. The benchmarks want one of their own.")


def create(engine: sa.Engine, sizes: dict[str, int]) -> dict[str, int]:
    """Create an account of each name with this many expenses, and return the ids of the accounts."""
    first, *others = (User(username=name, email=email_of(name)) for name in sizes)
    first.set_password(PASSWORD)
    for user in others:
        user.password_hash = first.password_hash
    with Session(engine) as session:
        session.add_all([first, *others])
        session.commit()
        ids = {user.username: user.id for user in (first, *others)}
    for name, size in sizes.items():
        _spend(engine, ids[name], size)
    if engine.dialect.name == "postgresql":
        # As autovacuum would have done by the time a user has this many.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE expense, month_total")
    return ids


def remove(engine: sa.Engine) -> None:
    """Delete all accounts with their data."""
    with Session(engine) as session:
        session.execute(sa.delete(User))
        session.commit()


def email_of(name: str) -> str:
    """Return the email address with which the account of this name logs in."""
    return f"{name}@example.com"


def _spend(engine: sa.Engine, author_id: int, number: int) -> None:
    bought, now = sample_expenses(number), datetime.now(UTC)
    while lot := list(islice(bought, AT_ONCE)):
        rows = [(author_id, uuid7(), now, key_of(expense.description), *expense) for expense in lot]
        with engine.begin() as connection:
            insert_rows(connection, EXPENSES, COLUMNS, rows)
