"""Recurring expenses: their schedule, due occurrences in random histories, and the pages."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger import categories, operations, recurring
from ledger.recurring import FREQUENCIES, MAX_DUE_SHOWN, due, due_days
from ledger.spending import ExpenseValues
from ledger.undo import undo
from models import Expense, Occurrence, Operation, RecurringExpense, User, category_key
from tests.browsing import REDIRECTS, Visitor, at_once, empty_tables, form_values, operations_shown, read
from tests.test_speed import noted
from text import clean_text

FIRST = date(2026, 1, 31)
days = st.dates(date(1999, 1, 1), date(2030, 12, 31))


# --- Which days


def is_due(first_day, every, day):
    """Tell by the calendar whether what began on `first_day` falls on `day`."""
    if every in {"week", "two-weeks"}:
        return (day.toordinal() - first_day.toordinal()) % (7 if every == "week" else 14) == 0
    is_last = (day + timedelta(days=1)).day == 1
    if day.day != first_day.day and not (is_last and day.day < first_day.day):
        return False
    months = {"month": range(1, 13), "quarter": {(first_day.month + n - 1) % 12 + 1 for n in (0, 3, 6, 9)}}
    return day.month in months.get(every, {first_day.month})


@settings(max_examples=100, deadline=None)
@given(days, st.sampled_from([*FREQUENCIES]), days, st.integers(0, 800))
def test_the_days_are_those_of_the_calendar(first_day, every, since, length):
    until = since + timedelta(days=length)

    walked = [since + timedelta(days=n) for n in range(length + 1)]
    expected = [day for day in walked if day >= first_day and is_due(first_day, every, day)]

    assert list(due_days(first_day, every, since, until)) == expected


@pytest.mark.parametrize(
    ("first_day", "every", "expected"),
    [
        (FIRST, "month", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        (date(2024, 2, 29), "year", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (date(2025, 11, 30), "quarter", ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30", "2026-11-30"]),
        (date(2025, 12, 25), "week", ["2025-12-25", "2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22"]),
        (date(2025, 12, 25), "two-weeks", ["2025-12-25", "2026-01-08", "2026-01-22", "2026-02-05", "2026-02-19"]),
    ],
)
def test_months_end_where_they_end_and_are_counted_from_the_first_day(first_day, every, expected):
    assert [str(day) for day in islice(due_days(first_day, every, first_day), 5)] == expected


# --- What is due

TODAY = date(2026, 7, 1)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def user_id(migrated):
    """The id of somebody, whose rows every example creates again."""
    empty_tables(migrated)
    Visitor(migrated).with_account("keeper")
    with migrated.app_context():
        user_id = db.session.scalars(select(User.id)).one()
    yield user_id
    empty_tables(migrated)


# What is done, with the how-manieth of the due days, or of what was done.
actions = st.tuples(
    st.sampled_from(["add", "skip", "add all", "back", "edit", "delete", "change"]), st.integers(0, 9)
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.dates(date(2026, 1, 1), TODAY), st.sampled_from([*FREQUENCIES])), min_size=1, max_size=3
    ),
    st.lists(actions, max_size=8),
    days,
)
def test_days_that_were_neither_added_nor_skipped_are_due(user_id, made, actions, new_day):
    with application.app_context():
        try:
            user = db.session.get(User, user_id)
            play(user, made, actions, date(2026, new_day.month, min(new_day.day, 28)))
        finally:
            db.session.rollback()
            for model in (Operation, RecurringExpense, Expense):
                db.session.execute(delete(model).where(model.author_id == user_id))
            db.session.commit()


def play(user, made, actions, new_day):
    """Do this and that, and compare each time with what the calendar says."""
    kept, done, posted = {}, {}, []
    # Counted from a new first day, nothing is due before the day after the last one that was handled, unless
    # that is undone.
    since = defaultdict(lambda: date.min)
    for first_day, every in made:
        expense_id = uuid7()
        with operations.record(user, "add", NOW) as operation:
            operations.add_expense(operation, expense_id, ExpenseValues(Decimal(5), "Food", "", first_day))
            for _ in range(2):
                recurring.repeat(user, operation, expense_id, every)
        kept[expense_id] = (first_day, every)
        done[expense_id, first_day] = expense_id
    for action, number in actions:
        lines = due(user, TODAY).lines
        if action in {"add", "skip", "add all"} and lines:
            chosen = lines if action == "add all" else [lines[number % len(lines)]]
            amount = None if action == "skip" else Decimal(3)
            operation = recurring.resolve_due(user, [(line, amount) for line in chosen], NOW)
            posted.append((operation.id, [(line.id, line.day) for line in chosen]))
            rows = db.session.scalars(select(Occurrence).where(Occurrence.author_id == user.id))
            done = {(row.recurring_id, row.day): row.expense_id for row in rows}
        elif action in {"edit", "delete"} and posted:
            first = posted[number % len(posted)][1][0]
            mine = Expense.id == done.get(first)
            with operations.record(user, action, NOW) as operation:
                if action == "edit":
                    operations.change_expenses(operation, mine, {"amount": Decimal(7)})
                else:
                    operations.delete_expenses(operation, mine)
        elif action == "back" and posted:
            operation_id, keys = posted.pop(number % len(posted))
            there = dict(
                db.session.execute(select(Expense.id, Expense.amount).where(Expense.author_id == user.id)).all()
            )
            undone = [key for key in keys if done[key] is None or there.get(done[key]) == 3]
            reverted = undo(user, operation_id, NOW)
            changes = [] if reverted.operation is None else reverted.operation.row_changes
            assert {change.row_key for change in changes} == {f"{row_id}_{day}" for row_id, day in undone}
            assert reverted.conflict_count == len(keys) - len(undone)
            for row_id, day in undone:
                del done[row_id, day]
                since[row_id] = min(since[row_id], day)
            assert undo(user, operation_id, NOW).operation is None
        elif action == "change":
            row_id = [*kept][number % len(kept)]
            every = [*FREQUENCIES][number % len(FREQUENCIES)]
            row = db.session.get(RecurringExpense, (user.id, row_id))
            with operations.record(user, "edit_recurring", NOW) as operation:
                recurring.change(user, operation, row, ExpenseValues(Decimal(5), "Food", "", new_day), every)
            if kept[row_id] != (new_day, every):
                since[row_id] = max((day for each, day in done if each == row_id), default=date.min) + timedelta(
                    days=1
                )
            kept[row_id] = (new_day, every)
        expected = sorted(
            (day, row_id)
            for row_id, (first_day, every) in kept.items()
            for day in (first_day + timedelta(days=n) for n in range((TODAY - first_day).days + 1))
            if is_due(first_day, every, day) and (row_id, day) not in done and day >= since[row_id]
        )
        found = due(user, TODAY)
        assert [(line.day, line.id) for line in found.lines] == expected[:MAX_DUE_SHOWN]
        assert found.more == (len(expected) > MAX_DUE_SHOWN)
        assert recurring.count_due(user, recurring.all_recurring(user), TODAY) == len(expected)
        count = select(Expense.id).where(Expense.author_id == user.id)
        ids = set(db.session.scalars(count))
        added = [expense_id for expense_id in done.values() if expense_id]
        assert len(added) == len(set(added))
        assert ids <= set(added)


# --- The pages


def today():
    """The day it is for people whose zone is UTC."""
    return datetime.now(UTC).date()


def weeks_ago(number):
    return str(today() - timedelta(weeks=number))


@pytest.fixture
def ana_with_rent(ana):
    """Ana, whose rent of three weeks ago is due three times."""
    ana.add("500", "Housing", description="Rent", date=weeks_ago(3), frequency="week")
    return ana


def due_form(visitor, address="/expenses"):
    return visitor.page(address).one("form", class_="due")


def send(visitor, form):
    """Send a form as it stands."""
    return visitor.client.post(form["action"], data=form_values(form))


def press(visitor, button, number=0, form=None, **typed):
    """Press such a button of a due line, with these amounts typed into the first lines."""
    form = form or due_form(visitor)
    names = [element["name"] for element in form.all("input") if element.get("inputmode")]
    values = form_values(form) | dict(zip(names, typed.get("amounts", []), strict=False))
    return visitor.client.post(form["action"], data=values | {button: "y" if button == "all" else names[number]})


def added(visitor):
    return [(str(expense.date), str(expense.amount.normalize())) for expense in visitor.expenses()]


def test_a_due_expense_is_above_the_list_until_it_is_added(ana_with_rent):
    assert "It repeats every week." in ana_with_rent.message().text
    lines = due_form(ana_with_rent).all("li")
    assert [line.one("time")["datetime"] for line in lines] == [weeks_ago(2), weeks_ago(1), weeks_ago(0)]
    assert len(ana_with_rent.expenses()) == 1

    response = press(ana_with_rent, "add", 1, amounts=["wrong", "512.50"])

    assert response.location == "/expenses"
    assert added(ana_with_rent) == [(weeks_ago(1), "512.5"), (weeks_ago(3), "5E+2")]
    assert "Added 1 expense, $512.50." in ana_with_rent.message().text
    press(ana_with_rent, "all")
    assert "Added 2 expenses, $1,000.00." in ana_with_rent.message().text
    assert ana_with_rent.page("/expenses").all("form", class_="due") == []
    assert [day for day, _ in added(ana_with_rent)] == [weeks_ago(n) for n in range(4)]


def test_due_expenses_are_shown_above_the_unfiltered_list_only(ana_with_rent):
    for address in ("/expenses?category=Housing", "/expenses?sort=amount", "/expenses?search=rent"):
        assert ana_with_rent.page(address).all("form", class_="due") == []
    assert due_form(ana_with_rent)


def test_a_wrong_amount_adds_nothing_and_loses_nothing(ana_with_rent):
    response = press(ana_with_rent, "all", amounts=["501", "1,234", "503"])

    assert response.status_code == 422
    form = read(response).one("form", class_="due")
    wrong = form.all("input", aria_invalid="true")
    assert [each["value"] for each in wrong] == ["1,234"]
    assert "Are these thousands" in form.one(id=wrong[0]["aria-describedby"]).text
    assert "autofocus" in wrong[0].attributes
    assert [element["value"] for element in form.all("input") if element.get("inputmode")] == [
        "501",
        "1,234",
        "503",
    ]
    assert len(ana_with_rent.expenses()) == 1
    press(ana_with_rent, "all", form=form, amounts=["501", "502"])
    assert [amount for _, amount in added(ana_with_rent)] == ["503", "502", "501", "5E+2"]


def test_enter_in_a_line_asks_which_one_is_meant(ana_with_rent):
    form = due_form(ana_with_rent)

    response = ana_with_rent.client.post(form["action"], data=form_values(form))

    assert response.status_code == 422
    assert "Use the Add or Skip button" in read(response).one("p", role="alert").text
    assert len(ana_with_rent.expenses()) == 1


def test_pressing_twice_adds_one_and_says_so(ana_with_rent):
    form = due_form(ana_with_rent)

    for _ in range(2):
        press(ana_with_rent, "add", form=form)

    assert "already added or skipped" in ana_with_rent.message().text
    assert len(ana_with_rent.expenses()) == 2
    press(ana_with_rent, "all", form=form)
    assert len(ana_with_rent.expenses()) == 4


def test_add_all_adds_what_was_on_the_page_only(ana_with_rent):
    form = due_form(ana_with_rent)
    ana_with_rent.add("9", "Food", date=weeks_ago(1), frequency="week")

    press(ana_with_rent, "all", form=form)

    assert len(ana_with_rent.expenses()) == 5
    assert len(due_form(ana_with_rent).all("li")) == 1


def test_two_devices_at_the_same_moment_add_one(app, ana_with_rent):
    form = due_form(ana_with_rent)
    devices = [Visitor(app) for _ in range(4)]
    for device in devices:
        device.name = "ana"
        device.log_in()
    tokens = {id(device): device.token() for device in devices}

    def add(device):
        values = form_values(form) | {"csrf_token": tokens[id(device)], "all": "y"}
        assert device.client.post(form["action"], data=values).status_code in REDIRECTS

    at_once(add, devices)

    assert [day for day, _ in added(ana_with_rent)] == [weeks_ago(n) for n in range(4)]


def test_undoing_an_added_occurrence_makes_it_due_again(ana_with_rent):
    press(ana_with_rent, "all")

    response = ana_with_rent.undo()

    assert response.location == "/expenses"
    assert "Undone: 3 expenses removed." in ana_with_rent.message().text
    assert len(ana_with_rent.expenses()) == 1
    assert len(due_form(ana_with_rent).all("li")) == 3
    press(ana_with_rent, "skip")
    assert "Skipped 1 expense." in ana_with_rent.message().text
    ana_with_rent.page("/expenses")
    press(ana_with_rent, "skip")
    ana_with_rent.undo()
    assert "Undone." in ana_with_rent.message().text
    assert len(due_form(ana_with_rent).all("li")) == 2
    assert len(ana_with_rent.expenses()) == 1


def test_an_undo_of_adding_can_be_undone_until_the_day_is_added_once_more(ana_with_rent):
    press(ana_with_rent, "all")
    before = added(ana_with_rent)
    ana_with_rent.undo()
    again = ana_with_rent.message().one("form")

    send(ana_with_rent, again)
    assert added(ana_with_rent) == before
    ana_with_rent.undo()
    again = ana_with_rent.message().one("form")
    press(ana_with_rent, "add")
    send(ana_with_rent, again)

    said = ana_with_rent.message().text
    assert "Undone: 2 expenses restored. Not undone because it was changed later: Rent." in said
    assert added(ana_with_rent) == before


def test_expenses_that_were_changed_or_deleted_since_are_left_alone(ana_with_rent):
    press(ana_with_rent, "all")
    form = ana_with_rent.message().one("form")
    last, middle = ana_with_rent.expenses()[:2]
    ana_with_rent.fill(f"/expenses/{last.id}/edit", amount="7")
    ana_with_rent.post(f"/expenses/{middle.id}/delete")
    ana_with_rent.page("/expenses")

    send(ana_with_rent, form)

    said = ana_with_rent.message().text
    assert "Undone: 1 expense removed. Not undone because they were changed later: Rent, Rent." in said
    assert added(ana_with_rent) == [(weeks_ago(0), "7"), (weeks_ago(3), "5E+2")]
    assert [line.one("time")["datetime"] for line in due_form(ana_with_rent).all("li")] == [weeks_ago(2)]


def test_one_of_those_that_were_added_can_be_undone(ana_with_rent):
    press(ana_with_rent, "all")

    lines = operations_shown(ana_with_rent)[0].all("tr")
    send(ana_with_rent, lines[1].one("form"))

    assert [line.one("time")["datetime"] for line in due_form(ana_with_rent).all("li")] == [weeks_ago(1)]
    assert [day for day, _ in added(ana_with_rent)] == [weeks_ago(0), weeks_ago(2), weeks_ago(3)]


def test_nobody_undoes_what_another_added(ana_with_rent, bob):
    press(ana_with_rent, "all")

    assert bob.post(ana_with_rent.message().one("form")["action"]).status_code == 404

    assert len(ana_with_rent.expenses()) == 4


def test_undoing_the_first_expense_removes_what_repeats_unless_it_was_used(ana_with_rent):
    first = ana_with_rent.message().one("form")
    send(ana_with_rent, first)
    assert ana_with_rent.expenses() == []
    ana_with_rent.undo()
    assert len(due_form(ana_with_rent).all("li")) == 3

    press(ana_with_rent, "add")
    send(ana_with_rent, first)

    said = ana_with_rent.message().text
    assert (
        "Undone: 1 expense removed. The recurring expense was kept because it was used or changed later." in said
    )
    assert [day for day, _ in added(ana_with_rent)] == [weeks_ago(2)]
    assert len(due_form(ana_with_rent).all("li")) == 2


def test_a_change_of_what_repeats_can_be_undone(ana_with_rent):
    press(ana_with_rent, "skip", 0)
    link = due_form(ana_with_rent).all("a")[0]["href"]
    before = due_form(ana_with_rent).text
    ana_with_rent.fill(link, amount="600", description="Home", date=weeks_ago(2), frequency="two-weeks")
    change = operations_shown(ana_with_rent)[0]
    assert "$500.00 → $600.00" in change.text
    assert "Every week → Every two weeks" in change.text

    assert send(ana_with_rent, change.one("form")).location == "/history"

    assert due_form(ana_with_rent).text == before


def test_the_same_form_sent_twice_repeats_once(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    values = form_values(form) | {"amount": "5", "category": "Food", "frequency": "month"}

    for _ in range(2):
        ana.client.post(form["action"], data=values)

    assert len(ana.expenses()) == 1
    assert len(ana.page("/recurring").one("section", class_="recurring").one("tbody").all("tr")) == 1


def test_an_expense_can_be_said_to_repeat_later_but_once(ana):
    ana.add("5", date=weeks_ago(1))
    address = f"/expenses/{ana.expenses()[0].id}/edit"

    ana.fill(address, frequency="week")

    assert "Expense changed. It repeats every week." in ana.message().text
    page = ana.page(address)
    assert page.all(id="frequency") == []
    assert "It repeats every week." in page.one("main").text
    ana.post(address, {"amount": "6", "category": "Food", "date": weeks_ago(1), "frequency": "year"})
    assert len(ana.page("/recurring").one("section", class_="recurring").one("tbody").all("tr")) == 1
    press(ana, "add")
    assert "It repeats every week." in ana.page(f"/expenses/{ana.expenses()[0].id}/edit").one("main").text


TOO_MANY = "You have 2 recurring expenses, which is the limit. Add this expense without repeating it."


def recurring_count(visitor):
    with visitor.app.app_context():
        return db.session.scalar(select(func.count()).select_from(RecurringExpense))


def test_the_number_of_recurring_expenses_is_limited(ana, monkeypatch):
    monkeypatch.setattr(recurring, "MAX_RECURRING", 2)
    for number in range(2):
        ana.add(f"{number + 1}", frequency="month")
    ana.add("3")
    third = ana.expenses()[0].id

    for address in ("/expenses", "/expenses/add", f"/expenses/{third}/edit"):
        response = ana.post(address, {"amount": "7", "category": "Food", "frequency": "month"})
        assert response.status_code == 422
        page = read(response)
        assert TOO_MANY in page.text
        assert page.one("select", name="frequency")["aria-invalid"] == "true"

    assert recurring_count(ana) == 2
    assert [str(expense.amount) for expense in ana.expenses()] == ["3.000", "2.000", "1.000"]


def test_the_limit_cannot_be_passed_by_undoing(ana, monkeypatch):
    monkeypatch.setattr(recurring, "MAX_RECURRING", 1)
    ana.add("1", "Food", description="First", frequency="month")
    ana.undo()
    undone = ana.message().one("form")
    ana.add("2", "Food", description="Second", frequency="month")

    send(ana, undone)

    assert "Not undone because it was changed later: First." in ana.message().text
    assert recurring_count(ana) == 1
    assert len(ana.expenses()) == 2


def test_only_some_of_many_due_expenses_are_shown_at_once(ana):
    ana.add("1", "Food", description="Rent", date="1900-01-01", frequency="week")
    with ana.app.app_context():
        first = db.session.scalars(select(RecurringExpense)).one()
        columns = {column.name: getattr(first, column.name) for column in RecurringExpense.__table__.c}
        rows = [columns | {"id": uuid7()} for _ in range(recurring.MAX_RECURRING - 1)]
        db.session.execute(insert(RecurringExpense), rows)
        db.session.commit()

    assert len(due_form(ana).all("li")) == MAX_DUE_SHOWN
    assert (
        len(ana.page("/recurring").one("section", class_="recurring").one("tbody").all("tr"))
        == recurring.MAX_RECURRING
    )


@pytest.mark.parametrize("address", ["/expenses/add", "/expenses"])
def test_an_unknown_repetition_is_refused(ana, address):
    typed = {"amount": "5", "category": "Food", "date": "2026-01-01", "frequency": "day"}
    response = ana.post(address, typed)

    assert response.status_code == 422
    assert "how often" in read(response).one(id="frequency-error").text
    assert ana.expenses() == []


def test_money_that_comes_back_comes_back_each_time(ana):
    ana.add("5", date=weeks_ago(1), refund="y", frequency="week")

    press(ana, "add", amounts=["6"])

    assert [amount for _, amount in added(ana)] == ["-6", "-5"]


def test_a_change_counts_from_the_new_first_day_and_leaves_what_was_done(ana_with_rent):
    press(ana_with_rent, "skip", 0)
    link = due_form(ana_with_rent).all("a")[0]["href"]
    form = ana_with_rent.page(link).one("main").one("form", action=link)
    assert form_values(form)["amount"] == "500.00"
    assert ana_with_rent.client.post(link, data=form_values(form) | {"amount": "x"}).status_code == 422

    response = ana_with_rent.fill(link, amount="600", description="Home", date=weeks_ago(2), frequency="two-weeks")

    assert response.location == "/recurring"
    lines = due_form(ana_with_rent).all("li")
    assert [line.one("time")["datetime"] for line in lines] == [weeks_ago(0)]
    assert lines[0].one("input")["value"] == "600.00"
    assert "Home" in lines[0].text
    assert ana_with_rent.expenses()[0].description == "Rent"


def test_a_stopped_recurring_expense_is_not_due_until_it_is_resumed(ana_with_rent):
    for words in ("Stop", "Resume"):
        form = (
            ana_with_rent.page("/recurring")
            .one("section", class_="recurring")
            .all("form")[1 if words == "Stop" else 0]
        )
        assert words in form.text
        assert ana_with_rent.client.post(form["action"], data=form_values(form)).location == "/recurring"
        assert bool(ana_with_rent.page("/expenses").all("form", class_="due")) == (words == "Resume")


def test_the_oldest_are_shown_and_the_next_ones_follow(ana):
    ana.add("5", date=weeks_ago(MAX_DUE_SHOWN + 2), frequency="week")

    assert len(due_form(ana).all("li")) == MAX_DUE_SHOWN
    assert "More will appear" in due_form(ana).text
    press(ana, "all")
    assert len(due_form(ana).all("li")) == 2


def test_skipping_everything_twice_says_that_nothing_was_left(ana_with_rent):
    ana_with_rent.post("/recurring/due/skip")
    operations = len(ana_with_rent.page("/history").all("section", class_="operation"))

    ana_with_rent.post("/recurring/due/skip")

    assert "Nothing to add: this was already added or skipped." in ana_with_rent.page("/recurring").text
    assert len(ana_with_rent.page("/history").all("section", class_="operation")) == operations


def test_deleting_what_was_added_does_not_make_it_due_again(ana_with_rent):
    press(ana_with_rent, "all")
    for expense in ana_with_rent.expenses():
        ana_with_rent.post(f"/expenses/{expense.id}/delete")

    assert ana_with_rent.page("/expenses").all("form", class_="due") == []


def test_a_stale_page_brings_back_what_was_typed(ana_with_rent):
    form = due_form(ana_with_rent)
    names = [element["name"] for element in form.all("input") if element.get("inputmode")]

    response = ana_with_rent.client.post(
        form["action"], data={names[0]: "501", "add": names[0], "csrf_token": "x"}
    )

    assert response.status_code == 400
    assert read(response).one("form", class_="due").one("input", name=names[0])["value"] == "501"
    assert len(ana_with_rent.expenses()) == 1


@pytest.mark.parametrize("weeks", [1, MAX_DUE_SHOWN])
def test_due_expenses_take_a_fixed_number_of_statements(ana, weeks):
    ana.add("5", date=weeks_ago(weeks), frequency="week")
    form = due_form(ana)

    with noted() as shown:
        ana.get("/expenses")
    with noted() as sent:
        press(ana, "all", form=form)

    assert (len(shown), len(sent)) == (7, 14)


def test_counting_anew_makes_nothing_due_that_was_done(ana):
    ana.add("5", date=weeks_ago(3), frequency="week")
    press(ana, "all", form=due_form(ana))
    # It has the id of the expense that was said to repeat, which is the oldest one.
    ana.fill(f"/recurring/{ana.expenses()[-1].id}/edit", date=weeks_ago(4))

    assert not ana.page("/expenses").all("form", class_="due")


# --- In a new category

# What the dropdown of categories says beside the name that was typed; Travel is archived.
CHOSEN = ["", "New …", "Food", "Travel"]
MONTHLY = {"amount": "30", "date": weeks_ago(6), "frequency": "month"}


@pytest.fixture
def member(ana):
    """Ana, who has archived the category Travel."""
    archive(ana, "Travel")
    return ana


def archive(visitor, name):
    with visitor.app.app_context():
        user = visitor.user()
        category = next(category for category in categories.get_categories(user) if category.name == name)
        categories.edit(user, category.id, NOW, {"archived": True})
        db.session.commit()


def stored(visitor):
    """The categories of somebody's expenses, of their recurring expenses, and all that they have."""
    with visitor.app.app_context():
        user = visitor.user()
        series = select(RecurringExpense.category).where(RecurringExpense.author_id == user.id)
        own = [category.name for category in categories.get_categories(user)]
        return [expense.category for expense in user.expenses], db.session.scalars(series).all(), own


