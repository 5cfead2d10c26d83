"""Distribution of the tables over a Citus cluster."""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from database.month_totals import POSTGRESQL_WITHOUT_MONTH_TOTALS
from database.used_descriptions import POSTGRESQL_WITHOUT_USED_DESCRIPTIONS

# The first column of the primary key of every row that belongs to a user references this table.
OWNER_TABLE = "user"


def owner_column(table: sa.Table) -> sa.Column[Any] | None:
    """Return the first column of the primary key if it references the user, otherwise None."""
    first = next(iter(table.primary_key.columns))
    is_owner = any(key.column.table.name == OWNER_TABLE for key in first.foreign_keys)
    return first if is_owner else None


def citus_statements(tables: Iterable[sa.Table], done: Collection[str]) -> list[str]:
    """Return the statements that distribute `tables` over a Citus cluster, except those that are `done`.

    The user table is copied to every machine, because only such a reference table can be referenced by every other
    table. The rows of one user are together on one machine. All other tables stay on the coordinator.
    """
    owners = {table.name: column.name for table in tables if (column := owner_column(table)) is not None}
    if OWNER_TABLE in done:
        statements = []
    else:
        without_triggers = *POSTGRESQL_WITHOUT_MONTH_TOTALS, *POSTGRESQL_WITHOUT_USED_DESCRIPTIONS
        statements = [*without_triggers, f"SELECT create_reference_table('\"{OWNER_TABLE}\"')"]
    # New tables are co-located with the ones that were distributed before.
    spread = [name for name in owners if name in done]
    for name in [name for name in owners if name not in done]:
        together = spread[0] if spread else "none"
        statements.append(
            f"SELECT create_distributed_table('{name}', '{owners[name]}', colocate_with => '{together}')"
        )
        spread.append(name)
    if statements:
        # Also applies to every table that references this one. Otherwise the coordinator would keep a copy.
        statements.append(f"SELECT truncate_local_data_after_distributing_table('\"{OWNER_TABLE}\"')")
    return statements
