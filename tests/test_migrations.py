"""Migrations: the schema matches the models, and no migration loses a row."""

import os
import resource
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from hashlib import blake2b

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from database import Base, db
from database.engine import database_url
from database.revision import MIGRATIONS, current_revision, migration_head, revisions
from ledger.budgets import get_history, valid_budgets
from ledger.periods import Period
from ledger.undo import undo
from models import DEFAULT_CATEGORIES, Category, Expense, Operation, RecurringExpense, User
from tests.schema import (
    DERIVED,
    ROOT,
    WIDEN_EMAIL,
    contents,
    fill,
    flask_db,
    insert_into,
    migrate,
    tables_of,
    with_a_step,
)

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
def engine(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def go(url, migrated):
    """Go up or down on the empty database, within this process."""
    return partial(migrate, migrated, url)


def insert(engine, rows):
    """Put rows into the tables of these names, as they are at this step."""
    tables = tables_of(engine)
    with engine.begin() as connection:
        for name, values in rows.items():
            insert_into(connection, tables[name], values)


def test_the_schema_of_the_migrations_is_that_of_the_models(migrated):
    with migrated.app_context():
        flask_migrate.check()


def test_the_application_finds_the_same_migrations_as_alembic():
    scripts = ScriptDirectory(str(MIGRATIONS))

    assert revisions() == {script.revision for script in scripts.walk_revisions()}
    assert migration_head() == scripts.get_current_head()


def test_the_application_finds_the_same_current_migration_as_alembic(go, engine):
    found = []
    for direction, revision in (("upgrade", "0002"), ("downgrade", "base")):
        with engine.connect() as connection:
            found.append(current_revision(connection))
            assert found[-1] == MigrationContext.configure(connection).get_current_revision()
        go(direction, revision)

    with engine.connect() as connection:
        assert [*found, current_revision(connection)] == [None, "0002", None]


def test_every_step_goes_up_and_down_without_losing_a_row(go, engine, tmp_path):
    folder = with_a_step(tmp_path, WIDEN_EMAIL)
    go("upgrade", "0001")
    fill(engine)
    before = contents(engine)

    go("upgrade", folder=folder)
    journal = {"deleted_expense", "changed_expense"}
    after = contents(engine)
    assert {name: len(rows) for name, rows in after.items() if name not in before} == {
        "category": 10,
        "operation": 2,
        "expense_change": 2,
    }
    assert before == {name: before[name] if name in journal else after[name] for name in before}
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
    assert set(sa.inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version", *DERIVED}


def test_a_line_gets_back_the_digest_of_what_the_bank_said(go, engine):
    said = "DE1\x1f2026-01-01\x1f-1\x1fUSD\x1ftea"
    digest = blake2b(said.encode(), digest_size=16).digest()
    go("upgrade", "0030")
    fill(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE statement_line SET digest = :digest"), {"digest": digest})

    go("upgrade", "0031")
    assert "digest" not in tables_of(engine)["statement_line"].c
    go("downgrade", "0030")

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT digest FROM statement_line")) == digest


def test_derived_tables_survive_a_later_migration_as_the_models_have_them(go, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("SQLite keeps the text of its definitions")
    models = sa.create_engine(f"sqlite:///{tmp_path}/models.db")
    Base.metadata.create_all(models)
    go("upgrade", "0001")
    fill(engine)

    go("upgrade", folder=with_a_step(tmp_path, WIDEN_EMAIL))

    definitions = (
        "SELECT name, sql FROM sqlite_master "
        "WHERE type = 'trigger' OR name IN ('month_total', 'used_description') ORDER BY name"
    )
    with engine.connect() as connection, models.connect() as other:
        assert connection.execute(sa.text(definitions)).all() == other.execute(sa.text(definitions)).all()
        assert connection.execute(sa.text("SELECT * FROM month_total")).all() == [
            (1, "2026-01-01", "Food", 10, 55000)
        ]
        assert connection.execute(sa.text("SELECT * FROM used_description")).all() == [(1, "tea")]
        connection.execute(sa.text("DELETE FROM expense"))
        assert connection.scalar(sa.text("SELECT count(*) FROM month_total")) == 0
    Base.metadata.drop_all(models)
    assert sa.inspect(models).get_table_names() == []
    models.dispose()


def test_a_category_named_like_the_choice_of_a_new_one_gets_the_typed_name_or_a_free_one(go, engine):
    typed, purged, added, gone, moment, day = (
        uuid7(),
        uuid7(),
        uuid7(),
        uuid7(),
        datetime(2026, 1, 1),
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
        "user": [
            {"id": n, "username": name, "username_key": name, "email": f"{name}@example.com", "password_hash": "x"}
            for n, name in enumerate(people, 1)
        ],
        # Ana's was typed as Gym; what Bob's began with was purged, and he has two names that would be next.
        "expense": [
            *(expense(1, "Gym", typed), expense(1, "New …", added), expense(2, "New …"), expense(3, "New")),
            expense(2, "New 2"),
        ],
        "deleted_expense": [expense(1, "New …", gone) | {"deleted_at": moment, "batch": uuid7()}],
        "changed_expense": [changed(1, "Food", "New …", added), changed(2, "New …", "Food", uuid7())],
        "recurring_expense": [series(1, "New …", typed), series(2, "New …", purged), series(3, "New", uuid7())],
        "recurring_day": [
            {"author_id": 1, "recurring_id": typed, "day": date(2026, n, 1), "expense_id": row_id}
            | {"batch": uuid7(), "done_at": moment}
            for n, row_id in enumerate([typed, added, gone, None], 1)
        ],
        "category": [
            *(category(1, "Gym", "gym"), category(1, "New …", "new ..."), category(2, "NEW", "new")),
            *(category(2, "New …", "new ..."), category(3, "New", "new")),
        ],
        "changed_category": [
            {"author_id": 2, "batch": uuid7(), "id": uuid7(), "changed_at": moment, "renamed": 0}
            | {"name": "New …", "new_name": "New …", "merged_into": "New …"}
        ],
    }
    go("upgrade", "0006")
    insert(engine, rows)
    before = {name: len(found) for name, found in contents(engine).items()}

    go("upgrade", "0007")

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


def former_journal():
    """Recent operations of Ana as rows of the tables before the operations, by table."""
    day, moment = date(2026, 1, 1), datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    tea, cake, rent, paid, late = (uuid7() for _ in range(5))
    food, travel, merged = (uuid7() for _ in range(3))
    deletion, bulk, merger, budgets, posted, skipped = (uuid7() for _ in range(6))
    rest = {"author_id": 1, "date": day}

    def expense(row_id, amount, category, description):
        values = {"id": row_id, "amount": amount, "category": category, "description": description}
        return rest | values | {"description_key": description.lower()}

    def changed(former, batch, **new):
        old = {f"new_{name}": former[name] for name in ("amount", "category", "description", "date")}
        return former | old | new | {"batch": batch, "changed_at": moment}

    def category(row_id, batch, **values):
        return {"author_id": 1, "id": row_id, "batch": batch, "changed_at": moment, "renamed": 0} | values

    def occurrence(day_of_month, expense_id, batch):
        row = {"author_id": 1, "recurring_id": rent, "day": date(2026, 1, day_of_month)}
        return row | {"expense_id": expense_id, "batch": batch, "done_at": moment}

    before = {
        "tea": expense(tea, 1000, "Food", "Tea"),
        "cake": expense(cake, 2000, "Sweets", "Cake"),
        "late": expense(late, 3000, "Journeys", "Bus"),
    }
    return {
        "user": [
            {"id": 1, "username": "ana", "username_key": "ana", "email": "ana@example.com", "password_hash": "x"}
            | {"currency": "EUR", "time_zone": "UTC", "monthly_budget": 99_000}
        ],
        "category": [
            {"author_id": 1, "id": food, "name": "Food", "name_key": "food", "position": 1},
            {"author_id": 1, "id": travel, "name": "Travel", "name_key": "travel", "position": 2},
        ],
        "expense": [
            before["tea"] | {"amount": Decimal(5), "description": "Té", "description_key": "te"},
            before["cake"] | {"amount": Decimal(2), "category": "Food"},
            expense(rent, Decimal(500), "Travel", "Rent"),
            expense(paid, Decimal(500), "Travel", "Rent"),
        ],
        "deleted_expense": [before["late"] | {"created_at": moment, "deleted_at": moment, "batch": deletion}],
        "changed_expense": [
            changed(before["tea"], bulk, new_amount=5000, new_description="Té"),
            changed(before["cake"], merger, new_category="Food"),
        ],
        "changed_category": [
            category(merged, merger, name="Sweets", position=3, archived=False, merged_into="Food"),
            category(uuid.UUID(int=0), budgets, monthly_budget=None, new_monthly_budget=99000),
            category(travel, budgets, name="Journeys", position=2, archived=False, monthly_budget=1500)
            | {"new_name": "Travel", "new_position": 2, "new_archived": False},
        ],
        "recurring_expense": [
            {"author_id": 1, "id": rent, "amount": Decimal(500), "category": "Travel", "description": "Rent"}
            | {"every": "week", "first_day": day, "next_day": date(2026, 1, 22)}
        ],
        "recurring_day": [
            occurrence(1, rent, rent),
            occurrence(8, paid, posted),
            occurrence(15, None, skipped),
        ],
    }


def test_history_of_the_former_tables_can_still_be_undone(go, engine, migrated, monkeypatch):
    rows = former_journal()
    go("upgrade", "0007")
    insert(engine, rows)
    former = contents(engine)

    go("upgrade")

    with Session(engine) as session:
        operations = session.scalars(sa.select(Operation).order_by(Operation.id)).all()
        found = [(operation.kind, operation.count, operation.total) for operation in operations]
        assert found == [
            ("delete", 1, 3),
            ("edit", 1, 1),
            ("merge_categories", 1, 2),
            ("edit_budgets", 0, 0),
            ("post_recurring", 1, 500),
            ("skip_recurring", 0, 0),
        ]
        assert [operation.label for operation in operations if operation.label] == ["Food"]
    go("downgrade", "0007")
    assert contents(engine) == former
    go("upgrade")
    undone = {}
    with migrated.app_context():
        monkeypatch.setitem(db.engines, None, engine)
        user = db.session.get(User, 1)
        for operation in db.session.scalars(sa.select(Operation).order_by(Operation.id.desc())).all():
            undone[operation.kind] = undo(user, operation.id, datetime.now(UTC))
        db.session.flush()
        assert [done.conflict_count for done in undone.values()] == [0] * 6
        expenses = db.session.scalars(sa.select(Expense).order_by(Expense.amount)).all()
        assert [(e.amount, e.category, e.description, e.description_key) for e in expenses] == [
            (1, "Food", "Tea", "tea"),
            (2, "Sweets", "Cake", "cake"),
            (3, "Journeys", "Bus", "bus"),
            (500, "Journeys", "Rent", "rent"),
        ]
        names = db.session.scalars(sa.select(Category.name).order_by(Category.position)).all()
        assert names == ["Food", "Journeys", "Sweets"]
        assert {
            budget.amount for budget in valid_budgets(get_history(user), Period.month(date(2026, 1, 1))).values()
        } == {
            None,
            Decimal("1.5"),
        }
        assert db.session.scalars(sa.select(RecurringExpense.next_date)).all() == [date(2026, 1, 8)]
        db.session.remove()


def test_every_user_has_a_row_for_each_category_afterwards(go, engine):
    day, ids = date(2026, 1, 1), [uuid7() for _number in range(4)]
    user = {"password_hash": "x", "currency": "EUR", "time_zone": "UTC"}
    expense = {"amount": Decimal(3), "description": "", "description_key": "", "date": day}
    go("upgrade", "0010")
    insert(
        engine,
        {
            "user": [
                user | {"id": number, "username": name, "username_key": name, "email": f"{name}@example.com"}
                for number, name in enumerate(("ana", "bob"), 1)
            ],
            # Bob deleted the other ones.
            "category": [
                {
                    "author_id": 2,
                    "id": ids[0],
                    "name": "Food",
                    "name_key": "food",
                    "position": 7,
                    "archived": False,
                }
            ],
            "expense": [
                expense | {"author_id": 1, "id": ids[1], "category": "Pets"},
                expense | {"author_id": 1, "id": ids[2], "category": "food"},
                expense | {"author_id": 2, "id": ids[3], "category": "Travel"},
            ],
        },
    )

    go("upgrade")

    with Session(engine) as session:
        query = sa.select(Category.author_id, Category.name).order_by(Category.author_id, Category.position)
        rows = [tuple(row) for row in session.execute(query)]
        assert rows == [
            *((1, name) for name in (*DEFAULT_CATEGORIES, "Pets")),
            *((2, name) for name in ("Food", "Travel")),
        ]
        used = session.scalars(sa.select(Expense.category).order_by(Expense.id)).all()
        assert used == ["Pets", "Food", "Travel"]
    go("downgrade", "0010")
    go("upgrade")
    with Session(engine) as session:
        assert [tuple(row) for row in session.execute(query)] == rows


@pytest.mark.slow
def test_keys_are_renewed_and_names_that_have_become_equal_stay_two(go, engine):
    """Expenses in two pieces; "Food" twice, with and without an invisible character; a spoofed username."""
    spoofed, hidden = "ana\u034f", "Food\ufe0f"
    day, moment = date(2026, 1, 1), datetime.now(UTC)
    food, copy, operation = uuid7(), uuid7(), uuid7()
    person = {"password_hash": "x", "currency": "EUR", "time_zone": "UTC"}
    texts = ["O’Brien", "Łódź – hotel", "Tea", "", *(f"Tea–{number}" for number in range(5_000))]
    rest = {"author_id": 1, "amount": Decimal(1), "date": day}
    change = {"author_id": 1, "operation_id": operation, "change": "changed"}
    go("upgrade", "0011")
    insert(
        engine,
        {
            "user": [
                person | {"id": 1, "username": "ana", "username_key": "ana", "email": "a@example.com"},
                person | {"id": 2, "username": spoofed, "username_key": spoofed, "email": "b@example.com"},
            ],
            "category": [
                {"author_id": 1, "id": food, "name": "Food", "name_key": "food", "position": 1},
                {"author_id": 1, "id": copy, "name": hidden, "name_key": "food\ufe0f", "position": 2},
            ],
            "expense": [
                rest | {"id": uuid7(), "category": hidden, "description": text, "description_key": text.casefold()}
                for text in texts
            ],
            "operation": [{"author_id": 1, "id": operation, "kind": "edit", "created_at": moment}],
            "expense_change": [
                change | {"id": uuid7(), "description": "a–b", "description_key": "a–b", "new_category": hidden},
                change
                | {"id": uuid7(), "new_description": "“c”", "new_description_key": "“c”", "category": hidden},
            ],
        },
    )
    before = {name: len(found) for name, found in contents(engine).items()}
    go("upgrade", "0013")

    def read(columns, table):
        with engine.connect() as connection:
            return sorted(map(tuple, connection.exec_driver_sql(f"SELECT {columns} FROM {table}")), key=str)

    assert read("username, username_key", '"user"') == [("ana", "ana"), ("ana2", "ana2")]
    assert read("name, name_key", "category") == [("Food", "food"), ("food2", "food2")]
    assert {row[0] for row in read("category", "expense")} == {"food2"}
    assert {row[0] for row in read("description_key", "expense")} == {
        *("", "obrien", "lodz hotel", "tea", *(f"tea {number}" for number in range(5_000)))
    }
    assert read("description_key, new_description_key, category, new_category", "expense_change") == [
        ("a b", None, None, "food2"),
        (None, "c", "food2", None),
    ]
    go("downgrade", "0011")
    assert {name: len(found) for name, found in contents(engine).items()} == before
    assert ("łodz – hotel",) in read("description_key", "expense")


def test_a_migration_that_would_leave_an_orphan_is_rolled_back(go, engine, tmp_path):
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


def test_a_user_who_may_not_create_tables_is_told_so(url, engine, migrated):
    if engine.dialect.name == "sqlite":
        pytest.skip("about the users of PostgreSQL")
    role = f"reader_{os.getpid()}"
    with engine.begin() as connection:
        connection.execute(sa.text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        connection.execute(sa.text(f"CREATE ROLE {role}"))

    with pytest.raises(RuntimeError, match=r"permission denied for schema public\. Make the user in DATABASE_URL"):
        migrate(migrated, url.update_query_dict({"options": f"-c role={role}"}))

    assert tables_of(engine) == {}
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP ROLE {role}"))


def test_an_upgrade_that_fails_leaves_no_copy(go, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("about the file of SQLite")
    go("upgrade")
    fill(engine)

    with pytest.raises(RuntimeError, match="would refer to rows that are gone"):
        go("upgrade", folder=with_a_step(tmp_path, ORPHAN))

    assert list(tmp_path.glob("*.before-*")) == []


def test_a_database_of_a_newer_version_stays_as_it_is(go, engine, tmp_path):
    go("upgrade")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(RuntimeError, match="is at migration 9999, which this version does not know"):
        go("upgrade")

    assert list(tmp_path.glob("*.before-*")) == []
    with engine.connect() as connection:
        assert current_revision(connection) == "9999"


@pytest.mark.slow
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
    assert list(tmp_path.glob("*.before-*")) == []
    go("upgrade", folder=folder)


def test_migrations_have_one_head_and_names_in_order():
    names = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))
    steps = ScriptDirectory(str(MIGRATIONS)).walk_revisions()

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert [step.revision for step in reversed(list(steps))] == [name[:4] for name in names]
