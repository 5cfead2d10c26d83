"""the keys by which texts are compared and searched ignore invisible characters, quotes, dashes and word order."""

import unicodedata
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from alembic import op

# Not copied here: the keys have to be those of the version that the database is brought to.
from text import identity_key, search_key

revision = "0013"
down_revision = "0012"

PIECE = 5_000
USERNAME_MAX, CATEGORY_MAX, CATEGORY_KEY_MAX, SEARCH_KEY_MAX = 64, 64, 256, 400
USER = sa.table("user", sa.column("id"), sa.column("username"), sa.column("username_key"))
CATEGORY = sa.table(
    "category",
    *(sa.column(name) for name in ("author_id", "name", "name_key", "position")),
    sa.column("id", sa.Uuid),
)
EXPENSE = sa.table(
    "expense",
    *(sa.column(name) for name in ("author_id", "category", "description", "description_key")),
    sa.column("id", sa.Uuid),
)
RECURRING = sa.table("recurring_expense", sa.column("author_id"), sa.column("category"))
CHANGE = sa.table(
    "expense_change",
    *(sa.column(name) for name in ("author_id", "category", "new_category")),
    *(sa.column(name) for name in ("description", "description_key", "new_description", "new_description_key")),
    sa.column("operation_id", sa.Uuid),
    sa.column("id", sa.Uuid),
)
ROW_CHANGE = sa.table(
    "row_change",
    *(sa.column(name) for name in ("author_id", "table_name", "row_key")),
    sa.column("operation_id", sa.Uuid),
    sa.column("before", sa.JSON),
    sa.column("after", sa.JSON),
)
Key = Callable[[str], str]


def upgrade() -> None:
    """Go from the former revision to this one."""
    connection = op.get_bind()
    renew_usernames(connection, identity_key)
    for author_id in connection.scalars(sa.select(USER.c.id).order_by(USER.c.id)).all():
        renew_categories(connection, author_id, identity_key)
    renew_descriptions(connection, search_key)


def downgrade() -> None:
    """Go back to the former revision. A name that had to be changed stays as it is."""
    connection = op.get_bind()
    renew_usernames(connection, former_identity_key)
    for author_id in connection.scalars(sa.select(USER.c.id).order_by(USER.c.id)).all():
        renew_categories(connection, author_id, former_identity_key)
    renew_descriptions(connection, former_search_key)


def renew_usernames(connection: sa.Connection, key_of: Key) -> None:
    """Renew the keys of usernames. Of two that have become equal, the newer one is followed by a number."""
    rows = connection.execute(sa.select(USER).order_by(USER.c.id)).all()
    taken = {row.username_key for row in rows if row.username_key == key_of(row.username)}
    for row in rows:
        if row.username_key == key_of(row.username):
            continue
        name = free_name(row.username, taken, key_of, USERNAME_MAX)
        taken.add(key_of(name))
        values = {"username": name, "username_key": key_of(name)}
        connection.execute(sa.update(USER).where(USER.c.id == row.id).values(values))


def free_name(name: str, taken: set[str], key_of: Key, maximum: int) -> str:
    """Return `name`, or if it is taken or cannot be seen, one that is like it."""
    if key_of(name) and key_of(name) not in taken:
        return name
    numbered = (f"{(key_of(name) or 'x')[: maximum - 4]}{number}" for number in range(2, 10_000))
    return next(other for other in numbered if key_of(other) not in taken)


