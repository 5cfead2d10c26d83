"""The current migration of a database, and the migrations of this version.

Read without Alembic, because a process that serves pages only compares the two: see `set_up_migrations` in app.py.
"""

import re
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from database.engine import connect_to_read

MIGRATIONS = Path(__file__).parent.with_name("migrations")


@cache
def revisions() -> frozenset[str]:
    """Return all migrations of this version."""
    return frozenset(_named("revision"))


@cache
def migration_head() -> str:
    """Return the latest migration of this version: the one that no other one follows."""
    (head,) = revisions() - _named("down_revision")
    return head


def _named(variable: str) -> set[str]:
    """Return the values of this variable in all migrations."""
    assignment = re.compile(rf"""^{variable} = ["'](\w+)["']$""", re.MULTILINE)
    return {
        name for path in MIGRATIONS.glob("versions/*.py") for name in assignment.findall(path.read_text("utf-8"))
    }


def current_revision(connection: sa.Connection) -> str | None:
    """Return the latest migration that a database has, or None if it has none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))


def unknown_migration(location: str, revision: str) -> str:
    """Return what to do about a database whose latest migration this version does not have."""
    return (
        f"{location} is at migration {revision}, which this version does not know. It was upgraded by a newer "
        "version or belongs to another program. Install the newer version, or downgrade the database with it."
    )


def is_migrated(engine: sa.Engine) -> bool:
    """Tell whether the database has every migration of this version."""
    with connect_to_read(engine) as connection:
        return current_revision(connection) == migration_head()
