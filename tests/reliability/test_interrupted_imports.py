"""Imports over a real server.

It, or its PostgreSQL, ends between the upload and Add and during Add; Add is pressed often; the disk is full.
"""

import contextlib
import threading
import time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Expense, ExpenseChange, Operation, Statement, StatementLine
from tests.browsing import REDIRECTS, at_once, read
from tests.postgres import stopped
from tests.reliability.writers import LOST, Person, assert_back_in_a_moment
from tests.test_import_pages import review, upload, values_of

MANY = 12_000
PRESSES = 20


def statement(number):
    """A statement of this many lines."""
    days = (f"2026-{line % 12 + 1:02}-{line % 28 + 1:02}" for line in range(number))
    rows = (f"{day},Shop {line % 7},-{line % 90 + 1}.{line % 100:02}" for line, day in enumerate(days))
    return "\n".join(["Date,Payee,Amount", *rows]) + "\n"


def count(server, model):
    # Connections from before a restart are useless.
    server.engine.dispose()
    with Session(server.engine) as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model))


def press_add(client, page):
    """Press Add, and ignore a missing answer."""
    form = review(page)
    with contextlib.suppress(*LOST):
        return client.post(form["action"], values_of(form) | {"go": "add-all"})


def begin_adding(server, person, page):
    """Press Add in another window, and return its thread as soon as it has written something."""
    thread = threading.Thread(target=press_add, args=[person.another_window(), page])
    thread.start()
    while not count(server, ExpenseChange):
        time.sleep(0.005)
    return thread


def wait_until_rolled_back(person):
    while "is still in progress" in (page := read(person.get("/expenses"))).text:
        time.sleep(0.2)
    return page


def assert_nothing_stayed_and_add_works(server, person, preview):
    wait_until_rolled_back(person)
    assert [count(server, model) for model in (Expense, ExpenseChange, Operation)] == [0, 0, 0]
    assert press_add(person.client, person.page(preview)).status_code in REDIRECTS
    assert [count(server, model) for model in (Expense, ExpenseChange, Operation)] == [MANY, MANY, 1]


def test_an_import_whose_server_is_killed_is_all_or_nothing(serve, url, chance, tally):
    server = serve(url)
    ana = Person(server).register("ana")
    preview = upload(ana, statement(MANY)).location
    server.kill()
    tally.tries += 1
    server.serve()
    page = ana.page(preview)
    assert count(server, StatementLine) == MANY

    thread = begin_adding(server, ana, page)
    server.kill()
    thread.join()
    tally.tries += 1
    server.serve()

    assert_nothing_stayed_and_add_works(server, ana, preview)


def test_an_import_whose_postgresql_is_restarted_is_all_or_nothing(serve, postgres, postgres_url, tally):
    server = serve(postgres_url)
    ana = Person(server).register("ana")
    preview = upload(ana, statement(MANY)).location
    with stopped(postgres, "fast"):
        assert_back_in_a_moment(ana.get(preview))
    tally.tries += 1
    page = ana.page(preview)
    assert count(server, StatementLine) == MANY

    thread = begin_adding(server, ana, page)
    with stopped(postgres, "immediate"):
        thread.join()
    tally.tries += 1

    assert_nothing_stayed_and_add_works(server, ana, preview)


def test_add_pressed_often_at_once_adds_once(serve, url, tally):
    server = serve(url)
    ana = Person(server).register("ana")
    preview = upload(ana, statement(3_000)).location
    page = ana.page(preview)
    answers = []

    at_once(lambda client: answers.append(press_add(client, page)), [ana.another_window() for _ in range(PRESSES)])

    for answer in answers:
        tally.statuses[answer.status_code] += 1
    # Whoever had to wait too long was told to come back.
    assert {answer.status_code for answer in answers} <= {302, 303, 503}
    assert all("import=" in answer.location for answer in answers if answer.status_code in REDIRECTS)
    assert [count(server, model) for model in (Expense, ExpenseChange, Operation)] == [3_000, 3_000, 1]


def test_a_full_disk_stores_nothing_of_an_import(disk, serve, tally):
    server = serve(f"sqlite:///{disk.folder / 'ledger.db'}")
    ana = Person(server).register("ana")
    page = ana.page(upload(ana, statement(500)).location)
    before = [count(server, model) for model in (Statement, StatementLine)]

    disk.fill(server)
    try:
        tally.tries += 2
        assert press_add(ana.client, page).status_code == 503
        assert upload(ana, statement(400)).status_code == 503
    finally:
        disk.empty(server)

    assert [count(server, model) for model in (Statement, StatementLine)] == before
    assert count(server, Expense) == 0
    assert press_add(ana.client, page).status_code in REDIRECTS
    assert count(server, Expense) == 500
    # What was open at the mount would keep it.
    server.stop()
