"""The command that shows or adds the lines of a statement."""

import json
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

from app import app as application
from database import db
from ledger.money import currency_digits
from models import Expense, Operation, Statement, StatementLine, description_key
from tests.browsing import read
from tests.test_import_pages import send, upload

STATEMENT = (
    "Date,Text,Amount\n2026-01-13,coffee,-3.00\n2026-01-13,coffee,-3.00\n2026-01-14,pay,9.50\n2026-01-x,?,1\n"
)


def write(tmp_path, text):
    file = tmp_path / "statement.csv"
    file.write_text(text)
    return str(file)


def test_the_last_line_is_one_object(app, run, ana, tmp_path):
    code, printed = run("import-statement", "ANA@example.com", write(tmp_path, STATEMENT), "--json")

    assert code == 0
    assert json.loads(printed.splitlines()[-1]) == {
        "format": "csv",
        "lines": 3,
        "sum": "3.50",
        "start_date": "2026-01-13",
        "end_date": "2026-01-14",
        "currency": "USD",
        "questions": [],
        "bad_lines": 1,
        "left_out": 1,
        "to_add": 2,
        "already_here": 0,
    }
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Expense)) == 0


def test_adding_a_file_that_has_nothing_to_add_records_nothing(app, run, ana, tmp_path):
    file = write(tmp_path, "Date,Text,Amount\n2026-01-14,pay,9.50\n")

    code, printed = run("import-statement", "ana@example.com", file, "--add")

    assert (code, "Added: 0." in printed) == (0, True)
    with app.app_context():
        for model in (Operation, Statement, StatementLine):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0


def test_without_json_it_names_questions_and_bad_lines(run, ana, tmp_path):
    text = "Date,Text,Amount\n01/02/2026,coffee,-3.00\n01/02/2026,tea,-\u00bd\n"
    code, printed = run("import-statement", "ana@example.com", write(tmp_path, text))

    assert code == 0
    assert "csv: 1 line, -3.00 USD" in printed
    assert "Not clear from the file: date. Read as mdy." in printed
    assert "Line 3 cannot be read (amount): 01/02/2026,tea,-\u00bd" in printed


def test_a_file_that_is_no_statement_ends_with_a_sentence(run, ana, tmp_path):
    for text, sentence in [
        ("", "The file is empty."),
        ("<html>", "The file is a web page."),
        ("<Document><Stmt>", "breaks off or is damaged at line 1"),
        ("Date,Text,Amount\n2026-01-x,?,1\n", "None of the 1 lines could be read."),
    ]:
        code, printed = run("import-statement", "ana@example.com", write(tmp_path, text), "--json")

        assert code == 1
        assert sentence in printed


def test_an_unknown_account_is_named(run, tmp_path):
    code, printed = run("import-statement", "nobody@example.com", write(tmp_path, STATEMENT))

    assert code == 1
    assert "No account has the email address nobody@example.com." in printed


def test_add_writes_once_whatever_is_read_again(app, run, ana, tmp_path):
    file = write(tmp_path, STATEMENT)

    found = [json.loads(run("import-statement", "ana@example.com", file, "--add", "--json")[1]) for _ in range(2)]
    longer = write(tmp_path, STATEMENT + "2026-01-13,coffee,-3.00\n")
    found.append(json.loads(run("import-statement", "ana@example.com", longer, "--json")[1]))

    counts = [(each["to_add"], each["already_here"], each["left_out"], each["bad_lines"]) for each in found]
    assert counts == [(2, 0, 1, 1), (0, 2, 1, 1), (1, 2, 1, 1)]
    assert [(str(row.amount), row.category, row.description) for row in ana.expenses()] == [
        ("3.000", "Other", "coffee"),
        ("3.000", "Other", "coffee"),
    ]
    assert "Imported 2 expenses" in ana.page("/history").text


