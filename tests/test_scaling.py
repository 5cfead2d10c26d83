"""Distributing the tables over many machines by owner, and what that requires of every table."""

import pytest
import sqlalchemy as sa

from database import Base, db
from database.citus import citus_statements, owner_column
from database.month_totals import POSTGRESQL_WITHOUT_MONTH_TOTALS
from database.used_descriptions import POSTGRESQL_WITHOUT_USED_DESCRIPTIONS
from tests.owners import OWNERS

TABLES = Base.metadata.tables
# What belongs to nobody stays on the coordinator, and nothing may refer to it.
LOCAL = {"backup", "invitation", "throttle"}


@pytest.fixture
def run(app):
    return app.test_cli_runner().invoke


# --- The tables


def test_every_table_is_of_people_of_an_owner_or_of_nobody():
    assert set(TABLES) == {"user", *OWNERS, *LOCAL}
    assert {
        "expense": "author_id",
        "expense_change": "author_id",
        "login_session": "user_id",
    }.items() <= OWNERS.items()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_key_refers_to_people_or_to_a_row_of_the_same_owner(name):
    for key in TABLES[name].foreign_key_constraints:
        pairs = {(element.parent.name, element.column.name) for element in key.elements}
        referred = key.referred_table.name

        assert name in OWNERS
        assert (OWNERS[name], OWNERS.get(referred, "id")) in pairs


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_unique_constraints_begin_with_the_owner(name):
    table = TABLES[name]
    unique = [
        constraint
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
    ]

    for constraint in [*unique, *(index for index in table.indexes if index.unique)]:
        assert next(iter(constraint.columns)).name == OWNERS[name]


def test_no_table_of_an_owner_has_a_trigger_once_it_is_distributed(app):
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            pytest.skip("SQLite is not spread")
        for statement in (*POSTGRESQL_WITHOUT_MONTH_TOTALS, *POSTGRESQL_WITHOUT_USED_DESCRIPTIONS):
            db.session.execute(sa.text(statement))
        query = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        found = set(db.session.scalars(sa.text(query)))

    assert not found & OWNERS.keys()


# --- The order


def test_users_come_first_and_their_rows_are_co_located():
    statements = citus_statements(Base.metadata.sorted_tables, done=[])

    without_triggers, (first, *spread, last) = statements[:4], statements[4:]
    assert [statement.split()[0] for statement in without_triggers] == ["DROP"] * 4
    assert first == "SELECT create_reference_table('\"user\"')"
    assert len(spread) == len(OWNERS)
    assert "colocate_with => 'none'" in spread[0]
    leader = spread[0].split("'")[1]
    assert all(f"colocate_with => '{leader}'" in statement for statement in spread[1:])
    assert last == "SELECT truncate_local_data_after_distributing_table('\"user\"')"


def test_a_table_of_a_later_version_joins_those_that_are_distributed():
    metadata = sa.MetaData()
    sa.Table("user", metadata, sa.Column("id", sa.Integer, primary_key=True))
    for name in ("budget", "expense", "nobodys"):
        owner = [] if name == "nobodys" else [sa.ForeignKey("user.id")]
        sa.Table(
            name,
            metadata,
            sa.Column("author_id", sa.Integer, *owner, primary_key=True),
            sa.Column("id", sa.Integer, primary_key=True),
        )

    statements = citus_statements(metadata.sorted_tables, done=["user", "expense"])

    assert statements[0] == "SELECT create_distributed_table('budget', 'author_id', colocate_with => 'expense')"
    assert len(statements) == 2
    assert citus_statements(metadata.sorted_tables, done=["user", "expense", "budget"]) == []
    assert owner_column(metadata.tables["nobodys"]) is None


def test_distribute_refuses_a_database_that_cannot_be_distributed(app, run):
    with app.app_context():
        sqlite = db.engine.dialect.name == "sqlite"
        if not sqlite and db.session.scalar(sa.text("SELECT true FROM pg_extension WHERE extname = 'citus'")):
            pytest.skip("this one can be")

    result = run(args=["distribute"])

    assert result.exit_code == 1
    assert ("SQLite cannot be distributed" if sqlite else "CREATE EXTENSION citus") in result.output


def test_distribute_says_that_nothing_is_left_to_do(app, run):
    with app.app_context():
        if db.engine.dialect.name == "sqlite" or not db.session.scalar(
            sa.text("SELECT true FROM pg_extension WHERE extname = 'citus'")
        ):
            pytest.skip("no cluster")

    assert run(args=["distribute"]).output == "All tables are distributed already.\n"
