"""Large operations: made in pieces, seen as one, and rolled back when they fail or are interrupted."""

import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from database import db
from ledger import operations, pieces
from models import Category, ExpenseChange, Operation, User
from tests.browsing import REDIRECTS, operations_shown, read

AMOUNTS = ("1", "2", "3", "4", "5")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_SIZE", 2)


@pytest.fixture
def ana_with_five(ana):
    for amount in AMOUNTS:
        ana.add(amount, "Food", description=f"Tea {amount}", date="2026-01-05")
    return ana


def bulk(visitor, action, **values):
    return visitor.post("/expenses/bulk", {"all_matching": "y", "action": action, **values})


def everything(visitor):
    return [
        (expense.amount, expense.category, expense.description, expense.date) for expense in visitor.expenses()
    ]


def counts(app):
    with app.app_context():
        return tuple(
            db.session.scalar(select(func.count()).select_from(model)) for model in (Operation, ExpenseChange)
        )


def running(app):
    with app.app_context():
        return list(db.session.scalars(select(User.running_operation).where(User.running_operation.is_not(None))))


class StopError(Exception):
    """An interruption in the middle of an operation."""


def interrupt_after(monkeypatch, number, error=StopError):
    """Let an operation fail when it has changed so many pieces."""
    apply, done = operations.apply, []

    def apply_some(operation):
        if len(done) == number:
            raise error
        done.append(operation)
        return apply(operation)

    monkeypatch.setattr(operations, "apply", apply_some)


def kill_after(monkeypatch, number):
    """Let an operation stop as if its process was killed then: nothing is rolled back."""
    interrupt_after(monkeypatch, number)
    monkeypatch.setattr(pieces, "end", lambda *_key: None)


@pytest.mark.parametrize(
    ("action", "values", "changed"),
    [
        ("category", {"category": "Health"}, lambda row: ("Health", *row[2:])),
        ("date", {"date": "2026-02-03"}, lambda row: (*row[1:3], date(2026, 2, 3))),
        ("delete", {}, None),
    ],
)
def test_an_operation_in_pieces_is_one_operation_and_undo_and_redo_as_well(
    app, ana_with_five, action, values, changed
):
    before = everything(ana_with_five)

    response = bulk(ana_with_five, action, **values)

    assert response.location == "/expenses"
    after = everything(ana_with_five)
    assert after == ([] if changed is None else [row[:1] + changed(row) for row in before])
    assert running(app) == []
    ana_with_five.undo()
    assert everything(ana_with_five) == before
    ana_with_five.undo()
    assert everything(ana_with_five) == after
    assert running(app) == []
    done = operations_shown(ana_with_five)[:3]
    assert ["5 expenses" in operation.text for operation in done] == [True] * 3


def test_a_merge_in_pieces_moves_all_and_undo_gives_the_category_back(app, ana_with_five):
    with app.app_context():
        ids = dict(db.session.execute(select(Category.name, Category.id)).all())
    before = everything(ana_with_five)

    ana_with_five.post(f"/categories/{ids['Food']}/merge", {"into": str(ids["Health"])})

    assert {row[1] for row in everything(ana_with_five)} == {"Health"}
    with app.app_context():
        assert "Food" not in set(db.session.scalars(select(Category.name)))
    ana_with_five.undo("/categories")
    assert everything(ana_with_five) == before
    with app.app_context():
        assert db.session.scalar(select(Category.id).where(Category.name == "Food")) == ids["Food"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("action", ["category", "delete", "undo"])
def test_an_error_in_the_middle_rolls_back_what_was_committed(app, ana_with_five, monkeypatch, action, number):
    if action == "undo":
        bulk(ana_with_five, "delete")
    before, recorded = everything(ana_with_five), counts(app)
    interrupt_after(monkeypatch, number)

    with pytest.raises(StopError):
        ana_with_five.undo() if action == "undo" else bulk(ana_with_five, action, category="Health")

    assert everything(ana_with_five) == before
    assert counts(app) == recorded
    assert running(app) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("action", ["category", "delete", "undo"])
def test_the_next_page_rolls_back_what_a_killed_process_left_behind(
    app, ana_with_five, bob, monkeypatch, action, number
):
    bob.add("9", "Food")
    if action == "undo":
        bulk(ana_with_five, "delete")
    before, recorded = everything(ana_with_five), counts(app)
    with monkeypatch.context() as patches:
        kill_after(patches, number)
        with pytest.raises(StopError):
            ana_with_five.undo() if action == "undo" else bulk(ana_with_five, action, category="Health")
    assert len(running(app)) == 1

    monkeypatch.setattr(pieces, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=1))
    page = read(ana_with_five.get("/expenses"))

    assert "is still in progress" not in page.text
    assert everything(ana_with_five) == before
    assert counts(app) == recorded
    assert running(app) == []
    assert bob.count() == 1
    assert ana_with_five.add("6", "Food").location.startswith("/expenses")


