"""The command that shows what is read from a statement."""

import json

from sqlalchemy import func, select

from database import db
from models import Expense

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


def test_without_json_it_names_questions_and_bad_lines(run, ana, tmp_path):
    text = "Date,Text,Amount\n01/02/2026,coffee,-3.00\n01/02/2026,tea,-\u00bd\n"
    code, printed = run("import-statement", "ana@example.com", write(tmp_path, text))

    assert code == 0
    assert "csv: 1 lines, -3.00 USD" in printed
    assert "To decide: date, taken for now: mdy" in printed
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
