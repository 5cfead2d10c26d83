"""Inserts of many rows, in a fraction of the time that takes with a dictionary of parameters for each row."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

# A statement with this many rows takes half the time of one for each row; more rows make no difference.
ROWS_PER_STATEMENT = 50
Columns = Mapping[str, Sequence[Any]]


def insert_rows(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert `rows`, each with the values of the columns `names`.

    On PostgreSQL, this calls the triggers of the table once for each statement, and not for each row.
    """
    columns = dict(zip(names, zip(*rows, strict=True), strict=False))
    insert_converted(connection, table, convert(connection.dialect, table, columns), 0, len(rows))


def convert(dialect: sa.Dialect, table: sa.Table, columns: Columns) -> Columns:
    """Return the values of these columns in the form that the database driver takes. This needs no transaction."""
    return {name: _convert(table.c[name].type, dialect, values) for name, values in columns.items()}


def insert_converted(connection: sa.Connection, table: sa.Table, columns: Columns, start: int, end: int) -> None:
    """Insert the rows from `start` to `end` of columns that `convert` has returned."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    row = f"({', '.join([mark] * len(columns))})"
    quote = connection.dialect.identifier_preparer.quote
    insert = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))}) VALUES "  # noqa: S608 - the names are ours.
    for at in range(start, end, ROWS_PER_STATEMENT):
        until = min(at + ROWS_PER_STATEMENT, end)
        rows = zip(*(values[at:until] for values in columns.values()), strict=True)
        connection.exec_driver_sql(insert + ", ".join([row] * (until - at)), tuple(chain.from_iterable(rows)))


def _convert(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect, values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a column in the form that the database driver takes."""
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    # All drivers take bytes as they are.
    if processor is None or isinstance(kind, sa.LargeBinary):
        return values
    distinct = set(values) if kind.hashable else values
    if len(distinct) > len(values) / 2:
        return list(map(processor, values))
    # Days and amounts repeat, so each distinct value is converted once.
    known = {value: processor(value) for value in distinct}
    return [known[value] for value in values]
