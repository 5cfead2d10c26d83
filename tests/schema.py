"""A database with rows in every table, and one more step for its migrations."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from uuid_utils.compat import uuid7

from database import Base
from database.engine import prepare_engine
from database.revision import MIGRATIONS

ROOT = Path(__file__).parent.parent
# The usual way to widen a column of a parent table; with foreign keys on, it deletes the children.
WIDEN_EMAIL = '''
"""Widen user.email."""
import sqlalchemy as sa
from alembic import op
from database.month_totals import SQLITE_MONTH_TOTALS
revision, down_revision = "test", "{head}"


def change(old, new):
    with op.batch_alter_table("user") as batch:
        batch.alter_column("email", existing_type=sa.String(old), type_=sa.String(new), existing_nullable=False)
    if op.get_bind().dialect.name == "sqlite":
        # They went with the table.
        for statement in SQLITE_MONTH_TOTALS:
            if statement.startswith(("CREATE TRIGGER months_changed", "CREATE TRIGGER user_removed")):
                op.get_bind().exec_driver_sql(statement)


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


def migrate(app, url, direction="upgrade", revision="head", folder=MIGRATIONS):
    """Go up or down as `flask db` does on the database at `url`, but within this process, which is quicker."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    prepare_engine(engine)
    config = Config(attributes={"engine": engine})
    config.set_main_option("script_location", str(folder))
    with app.app_context():
        getattr(command, direction)(config, revision)


# What triggers maintain.
DERIVED = {"month_total", "used_description"}
# The columns of tables that have no model any more, where the database does not say what they hold.
FORMER_TYPES = dict.fromkeys(("batch", "id", "recurring_id", "expense_id"), sa.Uuid())
DAY, MOMENT = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)


def fill(engine):
    """Put rows into every table that is there."""
    author = {"author_id": 1, "category": "Food", "description": "Tea"}
    expenses = [
        author | {"id": uuid7(), "amount": n, "date": date(2026, 1, n), "description_key": "tea"}
        for n in range(1, 11)
    ]
    operation, recurring, batch, statement = (uuid7() for _ in range(4))
    new = {"new_amount": 1, "new_category": "Food", "new_description": "Tea", "new_date": DAY}
    naive = MOMENT.replace(tzinfo=None)
    rows = {
        "user": [
            {"id": 1, "username": "ana", "username_key": "ana", "email": "a@example.com", "password_hash": "x"}
        ],
        "login_session": [{"user_id": 1, "token_hash": "x", "remember": True, "user_agent": "x"}],
        "security_event": [
            {"user_id": 1, "kind": "login", "created_at": MOMENT, "user_agent": "x", "address": "192.0.2.0/24"}
        ],
        "two_factor": [{"user_id": 1, "secret": "x", "last_step": 1, "created_at": MOMENT}],
        "recovery_code": [{"user_id": 1, "code_hash": "x"}],
        "password_reset": [{"user_id": 1, "token_hash": "x", "password_mark": "x", "expires_at": MOMENT}],
        "expense": expenses,
        "category": [{"author_id": 1, "name": "Food", "name_key": "food", "position": 1}],
        "budget": [{"author_id": 1, "start_date": DAY, "amount": 1}],
        "recurring_expense": [
            author
            | {"id": recurring, "amount": 1, "frequency": "month", "start_date": DAY, "next_date": DAY}
            | {"every": "month", "first_day": DAY, "next_day": DAY}
        ],
        "occurrence": [{"author_id": 1, "recurring_id": recurring, "day": DAY}],
        "operation": [{"author_id": 1, "id": operation, "kind": "delete", "count": 1, "total": 1}],
        "expense_change": [
            author
            | {"operation_id": operation, "id": uuid7(), "change": "deleted", "amount": 1, "date": DAY}
            | {"description_key": "tea", "created_at": MOMENT}
        ],
        "row_change": [
            {"author_id": 1, "operation_id": operation, "table_name": "user", "row_key": "user", "label": ""}
            | {"before": {"monthly_budget": None}, "after": {"monthly_budget": "1.000"}}
        ],
        "draft": [{"author_id": 1, "id": uuid7(), "path": "/categories", "fields": [["name", "Tea"]]}],
        "statement": [
            {"author_id": 1, "id": statement, "source": "DE1", "format": "csv", "file_name": "a.csv"}
            | {"file_hash": "0" * 32, "signature": "1" * 32, "layout": "{}", "added_at": MOMENT}
        ],
        "statement_line": [
            {"author_id": 1, "id": expenses[0]["id"], "statement_id": statement, "line_number": 2, "source": "DE1"}
            | {"date": DAY, "amount": -1, "currency": "USD", "text": "Tea", "text_key": "tea", "digest": b"0" * 16}
            | {"bank_id": "", "payee": "Tea", "payee_key": "tea", "category": "Food", "state": "add"}
            | {"reason": "", "duplicate": "", "expense_id": expenses[0]["id"]}
        ],
        "throttle": [{"key": "x", "started_at": 1, "attempts": 1}],
        "invitation": [{"token_hash": "x", "note": "Bob", "created_at": MOMENT, "expires_at": MOMENT}],
        "backup": [{"taken_at": MOMENT, "expenses": 1}],
        # The tables of former steps.
        "deleted_expense": [
            author
            | {"id": uuid7(), "amount": 1000, "date": DAY, "description_key": "tea"}
            | {"created_at": naive, "deleted_at": naive, "batch": batch}
        ],
        "changed_expense": [
            author
            | {"id": expenses[0]["id"], "amount": 9000, "date": DAY, "description_key": "tea"}
            | {"batch": uuid7(), "changed_at": naive}
            | new
            | {"new_amount": 1000}
        ],
        "changed_category": [
            {"author_id": 1, "batch": batch, "id": uuid7(), "changed_at": naive, "renamed": 0}
            | {"name": "Gifts", "position": 2, "archived": False}
        ],
        "recurring_day": [
            {"author_id": 1, "recurring_id": recurring, "day": DAY, "batch": uuid7(), "done_at": naive}
        ],
    }
    assert set(Base.metadata.tables) <= rows.keys()
    with engine.begin() as connection:
        tables = tables_of(engine)
        for name, made in rows.items():
            if name in tables:
                insert_into(connection, tables[name], made)


