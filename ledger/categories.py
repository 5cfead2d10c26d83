"""Categories: reading, locking and changing them, and undoing that."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from database.statements import OWNER_ID, built_once, fetch_all
from ledger import operations
from ledger.errors import LedgerError
from ledger.journal import row_count
from ledger.spending import ExpenseFilter, summarise
from models import Budget, Category, Expense, Operation, RecurringExpense, RowChange, User, category_key

# As many as fit on one page.
MAX_CATEGORIES = 200
# The dropdowns offer this to add a category, so no category can have it as its name.
NEW_CATEGORY = "New …"


class CategoryError(LedgerError):
    """A change of a category that is not possible."""


class CategoryData(NamedTuple):
    """A category as it was read, independent of the session."""

    id: uuid.UUID
    name: str
    position: int
    archived: bool

    @property
    def key(self) -> str:
        """The form in which its name is compared."""
        return category_key(self.name)


class Usage(NamedTuple):
    """Number of expenses and recurring expenses in a category."""

    expenses: int
    recurring: int


# --- Reading


def get_categories(user: User) -> list[CategoryData]:
    """Return the user's categories in their order, by one statement."""
    return [CategoryData(*row) for row in fetch_all(_categories_query(), owner_id=user.id)]


@built_once
def _categories_query() -> sa.Select[uuid.UUID, str, int, bool]:
    category = Category.__table__.c
    query = sa.select(*(category[name] for name in CategoryData._fields)).where(category.author_id == OWNER_ID)
    return query.order_by(category.position, category.id)


def count_by_category(user: User) -> dict[str, int]:
    """Return the number of expenses of each category that has any."""
    return {entry.category: entry.count for entry in summarise(user, ExpenseFilter()).breakdown}


def get_usage(user: User, name: str) -> Usage:
    """Return how many expenses and recurring expenses are in a category, by one statement."""
    counts = (
        sa.select(sa.func.count()).where(model.author_id == user.id, model.category == name).scalar_subquery()
        for model in (Expense, RecurringExpense)
    )
    return Usage(*db.session.execute(sa.select(*counts)).one())


# --- Locking. Categories are locked before recurring expenses, and these before expenses, each in the order of
# their ids: then no two operations wait for each other.


def lock(user: User) -> None:
    """Let only this transaction change the user's categories, and no other add an expense to one."""
    fetch_all(_lock_query().with_for_update(key_share=True), owner_id=user.id)


def lock_for_use(user: User) -> None:
    """Let nobody change the user's categories before the caller has committed."""
    fetch_all(_lock_query().with_for_update(read=True), owner_id=user.id)


def lock_category(user: User, name: str) -> None:
    """Let nobody change the category that an expense is about to get. Raises CategoryError when it is gone."""
    if not fetch_all(_lock_category_query(), owner_id=user.id, name=name):
        raise CategoryError("category_gone")


@built_once
def _lock_category_query() -> sa.Select[uuid.UUID]:
    name = sa.bindparam("name", type_=sa.String)
    return _lock_query().where(Category.name == name).with_for_update(read=True)


def _lock_query() -> sa.Select[uuid.UUID]:
    return sa.select(Category.id).where(Category.author_id == OWNER_ID).order_by(Category.id)


def lock_and_get(user: User) -> dict[uuid.UUID, CategoryData]:
    """Lock the user's categories, and return them by their ids, in their order."""
    lock(user)
    return {category.id: category for category in get_categories(user)}


# --- Changing


def ensure_exist(user: User, operation: Operation, names: Iterable[str]) -> None:
    """Add the categories that restored expenses use and the user does not have. The caller has locked."""
    if not (names := set(names)):
        return
    known = get_categories(user)
    keys = {category.key for category in known}
    position = max((category.position for category in known), default=0)
    missing = {category_key(name): name for name in sorted(names) if category_key(name) not in keys}
    for number, name in enumerate(missing.values(), 1):
        _insert(user, operation, uuid7(), name=name, position=position + number)


def refuse_too_many(user: User, operation: Operation) -> None:
    """Raise CategoryError if `operation`, which is an undo, has added categories beyond the limit."""
    of_categories = [change for change in operation.row_changes if change.table_name == Category.__tablename__]
    added = sum((change.before is None) - (change.after is None) for change in of_categories)
    if added > 0 and len(get_categories(user)) > MAX_CATEGORIES:
        raise CategoryError("too_many_categories", maximum=MAX_CATEGORIES)


def add(user: User, operation: Operation, name: str) -> str:
    """Return the name of the user's category of this name, which is added at the end if it does not exist.

    Raises CategoryError. The caller commits.
    """
    known = lock_and_get(user)
    same = _find_by_key(known, category_key(name))
    if same is not None:
        return same.name
    _append(user, operation, known, uuid7(), name)
    return name


