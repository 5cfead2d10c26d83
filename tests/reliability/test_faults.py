"""Acknowledged expenses survive whatever happens to the servers while sixteen users write."""

import secrets
import time
from collections import Counter

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Expense, ExpenseChange
from tests.browsing import at_once, form_values
from tests.postgres import stopped
from tests.reliability.writers import (
    PATIENCE,
    Person,
    Writer,
    assert_back_in_a_moment,
    assert_the_books_agree,
    assert_the_journal_leads_to,
    people_who_write,
    working,
)


@pytest.mark.parametrize("program", ["serve", "gunicorn"])
def test_a_server_that_is_killed_again_and_again(serve, chance, tally, times, program):
    server = serve(program=program)
    people, writers = people_who_write([server], chance, tally)

    with working(writers):
        for _ in range(times(3)):
            time.sleep(chance.uniform(0.3, 1.2))
            server.kill()
            tally.tries += 1
            server.serve()
        time.sleep(0.5)

    assert tally.unanswered
    assert_the_books_agree(server, people, writers, tally)


@pytest.mark.parametrize("program", ["serve", "gunicorn"])
def test_a_postgresql_that_is_restarted_again_and_again(
    serve, postgres, postgres_url, chance, tally, times, program
):
    server = serve(postgres_url, program)
    people, writers = people_who_write([server], chance, tally)

    with working(writers):
        for number in range(times(2)):
            time.sleep(chance.uniform(0.3, 1))
            with stopped(postgres, ("immediate", "fast")[number % 2]):
                for address in ("/expenses", "/expenses/add", "/expenses.csv"):
                    assert_back_in_a_moment(people[0].get(address))
            tally.tries += 1
        acknowledged = tally.acknowledged
        time.sleep(1)

    assert tally.statuses[503]
    assert tally.acknowledged > acknowledged
    assert not tally.unanswered
    assert_the_books_agree(server, people, writers, tally)


def wait_until(happened):
    """Wait for something that takes a moment, or longer on a busy machine."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_disk_that_is_full_again_and_again(disk, serve, chance, tally, times):
    server = serve(f"sqlite:///{disk.folder / 'ledger.db'}")
    people, writers = people_who_write([server], chance, tally)

    with working(writers):
        for _ in range(times(2)):
            time.sleep(0.7)
            # On a busy machine, not everybody has got as far as their first expense.
            wait_until(lambda: all(writer.kept for writer in writers))
            refused = tally.statuses[503]
            disk.fill(server)
            try:
                wait_until(lambda refused=refused: tally.statuses[503] > refused)
                for person in people:
                    assert person.rows()
                    assert person.get("/expenses.csv").status_code == 200
            finally:
                disk.empty(server)
            tally.tries += 1
        acknowledged = tally.acknowledged
        time.sleep(1)

    assert tally.acknowledged > acknowledged
    assert not tally.unanswered
    assert_the_books_agree(server, people, writers, tally)
    # What was open at the mount would keep it.
    server.stop()


class Rival(Writer):
    """Somebody who changes the very expenses that others change, and presses twice at once."""

    def work(self):
        row = self.chance.choice(list(self.kept))
        form = next(form for form in self.page(f"/expenses/{row}/edit").one("main").all("form"))
        amount = f"{self.chance.randint(1, 99_999_999) / 100:.2f}"
        self.press(form, amount=amount)
        self.amounts.append((row, amount))
        adding = self.page("/expenses").one("form", class_="add-form")
        values = form_values(adding) | {"amount": "1", "category": "Other", "description": secrets.token_hex(8)}
        at_once(lambda client: self.ask(lambda: client.post("/expenses", values)), (self.client, self.other))
        self.added_names.append(values["description"])
        self.tally.acknowledged += 1


def test_two_servers_on_one_file(serve, chance, tally, times, tmp_path):
    key = secrets.token_hex(32)
    servers = [serve(SECRET_KEY=key), serve(program="gunicorn", SECRET_KEY=key)]
    people, writers = people_who_write(servers, chance, tally)
    zoe = Person(*servers).register("zoe")
    for amount in ("1", "2"):
        zoe.add(amount, description=secrets.token_hex(8))
    with Session(servers[0].engine) as session:
        contested = list(session.scalars(select(Expense.id)))
    rivals = [Rival(zoe, "zoe", chance, tally) for _ in range(4)]
    for rival in rivals:
        rival.kept = {str(row): {} for row in contested}
        rival.other = zoe.another_window()
        rival.amounts, rival.added_names = [], []

    with working([*writers[:12], *rivals]):
        time.sleep(times(4))

    tally.tries = 1
    assert not tally.unanswered
    # Who writes takes the lock before it reads, and so waits for it instead of being refused.
    assert tally.statuses[503] * 10 < tally.acknowledged
    with Session(servers[0].engine) as session:
        of_zoe = Expense.author_id == servers[0].user("zoe").id
        expenses = list(session.scalars(select(Expense).where(of_zoe)))
        changes = select(ExpenseChange).where(ExpenseChange.author_id == expenses[0].author_id)
        changes = list(session.scalars(changes.order_by(ExpenseChange.operation_id)))
        assert_the_journal_leads_to(expenses, changes)
        edits = [change for change in changes if change.change == "changed"]
        made = Counter((str(change.id), f"{change.new_amount:.2f}") for change in edits)
        assert made == Counter(pair for rival in rivals for pair in rival.amounts)
        names = Counter(row.description for row in expenses if row.id not in contested)
        assert names == Counter(name for rival in rivals for name in rival.added_names)
    assert_the_books_agree(servers[0], people, writers, tally)
