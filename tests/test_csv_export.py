"""The CSV export of expenses."""

import csv
import errno
import tracemalloc
from contextlib import closing
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert
from sqlalchemy.exc import TimeoutError

from database import db
from ledger import csv_export
from ledger.csv_export import (
    HEADER,
    MAX_BYTES_IN_MEMORY,
    MAX_FILES_PER_USER,
    escape_formula,
    escape_formulas,
    unescape_formula,
    write_csv,
    write_file,
)
from ledger.spending import ExpenseFilter, ordered_query
from models import Expense
from tests.browsing import read


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝x", "'=x", "''=x"])
def test_a_text_that_looks_like_a_formula_is_escaped(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("x;=1+1", "x;'=1+1"),
        ("x\t@y", "x\t'@y"),
        ("x|-1", "x|'-1"),
        ("x\n+1", "x\n'+1"),
        ("x;'=1", "x;''=1"),
        (";;=1", ";;'=1"),
        ("=a;=b", "'=a;'=b"),
    ],
)
def test_a_formula_is_escaped_where_another_spreadsheet_would_begin_a_cell(text, escaped):
    assert escape_formula(text) == escaped
    assert unescape_formula(escaped) == text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_of_the_file_is_a_formula_whichever_separator_a_spreadsheet_expects(ana, separator):
    for text in ("=1+1", "x;=1+1", "x; +1;-1", "a|@b", "'=x;'=y"):
        ana.add("1", "Food", description=text, date="2026-03-01")

    rows = csv.reader(StringIO(ana.get("/expenses.csv").text, newline=""), delimiter=separator)

    cells = [cell.strip('"') for row in rows for cell in row]
    assert len(cells) >= 6
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


@pytest.mark.parametrize("text", ["", "tea", "'tea'", "1-2", "a=b", "'", "a; b", "a; =b"])
def test_any_other_text_is_left_as_it_is(text):
    assert escape_formula(text) == text


@given(st.text("'=+-@;|\t\n＝ab", max_size=8) | st.text(max_size=10))
def test_an_escaped_formula_can_be_unescaped(text):
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.lists(st.text("'=-;|\t\n＝ab", max_size=4) | st.text(max_size=10), max_size=4))
def test_many_texts_are_escaped_like_each_of_them(texts):
    assert list(escape_formulas(texts)) == [escape_formula(text) for text in texts]


def test_every_amount_is_exact_when_there_are_more_than_are_remembered(ana, monkeypatch):
    monkeypatch.setattr(csv_export, "MAX_REMEMBERED", 2)
    amounts = ["1.00", "2.00", "1.00", "3.50", "4.05", "1.00"]
    for number, amount in enumerate(amounts, 1):
        ana.add(amount, date=f"2026-03-0{number}")

    rows = csv.DictReader(StringIO(ana.get("/expenses.csv").text))

    assert [row["amount"] for row in rows] == amounts[::-1]


def test_the_file_is_the_view_in_its_order_and_exact(ana):
    ana.add("1234.5", "Food", description='=HYPERLINK("x"), "é"', date="2026-03-01")
    ana.add("0.10", "Travel", description="a, b", date="2026-03-02", refund="y")
    ana.add("7", "Food", date="2026-03-03")

    response = ana.get("/expenses.csv?sort=amount")

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=expenses.csv"
    assert response.headers["Cache-Control"] == "no-store"
    assert list(csv.reader(StringIO(response.text, newline=""))) == [
        list(HEADER),
        ["2026-03-02", "Travel", "a, b", "-0.10", "USD"],
        ["2026-03-03", "Food", "", "7.00", "USD"],
        ["2026-03-01", "Food", '\'=HYPERLINK("x"), "é"', "1234.50", "USD"],
    ]
    assert response.text.count("\r\n") == 4
    narrowed = ana.get("/expenses.csv?category=Food&bom=1").text
    assert narrowed.startswith("\ufeffdate,")
    assert narrowed.count("\n") == 3
    assert ana.get("/expenses.csv?category=Nope").status_code == 400


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1200"), ("KWD", "1.234"), ("EUR", "1.20")])
def test_amounts_have_the_decimals_of_their_currency(stranger, currency, amount):
    stranger.register("ana", currency=currency)
    stranger.add(amount)

    assert stranger.get("/expenses.csv").text.splitlines()[1].endswith(f",{amount},{currency}")


