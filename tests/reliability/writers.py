"""Users who write over HTTP without a pause and record what was acknowledged, and checks of the result."""

import contextlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPException, HTTPResponse
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.spending import VALUES
from models import DEFAULT_CATEGORIES, Expense, ExpenseChange, User, description_key
from tests.browsing import FORM, REDIRECTS, Element, HttpClient, HttpResponse, Visitor, form_values, read
from tests.server import Server

# The answer did not come, and nobody knows whether the request arrived.
LOST = (OSError, HTTPException)
PATIENCE = 60


@dataclass
class Tally:
    """One line of the table: how often something was broken, and the fate of the writes."""

    fault: str
    tries: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unanswered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.fault}: {self.tries} tries, {self.acknowledged} acknowledged, {self.lost} lost, "
            f"{self.doubled} doubled, {self.statuses[500]} times 500, {self.statuses[503]} times 503, "
            f"{self.unanswered} without an answer"
        )


class Person(Visitor):
    """Somebody with a browser, at one or several servers."""

    def __init__(self, *servers: Server, **headers: str) -> None:
        self.client = Client(*servers, **headers)

    def token(self) -> str:
        return self.token_on_page()

    def another_window(self) -> "Client":
        """A second browser that is logged in by the same cookies."""
        other = Client(*self.client.servers)
        other.cookies = dict(self.client.cookies)
        return other


class Client(HttpClient):
    """A browser that sends each request to one of several servers."""

    def __init__(self, *servers: Server, **headers: str) -> None:
        super().__init__(servers[0].port, headers)
        self.servers = servers

    def start(
        self, method: str, url: str, body: str | bytes | None = None, content_type: str = FORM
    ) -> HTTPResponse:
        self.connection.port = random.choice(self.servers).port
        return super().start(method, url, body, content_type)


class Writer:
    """One window of a user, which adds, changes and deletes its own expenses, and undoes that."""

    def __init__(self, person: Person, name: str, chance: random.Random, tally: Tally) -> None:
        self.client = person.another_window()
        self.name = name
        self.chance = random.Random(chance.random())
        self.tally = tally
        # Expenses that must exist, that must be deleted, and those whose answer never arrived.
        self.kept: dict[str, dict[str, Any]] = {}
        self.deleted: dict[str, dict[str, Any]] = {}
        self.doubtful: dict[str, dict[str, Any]] = {}
        self.added = 0

    def ask(self, send: Any, once: bool = False) -> tuple[HttpResponse | None, bool]:
        """Send until there is an answer other than 503, and tell whether that was not the first one."""
        lost = False
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = send()
            except LOST:
                self.tally.unanswered += 1
                lost = True
                if once:
                    return None, True
            else:
                self.tally.statuses[answer.status_code] += 1
                if answer.status_code != 503:
                    assert answer.status_code < 500, answer.text
                    return answer, lost
                assert_back_in_a_moment(answer)
                # The database may have gone away right after it had saved.
                lost = True
            time.sleep(0.05 + 0.1 * self.chance.random())
        raise AssertionError(f"no answer within {PATIENCE} seconds")

    def page(self, address: str) -> Element:
        answer, _ = self.ask(lambda: self.client.get(address))
        assert answer.status_code == 200, (answer.status_code, answer.location)
        return read(answer)

    def press(self, form: Element, **typed: Any) -> bool:
        """Send a form until it is answered; tell whether that was at the first try."""
        return self.send(form["action"], form_values(form) | typed)

    def send(self, url: str, values: dict[str, Any]) -> bool:
        """Send values until they are answered; tell whether that was at the first try."""
        answer, lost = self.ask(lambda: self.client.post(url, values))
        # A deletion whose answer was lost finds nothing the second time.
        assert answer.status_code in REDIRECTS or (lost and answer.status_code == 404), answer.text
        self.tally.acknowledged += 1
        return not lost

    def work(self) -> None:
        """Do one thing, and now and then undo it."""
        doing = self.chance.choices((self.add, self.edit, self.change_many, self.delete), (4, 2, 2, 2))[0]
        page = self.page("/expenses")
        if doing == self.add or len(self.kept) < 3:
            self.add(page)
            return
        before = dict(self.kept), dict(self.deleted)
        at_once = doing(page)
        buttons = [form for form in self.page("/expenses").all("form") if form["action"].endswith("/undo")]
        if at_once and buttons and self.chance.random() < 0.5:
            self.press(buttons[-1])
            self.kept, self.deleted = before

    def values(self, number: int) -> dict[str, str]:
        return {
            "amount": f"{self.chance.randint(1, 99999) / 100:.2f}",
            "category": self.chance.choice(DEFAULT_CATEGORIES),
            "description": f"{self.name}-{number} {self.chance.randint(0, 9)}",
            "date": f"2026-0{self.chance.randint(1, 9)}-1{self.chance.randint(0, 9)}",
        }

    def add(self, page: Element) -> None:
        form = page.one("form", class_="add-form")
        self.added += 1
        typed = self.values(self.added)
        sent = form_values(form) | typed
        once = self.chance.random() < 0.3
        answer, _ = self.ask(lambda: self.client.post(form["action"], sent), once)
        if answer is None:
            self.doubtful[sent["id"]] = typed
            return
        assert answer.status_code in REDIRECTS, answer.text
        self.tally.acknowledged += 1
        self.kept[sent["id"]] = typed

    def edit(self, page: Element) -> bool:
        row = self.chance.choice(list(self.kept))
        number = self.kept[row]["description"].partition("-")[2].partition(" ")[0]
        form = next(form for form in self.page(f"/expenses/{row}/edit").one("main").all("form"))
        typed = self.values(int(number))
        at_once = self.press(form, **typed)
        self.kept[row] = typed
        return at_once

    def change_many(self, page: Element) -> bool:
        rows, category = self.chance.sample(list(self.kept), 3), self.chance.choice(DEFAULT_CATEGORIES)
        at_once = self.press(page.one(id="bulk"), ids=rows, action="category", category=category)
        self.kept |= {row: self.kept[row] | {"category": category} for row in rows}
        return at_once

    def delete(self, page: Element) -> bool:
        row = self.chance.choice(list(self.kept))
        token = page.all("input", name="csrf_token")[0]["value"]
        at_once = self.send(f"/expenses/{row}/delete", {"csrf_token": token})
        self.deleted[row] = self.kept.pop(row)
        return at_once


