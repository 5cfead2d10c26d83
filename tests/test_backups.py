"""Backups: complete, consistent, and restored exactly, from either database into either."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

import commands
from database import Base, Money, db
from database.revision import MIGRATIONS, is_migrated, migration_head
from ledger import backup_checks, backups
from ledger.backup_checks import BackupError
from ledger.statements import Layout
from models import Backup, Expense, ExpenseChange, Operation, RowChange, Statement, StatementLine, User
from tests.browsing import PASSWORD, REDIRECTS, Visitor, empty_tables
from tests.schema import contents, insert_into, tables_of

ROOT = Path(__file__).parent.parent
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DIE_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from app import app
from database import db
from ledger import backup_checks, backups
from ledger.backup_checks import BackupError

backups._sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
with app.app_context():
    backups.write_backup(db.engine, Path(sys.argv[1]), print)
"""


@pytest.fixture
def file(tmp_path):
    """The path of a new backup, with an awkward name."""
    return tmp_path / "it's 100% #1?.db"


def silent(_table, _rows):
    """Show no progress."""


def everything(connection):
    """Every row that a backup holds."""
    return {
        table.name: sorted(tuple(row) for row in connection.execute(sa.select(table))) for table in backups.TABLES
    }


def everything_here(app):
    with app.app_context(), db.engine.connect() as connection:
        return everything(connection)


def everything_in(file):
    with backups._open_file(file, "ro").connect() as connection:
        return everything(connection)


def person(number=1):
    name = f"person{number}"
    return {
        "id": number,
        "username": name,
        "username_key": name,
        "email": f"{name}@example.com",
        "password_hash": "x",
    }


def expense(author_id=1, **values):
    made = {"id": uuid7(), "amount": Decimal("1.5"), "category": "Food", "date": date(2026, 1, 1)}
    return {"author_id": author_id, **made, **values}


def statement(author_id):
    """A draft of a statement with one line."""
    of_author = {"author_id": author_id, "source": "DE1"}
    statement_id, moment = uuid7(), datetime(2026, 1, 2, tzinfo=UTC)
    draft = {"id": statement_id, "format": "csv", "file_name": "a.csv", "layout": Layout().to_json()}
    draft |= {"file_hash": "0" * 32, "signature": "1" * 32, "content": b"\0\xff", "read_at": moment}
    line = {"id": uuid7(), "statement_id": statement_id, "line_number": 2, "date": date(2026, 1, 1)}
    line |= {"amount": Decimal("-1.5"), "currency": "USD", "text": "Tea", "text_key": "tea"}
    line |= {"bank_id": "7", "payee": "Tea", "payee_key": "tea", "category": "", "state": "add"}
    line |= {"reason": "", "duplicate": ""}
    return {Statement: [of_author | draft], StatementLine: [of_author | line]}


def insert(app, rows):
    with app.app_context(), db.engine.begin() as connection:
        for model, values in rows.items():
            connection.execute(sa.insert(model), values)


def forget_everything(app):
    """Empty the database, as a new one is."""
    empty_tables(app)
    with app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text('TRUNCATE "user" RESTART IDENTITY CASCADE'))


# --- There and back

odd_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=60)
amounts = st.integers(-Money.MAX_UNITS, Money.MAX_UNITS).filter(bool) | st.sampled_from(
    [-Money.MAX_UNITS, -1, 1, Money.MAX_UNITS]
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))
columns = {
    "author_id": st.sampled_from([1, 2]),
    "id": st.uuids(),
    "amount": amounts.map(lambda units: Decimal(units).scaleb(-Money.SCALE)),
    "category": odd_text.filter(bool),
    "description": odd_text,
    "description_key": odd_text,
    "date": st.dates(date(1900, 1, 1), date(2100, 12, 31)),
    "created_at": moments,
}


OPERATION_ID = uuid7()
of_operation = {"operation_id": st.just(OPERATION_ID), "change": st.just("deleted")}


