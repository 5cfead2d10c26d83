"""The current migration of a database, and the latest one."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent.with_name("migrations")


@cache
def migration_head() -> str | None:
    """Return the latest migration of this version."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_migrated(engine: sa.Engine) -> bool:
    """Tell whether the database has every migration of this version."""
    with engine.connect().execution_options(reading=True) as connection:
        return MigrationContext.configure(connection).get_current_revision() == migration_head()
