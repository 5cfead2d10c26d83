"""A person's own categories: which there are, what is done to them, and how that is taken back."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from uuid_utils.compat import uuid7

from database import db
from ledger.spending import CATEGORIES, ExpenseFilter, summarise
from models import Category, ChangedCategory, Expense, RecurringExpense, User, category_key

# So many categories fit a page.
MOST = 200
# The choice that the dropdowns have for a category still to be named, which is why none can be called so.
NEW_CATEGORY = "New …"
# How many categories are named when it is told what an act did.
NAMED = 3
# The category in whose place the journal notes the budget for all.
OVERALL = uuid.UUID(int=0)
# A category may have a hundred thousand expenses, of which the session has none in hand.
UNSYNCHRONISED = {"synchronize_session": False}


class CategoryError(ValueError):
    """An act that cannot be done; its message tells the person why. `category_id` says of which category."""

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


# What an act can change of a category.
FIELDS = tuple(field.name for field in fields(OwnCategory) if field.name != "id")
# A category before and after an act; None where there is none.
Change = tuple[OwnCategory | None, OwnCategory | None]


# --- Which there are


def categories_of(user: User) -> list[OwnCategory]:
    """Return the user's categories in their order, by one statement; the ten CATEGORIES until the first act."""
    return _rows(user) or _beside([], user, CATEGORIES)


def all_categories(user: User, used: Iterable[str]) -> list[OwnCategory]:
    """Return the same, with those behind them that are `used` by expenses without being anybody's yet.

    Such are in expenses that came from elsewhere. The first act makes them the user's.
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
        row_id = uuid.uuid5(OVERALL, f"{user.id} {category_key(name)}")
        while row_id in taken:
            # That one was renamed since.
            row_id = uuid.uuid5(row_id, "")
        found.setdefault(category_key(name), OwnCategory(row_id, name, position + 1 + len(found)))
    return list(found.values())


# --- What is done to them


def lock(user: User) -> Decimal | None:
    """Let one act at a time work on the user's categories; return the user's budget for all of them."""
    # Not locked against new expenses, whose foreign key would wait for it.
    query = sa.select(User.monthly_budget).where(User.id == user.id).with_for_update(key_share=True)
    return db.session.scalar(query)


def begin(user: User) -> list[OwnCategory]:
    """Return the user's categories for an act, once no other one is under way and all of them are written."""
    lock(user)
    return _write(user, numbers_of(user))


def keep(user: User, names: Sequence[str]) -> None:
    """Make sure that the categories which expenses got back are the user's."""
    if names and set(names) - {category.name for category in categories_of(user)}:
        _write(user, names)


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


def add(user: User, name: str, now: datetime, batch: uuid.UUID | None = None) -> tuple[uuid.UUID | None, str]:
    """Add a category at the end, as an act or a part of `batch`; return the batch, and the name as it is written.

    The batch is None when the user has the category already. The caller commits.
    """
    own = begin(user)
    same = next((category.name for category in own if category.key == category_key(name)), None)
    if same is not None:
        return None, same
    category = OwnCategory(uuid7(), name, own[-1].position + 1)
    _refuse_too_many(len(own) + 1, category.id)
    batch = batch or uuid7()
    _change(user, batch, now, [(None, category)])
    return batch, name


def save(
    user: User, wanted: Sequence[OwnCategory], budget: Decimal | None, now: datetime
) -> tuple[uuid.UUID, str] | None:
    """Make the user's categories, and the budget for all, as they are wanted; return the batch and what was done.

    Here a position is the place in the list, from 1 on, at which a category is wanted. What is not the user's
    yet is added; what is not among the wanted stays as it is. Returns None when everything is so already.
    Raises CategoryError when a name is taken. The caller commits.
    """
    own = {category.id: category for category in begin(user)}
    _refuse_taken(own, wanted)
    states = own | {category.id: category for category in wanted}
    _refuse_too_many(len(states), [*states][-1])
    positions = _positions(own, wanted)
    states = {row_id: replace(state, position=positions[row_id]) for row_id, state in states.items()}
    changes: list[Change] = [(own.get(row_id), state) for row_id, state in states.items()]
    batch = uuid7()
    _change(user, batch, now, [(former, new) for former, new in changes if former != new])
    _set_overall(user, budget, batch, now)
    done = describe(notes_of(user, [ChangedCategory.batch == batch]))
    return (batch, done) if done else None


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


