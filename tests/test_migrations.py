"""The schema, step by step: it is the models', and no step loses a row."""

import os
import resource
from datetime import UTC, date, datetime

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from uuid_utils.compat import uuid7

from database import Base
from database.engine import database_url, prepare_engine
from database.revision import MIGRATIONS
from models import (
    Category,
    ChangedCategory,
    ChangedExpense,
    DeletedExpense,
    Expense,
    Occurrence,
    RecurringExpense,
    User,
)
from tests.postgres import temporary_database
from tests.schema import ROOT, WIDEN_EMAIL, contents, fill, flask_db, insert_into, tables_of, with_a_step

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
    ours = os.environ["DATABASE_URL"]
    if ours.startswith("sqlite"):
        yield database_url(f"sqlite:///{tmp_path / 'empty.db'}")
        return
    with temporary_database(ours) as url:
        yield url


@pytest.fixture
def engine(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def go(url, migrated):
    """Go up or down on the empty database as `flask db` does, but within this process, which is quicker."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    prepare_engine(engine)

    def run(direction, revision="head", folder=MIGRATIONS):
        config = Config(attributes={"engine": engine})
        config.set_main_option("script_location", str(folder))
        with migrated.app_context():
            getattr(command, direction)(config, revision)

    return run


def test_the_schema_of_the_migrations_is_that_of_the_models(migrated):
    with migrated.app_context():
        flask_migrate.check()


def test_every_step_goes_up_and_down_without_losing_a_row(go, engine, tmp_path):
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    go("upgrade", "0001")
    fill(engine)
    before = contents(engine)

    go("upgrade", folder=folder)
    assert contents(engine) == before
    go("downgrade", "0001", folder=folder)
    assert contents(engine) == before

    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA foreign_keys=ON"))
            connection.execute(sa.text('DELETE FROM "user"'))
            assert connection.scalar(sa.text("SELECT count(*) FROM expense")) == 0
    go("downgrade", "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    go("upgrade")
    derived = {"month_total"} if engine.dialect.name == "sqlite" else set()
    assert set(sa.inspect(engine).get_table_names()) == {"alembic_version", *Base.metadata.tables} | derived


def test_months_are_kept_as_the_models_have_it_from_the_expenses_that_are_there(go, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("only SQLite keeps months")
    models = sa.create_engine(f"sqlite:///{tmp_path}/models.db")
    Base.metadata.create_all(models)
    go("upgrade", "0001")
    fill(engine)

    go("upgrade", folder=with_a_step(tmp_path, WIDEN_EMAIL))

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


def test_what_was_called_like_the_choice_of_a_new_category_gets_the_name_that_was_typed_or_a_free_one(go, engine):
    typed, purged, added, gone, moment, day = (
        uuid7(),
        uuid7(),
        uuid7(),
        uuid7(),
        datetime.now(UTC),
        date(2026, 1, 1),
    )

    def expense(author_id, category, row_id=None):
        return {"author_id": author_id, "id": row_id or uuid7(), "category": category, "amount": 1, "date": day}

    def series(author_id, category, row_id):
        rest = {"description": "", "every": "month", "first_day": day, "next_day": day}
        return expense(author_id, category, row_id) | rest

    def changed(author_id, category, new_category, row_id):
        old = expense(author_id, category, row_id) | {"batch": uuid7(), "changed_at": moment, "description": ""}
        new = {"new_amount": 2, "new_description": "", "new_date": day, "new_category": new_category}
        return old | {"description_key": ""} | new

    def category(author_id, name, key):
        return {"author_id": author_id, "id": uuid7(), "name": name, "name_key": key, "position": 1}

    people = ["ana", "bob", "carl"]
    rows = {
        User: [
            {"id": n, "username": name, "username_key": name, "email": f"{name}@example.com", "password_hash": "x"}
            for n, name in enumerate(people, 1)
        ],
        # Ana's was typed as Gym; what Bob's began with was purged, and he has two names that would be next.
        Expense: [
            *(expense(1, "Gym", typed), expense(1, "New …", added), expense(2, "New …"), expense(3, "New")),
            expense(2, "New 2"),
        ],
        DeletedExpense: [expense(1, "New …", gone) | {"deleted_at": moment, "batch": uuid7()}],
        ChangedExpense: [changed(1, "Food", "New …", added), changed(2, "New …", "Food", uuid7())],
        RecurringExpense: [series(1, "New …", typed), series(2, "New …", purged), series(3, "New", uuid7())],
        Occurrence: [
            {"author_id": 1, "recurring_id": typed, "day": date(2026, n, 1), "expense_id": row_id}
            for n, row_id in enumerate([typed, added, gone, None], 1)
        ],
        Category: [
            *(category(1, "Gym", "gym"), category(1, "New …", "new ..."), category(2, "NEW", "new")),
            *(category(2, "New …", "new ..."), category(3, "New", "new")),
        ],
        ChangedCategory: [
            {"author_id": 2, "batch": uuid7(), "id": uuid7(), "changed_at": moment}
            | {"name": "New …", "new_name": "New …", "merged_into": "New …"}
        ],
    }
    go("upgrade", "0006")
    tables = {table.name: table for table in tables_of(engine)}
    with engine.begin() as connection:
        for model, values in rows.items():
            insert_into(connection, tables[model.__tablename__], model, values)
    before = {name: len(found) for name, found in contents(engine).items()}

    go("upgrade")

    assert {name: len(found) for name, found in contents(engine).items()} == before
    assert "New …" not in str(contents(engine))

    def read(columns, table):
        with engine.connect() as connection:
            return {tuple(row) for row in connection.execute(sa.text(f"SELECT author_id, {columns} FROM {table}"))}

    assert read("category", "expense") == {(1, "Gym"), (2, "New 3"), (2, "New 2"), (3, "New")}
    assert read("category", "deleted_expense") == {(1, "Gym")}
    assert read("category, new_category", "changed_expense") == {(1, "Food", "Gym"), (2, "New 3", "Food")}
    assert read("category", "recurring_expense") == {(1, "Gym"), (2, "New 3"), (3, "New")}
    assert read("name, new_name, merged_into", "changed_category") == {(2, "New 3", "New 3", "New 3")}
    assert read("name, name_key", "category") == {
        *((1, "Gym", "gym"), (1, "New", "new"), (2, "NEW", "new"), (2, "New 3", "new 3"), (3, "New", "new"))
    }
    if engine.dialect.name == "sqlite":
        kept = {(1, "Gym", 2, 2000), (2, "New 3", 1, 1000), (2, "New 2", 1, 1000), (3, "New", 1, 1000)}
        assert read("category, number, amount", "month_total") == kept
    go("downgrade", "0006")
    assert {name: len(found) for name, found in contents(engine).items()} == before


def test_a_step_that_would_leave_an_orphan_is_taken_back(go, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL cascades within the step")
    folder = with_a_step(tmp_path, ORPHAN)
    go("upgrade")
    fill(engine)
    before = contents(engine)

    with pytest.raises(RuntimeError, match="would refer to rows that are gone"):
        go("upgrade", folder=folder)

    assert contents(engine) == before


def test_the_file_is_copied_before_it_changes_and_not_otherwise(go, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("about the file of SQLite")
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    go("upgrade")
    go("upgrade")
    fill(engine)
    before = contents(engine)
    assert not list(tmp_path.glob("*.before-*"))

    go("upgrade", folder=folder)

    (copy,) = tmp_path.glob("empty.db.before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    copied = sa.create_engine(f"sqlite:///{copy}", poolclass=sa.NullPool)
    assert contents(copied) == before
    go("downgrade", "base", folder=folder)
    assert len(list(tmp_path.glob("*.before-*"))) == 2


def test_a_copy_that_there_was_no_room_for_does_not_look_like_one(go, url, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("about the file of SQLite")
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    go("upgrade")
    limit = (tmp_path / "empty.db").stat().st_size // 2

    def leave_no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    upgrade = flask_db(url, "upgrade", "-d", folder, preexec_fn=leave_no_room)
    _output, errors = upgrade.communicate()

    assert upgrade.returncode != 0
    assert "disk I/O error" in errors or "database or disk is full" in errors, errors
    assert list(tmp_path.glob("empty.db.before-*")) == []
    go("upgrade", folder=folder)


def test_migrations_have_one_head_and_names_in_order():
    names = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [names[-1][:4]]
