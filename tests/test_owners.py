"""The check of statement owners that runs in every page test: what it accepts and what it rejects."""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import aliased, joinedload
from uuid_utils.compat import uuid7

from database import db
from database.month_totals import month_total
from database.used_descriptions import used_description
from ledger import spending
from models import Category, Expense, ExpenseChange, LoginSession, User
from tests.owners import NotOneOwnerError, owner_parameters

ANA, BOB = 1, 2
HERS = Expense.author_id == ANA
HER_CHANGES = ExpenseChange.author_id == ANA
IDS = sa.select(Expense.id)
OTHER = aliased(Expense)
KEPT = ["author_id", "id", "amount", "category", "description", "description_key", "date", "created_at"]
DELETED_TWINS = sa.select(ExpenseChange.id).where(HER_CHANGES, ExpenseChange.id == Expense.id).subquery()
DELETED = ExpenseChange.__table__.c
ROW = {"amount": 1, "category": "Food", "date": date(2026, 1, 1)}


def row(**values):
    return {"id": uuid7(), **ROW, **values}


@pytest.fixture
def send(app):
    """Send a statement as a page of a stranger does."""

    def send(statement, parameters=None):
        with app.test_request_context(method="POST"):
            try:
                db.session.execute(statement, parameters, execution_options={"synchronize_session": False})
            finally:
                db.session.rollback()

    return send


# --- What is found

MISSING = {
    "select": IDS,
    "select by id": IDS.where(Expense.id == uuid7()),
    "select of an entity": sa.select(Expense),
    "select of a core table": sa.select(Expense.__table__.c.id),
    "select of another comparison": IDS.where(Expense.author_id > ANA),
    "select of a list": IDS.where(Expense.author_id.in_([ANA])),
    "select of an alternative": IDS.where(sa.or_(HERS, Expense.id == uuid7())),
    "select of all but one": IDS.where(sa.not_(HERS)),
    "select by another column": IDS.where(Expense.author_id == Expense.author_id),
    "select of kept months": sa.select(month_total.c.amount),
    "subquery of used descriptions": IDS.where(
        HERS, Expense.description_key.in_(sa.select(used_description.c.description_key))
    ),
    "join": sa.select(User.id).join(LoginSession, LoginSession.user_id == User.id).where(User.id == ANA),
    "join of two of which one is asked": IDS.join(Category, Category.name == Expense.category).where(HERS),
    "join of two of which the other is asked": IDS.join(Category, Category.name == Expense.category).where(
        Category.author_id == ANA
    ),
    "outer join": IDS.outerjoin(Category, Category.author_id == Expense.author_id).where(HERS),
    "join that the ORM adds": sa.select(User).where(User.id == ANA).options(joinedload(User.expenses)),
    "alias": sa.select(OTHER.id),
    "alias beside its table": sa.select(Expense.id, OTHER.id).where(HERS, Expense.id == OTHER.id),
    "subquery in IN": IDS.where(HERS, Expense.id.in_(sa.select(ExpenseChange.id))),
    "subquery of the same table": IDS.where(HERS, Expense.id.in_(sa.select(Expense.id))),
    "subquery in EXISTS": IDS.where(HERS, sa.exists().where(ExpenseChange.id == Expense.id)),
    "subquery in the columns": sa.select(
        Expense.id, sa.select(sa.func.count(ExpenseChange.id)).scalar_subquery()
    ).where(HERS),
    "subquery in FROM": sa.select(sa.func.count()).select_from(IDS.subquery()),
    "subquery in FROM, asked outside": sa.select(sub := sa.select(Expense).subquery()).where(
        sub.c.author_id == ANA
    ),
    "subquery in FROM, which does not see what is around it": IDS.where(HERS, Expense.id == DELETED_TWINS.c.id),
    "subquery that is asked alone": IDS.where(Expense.id.in_(sa.select(ExpenseChange.id).where(HER_CHANGES))),
    "common table expression": sa.select(IDS.cte().c.id),
    "union": sa.union_all(IDS.where(HERS), sa.select(ExpenseChange.id)),
    "update": sa.update(Expense).values(amount=2),
    "update by id": sa.update(Expense).where(Expense.id == uuid7()).values(amount=2),
    "update of a core table": sa.update(Expense.__table__).values(amount=2),
    "update from": sa.update(Expense)
    .where(HER_CHANGES, Expense.id == ExpenseChange.id)
    .values(amount=ExpenseChange.amount),
    "update from a table that is not asked": sa.update(Expense)
    .where(HERS, Expense.id == ExpenseChange.id)
    .values(amount=ExpenseChange.amount),
    "update with a subquery": sa.update(Expense)
    .where(HERS)
    .values(amount=sa.select(sa.func.max(ExpenseChange.amount)).scalar_subquery()),
    "delete": sa.delete(Expense),
    "delete by id": sa.delete(Expense).where(Expense.id == uuid7()),
    "delete with a subquery": sa.delete(Expense).where(HERS, Expense.id.in_(sa.select(ExpenseChange.id))),
    "delete by a subquery": sa.delete(Expense).where(
        Expense.id.in_(sa.select(ExpenseChange.id).where(HER_CHANGES))
    ),
    "insert": sa.insert(Expense).values(row()),
    "insert of several, one without": sa.insert(Expense.__table__).values(
        [row(author_id=ANA), row(author_id=sa.select(sa.func.max(User.id)).scalar_subquery())]
    ),
    "insert of what is selected": sa.insert(Expense).from_select(
        KEPT, sa.select(*(DELETED[name] for name in KEPT))
    ),
    "insert of what is selected, another owner": sa.insert(Expense).from_select(
        KEPT, sa.select(sa.literal(BOB), *(DELETED[name] for name in KEPT[1:])).where(HER_CHANGES)
    ),
    "insert of what is selected, no owner": sa.insert(Expense).from_select(
        KEPT[1:], sa.select(*(DELETED[name] for name in KEPT[1:])).where(HER_CHANGES)
    ),
    "text": sa.text("SELECT id FROM expense WHERE author_id = 1"),
    "text in capitals": sa.text('DELETE FROM "EXPENSE"'),
    "text as rows": sa.text("SELECT id FROM expense").columns(sa.column("id")),
    "text in FROM": sa.select(sa.func.count()).select_from(sa.text("expense")),
    "text in WHERE": IDS.where(HERS, sa.text("id IN (SELECT id FROM expense_change)")),
    "text as a column": sa.select(sa.literal_column("(SELECT max(amount) FROM expense)")),
    "table by its name": sa.select(sa.func.count()).select_from(sa.table("expense")),
}


