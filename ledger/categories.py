"""A person's own categories: which there are, what is done to them, and how that is undone."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import db
from ledger import operations
from ledger.operations import row_count
from ledger.spending import CATEGORIES, ExpenseFilter, summarise
from models import Category, Expense, Operation, RecurringExpense, RowChange, User, category_key

# So many categories fit a page.
MOST = 200
# The choice that the dropdowns have for a category still to be named, which is why none can be called so.
NEW_CATEGORY = "New …"
# The seed of the ids of categories that are not written yet.
UNWRITTEN = uuid.UUID(int=0)


class CategoryError(ValueError):
    """An operation that cannot be done; its message tells the person why. `category_id` says of which category."""

    def __init__(self, message: str, category_id: uuid.UUID) -> None:
        super().__init__(message)
        self.category_id = category_id


@dataclass(frozen=True)
class OwnCategory:
    """A category as it is, or as it shall be."""

    id: uuid.UUID
    name: str
    position: int
    archived: bool = False
    monthly_budget: Decimal | None = None

    @property
    def key(self) -> str:
        """The form in which its name is compared."""
        return category_key(self.name)


# What an operation can change of a category.
FIELDS = operations.TRACKED_COLUMNS[Category]
# A category before and after an operation; None where there is none.
Change = tuple[OwnCategory | None, OwnCategory | None]


# --- Which there are


def categories_of(user: User) -> list[OwnCategory]:
    """Return the user's categories in their order, by one statement; at first the ten CATEGORIES."""
    return _rows(user) or _beside([], user, CATEGORIES)


def all_categories(user: User, used: Iterable[str]) -> list[OwnCategory]:
    """Return the same, with those behind them that are `used` by expenses without being anybody's yet.

    Such are in expenses that came from elsewhere. The first operation makes them the user's.
    """
    own = categories_of(user)
    keys = {category.key for category in own}
    return own + _beside(own, user, [name for name in used if category_key(name) not in keys])


def numbers_of(user: User) -> dict[str, int]:
    """Return how many expenses are of each category that has any."""
    return {entry.category: entry.count for entry in summarise(user, ExpenseFilter()).breakdown}


def _rows(user: User) -> list[OwnCategory]:
    columns = [getattr(Category, field.name) for field in fields(OwnCategory)]
    query = sa.select(*columns).where(Category.author_id == user.id).order_by(Category.position, Category.id)
    return [OwnCategory(*row) for row in db.session.execute(query)]


def _beside(own: Sequence[OwnCategory], user: User, names: Iterable[str]) -> list[OwnCategory]:
    """Return categories for `names`, behind the user's `own`.

    They are not written yet, but always have the same ids, by which a page can speak of them.
    """
    taken = {category.id for category in own}
    position = max((category.position for category in own), default=0)
    found: dict[str, OwnCategory] = {}
    for name in names:
        row_id = uuid.uuid5(UNWRITTEN, f"{user.id} {category_key(name)}")
        while row_id in taken:
            # That one was renamed since.
            row_id = uuid.uuid5(row_id, "")
        found.setdefault(category_key(name), OwnCategory(row_id, name, position + 1 + len(found)))
    return list(found.values())


# --- What is done to them


def lock(user: User) -> Decimal | None:
    """Let one operation at a time work on the user's categories; return the user's budget for all of them."""
    # Not locked against new expenses, whose foreign key would wait for it.
    query = sa.select(User.monthly_budget).where(User.id == user.id).with_for_update(key_share=True)
    return db.session.scalar(query)


def begin(user: User) -> list[OwnCategory]:
    """Return the user's categories for an operation, once no other one is under way and all are written."""
    lock(user)
    return _write(user, numbers_of(user))


def ensure_exist(user: User, operation: Operation, names: Iterable[str]) -> None:
    """Add, as a part of an operation, the categories that expenses got back and the user does not have."""
    keys = {category.key for category in categories_of(user)}
    missing = sorted(name for name in set(names) if category_key(name) not in keys)
    if missing:
        own = _write(user, ())
        _change(user, operation, [(None, category) for category in _beside(own, user, missing)])


def _write(user: User, names: Iterable[str]) -> list[OwnCategory]:
    """Write what the user has not written yet: the ten CATEGORIES, and what `names` add; return all of them."""
    rows = _rows(user)
    own = rows or _beside([], user, CATEGORIES)
    known = {category.key: category.name for category in own}
    for name in names:
        same = known.get(category_key(name), name)
        if same != name:
            _rename_expenses(user, name, same)
    own = own + _beside(own, user, [name for name in names if category_key(name) not in known])
    for category in own[len(rows) :]:
        _insert(user, category)
    return own