def create(user: User, category_id: uuid.UUID, name: str, now: datetime) -> Operation:
    """Add a category at the end; with an id that exists already, do nothing.

    Raises CategoryError. The caller commits.
    """
    with operations.record(user, "add_category", now, label=name) as operation:
        known = lock_and_get(user)
        if category_id not in known:
            _refuse_taken(known, category_id, name, "category_exists")
            _append(user, operation, known, category_id, name)
    return operation


def edit(user: User, category_id: uuid.UUID, now: datetime, changes: Mapping[str, Any]) -> Operation:
    """Change a category: its `name`, whether it is `archived`, and the id of the category `after` which it comes.

    Everything else stays as it is. Expenses and recurring expenses get the new name. Raises CategoryError.
    The caller commits.
    """
    old = sa.select(Category.name).where(Category.author_id == user.id, Category.id == category_id)
    old = old.where(Category.name != changes.get("name", Category.name))
    renamed = sa.select(Expense.id).where(Expense.author_id == user.id, Expense.category == old.scalar_subquery())
    with operations.record_in_pieces(user, "edit_category", now, renamed) as (operation, _pieces):
        known = lock_and_get(user)
        category = _get(known, category_id)
        operation.label = category.name
        values = {name: value for name, value in changes.items() if name != "after"}
        if values.get("name", category.name) != category.name:
            _refuse_taken(known, category_id, values["name"])
            _refuse_reserved(values["name"])
        positions = _positions(known, category_id, changes["after"]) if "after" in changes else {}
        for other in known.values():
            position = {"position": positions.get(other.id, other.position)}
            _change(user, operation, other, **position | (values if other.id == category_id else {}))
    return operation


def merge(user: User, category_id: uuid.UUID, into_id: uuid.UUID, now: datetime) -> Operation:
    """Move the expenses and recurring expenses of a category to another one, and delete it.

    Raises CategoryError. The caller commits.
    """
    name = sa.select(Category.name).where(Category.author_id == user.id, Category.id == category_id)
    ids = sa.select(Expense.id).where(Expense.author_id == user.id, Expense.category == name.scalar_subquery())
    with operations.record_in_pieces(user, "merge_categories", now, ids) as (operation, pieces):
        category, into, repeating = _lock_for_merge(user, category_id, into_id)
        operation.label = into.name
        for piece in pieces:
            operations.change_expenses(operation, Expense.id.in_(piece), {"category": into.name})
        if operation.running_until is not None:
            # The locks from before the pieces are gone.
            category, into, repeating = _lock_for_merge(user, category_id, into_id)
        for recurring in repeating:
            label = recurring.description or category.name
            operations.change_row(operation, recurring, label, {"category": into.name})
        _delete(user, operation, category)
    return operation


def _lock_for_merge(
    user: User, category_id: uuid.UUID, into_id: uuid.UUID
) -> tuple[CategoryData, CategoryData, Sequence[RecurringExpense]]:
    """Lock the user's categories, and return two of them with the recurring expenses of the first.

    Raises CategoryError.
    """
    known = lock_and_get(user)
    if category_id == into_id:
        raise CategoryError("category_gone")
    category, into = _get(known, category_id), _get(known, into_id)
    query = sa.select(RecurringExpense).where(
        RecurringExpense.author_id == user.id, RecurringExpense.category == category.name
    )
    return category, into, db.session.scalars(query.order_by(RecurringExpense.id).with_for_update()).all()


def delete(user: User, category_id: uuid.UUID, now: datetime) -> Operation:
    """Delete a category that nothing uses. Raises CategoryError. The caller commits."""
    with operations.record(user, "delete_category", now) as operation:
        known = lock_and_get(user)
        category = _get(known, category_id)
        operation.label = category.name
        if any(get_usage(user, category.name)):
            raise CategoryError("category_in_use", name=category.name)
        if len(known) == 1:
            raise CategoryError("last_category")
        _delete(user, operation, category)
    return operation


def _get(known: Mapping[uuid.UUID, CategoryData], category_id: uuid.UUID) -> CategoryData:
    if category_id not in known:
        raise CategoryError("category_gone")
    return known[category_id]


def _find_by_key(known: Mapping[uuid.UUID, CategoryData], key: str) -> CategoryData | None:
    return next((category for category in known.values() if category.key == key), None)


def _positions(
    known: Mapping[uuid.UUID, CategoryData], category_id: uuid.UUID, after_id: uuid.UUID | None
) -> dict[uuid.UUID, int]:
    """Return the positions that move a category after another one, or to the top; none if it is there already.

    Raises CategoryError.
    """
    order = [other_id for other_id in known if other_id != category_id]
    if after_id is not None and after_id not in order:
        raise CategoryError("category_gone")
    order.insert(0 if after_id is None else order.index(after_id) + 1, category_id)
    return {} if order == list(known) else {other_id: position for position, other_id in enumerate(order, 1)}


