"""Watch that every statement of a page names one owner, in each place where it names what belongs to somebody.

One machine of a cluster answers such a statement, whatever it does there; and it can reach nobody else's rows.
"""

import re
from functools import cache

import sqlalchemy as sa
from flask import g, has_app_context, has_request_context

from database import Base
from database.citus import owner_column

OWNERS = {
    table.name: column.name for table in Base.metadata.sorted_tables if (column := owner_column(table)) is not None
}
PARAMETER = re.compile(r"\?|%\((\w+)\)s(?:::[A-Z]+(?: WITHOUT TIME ZONE)?)?")
INNERMOST = re.compile(r"\(([^()]*)\)")
NAMED = re.compile(r"(?:\b(?:FROM|JOIN|UPDATE|USING)|,)\s+(\w+)\b(?!\.|\s*=)")
INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)\s*(?:VALUES|SELECT)(.*)", re.DOTALL)


class NotOneOwnerError(AssertionError):
    """A statement that a cluster would ask every machine, or that reaches rows of others."""


def watch(engine):
    """Let every page fail that sends a statement without its one owner."""
    sa.event.listen(engine, "before_cursor_execute", check)


def check(connection, _cursor, statement, parameters, _context, executemany):
    """Raise NotOneOwnerError unless a statement of a page names one owner, and the one who is logged in."""
    # A file is still being sent when its request is over; a command has the context of the application.
    is_file = connection.get_execution_options().get("reading") and not has_app_context()
    if not has_request_context() and not is_file:
        return
    keys = owner_parameters(statement)
    owners = {row[key] for row in (parameters if executemany else [parameters]) for key in keys}
    person = g.get("_login_user") if has_request_context() else None
    expected = sa.inspect(person).identity if isinstance(person, Base) else None
    if len(owners) > 1 or (owners and expected and owners != set(expected)):
        raise NotOneOwnerError(f"owners {owners}, logged in {expected}: {statement}")


@cache
def owner_parameters(statement):
    """Return the keys of the parameters that name the owner. Raises NotOneOwnerError where one is missing."""
    if not re.match(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement):
        return frozenset()
    keys = []

    def number(match):
        keys.append(match[1] or len(keys))
        return f"@{len(keys) - 1}@"

    sql = re.sub(r"\s+", " ", PARAMETER.sub(number, statement.replace('"', "")))
    found = []
    if insert := INSERT.match(sql):
        found += inserted_owner(*insert.groups())
    while inner := INNERMOST.search(sql):
        if inner[1].lstrip().startswith("SELECT"):
            found += selected_owners(inner[1])
        sql = f"{sql[: inner.start()]}[]{sql[inner.end() :]}"
    found += [each for part in re.split(r"\bUNION(?: ALL)?\b", sql) for each in selected_owners(part)]
    return frozenset(keys[place] for place in found)


def inserted_owner(table, columns, rest):
    """Return the parameters that an INSERT gives the owner by; what it selects is read as any SELECT."""
    if table not in OWNERS:
        return []
    names = columns.split(", ")
    if OWNERS[table] not in names:
        raise NotOneOwnerError(f"INSERT INTO {table} without its {OWNERS[table]}")
    place = names.index(OWNERS[table])
    if rest.lstrip().startswith("("):
        rows = [row.split(", ") for row in INNERMOST.findall(rest)]
        return [int(row[place].strip("@")) for row in rows if len(row) == len(names)]
    chosen = rest.split(" FROM ")[0].split(", ")[place].strip()
    if not re.fullmatch(r"\w+\.(?:author_id|user_id)", chosen):
        raise NotOneOwnerError(f"INSERT INTO {table} selects {chosen} for its {OWNERS[table]}")
    return []


def selected_owners(sql):
    """Return the parameters by which one SELECT, UPDATE or DELETE, without its parts, names the owner."""
    before, _, conditions = sql.partition(" WHERE ")
    tables = (
        set(NAMED.findall(f" {before[before.find('FROM') :] if 'SELECT' in before else before}")) & OWNERS.keys()
    )
    found = []
    if re.match(r"(?:0 = 1|false)\b", conditions):
        # Nothing is wanted, and so nobody is asked.
        return found
    for table in tables:
        equal = re.findall(rf"(?:^|AND ){table}\.{OWNERS[table]} = @(\d+)@", conditions)
        if not equal or re.search(r"\bOR\b", conditions):
            raise NotOneOwnerError(f"{table} without its {OWNERS[table]}: {sql}")
        found += map(int, equal)
    return found
