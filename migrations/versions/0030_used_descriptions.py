"""the distinct descriptions of each user."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

_ADD_SQL = "INSERT OR IGNORE INTO used_description VALUES (NEW.author_id, NEW.description_key);"
SQLITE_USED_DESCRIPTIONS = (
    """CREATE TABLE used_description (
    author_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE, description_key VARCHAR(400) NOT NULL,
    PRIMARY KEY (author_id, description_key)
) WITHOUT ROWID""",
    f"CREATE TRIGGER expense_description_added AFTER INSERT ON expense BEGIN {_ADD_SQL} END",
    "CREATE TRIGGER expense_description_changed AFTER UPDATE OF author_id, description_key ON expense "
    f"BEGIN {_ADD_SQL} END",
)
POSTGRESQL_USED_DESCRIPTIONS = (
    """CREATE TABLE used_description (
    author_id integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE, description_key varchar(400) NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT pk_used_description PRIMARY KEY (author_id, description_key, id)
)""",
    """CREATE FUNCTION add_used_descriptions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(7303, author_id)
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
FILL_IN_SQL = """INSERT INTO used_description (author_id, description_key)
    SELECT DISTINCT author_id, description_key FROM expense"""


def upgrade() -> None:
    """Go from the former revision to this one."""
    if op.get_bind().dialect.name == "sqlite":
        _execute(*SQLITE_USED_DESCRIPTIONS, FILL_IN_SQL)
    elif not _is_distributed():
        _execute(*POSTGRESQL_USED_DESCRIPTIONS, FILL_IN_SQL)


def downgrade() -> None:
    """Go back to the former revision."""
    if op.get_bind().dialect.name == "sqlite":
        _execute("DROP TRIGGER expense_description_added", "DROP TRIGGER expense_description_changed")
    else:
        _execute("DROP FUNCTION IF EXISTS add_used_descriptions CASCADE")
    _execute("DROP TABLE IF EXISTS used_description")


def _execute(*statements: str) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


def _is_distributed() -> bool:
    """Tell whether Citus has distributed the expenses, which then cannot have triggers."""
    connection = op.get_bind()
    if not connection.scalar(sa.text("SELECT to_regclass('pg_dist_partition') IS NOT NULL")):
        return False
    query = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('expense'))"
    return bool(connection.scalar(sa.text(query)))