def lots_of(**more):
    return st.lists(st.fixed_dictionaries(columns | more), min_size=1, max_size=8, unique_by=lambda row: row["id"])


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    expenses=lots_of(),
    deleted=lots_of(operation_id=st.just(OPERATION_ID), change=st.just("deleted")),
    label=odd_text,
)
def test_a_restore_is_exact(app, file, expenses, deleted, label):
    forget_everything(app)
    operations = [{"author_id": author_id, "id": OPERATION_ID, "kind": "delete"} for author_id in (1, 2)]
    row = {"author_id": 1, "operation_id": OPERATION_ID, "table_name": "budget"}
    row |= {"row_key": str(uuid7()), "label": label, "before": {"amount": None}, "after": {"amount": "12.5"}}
    insert(app, {User: [person(1), person(2)], Expense: expenses, Operation: operations, ExpenseChange: deleted})
    insert(app, {RowChange: [row]} | statement(1))
    before = everything_here(app)
    file.unlink(missing_ok=True)

    with app.app_context():
        backups.write_backup(db.engine, file, silent)
        assert everything_in(file) == before
        forget_everything(app)
        with backups.open_backup(file) as source, db.engine.begin() as target:
            backups.restore(source, target, silent)

    assert everything_here(app) == before


def test_a_restored_user_logs_in_again(app, ana, run, file):
    ana.add("12.50", description="Tea")
    ana.add("3")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    total, before = ana.total(), everything_here(app)

    code, printed = run("backup", str(file))
    assert code == 0, printed
    assert f"Wrote {file} (" in printed
    assert "1 account, 1 expense, " in printed
    forget_everything(app)
    code, printed = run("restore", str(file))

    assert code == 0, printed
    assert "Everyone has to log in again" in printed
    assert everything_here(app) == before
    assert ana.get("/expenses").status_code in REDIRECTS
    device = Visitor(app)
    assert device.log_in("ana@example.com", PASSWORD).location == "/expenses"
    assert device.total() == total


def test_registering_after_a_restore_creates_a_new_user(app, ana, run, file):
    run("backup", str(file))
    forget_everything(app)
    run("restore", str(file))

    Visitor(app).register("bob").add("1")

    with app.app_context():
        assert len(set(db.session.scalars(sa.select(User.id)))) == 2


def test_an_empty_database_can_be_saved_and_restored(app, run, file):
    assert run("backup", str(file))[0] == 0
    assert run("restore", str(file))[0] == 0
    Visitor(app).register("ana")


def test_a_backup_is_one_private_file_that_the_application_can_open(ana, run, file):
    ana.add("1")

    run("backup", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    with closing(sqlite3.connect(file)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert is_migrated(backups._open_file(file, "ro"))


def test_a_backup_contains_no_sessions(app, ana, run, file):
    with app.app_context():
        (login,) = db.session.execute(sa.select(Base.metadata.tables["login_session"])).all()
        ana.log_in(password="wrong")

    run("backup", str(file))

    assert login.token_hash.encode() not in file.read_bytes()
    with backups._open_file(file, "ro").connect() as copy:
        assert set(
            backups.count_rows(copy, [Base.metadata.tables[name] for name in backups.EXCLUDED_TABLES]).values()
        ) == {0}


# --- While people write


def test_a_backup_neither_waits_for_a_writer_nor_sees_what_is_not_saved(app, file):
    insert(app, {User: [person()], Expense: [expense()]})

    with app.app_context(), db.engine.begin() as writer:
        writer.execute(sa.insert(Expense), [expense()])
        counts = backups.write_backup(db.engine, file, silent)

    assert counts["expense"] == 1


def test_a_backup_contains_everything_acknowledged_before_it_started(app, file):
    insert(app, {User: [person(number) for number in range(1, 4)]})
    acknowledged, stop = {number: [] for number in range(1, 4)}, threading.Event()

    def write(author_id):
        with app.app_context():
            engine = db.engine
        while not stop.is_set():
            row = expense(author_id)
            with engine.begin() as connection:
                connection.execute(sa.insert(Expense), [row])
            acknowledged[author_id].append(row["id"])

    writers = [threading.Thread(target=write, args=[number]) for number in acknowledged]
    for writer in writers:
        writer.start()
    try:
        while not all(len(ids) > 5 for ids in acknowledged.values()):
            time.sleep(0.01)
        before = {number: list(ids) for number, ids in acknowledged.items()}
        with app.app_context():
            backups.write_backup(db.engine, file, silent)
        after = {number: len(ids) for number, ids in acknowledged.items()}
    finally:
        stop.set()
        for writer in writers:
            writer.join()

    saved = {number: set() for number in acknowledged}
    for row in everything_in(file)["expense"]:
        saved[row[0]].add(row[1])
    for number, ids in acknowledged.items():
        assert set(before[number]) <= saved[number]
        # One moment: the file contains the first expenses, without a gap.
        assert saved[number] == set(ids[: len(saved[number])])
        # One may have been saved, but not yet acknowledged.
        assert len(saved[number]) <= after[number] + 1


# --- Whole or not at all


def test_a_backup_overwrites_nothing(ana, run, file):
    file.write_text("something dear")

    code, printed = run("backup", str(file))

    assert code == 1
    assert "never overwrites a file" in printed
    assert file.read_text() == "something dear"
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_is_no_place_for_a_backup_and_neither_is_a_missing_one(run, tmp_path):
    assert "exists" in run("backup", str(tmp_path))[1]
    code, printed = run("backup", str(tmp_path / "nowhere" / "x.db"))

    assert code == 1
    assert "No such file or directory" in printed


def test_a_backup_that_fails_leaves_nothing_behind(app, run, file, monkeypatch):
    def disk_is_full(*_arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backups, "_refuse_damaged", disk_is_full)
    code, printed = run("backup", str(file))

    assert code == 1
    assert "disk is full" in printed
    assert not list(file.parent.iterdir())
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Backup)) == 0