def delete(
    user: User, category_id: uuid.UUID, now: datetime, batch: uuid.UUID | None = None, into: str | None = None
) -> uuid.UUID:
    """Delete a category of the user's that is not used, as an act or a part of `batch`; return the batch.

    `into` is where its expenses have gone. Raises CategoryError. The caller commits.
    """
    own = {category.id: category for category in begin(user)}
    if category_id not in own:
        raise CategoryError("This category was deleted already.", category_id)
    former = own[category_id]
    if _is_used(user, former.name):
        raise CategoryError(f"{former.name} has expenses. Merge it into another one, or archive it.", category_id)
    if len(own) == 1:
        raise CategoryError("Keep at least one category.", category_id)
    batch = batch or uuid7()
    _change(user, batch, now, [(former, None)], into)
    return batch


def _change(
    user: User, batch: uuid.UUID, now: datetime, changes: Sequence[Change], into: str | None = None
) -> None:
    """Carry out changes of the user's categories, and note them as one act. Raises CategoryError."""
    for former, new in changes:
        _refuse_reserved(former, new)
    for former, new in changes:
        one = former or new
        assert one is not None
        note = ChangedCategory(author_id=user.id, batch=batch, id=one.id, changed_at=now, merged_into=into)
        for name in FIELDS:
            setattr(note, name, getattr(former, name, None))
            setattr(note, f"new_{name}", getattr(new, name, None))
        note.renamed = _put(user, former, new)
        db.session.add(note)
    db.session.flush()


def _put(user: User, former: OwnCategory | None, new: OwnCategory | None) -> int:
    """Put `new` in the place of `former`; return how many expenses followed to its new name."""
    if former is None:
        assert new is not None
        _insert(user, new)
    elif new is None:
        db.session.execute(sa.delete(Category).where(*_of(user, former.id)), execution_options=UNSYNCHRONISED)
    else:
        values = {name: getattr(new, name) for name in FIELDS} | {"name_key": new.key}
        change = sa.update(Category).where(*_of(user, new.id)).values(**values)
        db.session.execute(change, execution_options=UNSYNCHRONISED)
        if former.name != new.name:
            return _rename_expenses(user, former.name, new.name)
    return 0


