"""Tables that triggers derive from the expenses. They have no model, and a cluster does without them."""

from collections.abc import Iterable
from functools import lru_cache

import sqlalchemy as sa

from database.engine import connect_to_read


@lru_cache(maxsize=16)
def is_kept(table: sa.TableClause, engine: sa.Engine) -> bool:
    """Tell whether the database maintains such a table. Each process asks once."""
    if engine.dialect.name == "sqlite":
        return True
    with connect_to_read(engine) as connection:
        return sa.inspect(connection).has_table(table.name)


def create_with(
    expense_table: sa.FromClause, dialect: str, created: Iterable[str], dropped: Iterable[str]
) -> None:
    """Send these statements when the table `expense` is created or dropped in a database of this kind."""
    for event, statements in (("after_create", created), ("after_drop", dropped)):
        for statement in statements:
            ddl = sa.DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
            sa.event.listen(expense_table, event, ddl.execute_if(dialect=dialect))