def assert_stored_once(visitor, name):
    """One expense and one recurring expense are in the category, which is there once and can be worked with."""
    expenses, series, own = stored(visitor)
    assert (expenses, series, own.count(name)) == ([name], [name], 1)
    assert {category_key(each) for each in own} & {category_key("New …")} == set()
    assert visitor.post("/categories", {"total-monthly_budget": "500"}).status_code in REDIRECTS


@pytest.mark.parametrize("chosen", CHOSEN)
@pytest.mark.parametrize("address", ["/expenses", "/expenses/add"])
def test_a_recurring_expense_is_in_its_new_category(member, address, chosen):
    response = member.post(address, MONTHLY | {"category": chosen, "new_category": "Gym"})

    assert response.status_code in REDIRECTS
    assert "to the new category Gym. It repeats every month." in member.message().text
    assert_stored_once(member, "Gym")
    press(member, "add")
    assert stored(member)[0] == ["Gym", "Gym"]


@pytest.mark.parametrize("chosen", CHOSEN)
@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Personal   trainer ", "Personal trainer"),
        ("hOUSING", "Housing"),
        ("Ｈousing", "Housing"),
        ("TRAVEL", "Travel"),
    ],
)
def test_a_recurring_expense_is_in_the_category_as_it_is_written(member, typed, name, chosen):
    assert (
        member.post("/expenses/add", MONTHLY | {"category": chosen, "new_category": typed}).status_code
        in REDIRECTS
    )

    assert ("to the new category" in member.message().text) == (name == "Personal trainer")
    assert_stored_once(member, name)