@pytest.mark.slow
def test_a_killed_backup_leaves_no_file_that_looks_complete(ana, run, file):
    ana.add("1")

    died = subprocess.run([sys.executable, "-c", DIE_HALF_WAY, str(file)], cwd=ROOT, capture_output=True)
    code, printed = run("backup", str(file))

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not file.exists()
    assert code == 1
    assert ".part exists: another backup is running or was interrupted" in printed
    file.with_name(f"{file.name}.part").unlink()
    assert run("backup", str(file))[0] == 0


def test_backup_refuses_a_database_that_is_not_up_to_date(run, file, monkeypatch):
    monkeypatch.setattr("doctor.is_migrated", lambda engine: False)

    code, printed = run("backup", str(file))

    assert code == 1
    assert "flask db upgrade" in printed
    assert not file.exists()


def test_the_last_few_backups_are_remembered_and_not_part_of_themselves(app, ana, run, tmp_path):
    ana.add("1")
    with app.app_context():
        for days in range(30):
            backups.remember(MOMENT - timedelta(days=days), 0)
        db.session.commit()

    run("backup", str(tmp_path / "x.db"))

    with app.app_context():
        rows = db.session.scalars(sa.select(Backup).order_by(Backup.taken_at.desc())).all()
    assert len(rows) == backups.MAX_RECORDS
    assert rows[0].expenses == 1
    assert datetime.now(UTC) - rows[0].taken_at < timedelta(minutes=1)
    assert rows[1].taken_at == MOMENT


def test_a_backup_is_remembered_although_nobody_reads_what_it_prints(app, ana, run, tmp_path, monkeypatch):
    def fail(*_text, **_options):
        raise OSError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(commands.click, "echo", fail)

    code, _printed = run("backup", str(tmp_path / "x.db"))

    assert code == 1
    with app.app_context():
        assert db.session.scalar(sa.select(Backup.expenses)) == 0
    assert (tmp_path / "x.db").exists()


# --- Files that are not backups


def refused(app, run, file):
    """Restore a file that has to be refused, and return the words."""
    forget_everything(app)
    code, printed = run("restore", str(file))

    assert code == 1
    assert "Nothing was changed." in printed
    assert not any(everything_here(app).values())
    return printed


@pytest.mark.parametrize("content", [b"", b"date,amount\n2026-01-01,1\n"], ids=["empty", "csv"])
def test_another_kind_of_file_is_refused(app, run, file, content):
    file.write_bytes(content)

    assert "not a SQLite file" in refused(app, run, file)


def test_the_database_of_another_program_is_refused(app, run, file):
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE user (id)")

    assert "of another program" in refused(app, run, file)


def test_the_backup_of_a_newer_version_is_refused(app, run, file):
    run("backup", str(file))
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()

    assert "at migration 9999, which this version does not know" in refused(app, run, file)


@pytest.mark.parametrize("cut", [False, True], ids=["scratched", "cut short"])
def test_a_damaged_backup_is_refused(app, run, file, cut):
    insert(app, {User: [person()], Expense: [expense(description="x" * 200) for _ in range(200)]})
    run("backup", str(file))
    content = file.read_bytes()
    middle = len(content) // 2 // 4096 * 4096
    file.write_bytes(content[:middle] if cut else content[:middle] + b"\xff" * 4096 + content[middle + 4096 :])

    assert "is damaged" in refused(app, run, file)


