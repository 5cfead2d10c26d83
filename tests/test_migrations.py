"""The schema, step by step: it is the models', and no step loses a row."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import Base, database_url
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
ORPHAN = '''
"""A step that leaves an expense without its author."""
from alembic import op
revision, down_revision = "test", "{head}"


def upgrade():
    op.execute('DELETE FROM "user"')


def downgrade():
    pass
'''


@pytest.fixture
def url(tmp_path):
    """The URL of a database without any table."""
    ours = database_url(os.environ["DATABASE_URL"])
    if ours.get_backend_name() == "sqlite":
        yield database_url(f"sqlite:///{tmp_path / 'empty.db'}")
        return
    server = sa.create_engine(ours, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"migrations_{os.getpid()}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield ours.set(database=name)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def flask(url):
    """Run `flask db` on the empty database and return how it ended."""

    def run(*arguments, check=True):
        settings = {"DATABASE_URL": url.render_as_string(hide_password=False)}
        command = [sys.executable, "-m", "flask", "db", *arguments]
        result = subprocess.run(command, env=os.environ | settings, cwd=ROOT, capture_output=True, text=True)
        assert not check or result.returncode == 0, result.stderr
        return result

    return run


@pytest.fixture
def engine(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


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


def test_the_schema_of_the_migrations_is_that_of_the_models(migrated):
    with migrated.app_context():
        flask_migrate.check()


def test_every_step_goes_up_and_down_without_losing_a_row(flask, engine, tmp_path):
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    flask("upgrade", "0001")
    fill(engine)
    before = contents(engine)

    flask("upgrade", "-d", folder)
    assert contents(engine) == before
    flask("downgrade", "0001", "-d", folder)
    assert contents(engine) == before

    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA foreign_keys=ON"))
            connection.execute(sa.text('DELETE FROM "user"'))
            assert connection.scalar(sa.text("SELECT count(*) FROM expense")) == 0
    flask("downgrade", "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    flask("upgrade")
    derived = {"month_total"} if engine.dialect.name == "sqlite" else set()
    assert set(sa.inspect(engine).get_table_names()) == {"alembic_version", *Base.metadata.tables} | derived


def test_months_are_kept_as_the_models_have_it_from_the_expenses_that_are_there(flask, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("only SQLite keeps months")
    models = sa.create_engine(f"sqlite:///{tmp_path}/models.db")
    Base.metadata.create_all(models)
    flask("upgrade", "0001")
    fill(engine)

    flask("upgrade", "-d", with_a_step(tmp_path, WIDEN_EMAIL))

    definitions = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' OR name = 'month_total' ORDER BY name"
    )
    with engine.connect() as connection, models.connect() as other:
        assert connection.execute(sa.text(definitions)).all() == other.execute(sa.text(definitions)).all()
        assert connection.execute(sa.text("SELECT * FROM month_total")).all() == [
            (1, "2026-01-01", "Food", 10, 55000)
        ]
        connection.execute(sa.text("DELETE FROM expense"))
        assert connection.scalar(sa.text("SELECT count(*) FROM month_total")) == 0
    Base.metadata.drop_all(models)
    assert sa.inspect(models).get_table_names() == []
    models.dispose()


def test_a_step_that_would_leave_an_orphan_is_taken_back(flask, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL cascades within the step")
    folder = with_a_step(tmp_path, ORPHAN)
    flask("upgrade")
    fill(engine)
    before = contents(engine)

    result = flask("upgrade", "-d", folder, check=False)

    assert result.returncode != 0
    assert "would refer to rows that are gone" in result.stderr
    assert contents(engine) == before


def test_the_file_is_copied_before_it_changes_and_not_otherwise(flask, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("about the file of SQLite")
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    flask("upgrade")
    flask("upgrade")
    fill(engine)
    before = contents(engine)
    assert not list(tmp_path.glob("*.before-*"))

    flask("upgrade", "-d", folder)

    (copy,) = tmp_path.glob("empty.db.before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    copied = sa.create_engine(f"sqlite:///{copy}", poolclass=sa.NullPool)
    assert contents(copied) == before
    flask("current", "-d", folder)
    flask("downgrade", "base", "-d", folder)
    assert len(list(tmp_path.glob("*.before-*"))) == 2


def test_migrations_have_one_head_and_names_in_order():
    names = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
