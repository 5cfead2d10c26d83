"""A change of many expenses whose server is killed in the middle is rolled back."""

import contextlib
import threading
import time
from collections import Counter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Expense, ExpenseChange
from tests.browsing import read
from tests.reliability.writers import LOST, Person

MANY = 40_000
KINDS = {"category": {"category": "Health"}, "delete": {}}


def count(server, column):
    """The number of rows for each value of a column."""
    with Session(server.engine) as session:
        return Counter(dict(session.execute(sa.select(column, sa.func.count()).group_by(column)).all()))


def change_all(person, action):
    """Change all of a user's expenses, and ignore a missing answer."""
    with contextlib.suppress(*LOST):
        person.post("/expenses/bulk", {"all_matching": "y", "action": action, **KINDS[action]})


def test_a_change_of_many_is_rolled_back_when_its_server_is_killed(serve, url, chance, times, tally):
    action = chance.choice(sorted(KINDS))
    server = serve(url)
    server.create_person("ana")
    server.save_many("ana", MANY)
    ana = Person(server)
    ana.name = "ana"
    ana.log_in()

    for _ in range(times(1)):
        thread = threading.Thread(target=change_all, args=[ana, action])
        thread.start()
        # The last of the pieces is still far away.
        while count(server, ExpenseChange.author_id).total() < chance.choice([1, MANY // 4]):
            time.sleep(0.01)
        server.kill()
        thread.join()
        tally.tries += 1
        server.serve()

        while "is still in progress" in (page := read(ana.get("/expenses"))).text:
            time.sleep(0.5)
        assert page.one(id="count").text == str(MANY)
        assert count(server, Expense.category) == {"Food": MANY}
        assert count(server, ExpenseChange.author_id) == {}