def test_while_an_operation_is_running_pages_say_so_and_nothing_else_can_be_changed(
    app, ana_with_five, bob, monkeypatch
):
    with monkeypatch.context() as patches:
        kill_after(patches, 1)
        with pytest.raises(StopError):
            bulk(ana_with_five, "delete")
    left = everything(ana_with_five)

    assert "is still in progress" in read(ana_with_five.get("/expenses")).text
    for response in (ana_with_five.add("6", "Food"), bulk(ana_with_five, "delete")):
        assert response.status_code == 409
        assert "Nothing was saved" in read(response).text
    assert everything(ana_with_five) == left
    assert "is still in progress" not in read(bob.get("/expenses")).text
    assert bob.add("1", "Food").location.startswith("/expenses")


def test_a_roll_back_that_is_interrupted_is_continued(app, ana_with_five, monkeypatch):
    before = everything(ana_with_five)
    with monkeypatch.context() as patches:
        kill_after(patches, 2)
        with pytest.raises(StopError):
            bulk(ana_with_five, "delete")
    monkeypatch.setattr(pieces, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=1))
    with monkeypatch.context() as patches:
        patches.setattr(pieces, "_begin_writing", iter([None]).__next__)
        with pytest.raises(StopIteration):
            ana_with_five.get("/expenses")
    assert 0 < len(everything(ana_with_five)) < len(before)

    monkeypatch.setattr(pieces, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=2))
    ana_with_five.get("/expenses")

    assert everything(ana_with_five) == before
    assert running(app) == []


def test_an_operation_whose_lease_ran_out_stops(app, ana_with_five, monkeypatch):
    before = everything(ana_with_five)
    apply, done = operations.apply, []

    def lose_the_lease(operation):
        counts = apply(operation)
        done.append(operation)
        if len(done) == 2:
            # As another process would after a long pause.
            db.session.commit()
            past = datetime.now(UTC) - timedelta(seconds=1)
            own = Operation.author_id == operation.author_id
            db.session.execute(update(Operation.__table__).where(own).values(running_until=past))
            db.session.commit()
        return counts

    monkeypatch.setattr(operations, "apply", lose_the_lease)

    response = bulk(ana_with_five, "delete")
    ana_with_five.get("/expenses")

    assert response.status_code == 409
    assert "took too long" in read(response).text
    assert everything(ana_with_five) == before
    assert running(app) == []


def test_a_waiting_request_gets_the_lock_after_the_piece(ana_with_five, bob, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_SIZE", 1)
    apply, done, waited, threads = operations.apply, [], [], []
    form = {"csrf_token": bob.token(), "amount": "1", "category": "Food"}

    def add():
        response = bob.client.post("/expenses/add", data=form)
        waited.append((response.status_code, len(done)))

    def apply_while_another_waits(operation):
        if not threads:
            threads.append(threading.Thread(target=add))
            threads[0].start()
            time.sleep(0.1)
        result = apply(operation)
        done.append(operation)
        return result

    monkeypatch.setattr(operations, "apply", apply_while_another_waits)
    bulk(ana_with_five, "category", category="Health")
    threads[0].join()

    assert waited[0][0] in REDIRECTS
    # On PostgreSQL it does not wait at all.
    assert waited[0][1] <= 2
    assert len(done) == len(AMOUNTS)
