"""A killed upgrade leaves the database either unchanged or completely upgraded."""

import time
from collections import Counter

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database.engine import database_url
from models import Expense
from tests.schema import WIDEN_EMAIL, contents, fill, flask_db, with_a_step

# Every table is created again, as SQLite has to, so that there is something to kill.
REMAKE = WIDEN_EMAIL.replace(
    'with op.batch_alter_table("user")',
    """for table in ("expense", "expense_change", "row_change", "login_session", "throttle"):
        with op.batch_alter_table(table, recreate="always"):
            pass
    with op.batch_alter_table("user")""",
)
ROWS = 10_000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return database_url(f"sqlite:///{tmp_path / 'ledger.db'}")
    return database_url(request.getfixturevalue("postgres_url"))


def run(url, *arguments):
    process = flask_db(url, *arguments)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def test_an_upgrade_that_is_killed_at_any_moment(url, tmp_path, chance, tally, times):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    revision = sa.text("SELECT version_num FROM alembic_version")
    folder = with_a_step(tmp_path, REMAKE)
    run(url, "upgrade")
    fill(engine)
    one = {"author_id": 1, "category": "Food", "description": "Tea", "amount": 1}
    with engine.begin() as connection:
        former = connection.scalar(revision)
        day = connection.scalar(sa.select(Expense.date).limit(1))
        connection.execute(sa.insert(Expense), [one | {"date": day, "id": uuid7()} for _ in range(ROWS)])
    before = contents(engine)
    begun = time.monotonic()
    run(url, "upgrade", "-d", folder)
    length = time.monotonic() - begun
    run(url, "downgrade", former, "-d", folder)

    ended = Counter()
    # Sooner and sooner, until one has not come to its end: how long it takes varies.
    while ended.total() < times(3) or not ended[former]:
        process = flask_db(url, "upgrade", "-d", folder)
        time.sleep(chance.uniform(0.5, 1) * length)
        process.kill()
        process.communicate()
        tally.tries += 1
        with engine.connect() as connection:
            now = connection.scalar(revision)
            if engine.dialect.name == "sqlite":
                assert connection.scalar(sa.text("PRAGMA integrity_check")) == "ok"
        assert contents(engine) == before
        ended[now] += 1
        if now != former:
            length *= 0.9
            run(url, "downgrade", former, "-d", folder)

    assert ended.keys() <= {former, "test"}
    run(url, "upgrade", "-d", folder)
    assert contents(engine) == before
    for copy in tmp_path.glob("ledger.db.before-*[0-9]"):
        assert contents(sa.create_engine(f"sqlite:///{copy}", poolclass=sa.NullPool)) == before
