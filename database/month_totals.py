"""Totals per user, month and category, maintained by triggers: see docs/decisions/0001-month-totals.md."""

import sqlalchemy as sa

from database.derived import create_with, is_kept
from database.types import Money

# With these few rows, the total takes the same time for any number of expenses. Triggers maintain them, so that no
# code that writes expenses can forget to. The table is derived data and therefore not a model. `month` is the
# first day of one of the user's own months. On PostgreSQL, a month and category can have several rows that add up.
month_total = sa.table(
    "month_total",
    sa.column("author_id", sa.Integer),
    sa.column("month", sa.Date),
    sa.column("category", sa.String),
    sa.column("number", sa.Integer),
    sa.column("amount", Money),
)

# --- SQLite


def _month_of(row: str) -> str:
    """Return the SQL of the first day of the month that an expense belongs to."""
    passed = f"(SELECT first_day_of_month - 1 FROM user WHERE id = {row}.author_id)"
    return f"date({row}.date, -{passed} || ' days', 'start of month', {passed} || ' days')"


_ADD_SQL = f"""
    INSERT INTO month_total VALUES (NEW.author_id, {_month_of("NEW")}, NEW.category, 1, NEW.amount)
    ON CONFLICT (author_id, month, category)
    DO UPDATE SET number = number + 1, amount = amount + excluded.amount;
"""
_REMOVE_SQL = f"""
    UPDATE month_total SET number = number - 1, amount = amount - OLD.amount
    WHERE (author_id, month, category) = (OLD.author_id, {_month_of("OLD")}, OLD.category);
    DELETE FROM month_total
    WHERE (author_id, month, category) = (OLD.author_id, {_month_of("OLD")}, OLD.category) AND number = 0;
"""
_SUM_UP_SQL = f"""INSERT INTO month_total
    SELECT author_id, {_month_of("expense")}, category, count(*), sum(amount) FROM expense"""
# A migration that recreates one of the tables `expense` and `user` must recreate its triggers as well.
SQLITE_MONTH_TOTALS = (
    """CREATE TABLE month_total (
    author_id INTEGER NOT NULL, month DATE NOT NULL, category VARCHAR(64) NOT NULL,
    number INTEGER NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (author_id, month, category)
) WITHOUT ROWID""",
    f"CREATE TRIGGER expense_added AFTER INSERT ON expense BEGIN{_ADD_SQL}END",
    f"CREATE TRIGGER expense_removed AFTER DELETE ON expense BEGIN{_REMOVE_SQL}END",
    "CREATE TRIGGER expense_changed AFTER UPDATE OF author_id, date, category, amount ON expense "
    f"BEGIN{_REMOVE_SQL}{_ADD_SQL}END",
    f"""CREATE TRIGGER months_changed AFTER UPDATE OF first_day_of_month ON user
    WHEN OLD.first_day_of_month <> NEW.first_day_of_month BEGIN
    DELETE FROM month_total WHERE author_id = NEW.id;
    {_SUM_UP_SQL} WHERE author_id = NEW.id GROUP BY 1, 2, 3;
    END""",
    """CREATE TRIGGER user_removed AFTER DELETE ON user BEGIN
    DELETE FROM month_total WHERE author_id = OLD.id;
    END""",
)
# In databases and backups up to migration 0020, all months were calendar months.
_CALENDAR_ADD_SQL, _CALENDAR_REMOVE_SQL = (
    sql.replace(_month_of(row), f"substr({row}.date, 1, 7) || '-01'")
    for row, sql in (("NEW", _ADD_SQL), ("OLD", _REMOVE_SQL))
)
FORMER_SQLITE_MONTH_TOTALS = (
    f"CREATE TRIGGER expense_added AFTER INSERT ON expense BEGIN{_CALENDAR_ADD_SQL}END",
    f"CREATE TRIGGER expense_removed AFTER DELETE ON expense BEGIN{_CALENDAR_REMOVE_SQL}END",
    "CREATE TRIGGER expense_changed AFTER UPDATE OF author_id, date, category, amount ON expense "
    f"BEGIN{_CALENDAR_REMOVE_SQL}{_CALENDAR_ADD_SQL}END",
)

# --- PostgreSQL

# Numbers of advisory locks, which are separate for each user.
_MONTHS_LOCK, _MERGE_LOCK = 7301, 7302
_MAX_ROWS = 8
_ADDED = "SELECT author_id, date, category, 1 AS number, amount FROM added"
_REMOVED = "SELECT author_id, date, category, -1 AS number, -amount AS amount FROM removed"
_ALL = "SELECT author_id, date, category, 1 AS number, amount FROM expense"


