"""Distinct descriptions of each user, maintained by triggers: see docs/decisions/0003-used-descriptions.md."""

import sqlalchemy as sa

from database.derived import create_with, is_kept

# The description key of every expense of the user. Triggers only add keys; `forget_unused` removes those that no
# expense has any more. On PostgreSQL, the table can contain a key several times.
used_description = sa.table(
    "used_description",
    sa.column("author_id", sa.Integer),
    sa.column("description_key", sa.String),
)

# --- SQLite

_ADD_SQL = "INSERT OR IGNORE INTO used_description VALUES (NEW.author_id, NEW.description_key);"
# A migration that recreates the table `expense` must recreate its triggers as well.
SQLITE_USED_DESCRIPTIONS = (
    """CREATE TABLE used_description (
    author_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE, description_key VARCHAR(400) NOT NULL,
    PRIMARY KEY (author_id, description_key)
) WITHOUT ROWID""",
    f"CREATE TRIGGER expense_description_added AFTER INSERT ON expense BEGIN {_ADD_SQL} END",
    "CREATE TRIGGER expense_description_changed AFTER UPDATE OF author_id, description_key ON expense "
    f"BEGIN {_ADD_SQL} END",
)

# --- PostgreSQL

# An advisory lock of each user. Transactions that write expenses share it, so that none of them relies on a key
# that is being removed.
_LOCK = 7303
# Without a unique index, two transactions that add the same key do not wait for each other.
POSTGRESQL_USED_DESCRIPTIONS = (
    """CREATE TABLE used_description (
    author_id integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE, description_key varchar(400) NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT pk_used_description PRIMARY KEY (author_id, description_key, id)
)""",
    f"""CREATE FUNCTION add_used_descriptions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({_LOCK}, author_id)
        FROM (SELECT DISTINCT author_id FROM added) authors;
        INSERT INTO used_description (author_id, description_key)
        SELECT DISTINCT author_id, description_key FROM added
        WHERE NOT EXISTS (
            SELECT FROM used_description used
            WHERE used.author_id = added.author_id AND used.description_key = added.description_key
        );
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER expense_description_added AFTER INSERT ON expense REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION add_used_descriptions()""",
    """CREATE TRIGGER expense_description_changed AFTER UPDATE ON expense REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION add_used_descriptions()""",
)
# Citus distributes no table that has triggers. Without the table, all expenses are searched.
POSTGRESQL_WITHOUT_USED_DESCRIPTIONS = (
    "DROP FUNCTION IF EXISTS add_used_descriptions CASCADE",
    "DROP TABLE IF EXISTS used_description",
)


def has_used_descriptions(engine: sa.Engine) -> bool:
    """Tell whether the database maintains this table; a cluster does not."""
    return is_kept(used_description, engine)


def forget_unused(connection: sa.Connection, user_id: int) -> None:
    """Remove the keys that no expense of the user has any more; the caller commits."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, user_id)))
    expense = sa.table("expense", sa.column("author_id"), sa.column("description_key"))
    kept = used_description.c
    is_used = sa.exists().where(
        expense.c.author_id == kept.author_id, expense.c.description_key == kept.description_key
    )
    connection.execute(sa.delete(used_description).where(kept.author_id == user_id, ~is_used))


def keep_used_descriptions(expense_table: sa.FromClause) -> None:
    """Create and drop the table together with the table `expense`."""
    create_with(expense_table, "sqlite", SQLITE_USED_DESCRIPTIONS, ("DROP TABLE IF EXISTS used_description",))
    create_with(expense_table, "postgresql", POSTGRESQL_USED_DESCRIPTIONS, POSTGRESQL_WITHOUT_USED_DESCRIPTIONS)