def renew_categories(connection: sa.Connection, author_id: int, key_of: Key) -> None:
    """Renew the keys of a user's categories. Of two that have become equal, the later one gets another name."""
    query = (
        sa.select(CATEGORY).where(CATEGORY.c.author_id == author_id).order_by(CATEGORY.c.position, CATEGORY.c.id)
    )
    rows = connection.execute(query).all()
    taken = {row.name_key for row in rows if row.name_key == key_of(row.name)[:CATEGORY_KEY_MAX]}
    for row in rows:
        if row.name_key == key_of(row.name)[:CATEGORY_KEY_MAX]:
            continue
        name = free_name(row.name, taken, key_of, CATEGORY_MAX)
        taken.add(key_of(name))
        values = {"name": name, "name_key": key_of(name)[:CATEGORY_KEY_MAX]}
        statement = sa.update(CATEGORY).where(CATEGORY.c.author_id == author_id, CATEGORY.c.id == row.id)
        connection.execute(statement.values(values))
        if name != row.name:
            rename(connection, author_id, row.name, name)


def rename(connection: sa.Connection, author_id: int, before: str, after: str) -> None:
    """Give everything that belongs to a category its new name, also in the history."""
    for table, column in (
        *((EXPENSE, "category"), (RECURRING, "category")),
        *((CHANGE, "category"), (CHANGE, "new_category")),
    ):
        statement = sa.update(table).where(table.c.author_id == author_id, table.c[column] == before)
        connection.execute(statement.values({column: after}))
    query = sa.select(ROW_CHANGE).where(ROW_CHANGE.c.author_id == author_id)
    for row in connection.execute(query).all():
        renamed = {side: renamed_values(getattr(row, side), before, after) for side in ("before", "after")}
        if renamed != {"before": row.before, "after": row.after}:
            key = [
                ROW_CHANGE.c[name] == getattr(row, name) for name in ("author_id", "operation_id", "table_name")
            ]
            statement = sa.update(ROW_CHANGE).where(*key, ROW_CHANGE.c.row_key == row.row_key)
            connection.execute(statement.values(renamed))


def renamed_values(values: dict[str, object] | None, before: str, after: str) -> dict[str, object] | None:
    """Return the recorded values of a row with the new name of a category."""
    if values is None:
        return None
    named = ("name", "category")
    return {name: after if name in named and value == before else value for name, value in values.items()}


def renew_descriptions(connection: sa.Connection, key_of: Key) -> None:
    """Renew the keys of descriptions, in the expenses and in the history."""
    for table, identity, texts in (
        (EXPENSE, ("author_id", "id"), ("description",)),
        (CHANGE, ("author_id", "operation_id", "id"), ("description", "new_description")),
    ):
        for text in texts:
            statement = sa.update(table).values({f"{text}_key": sa.bindparam("renewed")})
            statement = statement.where(*(table.c[name] == sa.bindparam(f"old_{name}") for name in identity))
            for rows in pieces(connection, table, identity, text):
                changed = [
                    {f"old_{name}": getattr(row, name) for name in identity} | {"renewed": key}
                    for row in rows
                    if (key := key_of(row.text).replace("\0", "")[:SEARCH_KEY_MAX]) != row.key
                ]
                if changed:
                    connection.execute(statement, changed)


def pieces(
    connection: sa.Connection, table: sa.TableClause, identity: tuple[str, ...], text: str
) -> Iterator[list[sa.Row[tuple[object, ...]]]]:
    """Yield the rows that have a key, a few thousand at a time, so that the memory of all is never needed."""
    columns = [table.c[name] for name in identity]
    query = sa.select(*columns, table.c[text].label("text"), table.c[f"{text}_key"].label("key"))
    query = query.where(table.c[text] != "", table.c[f"{text}_key"].is_not(None)).order_by(*columns).limit(PIECE)
    rows = list(connection.execute(query))
    while rows:
        yield rows
        last = [sa.bindparam(None, getattr(rows[-1], column.name), column.type) for column in columns]
        rows = list(connection.execute(query.where(sa.tuple_(*columns) > sa.tuple_(*last))))


# --- As the former revision made them


def former_identity_key(text: str) -> str:
    """Return the key of a name."""
    folded = unicodedata.normalize("NFKC", text[:2_000].strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


def former_search_key(text: str) -> str:
    """Return the key of a description."""
    accents = {*range(10, 37), *range(200, 241)}
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text[:2_000]).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.combining(c) not in accents))
