"""The migration that a database is at, and the last one of this version."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent.with_name("migrations")


@cache
def migration_head() -> str | None:
    """Return the last migration that this version brings."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_migrated(engine: sa.Engine) -> bool:
    """Tell whether the database has every migration that this version brings."""
    with engine.connect().execution_options(reading=True) as connection:
        return MigrationContext.configure(connection).get_current_revision() == migration_head()
