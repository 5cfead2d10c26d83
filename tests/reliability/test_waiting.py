"""Readers do not wait for writers."""

import contextlib
import sqlite3
import threading
import time

from tests.browsing import REDIRECTS, form_values
from tests.reliability.writers import Person, assert_back_in_a_moment, slowest


def test_those_who_read_do_not_wait_for_those_who_wait_to_write(serve, tmp_path):
    ana = Person(serve()).register("ana")
    sent = form_values(ana.page("/expenses").one("form", class_="add-form")) | {"amount": "1", "category": "Food"}
    answers = []

    def add(window):
        answers.append(window.post("/expenses", sent))

    writers = [threading.Thread(target=add, args=[ana.another_window()]) for _ in range(16)]
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for writer in writers:
            writer.start()
        time.sleep(0.1)
        waited = slowest(ana, 3)
        other.execute("ROLLBACK")
    for writer in writers:
        writer.join()

    assert waited < 3
    for answer in answers:
        if answer.status_code not in REDIRECTS:
            assert_back_in_a_moment(answer)
    assert REDIRECTS & {answer.status_code for answer in answers}
    assert ana.count() == 1
