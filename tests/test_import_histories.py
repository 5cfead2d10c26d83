"""Imports over whole histories: nothing is lost and nothing is doubled.

Files overlap, are reworded and repeated, and expenses are deleted, edited, typed and undone in between.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from uuid_utils.compat import uuid7

from database import db
from ledger import operations
from ledger.import_drafts import discard, owner_of, read_as_before, save_draft
from ledger.imports import add
from ledger.spending import ExpenseValues
from ledger.undo import undo
from models import Expense, StatementLine, User
from tests.browsing import empty_tables

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = date(2026, 1, 1)
TEXTS = ("COFFEE BAR 12 BERLIN", "Bakery Lindt", "CITY TRANSPORT 0042", "Bücher & Mehr")


@dataclass(frozen=True)
class Booking:
    """Something that happened at the bank; equal ones cannot be told apart."""

    account: str
    day: date
    amount: Decimal
    text: str


@dataclass
class Token:
    """A booking that is known: its line, or the typed expense that it matches."""

    booking: Booking
    row_id: object
    imported: int | None
    state: str = "present"
    is_edited: bool = False
    # Of a typed expense: the import in which its line was found.
    seen_in: int | None = None


@dataclass
class World:
    """The bank, the files that were downloaded, and what the ledger should hold."""

    user: User
    bookings: list[Booking] = field(default_factory=list)
    today: date = START
    files: list[tuple[str, bytes, list[Booking]]] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    operations: list[object] = field(default_factory=list)
    undone: dict[int, tuple[object, list[Token]]] = field(default_factory=dict)
    imported: list[list[Booking]] = field(default_factory=list)
    typed: int = 0

    # --- Steps

    def spend(self, account, text, amount, later):
        self.today += timedelta(days=later)
        self.bookings.append(Booking(account, self.today, Decimal(-amount), TEXTS[text]))

    def download(self, account, days, style, pending):
        since = self.today - timedelta(days=days)
        found = [booking for booking in self.bookings if booking.account == account and booking.day >= since]
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(["Date", "Text", "Amount", "Transaction ID", "Status"])
        # What happened today is booked in a later file, perhaps under another text.
        waiting = [booking for booking in found if pending and booking.day == self.today]
        found = [booking for booking in found if booking not in waiting]
        for number, booking in enumerate(found):
            bank_id = ("", str(number), "0", f"{style}-{uuid7()}")[style]
            text = (booking.text, booking.text.lower(), f" {booking.text} ", f"{booking.text} CARD")[style]
            writer.writerow([booking.day, text, booking.amount, bank_id, "booked"])
        for booking in waiting:
            writer.writerow([booking.day, f"RESERVED {booking.text}", booking.amount, "", "pending"])
        self.take(account, file.getvalue().encode(), found)
        self.files.append((account, file.getvalue().encode(), found))

    def again(self, number):
        if self.files:
            self.take(*self.files[number % len(self.files)])

    def delete(self, number):
        token = self.token(number)
        if token:
            with operations.record(self.user, "delete", NOW) as operation:
                operations.delete_expenses(operation, Expense.id == token.row_id)
            db.session.commit()
            token.state = "deleted"
            if token.imported is None and token.seen_in is None:
                self.tokens.remove(token)
            elif token.imported in self.undone:
                # It was there only because it had been edited; its line counts as never seen, until the redo.
                self.tokens.remove(token)
                self.undone[token.imported][1].append(token)

    def edit(self, number):
        token = self.token(number)
        if token and token.imported is not None:
            with operations.record(self.user, "edit", NOW) as operation:
                values = {"amount": Decimal("77.77"), "description": "edited", "date": START}
                operations.change_expenses(operation, Expense.id == token.row_id, values)
            db.session.commit()
            token.is_edited = True

    def undo(self, number):
        if self.operations and (number := number % len(self.operations)) not in self.undone:
            undone = undo(self.user, self.operations[number], NOW)
            db.session.commit()
            stays = [token for token in self.tokens if token.is_edited and token.state == "present"]
            tokens = [token for token in self.tokens if token.imported == number and token not in stays]
            for token in self.tokens:
                if token.seen_in == number:
                    token.seen_in = None
                    tokens += [token] if token.state == "deleted" else []
            self.tokens = [token for token in self.tokens if token not in tokens]
            self.undone[number] = (undone.operation and undone.operation.id, tokens)

    def redo(self):
        for number, (operation_id, tokens) in list(self.undone.items()):
            # Whoever has imported the file again would add the same once more.
            if operation_id and number == len(self.operations) - 1:
                undo(self.user, operation_id, NOW)
                db.session.commit()
                self.tokens += tokens
                for token in self.tokens:
                    if token.imported is None and token.booking in self.imported[number]:
                        token.seen_in = number if token.seen_in is None else token.seen_in
                del self.undone[number]

    def undo_one(self, number):
        token = self.token(number)
        if token and token.imported is not None and not token.is_edited:
            undo(self.user, self.operations[token.imported], NOW, token.row_id)
            db.session.commit()
            self.tokens.remove(token)

    def type(self, days):
        self.typed += 1
        booking = Booking("A", self.today, Decimal(-1000 - self.typed), TEXTS[0])
        self.bookings.append(booking)
        row_id, day = uuid7(), self.today + timedelta(days=days)
        with operations.record(self.user, "add", NOW) as operation:
            operations.add_expense(operation, row_id, ExpenseValues(-booking.amount, "Food", "by hand", day))
        db.session.commit()
        self.tokens.append(Token(booking, row_id, None))

    # --- What is expected

    def token(self, number):
        present = [token for token in self.tokens if token.state == "present"]
        return present[number % len(present)] if present else None

    def take(self, account, content, found):
        """Import a file as a person does, and compare what it adds with what is missing."""
        if not found:
            return
        known = Counter(token.booking for token in self.tokens)
        expected = Counter(found) - known
        owner = owner_of(self.user)
        read = read_as_before(owner, content, "a.csv", account, today=date(2026, 6, 1))
        draft = save_draft(owner, read.statement, content, "a.csv", account, NOW)
        outcome, operation = add(self.user, draft, NOW, "Other")
        assert outcome == ("added" if expected else "nothing")
        if operation is None:
            assert discard(self.user, draft)
            return
        lines = db.session.execute(
            select(StatementLine.id, StatementLine.line_number).where(
                StatementLine.statement_id == draft, StatementLine.state == "add"
            )
        ).all()
        added = [(found[line.line_number - 2], line.id) for line in lines]
        assert Counter(booking for booking, _id in added) == expected
        self.operations.append(operation.id)
        self.imported.append(found)
        for token in self.tokens:
            if token.imported is None and token.booking in found and token.seen_in is None:
                token.seen_in = len(self.operations) - 1
        self.tokens += [Token(booking, row_id, len(self.operations) - 1) for booking, row_id in added]

    def check(self):
        present = {token.row_id for token in self.tokens if token.state == "present"}
        stored = set(db.session.scalars(select(Expense.id).where(Expense.author_id == self.user.id)))
        assert stored == present


SPENT, DOWNLOADED = ("spend", "A", 0, 1, 0), ("download", "A", 9, 0, False)
numbers, accounts = st.integers(0, 20), st.sampled_from("AB")
steps = st.one_of(
    st.tuples(st.just("spend"), accounts, st.integers(0, 3), st.integers(1, 2), st.integers(0, 1)),
    st.tuples(st.just("spend"), accounts, st.integers(0, 3), st.integers(1, 2), st.integers(0, 1)),
    st.tuples(st.just("spend"), accounts, st.integers(0, 3), st.integers(1, 2), st.integers(0, 1)),
    st.tuples(st.just("download"), accounts, st.integers(0, 9), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("download"), accounts, st.integers(0, 9), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("again"), numbers),
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("edit"), numbers),
    st.tuples(st.just("undo"), numbers),
    st.tuples(st.just("undo_one"), numbers),
    st.tuples(st.just("redo")),
    st.tuples(st.just("type"), st.integers(-3, 3)),
)


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=4, max_size=30))
@example([SPENT, DOWNLOADED, ("again", 0), ("undo", 0), ("redo",)])
@example([SPENT, DOWNLOADED, ("edit", 0), ("undo", 0), ("delete", 0), DOWNLOADED])
@example([SPENT, DOWNLOADED, ("edit", 0), ("undo", 0), ("delete", 0), ("redo",), DOWNLOADED])
def test_nothing_is_lost_and_nothing_is_doubled(app, history):
    empty_tables(app)
    with app.app_context():
        user = User(username="ana", email="ana@example.com", password_hash="x")
        db.session.add(user)
        db.session.commit()
        world = World(user)
        for name, *values in history:
            getattr(world, name)(*values)
            world.check()


@pytest.mark.slow
@settings(suppress_health_check=list(HealthCheck))
@given(
    known=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=6),
    changed=st.lists(st.booleans(), min_size=6, max_size=6),
    more=st.integers(0, 2),
)
def test_lines_under_quite_another_text_are_asked_about_and_the_rest_is_known(app, known, changed, more):
    empty_tables(app)
    with app.app_context():
        user = User(username="ana", email="ana@example.com", password_hash="x")
        db.session.add(user)
        db.session.commit()
        world = World(user)
        first = [Booking("A", START + timedelta(days), Decimal(-days - 1), TEXTS[text]) for text, days in known]
        world.take("A", written(first), first)
        # All bookings of a day get another text, so that it is certain which of them are asked about.
        days = {booking.day for booking, is_changed in zip(first, changed, strict=False) if is_changed}
        second = [replace(booking, text="zzz") if booking.day in days else booking for booking in first]
        second += [Booking("A", START + timedelta(9), Decimal(-9), "new") for _number in range(more)]
        owner, content = owner_of(user), written(second)
        read = read_as_before(owner, content, "a.csv", "A", today=date(2026, 6, 1))
        draft = save_draft(owner, read.statement, content, "a.csv", "A", NOW)
        rows = db.session.execute(
            select(StatementLine.date, StatementLine.duplicate, StatementLine.state).where(
                StatementLine.statement_id == draft
            )
        ).all()

    for day, duplicate, state in rows:
        expected = ("reworded", "add") if day in days else ("", "add") if day == START + timedelta(9) else None
        assert (duplicate, state) == (expected or ("same", "skip"))
    assert len(rows) == len(second)


def written(bookings):
    """Return a file with these bookings."""
    rows = (f"{booking.day},{booking.text},{booking.amount}\n" for booking in bookings)
    return ("Date,Text,Amount\n" + "".join(rows)).encode()