def _sum_up(rows: str) -> str:
    """Return the SQL that adds the sums of some rows to the totals of their users, where these still exist."""
    return f"""INSERT INTO month_total (author_id, month, category, number, amount)
        SELECT author_id, date_trunc('month', (date - passed)::timestamp)::date + passed, category,
            sum(number), sum(amount)
        FROM ({rows}) rows
        JOIN (SELECT id, first_day_of_month - 1 AS passed FROM "user") users ON users.id = author_id
        GROUP BY 1, 2, 3 HAVING sum(number) <> 0 OR sum(amount) <> 0"""


def _lock_and_sum_up(rows: str) -> str:
    """Return the same SQL with a lock that keeps the users' months unchanged until the transaction ends."""
    return f"""PERFORM pg_advisory_xact_lock_shared({_MONTHS_LOCK}, author_id)
        FROM (SELECT DISTINCT author_id FROM ({rows}) rows) authors;
        {_sum_up(rows)};"""


# Rows are only added, so that two transactions never wait for each other. When a month and category have more than
# a few of them, a transaction that adds another one replaces those that it sees by their sum, unless another
# transaction is doing so.
POSTGRESQL_MONTH_TOTALS = (
    """CREATE TABLE month_total (
    author_id integer NOT NULL, month date NOT NULL, category varchar(64) NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY, number bigint NOT NULL, amount bigint NOT NULL,
    CONSTRAINT pk_month_total PRIMARY KEY (author_id, month, category, id)
)""",
    f"""CREATE FUNCTION add_to_month_total() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
        {_lock_and_sum_up(_ADDED)}
        ELSIF TG_OP = 'DELETE' THEN
        {_lock_and_sum_up(_REMOVED)}
        ELSE
        {_lock_and_sum_up(f"{_ADDED} UNION ALL {_REMOVED}")}
        END IF;
        RETURN NULL;
    END $$""",
    f"""CREATE FUNCTION merge_month_total() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        WITH crowded AS MATERIALIZED (
            SELECT author_id, month, category FROM month_total
            JOIN (SELECT DISTINCT author_id, month, category FROM added) changes USING (author_id, month, category)
            GROUP BY 1, 2, 3 HAVING count(*) > {_MAX_ROWS}
        ), locked AS MATERIALIZED (
            SELECT author_id FROM (SELECT DISTINCT author_id FROM crowded) users
            WHERE pg_try_advisory_xact_lock({_MERGE_LOCK}, author_id)
        ), replaced AS (
            DELETE FROM month_total USING crowded JOIN locked USING (author_id)
            WHERE month_total.author_id = crowded.author_id AND month_total.month = crowded.month
            AND month_total.category = crowded.category
            RETURNING month_total.*
        )
        INSERT INTO month_total (author_id, month, category, number, amount)
        SELECT author_id, month, category, sum(number), sum(amount) FROM replaced
        GROUP BY 1, 2, 3 HAVING sum(number) <> 0 OR sum(amount) <> 0;
        RETURN NULL;
    END $$""",
    f"""CREATE FUNCTION rebuild_month_total() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock({_MONTHS_LOCK}, OLD.id);
        DELETE FROM month_total WHERE author_id = OLD.id;
        {_sum_up(f"{_ALL} WHERE author_id = OLD.id")};
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER expense_added AFTER INSERT ON expense REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION add_to_month_total()""",
    """CREATE TRIGGER expense_removed AFTER DELETE ON expense REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION add_to_month_total()""",
    """CREATE TRIGGER expense_changed AFTER UPDATE ON expense REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION add_to_month_total()""",
    """CREATE TRIGGER month_total_added AFTER INSERT ON month_total REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT WHEN (pg_trigger_depth() < 2) EXECUTE FUNCTION merge_month_total()""",
    """CREATE TRIGGER months_changed AFTER UPDATE OF first_day_of_month ON "user"
    FOR EACH ROW WHEN (OLD.first_day_of_month <> NEW.first_day_of_month) EXECUTE FUNCTION rebuild_month_total()""",
    """CREATE TRIGGER user_removed AFTER DELETE ON "user"
    FOR EACH ROW EXECUTE FUNCTION rebuild_month_total()""",
)
# Citus distributes no table that has triggers. Without the totals, all expenses are summed.
POSTGRESQL_WITHOUT_MONTH_TOTALS = (
    "DROP FUNCTION IF EXISTS add_to_month_total, merge_month_total, rebuild_month_total CASCADE",
    "DROP TABLE IF EXISTS month_total",
)


def has_month_totals(engine: sa.Engine) -> bool:
    """Tell whether the database maintains these totals; a cluster does not."""
    return is_kept(month_total, engine)


def keep_month_totals(expense_table: sa.FromClause) -> None:
    """Create and drop the totals together with the table `expense`."""
    create_with(expense_table, "sqlite", SQLITE_MONTH_TOTALS, ("DROP TABLE IF EXISTS month_total",))
    create_with(expense_table, "postgresql", POSTGRESQL_MONTH_TOTALS, POSTGRESQL_WITHOUT_MONTH_TOTALS)