def add(user: User, operation: Operation, name: str) -> str:
    """Add a category at the end, as a part of an operation; return its name as it is written.

    One that the user has already is not added again. Raises CategoryError. The caller commits.
    """
    own = begin(user)
    same = next((category.name for category in own if category.key == category_key(name)), None)
    if same is not None:
        return same
    category = OwnCategory(uuid7(), name, own[-1].position + 1)
    _refuse_too_many(len(own) + 1, category.id)
    _change(user, operation, [(None, category)])
    return name


def save(user: User, wanted: Sequence[OwnCategory], budget: Decimal | None, now: datetime) -> Operation:
    """Make the user's categories, and the budget for all, as they are wanted, by one operation.

    Here a position is the place in the list, from 1 on, at which a category is wanted. What is not the user's
    yet is added; what is not among the wanted stays as it is. The operation is empty when everything is so
    already. Raises CategoryError when a name is taken. The caller commits.
    """
    with operations.record(user, "edit_budgets", now) as operation:
        own = {category.id: category for category in begin(user)}
        _refuse_taken(own, wanted)
        states = own | {category.id: category for category in wanted}
        _refuse_too_many(len(states), [*states][-1])
        positions = _positions(own, wanted)
        states = {row_id: replace(state, position=positions[row_id]) for row_id, state in states.items()}
        changes: list[Change] = [(own.get(row_id), state) for row_id, state in states.items()]
        _change(user, operation, [(former, new) for former, new in changes if former != new])
        # Read again, now that nobody else changes it.
        row = db.session.get_one(User, user.id, populate_existing=True)
        operations.change_row(operation, row, "", {"monthly_budget": budget})
    return operation


def merge(user: User, former: OwnCategory, into: OwnCategory, now: datetime) -> Operation:
    """Give the expenses of one of the user's categories, and what repeats, to another one, and delete it.

    Raises CategoryError. The caller commits.
    """
    with operations.record(user, "merge_categories", now, label=into.name) as operation:
        own = {category.id: category for category in begin(user)}
        if former.id == into.id or former.id not in own or into.id not in own:
            raise CategoryError("Choose another category.", former.id)
        name, new_name = own[former.id].name, own[into.id].name
        operation.label = new_name
        operations.change_expenses(operation, Expense.category == name, {"category": new_name})
        repeating = sa.select(RecurringExpense).where(
            RecurringExpense.author_id == user.id, RecurringExpense.category == name
        )
        for recurring in db.session.scalars(repeating.order_by(RecurringExpense.id).with_for_update()):
            label = recurring.description or name
            operations.change_row(operation, recurring, label, {"category": new_name})
        db.session.flush()
        _delete(user, operation, former.id)
    return operation


def _positions(own: dict[uuid.UUID, OwnCategory], wanted: Sequence[OwnCategory]) -> dict[uuid.UUID, int]:
    """Return the position of each category: as it is while the order stays, else counted anew."""
    places = {row_id: place for place, row_id in enumerate(own, 1)}
    end = len(places) + 1
    order = {row_id: (place, 0, place) for row_id, place in places.items()}
    for category in wanted:
        place, asked = places.get(category.id, end), category.position
        # What moves up comes before what is at its new place, and what moves down behind it.
        order[category.id] = (asked, (asked > place) - (asked < place), place)
    ordered = sorted(order, key=lambda row_id: order[row_id])
    stays = [row_id for row_id in ordered if row_id in own] == list(own) and ordered[: len(own)] == list(own)
    positions = {row_id: category.position for row_id, category in own.items()} if stays else {}
    last = max(positions.values(), default=0)
    return {row_id: positions.get(row_id, last + place) for place, row_id in enumerate(ordered, 1)}


def _refuse_taken(own: dict[uuid.UUID, OwnCategory], wanted: Sequence[OwnCategory]) -> None:
    """Raise CategoryError when a new name is another category's, also when that one is to have another name."""
    taken = {category.key: category for category in own.values()}
    for category in wanted:
        same = taken.setdefault(category.key, category)
        if same.id != category.id:
            raise CategoryError(
                f"There is a category “{same.name}” already. Use another name, or merge the two.", category.id
            )