def slowest(person: Person, number: int) -> float:
    """The seconds that the slowest of this many requests for the list took."""
    longest = 0.0
    for _ in range(number):
        begun = time.monotonic()
        assert person.get("/expenses").status_code == 200
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.05)
    return longest


def assert_back_in_a_moment(answer: HttpResponse) -> None:
    """The answer while the database is away is a page of ours that says when to come back."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert read(answer).one("h1").text == "Back in a moment"


def people_who_write(
    servers: list[Server], chance: random.Random, tally: Tally
) -> tuple[list[Person], list[Writer]]:
    """Four new users, and sixteen windows of theirs."""
    people = [Person(*servers).register(name) for name in ("ana", "bob", "cleo", "dan")]
    return people, [Writer(person, f"{person.name}{n}", chance, tally) for person in people for n in range(4)]


@contextlib.contextmanager
def working(writers: list[Any]) -> Any:
    """Run all writers during the block; each finishes the operation that it has started."""
    over = threading.Event()
    failures: list[BaseException] = []

    def run(writer: Any) -> None:
        try:
            while not over.is_set():
                writer.work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=[writer]) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def values_of(row: Any, prefix: str = "") -> tuple[Any, ...]:
    return tuple(getattr(row, prefix + name) for name in VALUES)


def typed_values(typed: dict[str, str]) -> tuple[Any, ...]:
    return Decimal(typed["amount"]), typed["category"], typed["description"], typed["date"]


def assert_the_books_agree(server: Server, people: list[Person], writers: list[Writer], tally: Tally) -> None:
    """Every acknowledged change is stored exactly once and completely, and the pages agree."""
    with Session(server.engine) as session:
        if server.engine.dialect.name == "sqlite":
            assert session.scalar(sa.text("PRAGMA integrity_check")) == "ok"
            assert session.execute(sa.text("PRAGMA foreign_key_check")).all() == []
        names = [person.name for person in people]
        authors = list(session.scalars(sa.select(User.id).where(User.username.in_(names))))
        live = list(session.scalars(sa.select(Expense).where(Expense.author_id.in_(authors))))
        changes = sa.select(ExpenseChange).where(ExpenseChange.author_id.in_(authors))
        changes = list(session.scalars(changes.order_by(ExpenseChange.operation_id)))
        totals = dict(
            session.execute(
                sa.select(User.username, sa.func.sum(Expense.amount)).join(Expense).group_by(User.username)
            ).all()
        )
    there = {str(row.id): (*values_of(row)[:3], str(row.date)) for row in live}
    wanted = {row: typed_values(typed) for writer in writers for row, typed in writer.kept.items()}
    doubtful = {row: typed_values(typed) for writer in writers for row, typed in writer.doubtful.items()}
    tally.lost += len(wanted.items() - there.items())
    assert there == wanted | {row: typed for row, typed in doubtful.items() if row in there}
    assert not there.keys() & {row for writer in writers for row in writer.deleted}
    numbers = Counter((row.author_id, row.description.split()[0]) for row in live)
    tally.doubled += sum(number - 1 for number in numbers.values())
    assert set(numbers.values()) == {1}
    assert_the_journal_leads_to(live, changes)
    for person in people:
        assert person.total() == f"${totals.get(person.name, 0):,.2f}"


def assert_the_journal_leads_to(expenses: list[Any], changes: list[ExpenseChange]) -> None:
    """Each change of an expense begins where the one before ended, and the last one with the current values."""
    reached: dict[Any, dict[str, Any]] = {}
    for change in changes:
        old, new = (
            {name: value for name in VALUES if (value := getattr(change, prefix + name)) is not None}
            for prefix in ("", "new_")
        )
        state = reached.setdefault(change.id, dict(old))
        assert {name: state.get(name, value) for name, value in old.items()} == old
        assert (change.change == "added") <= (not state)
        state |= old | new
        if change.change == "deleted":
            state.clear()
    for expense in expenses:
        state = reached.get(expense.id, {})
        assert {name: getattr(expense, name) for name in state} == state
        assert expense.description_key == description_key(expense.description)
    assert {row for row, state in reached.items() if state} <= {expense.id for expense in expenses}