def test_a_backup_with_values_that_make_no_sense_is_refused(app, run, file):
    insert(app, {User: [person()], Expense: [expense()]})
    run("backup", str(file))
    with closing(sqlite3.connect(file)) as tampered:
        tampered.execute("DROP TRIGGER expense_changed")
        tampered.execute("UPDATE expense SET date = 'yesterday'")
        tampered.commit()

    assert "yesterday" in refused(app, run, file)


# --- Files that were tampered with

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
# An expense change whose expense is nowhere.
UNKNOWN_CHANGE = (
    "INSERT INTO expense_change (author_id, operation_id, id, change, category, new_category) "
    "SELECT author_id, operation_id, '019aaaaaaaaa7aaa8aaaaaaaaaaaaaaa', 'changed', 'Food', 'Gifts' "
    "FROM expense_change LIMIT 1"
)
HOSTILE = {
    "an endless view": f"ALTER TABLE expense RENAME TO hidden; CREATE VIEW expense AS {ENDLESS}",
    "an endless view of no table": f"CREATE VIEW more AS {ENDLESS}",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON user BEGIN DELETE FROM expense; END",
    "another trigger of ours": "DROP TRIGGER expense_added; "
    "CREATE TRIGGER expense_added AFTER INSERT ON expense BEGIN DELETE FROM month_total; END",
    "a computed column": "ALTER TABLE expense ADD COLUMN x AS (hex(zeroblob(1000000))) VIRTUAL",
    "a virtual table": "CREATE VIRTUAL TABLE v USING fts5(x)",
    "an index on an expression": "CREATE INDEX i ON expense (hex(description))",
    "a partial index": "CREATE INDEX i ON expense (id) WHERE description LIKE '%a%a%a%a%b'",
    "a missing table": "DROP TABLE row_change",
    "a missing column": "ALTER TABLE user DROP COLUMN time_zone",
    "a text as an amount": "UPDATE expense SET amount = 'much'",
    "a fraction as an amount": "UPDATE expense SET amount = 0.5",
    "an amount of zero": "UPDATE expense SET amount = 0",
    "a huge amount": "UPDATE expense SET amount = 9000000000000000000",
    "a number as a date": "UPDATE expense SET date = 20260101",
    "a date in the year 9999": "UPDATE expense SET date = '9999-12-31'",
    "a blob as a description": "UPDATE expense SET description = zeroblob(10)",
    "a NUL in a description": "UPDATE expense SET description = 'a' || char(0) || 'b'",
    "a long description": "UPDATE expense SET description = hex(zeroblob(1000))",
    "no category": "UPDATE expense SET category = ''",
    "another owner": "UPDATE expense SET author_id = 99",
    "an id that is none": "UPDATE expense SET id = 'x'",
    "an invalid time zone": "UPDATE user SET time_zone = 'Moon/Base'",
    "a time zone that is a file": "UPDATE user SET time_zone = '../../../etc/passwd'",
    "an invalid currency": "UPDATE user SET currency = 'XXX'",
    "an invalid locale": "UPDATE user SET locale = 'tlh_QQ'",
    "a month of 31 days": "UPDATE user SET first_day_of_month = 31",
    "an expensive hash": "UPDATE user SET password_hash = 'scrypt:1073741824:8:1$salt$00'",
    "an unknown hash": "UPDATE user SET password_hash = 'rot13:1$salt$00'",
    "a name that is another one's": "UPDATE user SET username_key = 'bob'",
    "a time that is none": "UPDATE user SET created_at = 'noon'",
    "a repetition that is none": "UPDATE recurring_expense SET frequency = 'never'",
    "a next date before the first": "UPDATE recurring_expense SET next_date = '1900-01-01'",
    "a next date at the end of time": "UPDATE recurring_expense SET next_date = '9999-12-31'",
    "an unknown operation": "UPDATE operation SET kind = 'magic'",
    "a negative number of expenses": "UPDATE operation SET count = -1",
    "a change of nothing": "UPDATE expense_change SET new_amount = NULL, new_category = NULL",
    "a change of an unknown expense": UNKNOWN_CHANGE,
    "a change of an unknown table": "UPDATE row_change SET table_name = 'sqlite_master'",
    "a change of an unknown column": """UPDATE row_change SET after = '{"password_hash": "x"}'""",
    "a change that is no object": "UPDATE row_change SET after = '[1]', before = '[1]'",
    "a change that is no JSON": "UPDATE row_change SET after = '{'",
    "a deep change": "UPDATE row_change SET after = replace(hex(zeroblob(50000)), '00', '[')",
    "a change with a wrong value": """UPDATE row_change SET after = '{"amount": "NaN"}'""",
    "a layout that is no JSON": "UPDATE statement SET layout = '{'",
    "a layout of something else": """UPDATE statement SET layout = '{"x": 1}'""",
    "a long layout": "UPDATE statement SET layout = replace(hex(zeroblob(50000)), '00', '[')",
    "a text as the content of a file": "UPDATE statement SET content = 'x'",
    "a line in an unknown state": "UPDATE statement_line SET state = 'magic'",
    "a line without a day": "UPDATE statement_line SET date = NULL",
    "a line of an unknown statement": "UPDATE statement_line SET statement_id = id",
    "a change of a row without an id": "UPDATE row_change SET row_key = 'x'",
}