def tables_of(engine):
    """The tables by name, with their current columns, at any migration of the database."""
    inspector = sa.inspect(engine)
    names = set(inspector.get_table_names()) - {"alembic_version", *DERIVED}
    return {name: sa.table(name, *columns_of(name, inspector.get_columns(name))) for name in names}


def columns_of(table_name, found):
    """The columns of a table, with the types of the model where there still is one."""
    model = Base.metadata.tables.get(table_name)
    for value in found:
        name = value["name"]
        known = model is not None and name in model.c
        yield sa.column(name, model.c[name].type if known else FORMER_TYPES.get(name, value["type"]))


def insert_into(connection, table, rows):
    """Insert rows, with the defaults of their model, into as much of a table as is there."""
    # Deleted expenses had the columns of all others.
    model = Base.metadata.tables.get("expense" if table.name == "deleted_expense" else table.name)
    defaults = (
        {} if model is None else {column.name: column.default for column in model.c if column.default is not None}
    )
    there = {column.name for column in table.c}
    for row in rows:
        made = {name: each.arg(None) if each.is_callable else each.arg for name, each in defaults.items()}
        values = {name: value for name, value in (made | row).items() if name in there}
        connection.execute(sa.insert(table).values(values))


def contents(engine):
    """Every row of every table that has any, as text, without values that a later migration has filled in."""
    found = {}
    with engine.connect() as connection:
        for name, table in tables_of(engine).items():
            model = Base.metadata.tables.get(name)
            later = (
                set()
                if model is None
                else {column.name for column in model.c if column.server_default is not None}
            )
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            found[name] = sorted(
                str({key: row[key] for key in sorted(row.keys() - later) if row[key] is not None}) for row in rows
            )
    return {name: rows for name, rows in found.items() if rows}


def with_a_step(folder, step):
    """A copy of our migrations with one more step on top."""
    copy = folder / "migrations"
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    heads = {path.name.partition("_")[0] for path in (copy / "versions").glob("*.py")}
    (copy / "versions" / "test_step.py").write_text(step.format(head=max(heads)))
    return str(copy)