@pytest.mark.parametrize("chosen", CHOSEN)
def test_an_expense_that_is_edited_into_a_new_category_repeats_in_it(member, chosen):
    member.add("30", "Food", date=weeks_ago(6))
    address = f"/expenses/{member.expenses()[0].id}/edit"

    assert member.fill(address, category=chosen, new_category="Gym", frequency="month").status_code in REDIRECTS

    assert "Expense changed. It repeats every month." in member.message().text
    assert_stored_once(member, "Gym")


@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_recurring_expense_can_be_edited_into_a_new_category(member, chosen):
    member.add("30", "Food", date=weeks_ago(6), frequency="month")

    response = member.fill(
        f"/recurring/{member.expenses()[0].id}/edit", category=chosen, new_category=" gym ", amount="31"
    )

    assert response.status_code in REDIRECTS
    expenses, series, own = stored(member)
    assert (expenses, series, own[-1]) == (["Food"], ["gym"], "gym")
    press(member, "add")
    assert stored(member)[0] == ["gym", "Food"]


def test_a_refund_repeats_in_its_new_category(member):
    member.post("/expenses/add", MONTHLY | {"new_category": "Gym", "refund": "y"})

    assert_stored_once(member, "Gym")
    with application.app_context():
        (series,) = recurring.all_recurring(member.user())
    assert series.amount == member.expenses()[0].amount == Decimal(-30)


