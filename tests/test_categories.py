"""A person's own categories and their budgets: by random acts, and through the pages."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app import app as application
from database import db
from ledger import categories, history
from ledger.categories import CategoryError, OwnCategory
from ledger.spending import ExpenseFilter, add_once, ordered_query
from ledger.statements import write_csv
from models import Expense, User, category_key
from tests.people import empty_tables, kept_months, summed_months

DAY = date(2026, 1, 1)
NAMES = st.sampled_from(["Food", "food", "Gifts", "gifts", "Café", "Cafe\u0301", "CAFÉ", "Travel", "Straße"])


def now():
    return datetime.now(UTC)


class Acts(RuleBasedStateMachine):
    """Two people do to their categories and expenses whatever can be done, and take it back."""

    def __init__(self):
        super().__init__()
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.people = [
            User(username=name, email=f"{name}@example.com", password_hash="x") for name in ("ana", "bob")
        ]
        db.session.add_all(self.people)
        db.session.commit()
        self.there = [self.note(user) for user in self.people]
        self.acts = [[], []]

    def teardown(self):
        db.session.remove()
        self.context.pop()

    def note(self, user):
        """Everything that an act can change: the categories, the budgets, the bytes of the export."""
        db.session.expire_all()
        lines = "".join(write_csv(db.engine, ordered_query(user, ExpenseFilter()), "USD"))
        return categories.categories_of(user), user.monthly_budget, lines

    def act(self, who, do):
        """Do something as an act, take it back at once, see that nothing has changed, and do it again."""
        user = self.people[who]
        before = self.note(user)
        for undone in (True, False):
            try:
                batch = do(user)
            except CategoryError:
                db.session.rollback()
                assert self.note(user) == before
                return
            db.session.commit()
            if batch is None:
                assert self.note(user) == before
                return
            if undone:
                restored = history.take_back(user, batch)
                db.session.commit()
                assert restored.left_alone == ""
                assert self.note(user) == before
        self.acts[who].append(batch)
        self.there[who] = self.note(user)

    def one(self, who, data):
        return data.draw(st.sampled_from(categories.categories_of(self.people[who])))

    @rule(who=st.integers(0, 1), data=st.data())
    def spend(self, who, data):
        category = self.one(who, data).name
        assert add_once(Expense(author_id=self.people[who].id, amount=Decimal(1), category=category, date=DAY))
        db.session.commit()
        self.there[who] = self.note(self.people[who])

    @rule(who=st.integers(0, 1), name=NAMES)
    def add(self, who, name):
        self.act(who, lambda user: categories.add(user, name, now())[0])

    @rule(
        who=st.integers(0, 1),
        name=NAMES,
        position=st.integers(1, 12),
        archived=st.booleans(),
        budget=st.sampled_from([None, Decimal("0"), Decimal("12.50")]),
        overall=st.sampled_from([None, Decimal("99")]),
        data=st.data(),
    )
    def save(self, who, name, position, archived, budget, overall, data):
        chosen = self.one(who, data)
        new = OwnCategory(chosen.id, data.draw(st.sampled_from([name, chosen.name])), position, archived, budget)

        def do(user):
            saved = categories.save(user, [new], overall, now())
            return saved and saved[0]

        self.act(who, do)

    @rule(who=st.integers(0, 1), data=st.data())
    def merge(self, who, data):
        former, into = self.one(who, data), self.one(who, data)
        self.act(who, lambda user: history.merge_category(user, former, into, now())[0])

    @rule(who=st.integers(0, 1), data=st.data())
    def delete(self, who, data):
        chosen = self.one(who, data).id
        self.act(who, lambda user: categories.delete(user, chosen, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def delete_expenses(self, who, data):
        chosen = Expense.category == self.one(who, data).name
        batch, gone = history.delete_expenses(self.people[who], chosen, now())
        db.session.commit()
        if gone.number:
            self.acts[who].append(batch)
        self.there[who] = self.note(self.people[who])

    @rule(who=st.integers(0, 1), data=st.data())
    def undo(self, who, data):
        if self.acts[who]:
            batch = self.acts[who].pop(data.draw(st.integers(0, len(self.acts[who]) - 1)))
            history.take_back(self.people[who], batch)
            db.session.commit()
            self.there[who] = self.note(self.people[who])

    @invariant()
    def every_expense_is_of_a_category_of_its_owner(self):
        for user in self.people:
            own = [category.name for category in categories.categories_of(user)]
            assert len({category_key(name) for name in own}) == len(own) > 0
            assert set(categories.numbers_of(user)) <= set(own)

    @invariant()
    def nobody_touched_the_other(self):
        assert [self.note(user) for user in self.people] == self.there

    @invariant()
    def kept_months_are_those_of_the_expenses(self):
        assert kept_months() == summed_months()


Acts.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


@pytest.mark.usefixtures("app")
class TestActs(Acts.TestCase):
    pass