@pytest.mark.slow
@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_backup_is_refused_within_seconds_and_changes_nothing(app, ana, run, file, statements):
    ana.add("5", "Food", description="Rent", date="2026-01-31", frequency="month")
    insert(app, statement(ana.expenses()[0].author_id))
    code, printed = run("backup", str(file))
    assert code == 0, printed
    with closing(sqlite3.connect(file)) as tampered:
        tampered.execute("PRAGMA ignore_check_constraints=ON")
        # The trigger would refuse some of this.
        tampered.execute("DROP TRIGGER expense_changed")
        tampered.executescript(statements)
        tampered.commit()
    started = time.monotonic()

    printed = refused(app, run, file)

    assert time.monotonic() - started < 5
    assert "Traceback" not in printed
    assert len(printed) < 400


def test_an_endless_statement_on_a_file_ends_with_an_error(file, monkeypatch):
    monkeypatch.setattr(backup_checks, "READ_SECONDS", 0.2)
    file.touch()

    with (
        backups._open_file(file, "rw").connect() as connection,
        pytest.raises(OperationalError, match="interrupted"),
    ):
        connection.exec_driver_sql(f"SELECT count(*) FROM ({ENDLESS})").all()


# --- The database that a backup is restored into


def test_restoring_replaces_nothing(app, ana, run, file):
    run("backup", str(file))
    ana.add("1")
    before = everything_here(app)

    code, printed = run("restore", str(file))

    assert code == 1
    assert "is not empty (accounts: 1), and a restore never overwrites data" in printed
    assert everything_here(app) == before


def test_a_restore_that_differs_from_its_file_is_rolled_back(app, file):
    insert(app, {User: [person()], Expense: [expense(), expense()]})
    with app.app_context():
        backups.write_backup(db.engine, file, silent)
        forget_everything(app)

        def lose_a_thousandth(table, _rows):
            if table == "expense":
                target.execute(sa.update(Expense).values(amount=Decimal("1.499")))

        with (
            pytest.raises(BackupError, match="expense was not copied correctly"),
            backups.open_backup(file) as source,
            db.engine.begin() as target,
        ):
            backups.restore(source, target, lose_a_thousandth)

    assert not any(everything_here(app).values())


def test_an_older_backup_is_brought_up_to_date_and_left_as_it_is(app, run, file):
    file.touch()
    older = backups._open_file(file, "rw")
    with app.app_context():
        config = Config(attributes={"engine": older})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0001")
    tea, cake = expense(), expense()
    new = {f"new_{name}": tea[name] for name in ("category", "date")} | {"new_amount": 1500, "new_description": ""}
    changed = tea | new | {"batch": uuid7(), "changed_at": MOMENT.replace(tzinfo=None), "amount": 2000}
    changed |= {"description": "", "description_key": ""}
    with older.begin() as connection:
        tables = tables_of(older)
        insert_into(connection, tables["user"], [person()])
        insert_into(connection, tables["expense"], [tea, cake])
        insert_into(connection, tables["changed_expense"], [changed])
    before, content = contents(older), file.read_bytes()

    code, printed = run("restore", str(file))

    assert code == 0, printed
    assert migration_head() != "0001"
    with app.app_context():
        after = contents(db.engine)
        (change,) = db.session.scalars(sa.select(ExpenseChange))
    assert before | {name: after[name] for name in before if name != "changed_expense"} == before
    assert (change.id, change.amount, change.new_amount) == (tea["id"], Decimal(2), Decimal("1.5"))
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_a_backup_on_a_read_only_disk_can_be_restored(app, ana, run, file):
    run("backup", str(file))
    file.chmod(0o400)
    file.parent.chmod(0o500)
    forget_everything(app)

    try:
        assert run("restore", str(file))[0] == 0
    finally:
        file.parent.chmod(0o700)
    assert os.listdir(file.parent) == [file.name]