def test_the_same_form_with_a_new_category_sent_twice_is_saved_once(member):
    form = form_values(member.page("/expenses/add").one("main").one("form")) | MONTHLY | {"new_category": "Gym"}

    for _ in range(2):
        assert member.client.post("/expenses/add", data=form).location == "/expenses"
        assert "It repeats every month." in member.message().text

    assert_stored_once(member, "Gym")


def test_the_same_form_with_a_new_category_sent_at_the_same_moment_is_saved_once(app, member):
    form = form_values(member.page("/expenses/add").one("main").one("form")) | MONTHLY | {"new_category": "Gym"}
    tabs = [Visitor(app) for _ in range(5)]
    answers = []
    for tab in tabs:
        tab.client._cookies.update(member.client._cookies)

    def send(tab):
        answers.append(tab.client.post("/expenses/add", data=form).status_code)

    at_once(send, tabs)

    assert [answer in REDIRECTS for answer in answers] == [True] * 5
    assert_stored_once(member, "Gym")


def test_a_form_that_was_saved_before_leaves_no_category_behind(member):
    form = form_values(member.page("/expenses/add").one("main").one("form")) | MONTHLY | {"new_category": "Gym"}
    member.client.post("/expenses/add", data=form)

    response = member.client.post("/expenses/add", data=form | {"new_category": "Pool"})

    assert response.status_code == 422
    assert_stored_once(member, "Gym")
    assert "Pool" not in stored(member)[2]
    again = form_values(read(response).one("main").one("form"))
    assert member.client.post("/expenses/add", data=again).status_code in REDIRECTS
    assert sorted(stored(member)[1]) == ["Gym", "Pool"]


