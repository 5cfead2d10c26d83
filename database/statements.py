"""Statements that are built once, because building one takes longer than the database takes to answer it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, cast

import sqlalchemy as sa

from database import db

Arguments = ParamSpec("Arguments")
Statement = TypeVar("Statement")
Columns = TypeVarTuple("Columns")
# The parameter for the user who owns the rows.
OWNER_ID = sa.bindparam("owner_id", type_=sa.Integer)
MAX_STATEMENTS = 64


def built_once(build: Callable[Arguments, Statement]) -> Callable[Arguments, Statement]:
    """Cache the statement that a function builds, by its arguments.

    Values that differ between users or pages are parameters, such as OWNER_ID, and are given when the statement is
    sent.
    """
    return cast(Callable[Arguments, Statement], lru_cache(maxsize=MAX_STATEMENTS)(build))


def execute(statement: sa.Executable, **parameters: Any) -> sa.CursorResult[Any]:
    """Send a statement that returns columns, within the session's transaction.

    The session itself would first look for model classes in it, which takes as long as the database.
    """
    return db.session.connection().execute(statement, parameters)


def fetch_all(query: sa.Select[*Columns], **parameters: Any) -> Sequence[sa.Row[*Columns]]:
    """Return the rows of a query of columns."""
    return execute(query, **parameters).all()