def test_a_file_that_cannot_be_begun_is_a_page_and_leaves_no_connection_behind(app, ana):
    def fail(_connection, _cursor, _statement, _parameters, context, _many):
        if str(_statement).startswith("SELECT expense.date"):
            raise TimeoutError("no connection is free")

    ana.add("1")
    with app.app_context():
        engine = db.engine
    open_before = engine.pool.checkedout()
    event.listen(engine, "before_cursor_execute", fail)
    try:
        response = ana.get("/expenses.csv")
    finally:
        event.remove(engine, "before_cursor_execute", fail)

    assert response.status_code == 503
    assert read(response).one("h1").text == "Back in a moment"
    assert ana.client.head("/expenses.csv").status_code == 200
    assert engine.pool.checkedout() == open_before


def test_a_file_that_nobody_reads_keeps_no_connection(app, ana):
    ana.add("1")
    with app.app_context():
        pool = db.engine.pool

    unread = ana.get("/expenses.csv")

    assert pool.checkedout() == 0
    assert unread.content_length == len(unread.data)


def test_a_user_may_have_a_few_unfinished_downloads_and_stops_nobody_else(ana, bob):
    ana.add("1")
    bob.add("2")
    unfinished = [ana.get("/expenses.csv") for _ in range(MAX_FILES_PER_USER)]

    refused = ana.get("/expenses.csv")

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert f"You have {MAX_FILES_PER_USER} unfinished downloads." in read(refused).one("main").text
    assert bob.get("/expenses.csv").status_code == 200
    unfinished.pop().close()
    assert ana.get("/expenses.csv").status_code == 200


def test_files_that_are_not_sent_do_not_count(ana):
    ana.add("1")

    for _ in range(2 * MAX_FILES_PER_USER):
        assert ana.client.head("/expenses.csv").status_code == 200


def test_a_full_disk_is_a_page_and_leaves_no_file_behind(ana, monkeypatch):
    ana.add("1")

    def write(_file, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(csv_export.ExportFile, "write", write)
        for _ in range(2 * MAX_FILES_PER_USER):
            refused = ana.get("/expenses.csv")

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "There is not enough disk space for this file." in read(refused).one("main").text
    assert ana.get("/expenses.csv").status_code == 200


def test_a_large_file_is_not_kept_in_memory():
    piece = "x" * 1000

    tracemalloc.start()
    with closing(write_file(1, (piece for _ in range(10_000)))) as file:
        _size, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert file.size == 10_000_000
        assert file.read(3) == b"xxx"
    assert most < 4 * MAX_BYTES_IN_MEMORY


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(app, ana):
    with app.app_context():
        author = ana.user()
        values = {"author_id": author.id, "category": "Food", "description_key": "", "amount": Decimal(1)}
        for first in range(0, 30_000, 3_000):
            rows = [
                values | {"date": date(2026, 1, 1), "description": f"number {n}"}
                for n in range(first, first + 3_000)
            ]
            db.session.execute(insert(Expense), rows)
            db.session.commit()
        query = ordered_query(author, ExpenseFilter())
        del rows

        def peak(limit):
            tracemalloc.start()
            length = sum(len(lines) for lines in write_csv(db.session.connection(), query.limit(limit), "USD"))
            _size, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return length, most

        few, many = peak(3_000), peak(30_000)

    assert many[0] > 9 * few[0]
    assert many[1] < 1.5 * few[1]
