"""What was deleted and changed, and how it is taken back: every act is a batch with an id of its own."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute
from uuid_utils.compat import uuid7

from database import Base, Money, UTCDateTime, db
from ledger import categories
from ledger.categories import UNSYNCHRONISED, CategoryError, OwnCategory
from ledger.money import currency_digits
from ledger.spending import VALUES, Summary
from models import (
    Category,
    ChangedCategory,
    ChangedExpense,
    DeletedExpense,
    Expense,
    RecurringExpense,
    User,
    description_key,
)

KEPT = timedelta(days=30)
# How many acts and how many of their expenses are shown at once, and how many are named in a message.
ACTS, SHOWN, NAMED = 50, 200, 3
# The two kinds of acts, and when each was done.
_MOMENTS: tuple[tuple[type[DeletedExpense | ChangedExpense], InstrumentedAttribute[datetime]], ...] = (
    (DeletedExpense, DeletedExpense.deleted_at),
    (ChangedExpense, ChangedExpense.changed_at),
)
# All columns that a change of VALUES touches.
TOUCHED = (*VALUES, "description_key")
EXPENSE = Expense.__table__.c
COLUMNS = EXPENSE.keys()


class HistoryError(ValueError):
    """An act that cannot be taken back; its message tells the person why."""


@dataclass(frozen=True)
class Act:
    """What was done together: when, to how many expenses, their former sum, and some of them as they were.

    `words` say what was done to categories.
    """

    batch: uuid.UUID
    moment: datetime
    deleted: bool = False
    number: int = 0
    total: Decimal = Decimal(0)
    expenses: tuple[DeletedExpense | ChangedExpense, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Restored:
    """For how many expenses and categories an act was taken back, and what to say of those left alone."""

    number: int
    left_alone: str = ""
    categories: int = 0


def delete_expenses(user: User, chosen: sa.ColumnElement[bool], now: datetime) -> tuple[uuid.UUID, Summary]:
    """Move the user's chosen expenses to the deleted ones, as one act; return its batch, their number and sum.

    The caller commits.
    """
    batch = uuid7()
    query = sa.select(*EXPENSE, sa.literal(now, UTCDateTime), sa.literal(batch, sa.Uuid))
    query = _lock(query.where(EXPENSE.author_id == user.id, chosen))
    db.session.execute(sa.insert(DeletedExpense).from_select([*COLUMNS, "deleted_at", "batch"], query))
    moved = sa.select(DeletedExpense.id).where(*_act(DeletedExpense, user, batch))
    _delete(Expense, [Expense.author_id == user.id, Expense.id.in_(moved)])
    return batch, _summary(DeletedExpense, user, batch)


def change_expenses(
    user: User,
    chosen: sa.ColumnElement[bool],
    values: dict[str, Any],
    now: datetime,
    batch: uuid.UUID | None = None,
) -> tuple[uuid.UUID, Summary]:
    """Give the user's chosen expenses new `values`, as one act; return its batch, their number and former sum.

    `batch` is an act of which this is a part. What has these values already is not touched. The caller commits.
    """
    batch = batch or uuid7()
    new = {name: sa.literal(value, EXPENSE[name].type) for name, value in values.items()}
    differs = sa.or_(*(EXPENSE[name] != value for name, value in new.items()))
    query = sa.select(
        EXPENSE.author_id,
        EXPENSE.id,
        sa.literal(batch, sa.Uuid),
        sa.literal(now, UTCDateTime),
        *(EXPENSE[name] for name in TOUCHED),
        *(new.get(name, EXPENSE[name]) for name in VALUES),
    )
    query = _lock(query.where(EXPENSE.author_id == user.id, chosen, differs))
    columns = ["author_id", "id", "batch", "changed_at", *TOUCHED, *(f"new_{name}" for name in VALUES)]
    db.session.execute(sa.insert(ChangedExpense).from_select(columns, query))
    changed = sa.select(ChangedExpense.id).where(*_act(ChangedExpense, user, batch))
    if "description" in values:
        values = values | {"description_key": description_key(values["description"])}
    change = sa.update(Expense).where(Expense.author_id == user.id, Expense.id.in_(changed)).values(**values)
    db.session.execute(change, execution_options=UNSYNCHRONISED)
    return batch, _summary(ChangedExpense, user, batch)


def merge_category(user: User, former: OwnCategory, into: OwnCategory, now: datetime) -> tuple[uuid.UUID, Summary]:
    """Give the expenses of one of the user's categories to another one and delete it, as one act.

    Returns its batch, and number and sum of the expenses. Raises CategoryError. The caller commits.
    """
    own = {category.id: category for category in categories.begin(user)}
    if former.id == into.id or former.id not in own or into.id not in own:
        raise CategoryError("Choose another category of yours.", former.id)
    name, new_name = own[former.id].name, own[into.id].name
    batch, moved = change_expenses(user, Expense.category == name, {"category": new_name}, now)
    # What repeats goes along, and stays there when the merger is taken back.
    repeating = sa.update(RecurringExpense).where(
        RecurringExpense.author_id == user.id, RecurringExpense.category == name
    )
    db.session.execute(repeating.values(category=new_name), execution_options=UNSYNCHRONISED)
    categories.delete(user, former.id, now, batch, new_name)
    return batch, moved


def _lock(query: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
    """Lock the rows of `query`, always in the same order: then two acts cannot wait for each other."""
    return query.order_by(EXPENSE.id).with_for_update()


def take_back(user: User, batch: uuid.UUID, expense_id: uuid.UUID | None = None) -> Restored:
    """Take an act back: all of it, or what it did to one expense. Raises HistoryError when there is nothing left.

    Deleted expenses return exactly as they were. Changed ones get their former values, unless they were
    changed or deleted since: those are left alone and named, and can be taken back when that has been. The
    same holds for categories; one that is gone comes back with its expenses. The caller commits.
    """
    categories.lock(user)
    acts = [sa.select(model.category).where(*_act(model, user, batch, expense_id)) for model, _ in _MOMENTS]
    used = db.session.scalars(sa.union(*acts)).all()
    number, left = _restore_deleted(user, batch, expense_id), list[str]()
    if not number:
        number, left = _restore_changed(user, batch, expense_id)
    restored = Restored(number)
    if expense_id is None or number:
        # With one expense returns the category that was merged away: made anew, it would have lost its place.
        put_back, unchanged = categories.take_back(user, batch, deleted_only=expense_id is not None)
        restored, left = Restored(number, categories=put_back), [*unchanged, *left]
    categories.keep(user, used)
    if not restored.number and not restored.categories and not left:
        raise HistoryError("This was taken back already.")
    return replace(restored, left_alone=left_alone(left))


def _restore_deleted(user: User, batch: uuid.UUID, expense_id: uuid.UUID | None) -> int:
    act = _act(DeletedExpense, user, batch, expense_id)
    former = [DeletedExpense.__table__.c[name] for name in COLUMNS]
    query = sa.select(*former).where(*act).with_for_update()
    db.session.execute(sa.insert(Expense).from_select(COLUMNS, query))
    return _delete(DeletedExpense, act)


def _restore_changed(user: User, batch: uuid.UUID, expense_id: uuid.UUID | None) -> tuple[int, list[str]]:
    act = _act(ChangedExpense, user, batch, expense_id)

    def is_as(prefix: str) -> sa.ColumnElement[bool]:
        """Tell of an expense whether it is as it was before the change (no prefix), or as the change left it."""
        same = (getattr(Expense, name) == getattr(ChangedExpense, prefix + name) for name in VALUES)
        return sa.and_(Expense.author_id == user.id, Expense.id == ChangedExpense.id, *same)

    former = {name: getattr(ChangedExpense, name) for name in _touched_by(act)}
    # Named once more by their ids: else SQLite looks at every expense of the user for one of the act.
    touched = Expense.id.in_(sa.select(ChangedExpense.id).where(*act))
    if former:
        restore = sa.update(Expense).where(*act, is_as("new_"), touched).values(**former)
        db.session.execute(restore, execution_options=UNSYNCHRONISED)
    number = _delete(ChangedExpense, [*act, sa.exists().where(is_as(""))])
    name = sa.func.coalesce(sa.func.nullif(ChangedExpense.description, ""), ChangedExpense.category)
    left = db.session.scalars(sa.select(name).where(*act).order_by(ChangedExpense.id)).all()
    return number, list(left)


def _touched_by(act: list[sa.ColumnElement[bool]]) -> list[str]:
    """Return the columns that an act changed: writing one renews every index that has it."""
    pairs = ((getattr(ChangedExpense, name), getattr(ChangedExpense, f"new_{name}")) for name in VALUES)
    differs = (sa.func.max(sa.case((old != new, 1), else_=0)) for old, new in pairs)
    row = db.session.execute(sa.select(*differs).where(*act)).one()
    touched = [name for name, changed in zip(VALUES, row, strict=True) if changed]
    return [*touched, "description_key"] if "description" in touched else touched


def left_alone(names: Sequence[str]) -> str:
    """Say what was left alone, the first few by their names."""
    if not names:
        return ""
    named = ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"Changed since and left alone: {named}{more}."


def recent_acts(user: User, now: datetime, before: uuid.UUID | None = None) -> list[Act]:
    """Return up to ACTS of what the user has deleted and changed within the last 30 days, the latest first.

    `before` asks for what is older than an act. The ids of acts sort by time.
    """
    acts = _category_acts(user, now, before)
    for model, moment in _MOMENTS:
        recent = [model.author_id == user.id, moment >= now - KEPT]
        if before is not None:
            recent.append(model.batch < before)
        query = sa.select(model.batch, sa.func.max(moment), sa.func.count(), sa.func.sum(model.amount))
        query = query.where(*recent).group_by(model.batch).order_by(model.batch.desc()).limit(ACTS)
        rows = sa.select(model).where(*recent)
        rows = rows.order_by(model.batch.desc(), model.date.desc(), model.id.desc()).limit(SHOWN)
        expenses = cast(Sequence[DeletedExpense | ChangedExpense], db.session.scalars(rows).all())
        for batch, done, number, total in db.session.execute(query):
            shown = tuple(each for each in expenses if each.batch == batch)
            words = acts[batch].words if batch in acts else ""
            acts[batch] = Act(batch, done, model is DeletedExpense, number, total, shown, words)
    return sorted(acts.values(), key=lambda act: act.batch, reverse=True)[:ACTS]


def _category_acts(user: User, now: datetime, before: uuid.UUID | None) -> dict[uuid.UUID, Act]:
    """Return up to ACTS of what the user has done to categories."""
    recent = [ChangedCategory.author_id == user.id, ChangedCategory.changed_at >= now - KEPT]
    if before is not None:
        recent.append(ChangedCategory.batch < before)
    batches = sa.select(ChangedCategory.batch).where(*recent).distinct()
    latest = batches.order_by(ChangedCategory.batch.desc()).limit(ACTS)
    notes: dict[uuid.UUID, list[ChangedCategory]] = {}
    for note in categories.notes_of(user, [ChangedCategory.batch.in_(latest)]):
        notes.setdefault(note.batch, []).append(note)
    return {
        batch: Act(batch, done[0].changed_at, words=categories.describe(done)) for batch, done in notes.items()
    }


def _act(
    model: type[DeletedExpense | ChangedExpense],
    user: User,
    batch: uuid.UUID,
    expense_id: uuid.UUID | None = None,
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the rows of one act, or of what it did to one expense."""
    conditions = [model.author_id == user.id, model.batch == batch]
    return conditions if expense_id is None else [*conditions, model.id == expense_id]