def _of(user: User, category_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return Category.author_id == user.id, Category.id == category_id


def _insert(user: User, category: OwnCategory) -> None:
    """Write a category, unless somebody else with the same account has done so at this very moment."""
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    values = {name: getattr(category, name) for name in FIELDS}
    insert = dialect.insert(Category).values(author_id=user.id, id=category.id, name_key=category.key, **values)
    db.session.execute(insert.on_conflict_do_nothing())


def _rename_expenses(user: User, former: str, name: str) -> int:
    """Give the user's expenses of a category, and what repeats, its new name; return how many expenses it has."""
    numbers = []
    for model in (Expense, RecurringExpense):
        of_former = sa.update(model).where(model.author_id == user.id, model.category == former)
        result = db.session.execute(of_former.values(category=name), execution_options=UNSYNCHRONISED)
        assert isinstance(result, sa.CursorResult)
        numbers.append(result.rowcount)
    return numbers[0]


def _is_used(user: User, name: str) -> bool:
    """Tell whether an expense of the user's, or what repeats, is of this category."""
    queries = (
        sa.select(model.id).where(model.author_id == user.id, model.category == name).limit(1)
        for model in (Expense, RecurringExpense)
    )
    return any(db.session.scalar(query) is not None for query in queries)


def _set_overall(user: User, budget: Decimal | None, batch: uuid.UUID, now: datetime) -> None:
    """Set the user's budget for all categories, and note it as a part of an act."""
    former = lock(user)
    if budget == former:
        return
    _write_overall(user, budget)
    note = ChangedCategory(author_id=user.id, batch=batch, id=OVERALL, changed_at=now)
    note.monthly_budget, note.new_monthly_budget = former, budget
    db.session.add(note)
    db.session.flush()


def _write_overall(user: User, budget: Decimal | None) -> None:
    change = sa.update(User).where(User.id == user.id).values(monthly_budget=budget)
    db.session.execute(change, execution_options=UNSYNCHRONISED)


# --- How it is taken back


def take_back(user: User, batch: uuid.UUID, deleted_only: bool = False) -> tuple[int, list[str]]:
    """Take back what an act did to the user's categories, or to those it deleted, where they are as it left them.

    Returns how many got their former state, and the names of those that were left alone: changed since, used,
    or with a name that is another one's now. The caller has locked, and commits.
    """
    act = [ChangedCategory.batch == batch]
    if deleted_only:
        act += [ChangedCategory.new_name.is_(None), ChangedCategory.id != OVERALL]
    notes = notes_of(user, act)
    left = []
    for note in notes:
        if _put_back(user, note):
            db.session.delete(note)
        else:
            left.append(note.new_name or note.name or "the budget for all categories")
    db.session.flush()
    return len(notes) - len(left), left


def _put_back(user: User, note: ChangedCategory) -> bool:
    """Give a category its former state; tell whether that could be done."""
    if note.id == OVERALL:
        if lock(user) != note.new_monthly_budget:
            return False
        _write_overall(user, note.monthly_budget)
        return True
    own = {category.id: category for category in _rows(user)}
    former, new, current = _state(note, ""), _state(note, "new_"), own.pop(note.id, None)
    if former is not None and former.key in {category.key for category in own.values()}:
        return False
    if new is None or current is None:
        if new is not None or current is not None:
            return False
    elif former is None:
        if replace(current, position=new.position) != new or not own or _is_used(user, current.name):
            return False
    else:
        # What a later act did to the rest of it stays.
        changed = [name for name in FIELDS if getattr(former, name) != getattr(new, name)]
        if any(getattr(current, name) != getattr(new, name) for name in changed):
            return False
        former = replace(current, **{name: getattr(former, name) for name in changed})
    _put(user, current, former)
    return True


def _state(note: ChangedCategory, prefix: str) -> OwnCategory | None:
    """Return a category as it was before an act (no prefix), or as the act left it."""
    values: dict[str, Any] = {name: getattr(note, prefix + name) for name in FIELDS}
    return None if values["name"] is None else OwnCategory(note.id, **values)


def notes_of(user: User, which: Sequence[sa.ColumnElement[bool]]) -> Sequence[ChangedCategory]:
    """Return what was noted of the user's categories, in the order of the categories."""
    query = sa.select(ChangedCategory).where(ChangedCategory.author_id == user.id, *which)
    order = sa.func.coalesce(ChangedCategory.new_position, ChangedCategory.position)
    return db.session.scalars(query.order_by(order, ChangedCategory.id)).all()


def describe(notes: Iterable[ChangedCategory]) -> str:
    """Say what an act did: `Renamed Food to Groceries (42 expenses), archived Travel`."""
    done: dict[str, list[str]] = {}
    for note in notes:
        for verb, name in _deeds(note):
            done.setdefault(verb, []).append(name)
    parts = []
    for verb, names in done.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        parts.append(f"{verb} {', '.join(names[:NAMED])}{more}".strip())
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def _deeds(note: ChangedCategory) -> Iterator[tuple[str, str]]:
    """Yield a verb and its object for each thing that an act did to one category."""
    former, new = _state(note, ""), _state(note, "new_")
    if note.id == OVERALL:
        yield "changed the budget for", "all categories"
    elif new is None:
        yield (
            ("merged", f"{note.name} into {note.merged_into}") if note.merged_into else ("deleted", f"{note.name}")
        )
    elif former is None:
        yield "added", new.name
    else:
        if former.name != new.name:
            number = f"{note.renamed} expense" if note.renamed == 1 else f"{note.renamed} expenses"
            yield "renamed", f"{former.name} to {new.name} ({number})"
        if former.archived != new.archived:
            yield "archived" if new.archived else "brought back", new.name
        if former.monthly_budget != new.monthly_budget:
            yield "changed the budget of", new.name
        if former.position != new.position:
            yield "moved", new.name
