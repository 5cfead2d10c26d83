"""Check that every statement of a page names one owner, wherever it names a table that belongs to users.

One machine of a cluster answers such a statement, whatever it does there; and it can reach nobody else's rows.
What is looked at is what SQLAlchemy compiled, not its text: each SELECT, UPDATE and DELETE within a statement has
to compare the owner of each of its tables with a parameter. Text can only be searched for the names of tables,
and so a page may send it where it names none of them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask import g, has_app_context, has_request_context
from sqlalchemy.sql import operators, selectable
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import AsBoolean, ClauseElement, False_, Grouping

from database import Base
from database.citus import owner_column
from database.month_totals import month_total
from database.used_descriptions import used_description

OWNERS = {
    table.name: column.name for table in Base.metadata.sorted_tables if (column := owner_column(table)) is not None
}
# What is derived has no model.
WATCHED = OWNERS | dict.fromkeys((month_total.name, used_description.name), "author_id")
NAMES = re.compile(rf"\b(?:{'|'.join(WATCHED)})\b", re.IGNORECASE)
# As `database.bulk` writes them: the owner is in the first column of every row.
BULK_INSERT = re.compile(r'INSERT INTO (\w+) \((\w+)(?=,)([\w", ]*)\) VALUES [(?%s, )]+')
_known: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


class NotOneOwnerError(AssertionError):
    """A statement that a cluster would ask every machine, or that reaches rows of others."""


def watch(engine: sa.Engine) -> None:
    """Let every page fail that sends a statement without its one owner."""
    sa.event.listen(engine, "before_cursor_execute", check)


def check(connection: sa.Connection, _cursor: Any, text: str, parameters: Any, context: Any, _many: bool) -> None:
    """Raise NotOneOwnerError unless a statement of a page names one owner, and the one who is logged in."""
    # A file is still being sent when its request is over; a command has the context of the application.
    is_file = connection.get_execution_options().get("reading") and not has_app_context()
    if not has_request_context() and not is_file:
        return
    if context.compiled is None:
        owners = bulk_owners(text, parameters)
    else:
        names = owner_parameters(context.compiled)
        owners = {row[name] for row in context.compiled_parameters for name in names}
    person = g.get("_login_user") if has_request_context() else None
    expected = sa.inspect(person).identity if isinstance(person, Base) else None
    if len(owners) > 1 or (owners and expected and owners != set(expected)):
        raise NotOneOwnerError(f"owners {owners}, logged in {expected}: {text}")


def owner_parameters(compiled: Any) -> frozenset[str]:
    """Return the names of the parameters that name the owner. Raises NotOneOwnerError where one is missing."""
    # SQLAlchemy compiles a statement once, and then keeps it.
    if compiled not in _known:
        try:
            _known[compiled] = frozenset(_owner_parameters(compiled))
        except NotOneOwnerError as error:
            raise NotOneOwnerError(f"{error}: {compiled}") from None
    return _known[compiled]


def _owner_parameters(compiled: Any) -> set[str]:
    names = {parameter.key: name for parameter, name in compiled.bind_names.items()}
    found = {names[parameter.key] for parameter in owners_in(compiled.statement)}
    if isinstance(compiled.statement, sa.Insert):
        found |= inserted_owners(compiled.statement, list(names.values()))
    return found


def bulk_owners(text: str, parameters: Any) -> set[Any]:
    """Return the owners of the rows that a text inserts. Raises NotOneOwnerError for any other with a name."""
    match = BULK_INSERT.fullmatch(text)
    if match is None or OWNERS.get(match[1]) != match[2]:
        refuse_names(text)
        return set()
    return set(parameters[:: match[3].count(",") + 1])


def refuse_names(text: str) -> None:
    """Raise NotOneOwnerError if a text names a table that belongs to users."""
    if NAMES.search(text):
        raise NotOneOwnerError(f"only what SQLAlchemy has put together can be looked at, not the text {text!r}")


@dataclass
class Parts:
    """The parts of a statement, without those of its subqueries."""

    columns: list[sa.ColumnClause[Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    # The statements within it, and whether one stands in FROM, where it cannot see the tables around it.
    statements: list[tuple[ClauseElement, bool]] = field(default_factory=list)

    def collect(self, element: ClauseElement, in_from: bool = False) -> None:
        """Note everything below an element."""
        for child in element.get_children():
            if isinstance(child, selectable.SelectBase | UpdateBase):
                self.statements.append((child, in_from))
                continue
            if isinstance(child, sa.TextClause):
                self.texts.append(child.text)
            if isinstance(child, sa.ColumnClause):
                self.columns.append(child)
                self.texts += [child.name] if child.is_literal else []
            self.collect(child, in_from or isinstance(child, selectable.AliasedReturnsRows))


def owners_in(statement: ClauseElement, around: frozenset[Any] = frozenset()) -> Iterator[sa.BindParameter[Any]]:
    """Yield the parameters that name the owner, in a statement and in those within it.

    `around` are the tables of the statement that this one stands in. Raises NotOneOwnerError.
    """
    if isinstance(statement, sa.TextClause):
        refuse_names(statement.text)
        return
    parts = Parts()
    parts.collect(statement)
    for text in parts.texts:
        refuse_names(text)
    seen = around
    if isinstance(statement, sa.Select | sa.Update | sa.Delete):
        conditions = list(conjuncts(statement.whereclause))
        if any(map(is_never, conditions)):
            # Nothing is wanted, and so nobody is asked.
            return
        sources = sources_of(statement, parts, around)
        seen = frozenset(map(key, sources))
        yield from compared_owners(sources, conditions)
    for inner, in_from in parts.statements:
        yield from owners_in(inner, frozenset() if in_from else seen)


def compared_owners(sources: list[Any], conditions: list[ClauseElement]) -> Iterator[sa.BindParameter[Any]]:
    """Yield the parameters that the owners of these tables are compared with. Raises NotOneOwnerError."""
    compared = list(filter(None, map(owner_comparison, conditions)))
    for source in sources:
        if (table := table_of(source)) in WATCHED:
            found = [parameter for column, parameter in compared if key(column.table) == key(source)]
            if not found:
                raise NotOneOwnerError(f"{table} without its {WATCHED[table]}")
            yield from found


def conjuncts(condition: ClauseElement | None) -> Iterator[ClauseElement]:
    """Yield the conditions that have to hold all together."""
    if isinstance(condition, Grouping):
        yield from conjuncts(condition.element)
    elif isinstance(condition, sa.BooleanClauseList) and condition.operator is operators.and_:
        for clause in condition.clauses:
            yield from conjuncts(clause)
    elif condition is not None:
        yield condition


def is_never(condition: ClauseElement) -> bool:
    """Tell whether a condition is `false()`."""
    if isinstance(condition, AsBoolean) and condition.operator is operators.is_true:
        condition = condition.element
    return isinstance(condition, False_)


def owner_comparison(condition: ClauseElement) -> tuple[Any, sa.BindParameter[Any]] | None:
    """Return the column of an owner and the parameter that a condition says it equals; None for any other one."""
    if not isinstance(condition, sa.BinaryExpression) or condition.operator is not operators.eq:
        return None
    for column, value in ((condition.left, condition.right), (condition.right, condition.left)):
        if is_owner(column) and isinstance(value, sa.BindParameter):
            return column, value
    return None


def is_owner(column: Any) -> bool:
    """Tell whether a column says whose a row is."""
    return isinstance(column, sa.ColumnClause) and WATCHED.get(table_of(column.table)) == column.name


def table_of(source: Any) -> str:
    """Return the name of the table that a source is, or is an alias of; "" for any other source."""
    while isinstance(source, sa.Alias):
        source = source.element
    return source.name if isinstance(source, sa.TableClause) else ""


def key(source: Any) -> tuple[bool, str]:
    """Return by what two mentions of a source are the same one: what the ORM notes on it makes a copy of it."""
    return isinstance(source, sa.TableClause), getattr(source, "name", "")


def sources_of(statement: Any, parts: Parts, around: frozenset[Any]) -> list[Any]:
    """Return the tables and aliases that a statement names by itself, without those of the one around it."""
    if isinstance(statement, sa.Select):
        # With those that the ORM adds.
        sources = statement.get_final_froms()
        if len(sources) > 1:
            # As SQLAlchemy does, which never leaves it without any.
            sources = [source for source in sources if key(source) not in around]
    else:
        sources = [statement.table, *(column.table for column in parts.columns if column.table is not None)]
    return [single for source in sources for single in joined(source)]


def joined(source: Any) -> Iterator[Any]:
    """Yield the parts of a join; anything else is its only part."""
    if isinstance(source, sa.Join):
        yield from joined(source.left)
        yield from joined(source.right)
    else:
        yield source


def inserted_owners(statement: sa.Insert, names: list[str]) -> set[str]:
    """Return which of the parameters' `names` an INSERT gives the owners by. Raises NotOneOwnerError.

    Those that it selects are compared with a parameter where it selects them.
    """
    owner = WATCHED.get(statement.table.name)
    if owner is None:
        return set()
    if statement.select is not None:
        place = list(statement._select_names).index(owner) if owner in statement._select_names else None
        if place is not None and is_owner(list(statement.select.selected_columns)[place]):
            return set()
        raise NotOneOwnerError(f"INSERT INTO {statement.table.name} selects another {owner}")
    # Several rows in one statement have a number behind each name.
    columns = Counter(re.sub(r"_m\d+$", "", name) for name in names)
    if columns[owner] < max(columns.values(), default=1):
        raise NotOneOwnerError(f"INSERT INTO {statement.table.name} without its {owner}")
    return {name for name in names if re.fullmatch(rf"{owner}(_m\d+)?", name)}