# SQLAlchemy warns of the INSERT, which the watch has to find by itself.
@pytest.mark.filterwarnings("ignore:Column 'expense.author_id' is marked as a member of the primary key")
@pytest.mark.parametrize("statement", MISSING.values(), ids=MISSING.keys())
def test_a_statement_without_its_owner_is_found(send, statement):
    with pytest.raises(NotOneOwnerError, match=r"without its|selects another|not the text"):
        send(statement)


TWO = {
    "select": (IDS.where(HERS, Expense.author_id == BOB), None),
    "subquery": (
        IDS.where(HERS, Expense.id.in_(sa.select(ExpenseChange.id).where(ExpenseChange.author_id == BOB))),
        None,
    ),
    "union": (sa.union_all(IDS.where(HERS), IDS.where(Expense.author_id == BOB)), None),
    "insert": (sa.insert(Expense.__table__).values([row(author_id=ANA), row(author_id=BOB)]), None),
    "insert of many": (sa.insert(Expense), [row(author_id=ANA), row(author_id=BOB)]),
}


@pytest.mark.parametrize(("statement", "parameters"), TWO.values(), ids=TWO.keys())
def test_a_statement_of_two_owners_is_found(send, statement, parameters):
    with pytest.raises(NotOneOwnerError, match=r"owners \{1, 2\}"):
        send(statement, parameters)


def test_a_text_that_the_driver_is_sent_is_found(app):
    with app.test_request_context():
        connection = db.session.connection()

        with pytest.raises(NotOneOwnerError):
            connection.exec_driver_sql("SELECT 1 FROM expense")
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_page_that_asks_for_somebody_else_is_found(app, ana, bob, monkeypatch):
    with app.app_context():
        bobs = sa.select(Expense.id).where(Expense.author_id == bob.user().id)
    monkeypatch.setattr(spending, "suggested_descriptions", lambda *_: db.session.scalars(bobs).all())

    with pytest.raises(NotOneOwnerError, match="owners"):
        ana.get("/expenses")


# --- What is let through

NAMED = {
    "select": (IDS.where(HERS), 1),
    "select of an entity": (sa.select(Expense).where(HERS, sa.or_(Expense.amount == 1, Expense.amount == 2)), 1),
    "select the other way round": (IDS.where(sa.literal(ANA) == Expense.author_id), 1),
    "select of nothing": (IDS.where(HERS, sa.false()), 0),
    "select of kept months": (sa.select(month_total.c.amount).where(month_total.c.author_id == ANA), 1),
    "select of what is nobody's": (sa.select(User.id).where(User.id == ANA), 0),
    "join": (
        sa.select(User.id).join(LoginSession, LoginSession.user_id == User.id).where(LoginSession.user_id == ANA),
        1,
    ),
    "alias": (sa.select(OTHER.id).where(OTHER.author_id == ANA), 1),
    "subquery that sees what is around it": (
        sa.delete(ExpenseChange).where(HER_CHANGES, sa.exists().where(HERS, Expense.id == ExpenseChange.id)),
        2,
    ),
    "subquery in FROM": (sa.select(sa.func.count()).select_from(IDS.where(HERS).subquery()), 1),
    "union": (sa.union_all(IDS.where(HERS), sa.select(ExpenseChange.id).where(HER_CHANGES)), 2),
    "update from": (
        sa.update(Expense)
        .where(HERS, HER_CHANGES, Expense.id == ExpenseChange.id)
        .values(amount=ExpenseChange.amount),
        2,
    ),
    "insert": (sa.insert(Expense).values(row(author_id=ANA)), 1),
    "insert of several": (sa.insert(Expense.__table__).values([row(author_id=ANA), row(author_id=ANA)]), 2),
    "insert of what is selected": (
        sa.insert(Expense).from_select(KEPT, sa.select(*(DELETED[name] for name in KEPT)).where(HER_CHANGES)),
        1,
    ),
    "text": (sa.text("SELECT count(*) FROM alembic_version"), 0),
}


@pytest.mark.parametrize(("statement", "number"), NAMED.values(), ids=NAMED.keys())
def test_a_statement_with_its_owner_names_the_parameters(app, statement, number):
    with app.app_context():
        compiled = statement.compile(db.engine)

    assert len(owner_parameters(compiled)) == number
