"""every category is a row: the default ones, and those that expenses used without a row."""

import unicodedata

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

revision = "0011"
down_revision = "0010"

# Users without any row saw these categories, and get rows for them.
DEFAULTS = (
    *("Food", "Housing", "Transport", "Utilities", "Health"),
    *("Entertainment", "Shopping", "Travel", "Education", "Other"),
)
USER = sa.table("user", sa.column("id"))
CATEGORY = sa.table(
    "category",
    sa.column("author_id"),
    sa.column("id", sa.Uuid),
    sa.column("name"),
    sa.column("name_key"),
    sa.column("position"),
    sa.column("archived", sa.Boolean),
)
USING = [
    sa.table(name, sa.column("author_id"), sa.column("category")) for name in ("expense", "recurring_expense")
]


def upgrade() -> None:
    """Go from the former revision to this one."""
    connection = op.get_bind()
    for author_id in connection.scalars(sa.select(USER.c.id).order_by(USER.c.id)).all():
        names, position = categories_of(connection, author_id)
        used = {key_of(name): name for name in sorted(names_used(connection, author_id), reverse=True)}
        defaults = {} if names else {key_of(name): name for name in DEFAULTS}
        missing = {key: name for key, name in (defaults | (used | defaults)).items() if key not in names}
        for number, (key, name) in enumerate(missing.items(), 1):
            insert(connection, author_id, key, name, position + number)
        respell(connection, author_id, names | missing)


def downgrade() -> None:
    """Leave the rows: the former revision wrote them at a user's first change."""


def key_of(name: str) -> str:
    """Return the form in which names are compared."""
    folded = unicodedata.normalize("NFKC", name.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)[:256]


def categories_of(connection: sa.Connection, author_id: int) -> tuple[dict[str, str], int]:
    """Return the names of a user's categories by their keys, and the last position."""
    query = sa.select(CATEGORY.c.name_key, CATEGORY.c.name, CATEGORY.c.position)
    rows = connection.execute(query.where(CATEGORY.c.author_id == author_id)).all()
    return {row.name_key: row.name for row in rows}, max((row.position for row in rows), default=0)


def names_used(connection: sa.Connection, author_id: int) -> set[str]:
    """Return the names of the categories of a user's expenses and recurring expenses."""
    queries = (sa.select(table.c.category).where(table.c.author_id == author_id).distinct() for table in USING)
    return {name for query in queries for name in connection.scalars(query)}


def insert(connection: sa.Connection, author_id: int, key: str, name: str, position: int) -> None:
    """Add a category."""
    row = {"author_id": author_id, "id": uuid7(), "name": name, "name_key": key, "position": position}
    connection.execute(sa.insert(CATEGORY).values(row | {"archived": False}))


def respell(connection: sa.Connection, author_id: int, names: dict[str, str]) -> None:
    """Give expenses whose category is spelled in another way its spelling: only one of them can be a category."""
    for used in names_used(connection, author_id):
        if used != names[key_of(used)]:
            for table in USING:
                statement = sa.update(table).where(table.c.author_id == author_id, table.c.category == used)
                connection.execute(statement.values(category=names[key_of(used)]))
