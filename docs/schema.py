"""Writes docs/schema.md from the SQLAlchemy models: run `python -m docs.schema` after changing them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

import models  # noqa: F401 (defines the tables)
from database import Base

FILE = Path(__file__).with_name("schema.md")
INTRODUCTION = """\
# Database schema

Generated from the models by `python -m docs.schema`. A test fails while this page is out of date.

The primary key of every table that holds a user's data begins with the user's id. Fetching a row by its key
therefore checks whom it belongs to, and the tables can be [distributed by user](scaling.md). UUIDs are made by
the application (version 7, so they sort by time).

Three tables are not among the models: `alembic_version` holds the current migration, and triggers maintain
`month_total` (see [decision 1](decisions/0001-month-totals.md)) and `used_description` (see
[decision 3](decisions/0003-used-descriptions.md)).
"""


def build() -> str:
    """Return the whole page."""
    tables = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    lines = [INTRODUCTION, *diagram(tables), *own_types(tables)]
    for table in tables:
        lines += section(table)
    return "\n".join(lines).rstrip("\n") + "\n"


def diagram(tables: Iterable[sa.Table]) -> list[str]:
    """Return the relations between the tables as a Mermaid diagram, which GitHub draws."""
    keys = [(key.referred_table.name, table.name) for table in tables for key in table.foreign_key_constraints]
    relations = [f"  {parent} ||--o{{ {child} : has" for parent, child in sorted(keys)]
    return ["```mermaid", "erDiagram", *relations, "```", ""]


def own_types(tables: Iterable[sa.Table]) -> Iterator[str]:
    """Yield the column types that the application defines itself."""
    yield "## Column types\n"
    types = {type(column.type).__name__: column.type for table in tables for column in table.c}
    for name, column_type in sorted(types.items()):
        if isinstance(column_type, sa.types.TypeDecorator):
            stored_as = type(column_type.impl_instance).__name__
            yield f"- `{name}` (stored as `{stored_as}`): {summary(type(column_type))}"
    yield ""


def summary(described: type) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((described.__doc__ or "").partition("\n\n")[0].split())


def section(table: sa.Table) -> Iterator[str]:
    """Yield the lines about one table."""
    model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
    yield f"## `{table.name}`\n\n{summary(model)}\n"
    yield "| column | type | |\n| --- | --- | --- |"
    for column in table.c:
        yield f"| `{column.name}` | `{type_name(column.type)}` | {notes(column)} |"
    yield ""
    rules = sorted([*constraints(table), *indexes(table)])
    if rules:
        yield from [*rules, ""]


def type_name(column_type: sa.types.TypeEngine[object]) -> str:
    """Return the name of a column type, with its length if it has one."""
    length = getattr(column_type, "length", None)
    return f"{type(column_type).__name__}({length})" if length else type(column_type).__name__


def notes(column: sa.Column[object]) -> str:
    """Return whether a column belongs to the primary key, what it references, and whether it may be NULL."""
    found = ["primary key"] if column.primary_key else []
    # A set, whose order differs from run to run.
    found += sorted(f"references `{key.target_fullname}`" for key in column.foreign_keys)
    found += ["may be NULL"] if column.nullable else []
    return ", ".join(found)


def constraints(table: sa.Table) -> Iterator[str]:
    """Yield a line for each unique and each check constraint."""
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield f"- unique: {column_names(constraint.columns)}"
        elif isinstance(constraint, sa.CheckConstraint):
            yield f"- check: `{constraint.sqltext}`"


def indexes(table: sa.Table) -> Iterator[str]:
    """Yield a line for each index, with the condition of a partial one."""
    for index in table.indexes:
        condition = index.dialect_options["postgresql"]["where"]
        where = "" if condition is None else f" where `{condition}`"
        yield f"- index: {column_names(index.columns)}{where}"


def column_names(columns: Iterable[sa.Column[object]]) -> str:
    """Return the names of columns in their order."""
    return ", ".join(f"`{column.name}`" for column in columns)


if __name__ == "__main__":
    FILE.write_text(build())
