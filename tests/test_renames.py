"""Renaming categories and swapping their names: in pieces, seen as one, and completed when interrupted."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import delete, select
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import categories, category_swap, operations, pieces
from ledger.categories import CategoryError
from ledger.spending import ExpenseValues
from ledger.undo import undo
from models import Category, Expense, Operation, RecurringExpense, User, category_key
from tests.browsing import REDIRECTS, empty_tables, operations_shown, press, read
from tests.test_categories import category_id

DAY = date(2026, 1, 5)
NAMES = ("Food", "Travel", "Health")
PIECE_SIZE = 2


class StopError(Exception):
    """An interruption in the middle of a rename."""


class Interruption:
    """Stops the first rename that comes to a piece, and perhaps also does what the end of a process does."""

    def __init__(self, patches, number, killed=False):
        self.patches, self.number, self.killed = patches, number, killed
        self.done = 0

    def __enter__(self):
        self.context = self.patches.context()
        patches = self.context.__enter__()
        rename = pieces._rename

        def rename_some(*arguments):
            rename(*arguments)
            self.done += 1
            if self.done == self.number + 1:
                raise StopError

        patches.setattr(pieces, "_rename", rename_some)
        if self.killed:
            patches.setattr(pieces, "end", lambda *_key: None)
        return self

    def __exit__(self, *error):
        self.context.__exit__(*error)


def later(patches, minutes=1):
    """Let the lease of every operation have run out."""
    patches.setattr(pieces, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=minutes))


class RenameMachine(RuleBasedStateMachine):
    """However renames, swaps and their undoing are interrupted, every expense stays in its category."""

    def __init__(self):
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(pieces, "PIECE_SIZE", PIECE_SIZE)
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.user = User(username="ana", email="ana@example.com", password_hash="x")
        db.session.add(self.user)
        db.session.flush()
        db.session.execute(delete(Category))
        # The name of each category, and the category of each expense and recurring expense.
        self.names, self.expenses, self.recurring = {}, {}, {}
        for position, name in enumerate(NAMES):
            key, recurring = uuid7(), uuid7()
            self.names[key], self.recurring[recurring] = name, key
            db.session.add(Category(author_id=self.user.id, id=key, name=name, position=position))
            row = RecurringExpense(author_id=self.user.id, id=recurring, category=name, amount=Decimal(1))
            row.description, row.frequency, row.start_date, row.next_date = "", "month", DAY, DAY
            row.stopped, row.created_at = False, datetime.now(UTC)
            db.session.add(row)
        db.session.commit()
        # For each operation the names before and after it, of the categories that it renamed.
        self.operations = {}

    def teardown(self):
        db.session.remove()
        self.context.pop()
        self.patches.undo()

    def new_names(self, before, after):
        """Return the names that result when categories `before` so are called `after`, or None for a conflict."""
        if any(self.names[key] != name for key, name in before.items()):
            return None
        others = {category_key(name) for key, name in self.names.items() if key not in after}
        return None if others & {category_key(name) for name in after.values()} else self.names | after

    def is_large(self, keys):
        return sum(key in keys for key in self.expenses.values()) > PIECE_SIZE

    def run(self, action, before, after, stop):
        """Do something that should give categories new names, although it is interrupted, perhaps twice."""
        expected = self.new_names(before, after)
        number, kind = stop
        large = self.is_large(before)
        try:
            with Interruption(self.patches, number, kind != "error") as interruption:
                action()
                db.session.commit()
        except StopError:
            db.session.rollback()
            if not large:
                expected = None
        except CategoryError:
            db.session.rollback()
            assert expected is None
        assert interruption.done <= number + 1 or kind == "error"
        self.recover(kind)
        if expected is not None and expected != self.names:
            self.names = expected
            latest = db.session.scalar(latest_operation())
            self.operations[latest] = (before, after)

    def recover(self, kind):
        with self.patches.context() as patches:
            db.session.refresh(self.user)
            if kind == "killed twice":
                later(patches)
                try:
                    with Interruption(self.patches, 1, True):
                        pieces.recover(self.user)
                except StopError:
                    db.session.rollback()
                db.session.refresh(self.user)
            later(patches, 2)
            pieces.recover(self.user)
        db.session.rollback()

    stops = st.tuples(st.integers(0, 4), st.sampled_from(["error", "killed", "killed twice"]))

    @rule(index=st.integers(0, len(NAMES) - 1), number=st.integers(1, 4))
    def add(self, index, number):
        key = sorted(self.names)[index]
        for _ in range(number):
            expense_id = uuid7()
            with operations.record(self.user, "add", datetime.now(UTC)) as operation:
                values = ExpenseValues(Decimal(1), self.names[key], "", DAY)
                operations.add_expense(operation, expense_id, values)
            db.session.commit()
            self.expenses[expense_id] = key

    @rule(index=st.integers(0, 2), name=st.sampled_from([*NAMES, "food", "Meals"]), stop=stops)
    def rename(self, index, name, stop):
        key = sorted(self.names)[index]
        if self.names[key] != name:
            self.run(
                lambda: categories.edit(self.user, key, datetime.now(UTC), {"name": name}),
                {key: self.names[key]},
                {key: name},
                stop,
            )

    @rule(pair=st.permutations(range(3)), stop=stops)
    def swap(self, pair, stop):
        first, second = (sorted(self.names)[index] for index in pair[:2])
        before = {key: self.names[key] for key in (first, second)}
        after = {first: before[second], second: before[first]}
        self.run(lambda: category_swap.swap(self.user, first, second, datetime.now(UTC)), before, after, stop)

    @precondition(lambda self: self.operations)
    @rule(data=st.data(), stop=stops)
    def undo(self, data, stop):
        operation_id = data.draw(st.sampled_from(sorted(self.operations)))
        after, before = self.operations[operation_id]
        self.run(lambda: undo(self.user, operation_id, datetime.now(UTC)), before, after, stop)

    @invariant()
    def everything_has_the_name_of_its_category(self):
        assert dict(db.session.execute(select(Category.id, Category.name)).all()) == self.names
        for model, expected in ((Expense, self.expenses), (RecurringExpense, self.recurring)):
            rows = dict(db.session.execute(select(model.id, model.category)).all())
            assert rows == {row_id: self.names[key] for row_id, key in expected.items()}

    @invariant()
    def nothing_is_running(self):
        assert db.session.scalar(select(User.running_operation)) is None
        markers = select(Operation.id).where(
            Operation.running_until.is_not(None) | Operation.last_renamed.is_not(None)
        )
        assert db.session.scalars(markers).all() == []
        assert self.operations.keys() <= set(db.session.scalars(select(Operation.id)))


RenameMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)


def latest_operation():
    return select(Operation.id).order_by(Operation.id.desc()).limit(1)


@pytest.mark.usefixtures("app")
@pytest.mark.slow
class TestRenames(RenameMachine.TestCase):
    pass


# --- Seen in a browser


@pytest.fixture
def ana_with_five(ana, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_SIZE", PIECE_SIZE)
    for number in range(5):
        ana.add("1", ["Food", "Travel"][number % 2], date="2026-01-05")
    ana.add("1", "Food", date="2026-01-05")
    return ana


def in_categories(visitor):
    return sorted(expense.category for expense in visitor.expenses())


def rename(visitor, name, new_name):
    key = category_id(visitor, name)
    seen = visitor.page(f"/categories/{key}/edit").one(id="seen")["value"]
    return visitor.post(f"/categories/{key}/edit", {"name": new_name, "order": "first", "seen": seen})


def swap(visitor):
    food, travel = (category_id(visitor, name) for name in ("Food", "Travel"))
    return visitor.post(f"/categories/{food}/swap", {"into": travel})


def test_a_rename_in_pieces_is_one_operation_and_can_be_undone_and_redone(ana_with_five):
    response = rename(ana_with_five, "Food", "Meals")

    assert response.location == "/categories"
    assert in_categories(ana_with_five) == ["Meals"] * 4 + ["Travel"] * 2
    ana_with_five.undo("/categories")
    assert in_categories(ana_with_five) == ["Food"] * 4 + ["Travel"] * 2
    ana_with_five.undo("/categories")
    assert in_categories(ana_with_five) == ["Meals"] * 4 + ["Travel"] * 2


@pytest.mark.parametrize("change", ["rename", "swap"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_rename_is_completed_by_the_next_page_and_nothing_is_changed_before(
    ana_with_five, monkeypatch, change, number
):
    changes = {"rename": lambda: rename(ana_with_five, "Food", "Meals"), "swap": lambda: swap(ana_with_five)}
    with Interruption(monkeypatch, number, killed=True), pytest.raises(StopError):
        changes[change]()
    left = in_categories(ana_with_five)

    assert "is still in progress" in read(ana_with_five.get("/expenses")).text
    assert ana_with_five.add("1", "Travel").status_code == 409
    assert in_categories(ana_with_five) == left
    later(monkeypatch)
    assert "is still in progress" not in read(ana_with_five.get("/expenses")).text
    expected = {"rename": ["Meals"] * 4 + ["Travel"] * 2, "swap": ["Food"] * 2 + ["Travel"] * 4}[change]
    assert in_categories(ana_with_five) == expected
    press(ana_with_five, operations_shown(ana_with_five)[0].one("header").one("form"))
    assert in_categories(ana_with_five) == ["Food"] * 4 + ["Travel"] * 2


def test_others_can_save_between_the_pieces_of_a_rename(ana_with_five, bob, monkeypatch):
    commit, answers = pieces.commit, []
    form = {"csrf_token": bob.token(), "amount": "1", "category": "Food"}

    def commit_while_another_saves(operation):
        commit(operation)
        if not answers:
            thread = threading.Thread(
                target=lambda: answers.append(bob.client.post("/expenses/add", data=form).status_code)
            )
            thread.start()
            thread.join(5)

    monkeypatch.setattr(pieces, "commit", commit_while_another_saves)
    rename(ana_with_five, "Food", "Meals")

    assert answers[0] in REDIRECTS
    assert in_categories(ana_with_five) == ["Meals"] * 4 + ["Travel"] * 2
    assert in_categories(bob) == ["Food"]
