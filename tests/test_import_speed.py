"""The cost of imports without a clock: statements, and processor time that others have to wait for."""

import sys
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

import http_server
from app import app as application
from database import db
from ledger import imports
from models import User
from tests.statements import NOW, store_draft
from tests.test_speed import noted

# The review, a section of it, and all lines of a payee; and how many statements they send.
PAGES = {"": 4, "?show=here": 4, "/payees/2": 7}
LARGEST, WAIT_SECONDS = 50_000, 0.3


def content(number):
    """A file with this number of lines, of up to 40 payees."""
    payees = (f"Shop {chr(65 + line % 40) * 3}" for line in range(number))
    rows = (f"2026-01-{line % 28 + 1:02},{payee},-{line % 90 + 1}.00" for line, payee in enumerate(payees))
    return "\n".join(["Date,Payee,Amount", *rows]).encode()


@pytest.mark.parametrize("number", [1, 60, 2_000])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_an_import_sends_as_many_statements_at_any_size(ana, page, number):
    draft = store_draft(ana, content(number))

    with noted() as sent:
        assert ana.get(f"/imports/{draft}{page}").status_code == 200

    assert len(sent) == PAGES[page]


class Writer(threading.Thread):
    """Writes all the time, and notes how much the process has computed while it had to wait.

    That is what it waits for on a machine that does nothing else, however busy this one is.
    """

    def __init__(self, user_id):
        super().__init__()
        self.user_id = user_id
        self.waits = []
        self.enough = threading.Event()

    def run(self):
        with application.app_context():
            while not self.enough.wait(0.01):
                started = time.process_time()
                while not self.write():
                    pass
                self.waits.append(time.process_time() - started)

    def write(self):
        """Write once, unless a busy machine has let five seconds go by."""
        with suppress(OperationalError):
            db.session.execute(update(User).where(User.id == self.user_id).values(first_day_of_month=2))
            db.session.commit()
            return True
        db.session.rollback()
        return False


@pytest.fixture
def prepared():
    """A process that is set up as the server's."""
    interval = sys.getswitchinterval()
    http_server.prepare_process()
    yield
    sys.setswitchinterval(interval)


@pytest.mark.slow
def test_nobody_waits_long_while_another_user_imports_the_largest_file(app, prepared, ana, bob):
    with app.app_context():
        writer = Writer(bob.user().id)
    writer.start()
    try:
        draft = store_draft(ana, content(LARGEST))
        with app.app_context():
            outcome, operation = imports.add(ana.user(), draft, NOW, "Other")
    finally:
        writer.enough.set()
        writer.join()

    assert (outcome, operation.count) == ("added", LARGEST)
    assert len(writer.waits) > 20
    assert max(writer.waits) < WAIT_SECONDS
