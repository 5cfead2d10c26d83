"""Distribution of the tables over a Citus cluster."""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

# Every row that belongs to a person refers to this table by the first column of its key.
OWNER_TABLE = "user"


def owner_column(table: sa.Table) -> sa.Column[Any] | None:
    """Return the column that says whose a row is: the first of the key, where it refers to a person; else None."""
    first = next(iter(table.primary_key.columns))
    is_owner = any(key.column.table.name == OWNER_TABLE for key in first.foreign_keys)
    return first if is_owner else None


def citus_statements(tables: Iterable[sa.Table], done: Collection[str]) -> list[str]:
    """Return the statements that spread `tables` over a Citus cluster, in order, without those `done` already.

    People are copied to every machine, because only to such a table may every key refer; what belongs to a
    person lies together on one of them; everything else stays on the coordinator.
    """
    owners = {table.name: column.name for table in tables if (column := owner_column(table)) is not None}
    statements = [] if OWNER_TABLE in done else [f"SELECT create_reference_table('\"{OWNER_TABLE}\"')"]
    # What was spread before says where the tables of a later version belong.
    spread = [name for name in owners if name in done]
    for name in [name for name in owners if name not in done]:
        together = spread[0] if spread else "none"
        statements.append(
            f"SELECT create_distributed_table('{name}', '{owners[name]}', colocate_with => '{together}')"
        )
        spread.append(name)
    if statements:
        # Goes on to every table that refers to this one. The coordinator keeps a copy otherwise.
        statements.append(f"SELECT truncate_local_data_after_distributing_table('\"{OWNER_TABLE}\"')")
    return statements
