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
from models import Backup, ChangedExpense, DeletedExpense, Expense, LoginSession, Throttle, User

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
        Throttle: [{"key": "x", "started_at": 1, "attempts": 1}],
        Backup: [{"taken_at": moment, "expenses": 1}],
    }
    assert {model.__table__ for model in rows} == set(Base.metadata.sorted_tables)
    there = sa.inspect(engine).get_table_names()
    with engine.begin() as connection:
        for model, values in rows.items():
            if model.__tablename__ in there:
                connection.execute(sa.insert(model), values)


def contents(engine):
    """Every row of every table that has any, as text."""
    there = sa.inspect(engine).get_table_names()
    with engine.connect() as connection:
        rows = {
            table.name: sorted(str(row) for row in connection.execute(sa.select(table)))
            for table in Base.metadata.sorted_tables
            if table.name in there
        }
    return {name: found for name, found in rows.items() if found}


def with_a_step(folder, step):
    """A copy of our migrations with one more step on top."""
    copy = folder / "migrations"
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    heads = {path.name.partition("_")[0] for path in (copy / "versions").glob("*.py")}
    (copy / "versions" / "test_step.py").write_text(step.format(head=max(heads)))
    return str(copy)