@pytest.mark.parametrize("fault", ["busy", "changed"])
def test_what_cannot_be_added_leaves_no_draft(app, run, ana, tmp_path, monkeypatch, fault):
    def fail(*_arguments):
        if fault == "changed":
            return "changed", None
        raise OperationalError("insert", {}, Exception("database is locked"))

    monkeypatch.setattr("ledger.imports.add", fail)

    with suppress(OperationalError):
        code, _printed = run("import-statement", "ana@example.com", write(tmp_path, STATEMENT), "--add")
        assert code == 1

    with app.app_context():
        for model in (Operation, Statement, StatementLine):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0


def test_a_file_can_come_from_the_standard_input(run, ana):
    code, printed = run("import-statement", "ana@example.com", "-", "--add", input=STATEMENT)

    assert (code, "Added: 2. Already here: 0." in printed) == (0, True)
    assert len(ana.expenses()) == 2
    assert "csv" in ana.page("/imports").one("ul", class_="row-list").text


def test_the_account_and_the_category_can_be_named(run, ana, tmp_path):
    file = write(tmp_path, STATEMENT)
    options = ("--add", "--category", "Food")

    for account in ("Visa", "Giro"):
        code, _printed = run("import-statement", "ana@example.com", file, "--account", account, *options)
        assert code == 0
    code, printed = run("import-statement", "ana@example.com", file, "--add", "--category", "None such")

    assert {row.category for row in ana.expenses()} == {"Food"}
    assert len(ana.expenses()) == 4
    assert code == 1
    assert "There is no category None such." in printed


def save_many(visitor, number, currency):
    """Save many expenses of all kinds that can be exported, in a currency."""
    texts = ["Tea", "", "two  spaces", "=1+1", "'quoted", "a;b|c", 'Café, "noir"', "x" * 200, '="1"', "مقهى ☕"]
    texts += ["01/02/2026", "-5.00", "Total", "pending", "Opening balance", "#", "ł\u2028ø", "sep=;"]
    unit = Decimal(1).scaleb(-currency_digits(currency))
    first = date(1900, 1, 1) if number % 2 else date(1998, 1, 1)
    with application.app_context():
        user = visitor.user()
        user.currency = currency
        rows = [
            {
                "author_id": user.id,
                "id": uuid7(),
                "amount": (number * 7919 % 100_003 - 30_000 or 1) * unit,
                "category": ("Food", "Gifts", "Épicerie", "Total", "=x")[number % 5],
                "description": texts[number % len(texts)],
                "description_key": description_key(texts[number % len(texts)]),
                "date": first + timedelta(days=number // 3),
            }
            for number in range(number)
        ]
        db.session.execute(insert(Expense), rows)
        db.session.commit()


def assert_the_same(visitor, other):
    assert other.get("/expenses.csv").data == visitor.get("/expenses.csv").data
    assert other.total() == visitor.total()
    assert other.rows("/expenses?period=2000&category=Food") == visitor.rows("/expenses?period=2000&category=Food")


def use_currency(visitor, currency):
    with application.app_context():
        visitor.user().currency = currency
        db.session.commit()


@pytest.mark.slow
def test_an_export_comes_back_byte_for_byte(app, run, ana, bob, tmp_path):
    save_many(ana, 10_000, "USD")
    exported = ana.get("/expenses.csv").data
    file = tmp_path / "expenses.csv"
    file.write_bytes(exported)

    code, printed = run("import-statement", "bob@example.com", str(file), "--add")

    assert code == 0, printed
    assert_the_same(ana, bob)
    code, printed = run("import-statement", "bob@example.com", str(file), "--json")
    assert json.loads(printed)["to_add"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("bom", ["", "?bom=1"])
@pytest.mark.parametrize(("currency", "number"), [("EUR", 10_000), ("KWD", 301), ("JPY", 300)])
def test_an_export_comes_back_through_the_page_byte_for_byte(ana, bob, currency, number, bom):
    save_many(ana, number, currency)
    use_currency(bob, currency)

    sent = upload(bob, ana.get(f"/expenses.csv{bom}").data)
    assert sent.location.count("/") == 2, read(sent).text
    added = send(bob, bob.page(sent.location), "add-all")

    assert "import=" in added.location
    assert_the_same(ana, bob)
    again = upload(bob, ana.get("/expenses.csv").data)
    assert "There is nothing to add." in bob.page(again.location).text
