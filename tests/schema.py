"""A database with rows in every table, and one more step for its migrations."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import Base
from models import (
    Backup,
    Category,
    ChangedCategory,
    ChangedExpense,
    DeletedExpense,
    Expense,
    LoginSession,
    Occurrence,
    RecurringExpense,
    Throttle,
    User,
)

ROOT = Path(__file__).parent.parent
# The usual way to widen a column of a parent table; with foreign keys on, it deletes the children.
WIDEN_EMAIL = '''
"""Widen user.email."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "test", "{head}"


def change(old, new):
    with op.batch_alter_table("user") as batch:
        batch.alter_column("email", existing_type=sa.String(old), type_=sa.String(new), existing_nullable=False)


def upgrade():
    change(254, 320)


def downgrade():
    change(320, 254)
'''


def flask_db(url, *arguments, **options):
    """Begin to run `flask db` on the database at `url`."""
    settings = {"DATABASE_URL": url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "flask", "db", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | settings, cwd=ROOT, **pipes, **options)


def fill(engine):
    """Put rows into every table that is there."""
    author = {"author_id": 1, "category": "Food", "description": "Tea"}
    day, moment = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)
    old = {"amount": 1, "date": day, "description_key": "tea"}
    new = {"new_amount": 2, "new_category": "Food", "new_description": "Tea", "new_date": day}
    recurring = uuid7()
    rows = {
        User: [
            {"id": 1, "username": "ana", "username_key": "ana", "email": "a@example.com", "password_hash": "x"}
        ],
        LoginSession: [{"user_id": 1, "token_hash": "x", "remember": True, "user_agent": "x"}],
        Expense: [{"id": uuid7(), "amount": n, "date": date(2026, 1, n), **author} for n in range(1, 11)],
        DeletedExpense: [
            {"id": uuid7(), "amount": 1, "date": day, "deleted_at": moment, "batch": uuid7(), **author}
        ],
        ChangedExpense: [{"id": uuid7(), "batch": uuid7(), "changed_at": moment, **old, **new, **author}],
        Category: [{"author_id": 1, "name": "Food", "name_key": "food", "position": 1}],
        ChangedCategory: [{"author_id": 1, "batch": uuid7(), "id": uuid7(), "changed_at": moment}],
        RecurringExpense: [
            {"id": recurring, "amount": 1, "every": "month", "first_day": day, "next_day": day, **author}
        ],
        Occurrence: [{"author_id": 1, "recurring_id": recurring, "day": day}],
        Throttle: [{"key": "x", "started_at": 1, "attempts": 1}],
        Backup: [{"taken_at": moment, "expenses": 1}],
    }
    assert {model.__table__ for model in rows} == set(Base.metadata.sorted_tables)
    tables = {table.name: table for table in tables_of(engine)}
    with engine.begin() as connection:
        for model, values in rows.items():
            if model.__tablename__ in tables:
                insert_into(connection, tables[model.__tablename__], model, values)


def tables_of(engine):
    """The tables of the models with the columns that are there, at whatever step the database is."""
    inspector = sa.inspect(engine)
    for table in Base.metadata.sorted_tables:
        if inspector.has_table(table.name):
            there = {column["name"] for column in inspector.get_columns(table.name)}
            columns = [sa.column(column.name, column.type) for column in table.c if column.name in there]
            yield sa.table(table.name, *columns)


def insert_into(connection, table, model, rows):
    """Insert rows of a model, with its defaults, into as much of its table as is there."""
    defaults = {column.name: column.default for column in model.__table__.c if column.default is not None}
    there = {column.name for column in table.c}
    for row in rows:
        made = {name: each.arg(None) if each.is_callable else each.arg for name, each in defaults.items()}
        values = {name: value for name, value in (made | row).items() if name in there}
        connection.execute(sa.insert(table).values(values))


def contents(engine):
    """Every row of every table that has any, as text, without what a later step has filled in by itself."""
    models, tables = Base.metadata.tables, list(tables_of(engine))
    found = {}
    with engine.connect() as connection:
        for table in tables:
            later = {column.name for column in models[table.name].c if column.server_default is not None}
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            found[table.name] = sorted(
                str({name: value for name, value in row.items() if value is not None and name not in later})
                for row in rows
            )
    return {name: rows for name, rows in found.items() if rows}


def with_a_step(folder, step):
    """A copy of our migrations with one more step on top."""
    copy = folder / "migrations"
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    heads = {path.name.partition("_")[0] for path in (copy / "versions").glob("*.py")}
    (copy / "versions" / "test_step.py").write_text(step.format(head=max(heads)))
    return str(copy)
