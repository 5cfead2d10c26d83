"""Undo of every kind of operation, in random histories, restores the exact previous state."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import budgets, categories, category_swap, operations, recurring
from ledger.budgets import MonthlyBudget
from ledger.categories import CategoryError
from ledger.csv_export import write_csv
from ledger.history import recent_operations
from ledger.periods import Period
from ledger.retention import purge
from ledger.spending import ExpenseFilter, ExpenseValues, ordered_query
from ledger.undo import undo
from models import Budget, Expense, Occurrence, Operation, RecurringExpense, User, category_key
from tests.browsing import empty_tables, kept_months, summed_months, unknown_descriptions

START, TODAY = date(2026, 1, 1), date(2026, 2, 15)
NAMES = st.sampled_from(
    ["Food", "food", "Gifts", "gifts", "Café", "Cafe\u0301", "CAFÉ", "Travel", "Straße", "New …", "new ..."]
)


def now():
    return datetime.now(UTC)


class UndoMachine(RuleBasedStateMachine):
    """Two users do whatever can be done, undo it, and undo that."""

    def __init__(self):
        super().__init__()
        empty_tables(application)
        self.context = application.app_context()
        self.context.push()
        self.users = [
            User(username=name, email=f"{name}@example.com", password_hash="x") for name in ("ana", "bob")
        ]
        db.session.add_all(self.users)
        db.session.commit()
        self.states = [self.read(user) for user in self.users]
        self.done = [[], []]
        # Of the operations that have not been undone since by `undo_back`, each with the state before it.
        self.stacks = [[], []]

    def teardown(self):
        db.session.remove()
        self.context.pop()

    def read(self, user):
        """Everything that an operation can change, and the bytes of the export."""
        db.session.expire_all()
        lines = "".join(write_csv(db.session.connection(), ordered_query(user, ExpenseFilter()), "USD"))
        rows = [
            [tuple(row) for row in db.session.execute(select(table).where(table.c.author_id == user.id))]
            for table in (Expense.__table__, RecurringExpense.__table__, Occurrence.__table__, Budget.__table__)
        ]
        return categories.get_categories(user), [sorted(each, key=str) for each in rows], lines

    def do(self, who, change):
        """Do something, undo it, and undo that: each time exactly what was there before is there again."""
        user, before = self.users[who], self.states[who]
        try:
            operation = change(user)
        except CategoryError:
            assert self.read(user) == before
            return
        db.session.commit()
        after = self.read(user)
        assert operations.is_empty(operation) == (after == before)
        self.states[who] = after
        if operations.is_empty(operation):
            return
        self.note(who, operation, before)
        for expected in (before, after):
            undone = undo(user, self.done[who][-1], now())
            assert (undone.conflicts, undone.series) in [((), None), ((), "removed")]
            db.session.commit()
            former, self.states[who] = self.states[who], self.read(user)
            assert self.states[who] == expected
            self.note(who, undone.operation, former)
        assert undo(user, self.done[who][-2], now()).operation is None
        db.session.commit()

    def note(self, who, operation, before):
        self.done[who].append(operation.id)
        self.stacks[who].append((operation.id, before))

    def category(self, who, data):
        return data.draw(st.sampled_from(categories.get_categories(self.users[who])))

    def series(self, who, data):
        rows = recurring.all_recurring(self.users[who])
        return data.draw(st.sampled_from(rows)) if rows else None

    @rule(
        who=st.integers(0, 1),
        name=st.none() | NAMES,
        frequency=st.sampled_from(["", "", "week", "month"]),
        day=st.dates(START, date(2026, 2, 1)),
        data=st.data(),
    )
    def add(self, who, name, frequency, day, data):
        known = self.category(who, data).name

        def change(user):
            with operations.record(user, "add", now()) as operation:
                category = known if name is None else categories.add(user, operation, name)
                row_id = uuid7()
                operations.add_expense(operation, row_id, ExpenseValues(Decimal(1), category, "", day))
                if frequency:
                    recurring.repeat(user, operation, row_id, frequency)
            return operation

        self.do(who, change)

    @rule(who=st.integers(0, 1), data=st.data(), frequency=st.sampled_from(["", "week"]))
    def edit(self, who, data, frequency):
        ids = sorted(row[1] for row in self.states[who][1][0])
        if not ids:
            return
        chosen, category = data.draw(st.sampled_from(ids)), self.category(who, data).name
        values = data.draw(st.sampled_from([{"category": category}, {"amount": Decimal(9)}, {"date": START}]))

        def change(user):
            with operations.record(user, "edit", now()) as operation:
                operations.change_expenses(operation, Expense.id == chosen, values)
                if frequency:
                    recurring.repeat(user, operation, chosen, frequency)
            return operation

        self.do(who, change)

    @rule(who=st.integers(0, 1), data=st.data(), is_deletion=st.booleans())
    def change_all_of_a_category(self, who, data, is_deletion):
        chosen, other = Expense.category == self.category(who, data).name, self.category(who, data).name

        def change(user):
            with operations.record(user, "bulk_delete" if is_deletion else "bulk_edit", now()) as operation:
                if is_deletion:
                    operations.delete_expenses(operation, chosen)
                else:
                    operations.change_expenses(operation, chosen, {"category": other})
            return operation

        self.do(who, change)

    @rule(
        who=st.integers(0, 1),
        budget=st.sampled_from([None, Decimal("0"), Decimal("12.50")]),
        total=st.sampled_from([None, Decimal("99")]),
        day=st.dates(START, TODAY),
        data=st.data(),
    )
    def save_budgets(self, who, budget, total, day, data):
        chosen = {None: MonthlyBudget(total), self.category(who, data).id: MonthlyBudget(budget, day.day > 15)}
        self.do(who, lambda user: budgets.save(user, chosen, Period.month(day), now())[0])

    @rule(who=st.integers(0, 1), name=NAMES)
    def add_category(self, who, name):
        self.do(who, lambda user: categories.create(user, uuid7(), name, now()))

    @rule(who=st.integers(0, 1), name=NAMES, archived=st.booleans(), data=st.data())
    def edit_category(self, who, name, archived, data):
        chosen, other = self.category(who, data), self.category(who, data)
        changes = {"name": data.draw(st.sampled_from([name, chosen.name])), "archived": archived}
        if other != chosen:
            changes["after"] = data.draw(st.sampled_from([None, other.id]))
        self.do(who, lambda user: categories.edit(user, chosen.id, now(), changes))

    @rule(who=st.integers(0, 1), data=st.data())
    def merge(self, who, data):
        former, into = self.category(who, data), self.category(who, data)
        self.do(who, lambda user: categories.merge(user, former.id, into.id, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def swap(self, who, data):
        first, second = self.category(who, data), self.category(who, data)
        self.do(who, lambda user: category_swap.swap(user, first.id, second.id, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def delete_category(self, who, data):
        chosen = self.category(who, data).id
        self.do(who, lambda user: categories.delete(user, chosen, now()))

    @rule(who=st.integers(0, 1), data=st.data(), how=st.sampled_from(["one", "all", "skip"]))
    def resolve_due(self, who, data, how):
        lines = recurring.due(self.users[who], TODAY).lines
        if not lines:
            return
        wanted = [line.key for line in (lines if how == "all" else [data.draw(st.sampled_from(lines))])]

        def change(user):
            lines = [line for line in recurring.due(user, TODAY, lock=True).lines if line.key in wanted]
            amount = None if how == "skip" else Decimal(3)
            return recurring.resolve_due(user, [(line, amount) for line in lines], now())

        self.do(who, change)

    @rule(
        who=st.integers(0, 1),
        data=st.data(),
        day=st.dates(START, TODAY),
        frequency=st.sampled_from(["week", "month"]),
        amount=st.sampled_from([Decimal(1), Decimal(5)]),
        end_date=st.none() | st.dates(START, TODAY),
    )
    def edit_recurring(self, who, data, day, frequency, amount, end_date):
        row, category = self.series(who, data), self.category(who, data).name
        if row is None:
            return

        def change(user):
            with operations.record(user, "edit_recurring", now()) as operation:
                values = ExpenseValues(amount, category, "", day)
                recurring.change(user, operation, row, values, frequency, end_date)
            return operation

        self.do(who, change)

    @rule(who=st.integers(0, 1), data=st.data(), stopped=st.booleans())
    def stop_or_resume(self, who, data, stopped):
        row = self.series(who, data)
        if row is not None:
            self.do(who, lambda user: recurring.set_stopped(user, row, stopped, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def add_early(self, who, data):
        row = self.series(who, data)
        if row is not None:
            self.do(who, lambda user: recurring.add_early(user, row, TODAY, now()))

    @rule(who=st.integers(0, 1), data=st.data())
    def delete_series(self, who, data):
        row = self.series(who, data)
        if row is not None:
            self.do(who, lambda user: recurring.delete(user, row, now()))

    @rule(who=st.integers(0, 1))
    def skip_all_due(self, who):
        self.do(who, lambda user: recurring.skip_all_due(user, TODAY, now()))

    @rule(who=st.integers(0, 1), data=st.data(), for_one=st.booleans())
    def undo(self, who, data, for_one):
        if not self.done[who]:
            return
        ids = [row[1] for row in self.states[who][1][0]]
        only = data.draw(st.sampled_from(sorted(ids))) if for_one and ids else None
        before, chosen = self.states[who], data.draw(st.sampled_from(self.done[who]))
        undone = undo(self.users[who], chosen, now(), only)
        db.session.commit()
        self.states[who] = self.read(self.users[who])
        if undone.operation is not None:
            self.note(who, undone.operation, before)
        assert (undone.operation is None) == (self.states[who] == before)
        assert undo(self.users[who], chosen, now(), only).operation is None
        db.session.commit()

    @rule(who=st.integers(0, 1), number=st.integers(1, 6))
    def undo_back(self, who, number):
        """Undo the latest operations one after the other: each time the state before is there again."""
        for operation_id, before in reversed(self.stacks[who][-number:]):
            undone = undo(self.users[who], operation_id, now())
            db.session.commit()
            self.states[who] = self.read(self.users[who])
            assert self.states[who] == before
            assert undone.conflict_count == 0
            self.done[who].append(undone.operation.id)
        del self.stacks[who][-number:]

    @rule(who=st.integers(0, 1), number=st.integers(1, 3))
    def expire(self, who, number):
        """Let the oldest operations expire; the later ones can still be undone."""
        expired = sorted(self.done[who])[:number]
        own = Operation.author_id == self.users[who].id, Operation.id.in_(expired)
        db.session.execute(update(Operation).where(*own).values(created_at=now() - timedelta(days=31)))
        purge(now(), self.users[who])
        db.session.commit()
        self.done[who] = [each for each in self.done[who] if each not in expired]
        self.stacks[who] = [pair for pair in self.stacks[who] if pair[0] not in expired]

    @rule(who=st.integers(0, 1), day=st.sampled_from([1, 15, 28]))
    def choose_first_day_of_month(self, who, day):
        self.users[who].first_day_of_month = day
        db.session.commit()

    @invariant()
    def every_category_in_use_is_its_owners(self):
        for user in self.users:
            names = [category.name for category in categories.get_categories(user)]
            assert len({category_key(name) for name in names}) == len(names) > 0
            used = db.session.scalars(
                select(RecurringExpense.category).where(RecurringExpense.author_id == user.id)
            )
            assert {*categories.count_by_category(user), *used} <= set(names)

    @invariant()
    def each_occurrence_has_an_expense_of_its_own(self):
        for user in self.users:
            query = select(Occurrence.expense_id).where(Occurrence.author_id == user.id)
            added = [expense_id for expense_id in db.session.scalars(query) if expense_id]
            assert len(added) == len(set(added))

    @invariant()
    def what_is_due_is_what_was_not_handled(self):
        for user in self.users:
            for row in recurring.all_recurring(user):
                query = select(Occurrence.day).where(
                    Occurrence.author_id == user.id, Occurrence.recurring_id == row.id
                )
                handled = set(db.session.scalars(query))
                assert row.next_date not in handled
                assert row.next_date in set(
                    recurring.due_days(row.start_date, row.frequency, row.start_date, date(2027, 1, 1))
                )

    @invariant()
    def nobody_touched_the_other(self):
        assert [self.read(user) for user in self.users] == self.states

    @invariant()
    def history_can_be_read(self):
        for who, user in enumerate(self.users):
            shown = recent_operations(user, now()).operations
            assert {entry.operation.id for entry in shown} <= set(self.done[who])

    @invariant()
    def kept_months_are_those_of_the_expenses(self):
        assert kept_months() == summed_months()

    @invariant()
    def every_description_can_be_found(self):
        assert unknown_descriptions() == []


UndoMachine.TestCase.settings = settings(max_examples=9, stateful_step_count=12, deadline=None)


@pytest.mark.usefixtures("app")
class TestUndo(UndoMachine.TestCase):
    pass
