"""The descriptions that a user has used: searching them, and what they were last used for."""

from collections.abc import Sequence

import sqlalchemy as sa

from database import db
from database.statements import OWNER_ID
from database.used_descriptions import forget_unused, has_used_descriptions, used_description
from ledger.periods import Period
from models import Expense, User, description_key

# A period of at most this many days mostly has fewer expenses than the account has different descriptions.
SHORT_DAYS = 100


def with_words(words: Sequence[str], period: Period) -> sa.ColumnElement[bool]:
    """Return the condition that the description of an expense contains all of these words, in any order.

    If the database keeps the distinct descriptions of each user, those of the owner are searched instead of all
    expenses, unless a short `period` limits the expenses.
    """

    def is_in(key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return sa.and_(*(key.contains(word, autoescape=True) for word in words))

    key, used = Expense.__table__.c.description_key, used_description.c
    # As with the monthly totals, each process looks for the table once.
    if period.is_within(SHORT_DAYS) or not has_used_descriptions(db.engine):
        return is_in(key)
    return key.in_(sa.select(used.description_key).where(used.author_id == OWNER_ID, is_in(used.description_key)))


def suggest_category(user: User, description: str) -> str | None:
    """Return the category that the user last gave to this description, or None."""
    key = description_key(description)
    query = (
        sa.select(Expense.category)
        .where(Expense.author_id == user.id, Expense.description_key == key)
        .order_by(Expense.date.desc(), Expense.id.desc())
        .limit(1)
    )
    return db.session.scalar(query) if key else None


def purge() -> None:
    """Forget descriptions that no expense has any more, with a commit for each user."""
    if not has_used_descriptions(db.engine):
        return
    for user_id in db.session.scalars(sa.select(User.id)).all():
        forget_unused(db.session.connection(), user_id)
        db.session.commit()