def _refuse_too_many(number: int, category_id: uuid.UUID) -> None:
    if number > MOST:
        raise CategoryError(f"There are {MOST} categories already. Merge or delete some first.", category_id)


def _refuse_reserved(former: OwnCategory | None, new: OwnCategory | None) -> None:
    """Raise CategoryError when a category would be named like the choice NEW_CATEGORY."""
    if new is None or (former is not None and former.name == new.name):
        return
    if new.key == category_key(NEW_CATEGORY):
        raise CategoryError("Use another name.", new.id)


def delete(user: User, category_id: uuid.UUID, now: datetime) -> Operation:
    """Delete a category of the user's that is not used. Raises CategoryError. The caller commits."""
    with operations.record(user, "delete_category", now) as operation:
        _delete(user, operation, category_id)
    return operation


def _delete(user: User, operation: Operation, category_id: uuid.UUID) -> None:
    own = {category.id: category for category in begin(user)}
    if category_id not in own:
        raise CategoryError("This category was deleted already.", category_id)
    former = own[category_id]
    if _is_used(user, former.name):
        raise CategoryError(f"{former.name} has expenses. Merge it into another one, or archive it.", category_id)
    if len(own) == 1:
        raise CategoryError("Keep at least one category.", category_id)
    _change(user, operation, [(former, None)])


def _change(user: User, operation: Operation, changes: Sequence[Change]) -> None:
    """Carry out changes of the user's categories as a part of an operation. Raises CategoryError."""
    for former, new in changes:
        _refuse_reserved(former, new)
    for former, new in changes:
        _put(user, operation, former, new)


def _put(user: User, operation: Operation, former: OwnCategory | None, new: OwnCategory | None) -> None:
    """Put `new` in the place of `former`; its expenses follow to its new name."""
    if former is None:
        assert new is not None
        row = Category(author_id=user.id, id=new.id, **{name: getattr(new, name) for name in FIELDS})
        operations.add_row(operation, row, new.name)
        return
    row = db.session.get_one(Category, (user.id, former.id), populate_existing=True)
    if new is None:
        operations.delete_row(operation, row, former.name)
        return
    operations.change_row(operation, row, former.name, {name: getattr(new, name) for name in FIELDS})
    db.session.flush()
    if former.name != new.name:
        _rename_expenses(user, former.name, new.name)


def _insert(user: User, category: OwnCategory) -> None:
    """Write a category, unless somebody else with the same account has done so at this very moment."""
    values = {name: getattr(category, name) for name in FIELDS}
    key = {"author_id": user.id, "id": category.id, "name_key": category.key}
    operations.insert_unless_exists(Category, **key, **values)


def _rename_expenses(user: User, former: str, name: str) -> None:
    """Give the user's expenses of a category, and what repeats, its new name."""
    for model in (Expense, RecurringExpense):
        row_count(
            sa.update(model).where(model.author_id == user.id, model.category == former).values(category=name)
        )


def _is_used(user: User, name: str) -> bool:
    """Tell whether an expense of the user's, or what repeats, is of this category."""
    queries = (
        sa.select(model.id).where(model.author_id == user.id, model.category == name).limit(1)
        for model in (Expense, RecurringExpense)
    )
    return any(db.session.scalar(query) is not None for query in queries)


# --- How that is undone


def revert(user: User, operation: Operation, change: RowChange) -> bool | None:
    """Undo, as a part of `operation`, what another one did to one of the user's categories.

    Returns True when that was done, None when it had been undone already, and False when the category was left
    alone: changed since, used, or with a name that is another one's now. The caller has locked.
    """
    own = {category.id: category for category in _rows(user)}
    category_id = uuid.UUID(change.row_key)
    current = own.pop(category_id, None)
    before, after = (
        {} if values is None else operations.decode(Category, values) for values in (change.before, change.after)
    )
    former: OwnCategory | None = None
    if not before:
        if current is None:
            return None
        added = OwnCategory(category_id, **after)
        if replace(current, position=added.position) != added or not own or _is_used(user, current.name):
            return False
    elif not after:
        if current is not None:
            return None
        former = OwnCategory(category_id, **before)
    else:
        if current is None or not _has(current, after):
            return None if current is not None and _has(current, before) else False
        former = replace(current, **before)
    if former is not None and former.key in {category.key for category in own.values()}:
        return False
    _put(user, operation, current, former)
    return True


def _has(category: OwnCategory, values: dict[str, Any]) -> bool:
    return all(getattr(category, name) == value for name, value in values.items())