def _summary(model: type[DeletedExpense | ChangedExpense], user: User, batch: uuid.UUID) -> Summary:
    """Return number and sum of the expenses of an act, as they were before it."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(model.amount), 0))
    return Summary(*db.session.execute(query.where(*_act(model, user, batch))).one())


def _delete(model: type[Base], conditions: list[sa.ColumnElement[bool]]) -> int:
    """Delete rows and return how many there were."""
    result = db.session.execute(sa.delete(model).where(*conditions), execution_options=UNSYNCHRONISED)
    assert isinstance(result, sa.CursorResult)
    return result.rowcount


def purge(now: datetime) -> int:
    """Forget what anyone deleted or changed over 30 days ago; return how many expenses. The caller commits."""
    _delete(ChangedCategory, [ChangedCategory.changed_at < now - KEPT])
    return sum(_delete(model, [moment < now - KEPT]) for model, moment in _MOMENTS)


def count_unrepresentable_amounts(user: User, currency: str, now: datetime) -> int:
    """Return how many amounts of `user` cannot be written in `currency`, or could not once back."""
    digits = currency_digits(currency)
    if digits >= currency_digits(user.currency):
        return 0
    finer = [
        sa.select(amount.class_.id).where(
            amount.class_.author_id == user.id,
            sa.type_coerce(amount, sa.BigInteger) % 10 ** (Money.SCALE - digits) != 0,
            *recent,
        )
        for amount, *recent in (
            (Expense.amount,),
            (DeletedExpense.amount, DeletedExpense.deleted_at >= now - KEPT),
            (ChangedExpense.amount, ChangedExpense.changed_at >= now - KEPT),
            (ChangedExpense.new_amount, ChangedExpense.changed_at >= now - KEPT),
            (RecurringExpense.amount,),
            (Category.monthly_budget,),
        )
    ]
    number = db.session.scalar(sa.select(sa.func.count()).select_from(sa.union(*finer).subquery())) or 0
    overall = user.monthly_budget or Decimal(0)
    return number + (round(overall, digits) != overall)
