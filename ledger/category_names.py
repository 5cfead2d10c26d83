"""The names that categories had at the time of an operation, and the ones that they have now."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from database import db
from database.statements import OWNER_ID, built_once
from models import Category, Operation, RowChange, User


def current_names(user: User, operation_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, str]]:
    """Return the new names of categories that were renamed since each of these operations, by their old names."""
    changes = defaultdict(list)
    for change in db.session.execute(_changes_query(), {"owner_id": user.id, "since": min(operation_ids)}):
        changes[change.operation_id].append(change)
    return follow_names(user, operation_ids, changes)


def follow_names(
    user: User,
    operation_ids: Collection[uuid.UUID],
    changes: Mapping[uuid.UUID, Sequence[RowChange | sa.Row[Any]]],
) -> dict[uuid.UUID, dict[str, str]]:
    """Return the same with the `changes` of categories by all operations from the oldest of these on.

    Renaming a category changes nothing that was recorded. Instead, the categories are followed by their ids, from
    now back to the oldest operation, so that a name that belonged to one category and later to another means the
    right one. A category that was merged later gets the name of the other one. Without changes, this takes no
    statement.
    """
    if not changes:
        return {operation_id: {} for operation_id in operation_ids}
    names = {str(row.id): row.name for row in db.session.execute(_names_query(), {"owner_id": user.id})}
    latest = dict(names)
    merges = _merges(user, changes)
    found = {}
    for operation_id in sorted({*operation_ids, *changes}, reverse=True):
        renamed = _renamed(names, latest)
        gone = {change.row_key for change in changes.get(operation_id, [])} - latest.keys()
        for change in changes.get(operation_id, []):
            _go_back(change, names, latest)
        if operation_id in operation_ids:
            found[operation_id] = renamed | _renamed(names, latest)
        # For the merge itself, the merged category keeps its own name.
        into = next((key for key, name in names.items() if name == merges.get(operation_id)), None)
        if into is not None:
            latest |= dict.fromkeys(gone, latest[into])
    return found


@built_once
def _names_query() -> sa.Select[uuid.UUID, str]:
    return sa.select(Category.id, Category.name).where(Category.author_id == OWNER_ID)


def _merges(
    user: User, changes: Mapping[uuid.UUID, Sequence[RowChange | sa.Row[Any]]]
) -> dict[uuid.UUID, str | None]:
    """Return the names of the categories that others were merged into, by the operations that did so."""
    ids = [operation_id for operation_id, rows in changes.items() if any(change.after is None for change in rows)]
    if not ids:
        return {}
    query = sa.select(Operation.id, Operation.label).where(
        Operation.author_id == user.id, Operation.id.in_(ids), Operation.kind == "merge_categories"
    )
    return {row.id: row.label for row in db.session.execute(query)}


@built_once
def _changes_query() -> sa.Select[Any]:
    """Return the Select of the changes of an owner's categories from the operation `since` on."""
    since = sa.bindparam("since", type_=sa.Uuid)
    return sa.select(RowChange.operation_id, RowChange.row_key, RowChange.before, RowChange.after).where(
        RowChange.author_id == OWNER_ID,
        RowChange.operation_id >= since,
        RowChange.table_name == Category.__tablename__,
    )


def _go_back(change: RowChange | sa.Row[Any], names: dict[str, str], latest: dict[str, str]) -> None:
    """Make `names` those before a change; `latest` gets the last name of a category that is gone."""
    if change.before is None:
        names.pop(change.row_key, None)
    elif "name" in change.before:
        names[change.row_key] = change.before["name"]
        latest.setdefault(change.row_key, change.before["name"])


def _renamed(names: dict[str, str], latest: dict[str, str]) -> dict[str, str]:
    return {name: latest[key] for key, name in names.items() if latest[key] != name}