def test_a_recurring_expense_keeps_its_category_when_the_expense_is_deleted(member):
    member.post("/expenses/add", MONTHLY | {"new_category": "Gym"})
    member.post(f"/expenses/{member.expenses()[0].id}/delete")
    with application.app_context():
        gym = categories.get_categories(member.user())[-1]

    member.post(f"/categories/{gym.id}/delete")

    assert stored(member)[1] == ["Gym"]
    assert "Gym" in stored(member)[2]
    press(member, "add")
    assert stored(member)[0] == ["Gym"]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_category_that_repeats_stays_when_its_first_expense_is_undone(member, deleted):
    member.post("/expenses/add", MONTHLY | {"new_category": "Gym"})
    first = member.message().one("form")
    press(member, "add")
    if deleted:
        member.post(f"/expenses/{member.expenses()[-1].id}/delete")

    assert send(member, first).status_code in REDIRECTS

    said = member.message().text
    assert "The recurring expense was kept because it was used or changed later." in said
    assert "Not undone because it was changed later: Gym." in said
    expenses, series, own = stored(member)
    assert (expenses, series) == (["Gym"], ["Gym"])
    assert "Gym" in own


def test_undoing_an_edit_into_a_new_category_removes_what_repeats_there(member):
    member.add("30", "Food", date=weeks_ago(6))
    member.fill(f"/expenses/{member.expenses()[0].id}/edit", new_category="Gym", frequency="month")

    assert member.undo().status_code in REDIRECTS

    expenses, series, own = stored(member)
    assert (expenses, series) == (["Food"], [])
    assert "Gym" not in own