def _refuse_taken(
    known: Mapping[uuid.UUID, CategoryData], category_id: uuid.UUID, name: str, code: str = "category_name_taken"
) -> None:
    same = _find_by_key(known, category_key(name))
    if same is not None and same.id != category_id:
        raise CategoryError(code, name=same.name, category_id=same.id)


def _refuse_reserved(name: str) -> None:
    if category_key(name) == category_key(NEW_CATEGORY):
        raise CategoryError("category_name_reserved")


def _append(
    user: User,
    operation: Operation,
    known: Mapping[uuid.UUID, CategoryData],
    category_id: uuid.UUID,
    name: str,
) -> None:
    """Add a new category after the others. Raises CategoryError."""
    _refuse_reserved(name)
    if len(known) >= MAX_CATEGORIES:
        raise CategoryError("too_many_categories", maximum=MAX_CATEGORIES)
    position = max((category.position for category in known.values()), default=0) + 1
    _insert(user, operation, category_id, name=name, position=position)


def _insert(user: User, operation: Operation, category_id: uuid.UUID, **values: Any) -> None:
    row = Category(author_id=user.id, id=category_id, **{"archived": False} | values)
    operations.add_row(operation, row, row.name)
    db.session.flush()


def _change(user: User, operation: Operation, category: CategoryData, **values: Any) -> None:
    """Give a category new values. A new name is also given to its recurring expenses, and later its expenses."""
    if all(getattr(category, name) == value for name, value in values.items()):
        return
    row = db.session.get_one(Category, (user.id, category.id), populate_existing=True)
    operations.change_row(operation, row, category.name, values)
    db.session.flush()
    if values.get("name", category.name) == category.name:
        return
    in_category = RecurringExpense.author_id == user.id, RecurringExpense.category == category.name
    row_count(sa.update(RecurringExpense).where(*in_category).values(category=values["name"]))


def _delete(user: User, operation: Operation, category: CategoryData) -> None:
    """Delete a category with its budgets."""
    for budget in _budgets(user, category):
        operations.delete_row(operation, budget, category.name)
    row = db.session.get_one(Category, (user.id, category.id), populate_existing=True)
    operations.delete_row(operation, row, category.name)


def _budgets(user: User, category: CategoryData) -> Sequence[Budget]:
    query = sa.select(Budget).where(Budget.author_id == user.id, Budget.category_id == category.id)
    return db.session.scalars(
        query.order_by(Budget.start_date), execution_options={"populate_existing": True}
    ).all()


# --- Undoing


def revert(
    user: User, operation: Operation, change: RowChange, budgets: Mapping[str, dict[str, Any]]
) -> bool | None:
    """Undo, as a part of `operation`, another operation's change to one of the user's categories.

    `budgets` are those that the other operation added, by their keys, with their values: they are removed with
    their category. Returns True if it was undone, None if it had been undone already, and False if the category
    was changed since, is used, or its name is taken now. The caller has locked.
    """
    known = {category.id: category for category in get_categories(user)}
    category_id = uuid.UUID(change.row_key)
    current = known.pop(category_id, None)
    before, after = (
        {} if values is None else operations.decode(Category, values) for values in (change.before, change.after)
    )
    if current is None:
        if before and not after:
            return _restore(user, operation, known.values(), category_id, before)
        return False if before else None
    if not after:
        return None
    if not before:
        return _remove(user, operation, known.values(), current, after, budgets)
    if not _has(current, after):
        return None if _has(current, before) else False
    if _is_taken(known.values(), before.get("name", current.name)):
        return False
    _change(user, operation, current, **before)
    return True


def _restore(
    user: User,
    operation: Operation,
    others: Iterable[CategoryData],
    category_id: uuid.UUID,
    values: dict[str, Any],
) -> bool:
    """Add a deleted category again, unless another one has its name; tell whether it was added."""
    if _is_taken(others, values["name"]):
        return False
    _insert(user, operation, category_id, **values)
    return True


def _remove(
    user: User,
    operation: Operation,
    others: Iterable[CategoryData],
    current: CategoryData,
    added: dict[str, Any],
    budgets: Mapping[str, dict[str, Any]],
) -> bool:
    """Delete an added category that nothing uses and that was not changed, except for its position."""
    is_as_added = _has(current, {name: value for name, value in added.items() if name != "position"})
    for budget in _budgets(user, current):
        values = operations.decode(Budget, operations.encode(budget))
        if budget.amount is not None and budgets.get(str(budget.id)) != values:
            return False
    if not is_as_added or not list(others) or any(get_usage(user, current.name)):
        return False
    _delete(user, operation, current)
    return True


def _is_taken(others: Iterable[CategoryData], name: str) -> bool:
    return category_key(name) in {category.key for category in others}


def _has(category: CategoryData, values: Mapping[str, Any]) -> bool:
    return all(getattr(category, name) == value for name, value in values.items())