@pytest.fixture(scope="module")
def chooser(migrated):
    """Somebody with an archived category, and a known description, whose other rows every example deletes."""
    empty_tables(migrated)
    visitor = Visitor(migrated).with_account("chooser")
    with migrated.app_context():
        user = visitor.user()
        with operations.record(user, "add_category", NOW) as operation:
            categories.add(user, operation, "Club")
        db.session.commit()
    archive(visitor, "Club")
    visitor.token_value = visitor.token()
    yield visitor
    empty_tables(migrated)


@settings(max_examples=60, deadline=None)
@given(
    address=st.sampled_from(["/expenses", "/expenses/add"]),
    chosen=st.sampled_from(["", "New …", "Food", "Club", "food", "Nobody's"]),
    typed=st.sampled_from(["", " ", "Gym", "  gym ", "GYM", "Food", "ｆood", "club", "New …", "new ..."])
    | st.text(max_size=70),
    every=st.sampled_from(["", *FREQUENCIES, "day"]),
    description=st.sampled_from(["", "Tea", "tea"]),
    refund=st.booleans(),
)
# A name of nothing that can be seen is none.
@example(address="/expenses", chosen="", typed="\u00ad", every="", description="Tea", refund=False)
def test_a_chosen_and_a_typed_category_are_always_one_of_the_users_own(
    chooser, address, chosen, typed, every, description, refund
):
    with application.app_context():
        for model in (RecurringExpense, Expense):
            db.session.execute(delete(model).where(model.author_id == chooser.user().id))
        known = {"amount": 1, "category": "Food", "description": "Tea", "date": FIRST}
        db.session.add(Expense(author_id=chooser.user().id, **known))
        db.session.commit()
    sent = MONTHLY | {"category": chosen, "new_category": typed, "frequency": every, "description": description}

    response = chooser.client.post(
        address, data=sent | {"csrf_token": chooser.token_value} | ({"refund": "y"} if refund else {})
    )

    with application.app_context():
        user = chooser.user()
        expenses = [expense for expense in user.expenses if expense.amount != 1]
        series = recurring.all_recurring(user)
        own = [category.name for category in categories.get_categories(user)]
    assert response.status_code in REDIRECTS | {422}
    assert len(expenses) == (response.status_code in REDIRECTS)
    assert len(series) == (response.status_code in REDIRECTS and every != "")
    assert len({category_key(name) for name in own} | {category_key("New …")}) == len(own) + 1
    for row in [*expenses, *series]:
        assert row.category in own
        assert (row.category, row.description, row.amount) == (
            expenses[0].category,
            description,
            Decimal(-30 if refund else 30),
        )
        if name := clean_text(typed):
            assert category_key(row.category) == category_key(name)
        else:
            assert row.category == (chosen or "Food")
