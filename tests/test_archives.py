"""Exports of an account: complete, private, restored exactly, and refused when anything is wrong with them."""

import csv
import io
import json
import re
import struct
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

import clock
from database import Base, db
from database.citus import owner_column
from database.pace import Pace
from ledger import pieces
from ledger.account_rows import DATA_TABLES
from ledger.archives import checks, layout, reading, writing
from ledger.archives.reading import Limits, open_archive
from ledger.csv_export import ExportFile, export_files
from models import (
    Draft,
    Expense,
    LoginSession,
    Operation,
    PasswordReset,
    RecoveryCode,
    SecurityEvent,
    StatementLine,
    TwoFactor,
    User,
)
from tests.archives import (
    data_of,
    export_of,
    fill_account,
    kinds_of,
    members,
    packed,
    restore,
    rows_of,
    table,
    with_manifest,
    with_rows,
)
from tests.browsing import (
    REDIRECTS,
    Visitor,
    at_once,
    empty_tables,
    form_values,
    operations_shown,
    press,
    read,
)
from tests.statements import store_draft
from tests.test_rules import everything

ROOMY = Limits.of(2**30)


@pytest.fixture
def filled(ana):
    """A user with rows of every kind."""
    fill_account(ana)
    return ana


@pytest.fixture(scope="module")
def files(migrated):
    """The files of the export of such a user, made once for all the tests that change some of them."""
    empty_tables(migrated)
    ana = Visitor(migrated).with_account("ana")
    fill_account(ana)
    return members(export_of(ana))


def refused(visitor, content):
    """The message about an export that was refused, after which nothing is different."""
    before = everything()
    response = restore(visitor, content)
    assert response.status_code == 422
    assert everything() == before
    message = read(response).one(id="file-error").text
    assert message.endswith("Nothing was restored.")
    return message.removesuffix("Nothing was restored.").strip()


# --- The export


def test_the_account_page_leads_to_the_export_and_the_page_that_restores_it(ana):
    links = {link.text: link["href"] for link in ana.page("/account").one("main").all("a")}

    assert links["Download your data"] == "/account/export"
    assert links["Restore an export"] == "/account/restore"


def test_the_export_is_a_zip_of_csv_files_and_a_json(ana):
    ana.add("3.5", "Food", description="=Tea", date="2026-01-05")

    response = ana.get("/account/export")
    files = members(response.data)

    assert response.mimetype == "application/zip"
    assert re.fullmatch(
        r"attachment; filename=ledger-\d{4}-\d\d-\d\d\.zip", response.headers["Content-Disposition"]
    )
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert response.headers["Cache-Control"] == "no-store"
    assert list(files) == [*layout.FILE_NAMES.values(), "ledger.json"]
    (expense,) = table(files["expenses.csv"])
    assert expense["date"] == "2026-01-05"
    assert (expense["amount"], expense["category"], expense["description"]) == ("3.50", "Food", "'=Tea")
    manifest = json.loads(files["ledger.json"])
    assert manifest["format"] == "ledger-account"
    assert manifest["account"] == {"username": "ana", "email": "ana@example.com"}
    assert manifest["settings"]["currency"] == "USD"
    assert manifest["files"]["expenses.csv"] == 1


def test_every_column_of_every_table_is_exported_or_left_out_on_purpose():
    of_logins = (LoginSession, PasswordReset, RecoveryCode, SecurityEvent, TwoFactor)
    left_out = {model.__table__ for model in (Draft, *of_logins)}
    owned = {table for table in Base.metadata.sorted_tables if owner_column(table) is not None}

    assert {*DATA_TABLES} == owned - left_out
    exported = {column.column for file in layout.table_files("USD") for column in file.columns}
    missing = {column.name for table in DATA_TABLES for column in table.c if column not in exported}
    assert missing == layout.UNEXPORTED
    unrestored = {*User.__table__.c.keys()} - {*layout.SETTINGS}
    personal = {"id", "username", "username_key", "email", "created_at"}
    assert unrestored == personal | {"password_hash", "running_operation", "delete_at"}


def test_the_export_has_no_secrets(app, filled):
    with app.app_context():
        secrets = [filled.user().password_hash, *db.session.scalars(sa.select(LoginSession.token_hash))]
    found = "".join(members(export_of(filled)).values())

    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in found]
    assert "csrf" not in found


def test_drafts_of_imports_and_expired_history_stay_behind(app, ana, monkeypatch):
    ana.add("1")
    store_draft(ana)
    monkeypatch.setattr(writing, "UNDO_RETENTION", timedelta(0))

    files = members(export_of(ana))

    assert len(table(files["expenses.csv"])) == 1
    for name in ("operations.csv", "expense_changes.csv", "statements.csv", "statement_lines.csv"):
        assert table(files[name]) == []


def test_the_export_is_of_one_moment_and_of_one_user(app, ana, bob):
    ana.add("1", description="of Ana")
    bob.add("2", description="of Bob")

    assert "of Bob" not in "".join(members(export_of(ana)).values())


def test_while_a_large_change_is_running_there_is_no_export(app, ana):
    ana.add("1")
    with app.app_context():
        operation = Operation(author_id=ana.user().id, kind="bulk_edit", count=0)
        operation.row_changes = []
        pieces.start(operation)

    response = ana.get("/account/export")

    assert response.status_code == 409
    assert "still in progress" in read(response).text


def test_a_user_has_three_unfinished_downloads_at_the_most(app, ana):
    with app.app_context():
        user_id = ana.user().id
    files = [export_files.open(user_id) for _ in range(3)]
    response = ana.get("/account/export")
    for file in files:
        file.close()

    assert response.status_code == 503
    assert "unfinished downloads" in read(response).text
    assert ana.get("/account/export").status_code == 200


def test_a_full_disk_ends_the_export_with_a_message(ana, monkeypatch):
    def fail(*_data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ExportFile, "write", fail)
    response = ana.get("/account/export")

    assert response.status_code == 503
    assert "not enough disk space" in read(response).text
    monkeypatch.undo()
    assert ana.get("/account/export").status_code == 200


# --- Restoring it


def test_everything_comes_back_exactly(app, filled, bob):
    exported, before = export_of(filled), rows_of(filled)
    assert {"add", "edit", "bulk_edit", "delete", "undo", "import", "edit_category"} <= kinds_of(filled)
    assert all(before.values()), {name for name, rows in before.items() if not rows}

    response = restore(bob, exported)

    assert response.location == "/expenses"
    assert f"Restored {len(before['expense'])} expenses." in bob.message().text
    assert rows_of(bob) == before == rows_of(filled)
    assert bob.rows() == filled.rows()
    assert bob.total() == filled.total()
    assert bob.get("/expenses.csv").data == filled.get("/expenses.csv").data
    assert data_of(export_of(bob)) == data_of(exported)
    for page in ("/categories", "/recurring", "/imports", "/history", "/months/2026-03", "/account"):
        pages = [visitor.page(page).one("main").text for visitor in (bob, filled)]
        assert pages[0].replace("bob", "ana") == pages[1] or page == "/account"
    settings = bob.page("/account").one("form", action="/account/settings")
    chosen = form_values(settings)
    assert (chosen["time_zone"], chosen["first_day_of_month"]) == ("Asia/Kolkata", "25")


@pytest.mark.slow
def test_a_restored_history_can_be_undone_step_by_step(filled, bob):
    restore(bob, export_of(filled))
    number = len(operations_shown(bob))

    for _ in range(number):
        for visitor in (filled, bob):
            buttons = [shown.all("form") for shown in operations_shown(visitor)]
            form = next((forms[0] for forms in buttons if forms), None)
            if form is not None:
                assert press(visitor, form).status_code in REDIRECTS
        assert bob.rows() == filled.rows()
    assert number > 8
    assert bob.page("/categories").one("main").text == filled.page("/categories").one("main").text


def test_a_statement_that_was_imported_is_known_after_the_restore(filled, bob):
    restore(bob, export_of(filled))
    draft_id = store_draft(bob)

    with bob.app.app_context():
        lines = sa.select(StatementLine.state, StatementLine.duplicate)
        found = db.session.execute(lines.where(StatementLine.statement_id == draft_id)).all()
    assert [tuple(line) for line in found] == [("skip", "same")] * 3


def test_two_users_restore_the_same_export_with_the_same_ids(app, filled, bob):
    content = export_of(filled)
    carol = Visitor(app).register("carol")

    restore(bob, content)
    restore(carol, content)
    before = rows_of(filled)
    bob.post("/expenses/bulk", {"all_matching": "y", "action": "delete"})

    assert rows_of(carol) == before == rows_of(filled)
    assert bob.count() == 0


def test_an_empty_account_is_exported_and_restored_as_well(app, ana, bob):
    content = export_of(ana)

    restore(bob, content)

    assert rows_of(bob) == rows_of(ana)
    assert "Restored 0 expenses." in bob.message().text


def test_an_account_with_data_is_left_alone(filled, bob):
    content = export_of(filled)
    bob.add("1")

    page = bob.page("/account/restore").one("main")
    message = refused(bob, content)

    assert "This account has data already." in page.text
    assert page.all("form") == []
    assert message.startswith("This account has data already.")


def test_restoring_twice_at_once_does_it_once(app, filled, bob):
    content = export_of(filled)
    devices = [bob, Visitor(app)]
    devices[1].name = "bob"
    devices[1].log_in()
    answers = []

    at_once(lambda visitor: answers.append(restore(visitor, content)), devices)

    assert sorted(answer.status_code for answer in answers)[0] in REDIRECTS
    assert sorted(answer.status_code for answer in answers)[1] in {409, 422}
    assert rows_of(bob) == rows_of(filled)


# --- Others, and interruptions


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_SIZE", 3)


def interrupt_after(monkeypatch, number, error):
    """Let a restore fail after this many pieces."""
    commit, done = pieces.commit, []

    def commit_some(operation, leases=1):
        if len(done) == number:
            raise error
        done.append(operation)
        commit(operation, leases)

    monkeypatch.setattr(pieces, "commit", commit_some)


def use_german_categories(visitor):
    """Give a user categories that are not the default ones, one of them archived."""
    with visitor.app.app_context():
        for category in visitor.user().categories:
            category.name, category.archived = f"{category.name} (deutsch)", category.name == "Travel"
        db.session.commit()


@pytest.mark.slow
def test_others_write_between_the_pieces(app, filled, bob, small_pieces, monkeypatch):
    carol = Visitor(app).register("carol")
    commit, added = pieces.commit, []

    def commit_and_add(operation, leases=1):
        commit(operation, leases)
        at_once(lambda visitor: visitor.add("1"), [carol])
        added.append(operation.id)

    with monkeypatch.context() as during:
        during.setattr(pieces, "commit", commit_and_add)
        restore(bob, export_of(filled))

    assert len(added) > 15
    assert carol.count() == len(added)
    assert rows_of(bob) == rows_of(filled)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 5, 12])
def test_a_restore_that_fails_leaves_the_account_as_it_was(app, filled, bob, small_pieces, monkeypatch, number):
    use_german_categories(bob)
    content, before = export_of(filled), everything()
    with monkeypatch.context() as broken:
        interrupt_after(broken, number, OSError())
        response = restore(bob, content)

    assert response.status_code == 503
    assert everything() == before
    assert bob.count() == 0
    restore(bob, content)
    assert rows_of(bob) == rows_of(filled)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 12])
def test_the_next_request_clears_a_restore_whose_process_was_killed(
    app, filled, bob, small_pieces, monkeypatch, number
):
    use_german_categories(bob)
    content, before = export_of(filled), rows_of(bob)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with monkeypatch.context() as killed:
        interrupt_after(killed, number, OSError())
        killed.setattr(pieces, "end", lambda *_key: None)
        restore(bob, content)
    assert "still in progress" in bob.page("/expenses").text
    assert bob.post("/categories/add", {"name": "Garten"}).status_code == 409

    later = datetime.now(UTC) + pieces.LEASE + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    monkeypatch.setattr(pieces, "utc_now", lambda: later)

    assert bob.count() == 0
    assert rows_of(bob) == before
    assert restore(bob, content).location == "/expenses"
    assert rows_of(bob) == rows_of(filled)


def test_no_transaction_is_open_while_the_file_is_read(app, filled, bob, monkeypatch):
    content, taken = export_of(filled), []
    check = checks.check_settings

    def check_and_write(settings):
        with db.engine.connect().execution_options(reading=False) as connection:
            taken.append(connection.scalar(sa.select(sa.func.count()).select_from(sa.text("alembic_version"))))
        check(settings)

    monkeypatch.setattr(reading, "check_settings", check_and_write)
    restore(bob, content)

    assert taken == [1]


def test_a_full_disk_ends_the_restore_with_a_message(filled, bob, monkeypatch):
    content, before = export_of(filled), everything()

    def small_engine():
        engine = real()
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=10")
        return engine

    real = reading._staging_engine
    monkeypatch.setattr(reading, "_staging_engine", small_engine)
    response = restore(bob, content)

    assert response.status_code == 503
    assert "not enough disk space" in read(response).text
    assert everything() == before


def test_an_export_that_is_being_restored_does_not_outlive_the_process(files, bob, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with bob.app.app_context():
        user_id = bob.user().id

    with open_archive(io.BytesIO(packed(files)), user_id, datetime.now(UTC), ROOMY) as archive:
        # Large enough that SQLite does not keep it in memory.
        archive.connection.exec_driver_sql("CREATE TABLE large AS SELECT randomblob(20000000)")
        assert [*tmp_path.iterdir()] == []


# --- Files that are not exports


def bomb(files, text="0" * 1000 + "\r\n"):
    """A zip file of which one file is much longer when it is unpacked."""
    return packed(files | {"row_changes.csv": files["row_changes.csv"] + text * 12_000})


def large(files):
    """A zip file of which one file is longer when it is unpacked than any may be."""
    rows = "".join(f"{number:0100}\r\n" for number in range(120_000))
    return packed(files | {"row_changes.csv": files["row_changes.csv"] + rows})


def with_many_files(files):
    return packed(files | {f"{number}.csv": "" for number in range(5_000)})


def encrypted(files):
    content = bytearray(packed(files))
    # The flag of every file, where it is listed.
    for found in re.finditer(b"PK\x01\x02", content):
        content[found.start() + 8] |= 1
    return bytes(content)


def lying(files):
    """A zip file with a file that is longer than it says."""
    content = bytearray(packed(files))
    start = content.index(b"PK\x01\x02")
    (size,) = struct.unpack_from("<L", content, start + 24)
    struct.pack_into("<L", content, start + 24, size - 10)
    return bytes(content)


def damaged(files):
    content = bytearray(packed(files))
    at = content.index(b"expenses.csv") + 60
    content[at : at + 20] = bytes(20)
    return bytes(content)


def misplaced(files):
    """A zip file whose list of files is said to begin much later, so that they would begin before the file."""
    content = bytearray(packed(files))
    at = content.index(b"PK\x05\x06") + 16
    (start,) = struct.unpack_from("<L", content, at)
    struct.pack_into("<L", content, at, start + 100_000)
    return bytes(content)


def far_away(files):
    """A zip file with a file that is said to begin after more bytes than there can be."""
    content = bytearray(packed(files))
    listed, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    name_length = struct.unpack_from("<H", content, listed + 28)[0]
    # An extra field has the position, where four bytes are too few for it.
    extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    struct.pack_into("<H", content, listed + 30, len(extra))
    struct.pack_into("<L", content, listed + 42, 2**32 - 1)
    (size,) = struct.unpack_from("<L", content, end + 12)
    struct.pack_into("<L", content, end + 12, size + len(extra))
    content[listed + 46 + name_length : listed + 46 + name_length] = extra
    return bytes(content)


def repeated(files):
    target = io.BytesIO(packed(files))
    with ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("expenses.csv", files["expenses.csv"])
    return target.getvalue()


NOT_ZIP = "The file is not a complete zip file."
NOT_EXPORT = "The file is not an export of an account."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _files: b"", NOT_ZIP),
        (lambda _files: b"date,amount\n2026-01-01,3\n", NOT_ZIP),
        (lambda files: packed(files)[:-100], NOT_ZIP),
        (lambda files: packed(files)[:1000], NOT_ZIP),
        (with_many_files, NOT_ZIP),
        (lambda _files: packed({"a.txt": "x"}), NOT_EXPORT),
        (lambda files: packed(files | {"../../x.csv": "x"}), "The file contains ../../x.csv,"),
        (repeated, "The file contains expenses.csv,"),
        (lambda files: packed({**files, "a\x07b": "x"}), "The file contains "),
        (
            lambda files: packed({name: files[name] for name in files if name != "budgets.csv"}),
            "lacks budgets.csv",
        ),
        (encrypted, "categories.csv in the file is damaged."),
        (lying, "categories.csv in the file is damaged."),
        (damaged, "expenses.csv in the file is damaged."),
        (misplaced, "ledger.json in the file is damaged."),
        (far_away, "categories.csv in the file is damaged."),
        (bomb, "too large when unpacked"),
        (lambda files: packed(files | {"ledger.json": "[]"}), NOT_EXPORT),
        (lambda files: packed(files | {"ledger.json": "{"}), NOT_EXPORT),
        (lambda files: packed(files | {"ledger.json": "[" * 15_000}), NOT_EXPORT),
        (lambda files: packed(files | {"ledger.json": " " * 20_000 + files["ledger.json"]}), NOT_EXPORT),
        (lambda files: packed(with_manifest(files, format="other")), NOT_EXPORT),
        (lambda files: packed(with_manifest(files, version=2)), "another version"),
        (lambda files: packed(with_manifest(files, version="1")), "another version"),
        (lambda files: packed(with_manifest(files, settings=None)), "ledger.json in the file is not"),
        (lambda files: packed(with_manifest(files, settings={"x": 1})), "ledger.json in the file is not"),
        (lambda files: packed(with_manifest(files, files=None)), "ledger.json in the file is not"),
        (
            lambda files: packed(with_manifest(files, files={"expenses.csv": 1})),
            "expenses.csv in the file is damaged",
        ),
        (lambda files: packed(files | {"budgets.csv": ""}), "The first line of budgets.csv"),
        (lambda files: packed(files | {"budgets.csv": "id,amount\r\n"}), "The first line of budgets.csv"),
        (lambda files: packed(files | {"budgets.csv": b"\xff\xfe"}), "budgets.csv in the file is damaged."),
        (lambda files: packed(files | {"budgets.csv": files["budgets.csv"] + "x\r\n"}), "Line 4 of budgets.csv"),
        (
            lambda files: packed(files | {"budgets.csv": files["budgets.csv"] + '"x'}),
            "budgets.csv in the file is dam",
        ),
        (
            lambda files: packed(files | {"budgets.csv": files["budgets.csv"] + '"' + "x\n" * 70_000}),
            "budgets.csv in the file is damaged.",
        ),
    ],
)
def test_a_file_that_is_not_an_export_is_refused_with_the_reason(files, bob, make, message):
    assert message in refused(bob, make(files))


def test_a_file_that_is_too_large_as_it_is_or_unpacked_is_refused(app, files, bob):
    app.config["RESTORE_MAX_BYTES"] = len(packed(files)) - 1
    as_it_is = refused(bob, packed(files))
    app.config["RESTORE_MAX_BYTES"] = 2**20
    unpacked = refused(bob, large(files))
    app.config.update(RESTORE_MAX_BYTES=10, MAX_CONTENT_LENGTH=100)
    too_long = restore(bob, packed(files))

    assert as_it_is.startswith("The file is larger than 0 MB, or too large when unpacked.")
    assert unpacked.startswith("The file is larger than 1 MB, or too large when unpacked.")
    assert too_long.status_code == 413


def test_a_form_without_a_file_is_refused(bob):
    response = bob.post("/account/restore", {"file": "x"})

    assert response.status_code == 422
    assert "Choose a file." in read(response).text


# --- Values that no export has


SETTINGS = [
    ("currency", "XXX"),
    ("currency", None),
    ("currency", ["USD"]),
    ("time_zone", "Mars/Olympus"),
    ("time_zone", "../../etc/passwd"),
    ("locale", "xx"),
    ("locale", {}),
    ("language", "xx"),
    ("language", "../../x"),
    ("first_day_of_month", 29),
    ("first_day_of_month", "1"),
    ("first_day_of_month", True),
    ("named_after_end", 1),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_settings_that_the_account_page_refuses_are_refused(files, bob, name, value):
    message = refused(bob, packed(with_manifest(files, settings={name: value})))

    assert f"has a value of {name} that is not valid here" in message


UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
VALUES = [
    ("categories", "id", "1"),
    ("categories", "id", UNKNOWN_ID.upper().replace("0000", "ABCD")),
    ("categories", "name", ""),
    ("categories", "name", "x" * 65),
    ("categories", "name", "a\x00b"),
    ("categories", "name", "a\u202e\x1b"),
    ("categories", "name", " \u200b "),
    ("categories", "name", "New …"),
    ("categories", "position", "1e3"),
    ("categories", "position", "9999999999"),
    ("categories", "position", "١"),
    ("categories", "archived", "maybe"),
    ("budgets", "amount", "-1.00"),
    ("budgets", "amount", "1.001"),
    ("budgets", "start_date", "2101-01-01"),
    ("budgets", "rollover", ""),
    ("expenses", "amount", "0.00"),
    ("expenses", "amount", "1000000000.00"),
    ("expenses", "amount", "NaN"),
    ("expenses", "amount", "1e2"),
    ("expenses", "amount", "1_0"),
    ("expenses", "amount", "1.005"),
    ("expenses", "amount", ""),
    ("expenses", "category", ""),
    ("expenses", "description", "x" * 201),
    ("expenses", "description", "a\x00b"),
    ("expenses", "description", "a\nb"),
    ("expenses", "date", "2026-02-30"),
    ("expenses", "date", "1899-12-31"),
    ("expenses", "date", "2101-01-01"),
    ("expenses", "date", "20260101"),
    ("expenses", "created_at", "2026-01-01"),
    ("expenses", "created_at", "2026-01-01T00:00:00+00:00"),
    ("expenses", "created_at", "0001-01-01T00:00:00Z"),
    ("recurring_expenses", "frequency", "day"),
    ("recurring_expenses", "start_date", "9999-12-31"),
    ("recurring_expenses", "stopped", "1"),
    ("occurrences", "day", "x"),
    ("occurrences", "recurring_id", ""),
    ("statements", "read_at", "x"),
    ("statements", "file_hash", "x" * 33),
    ("statement_lines", "amount", "1" * 17),
    ("operations", "total", "x"),
    ("operations", "count", "-9999999999"),
    ("operations", "created_at", "2100-01-01T00:00:00Z"),
    ("expense_changes", "amount", "0"),
    ("expense_changes", "new_amount", "1.005"),
    ("expense_changes", "category", "New …"),
    ("row_changes", "before", "{"),
    ("row_changes", "before", "[]"),
    ("row_changes", "before", "[" * 20_000),
    ("row_changes", "after", "1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "column", "value"), VALUES)
def test_values_that_the_forms_or_tables_refuse_are_refused(files, bob, name, column, value):
    rows = table(files[f"{name}.csv"])
    rows[-1][column] = value

    message = refused(bob, packed(with_rows(files, f"{name}.csv", rows)))

    assert re.fullmatch(rf"Line \d+ of {name}\.csv in the file is not valid: {column}\.", message), message


def changed(rows, **values):
    """Rows of which the last one that can be has other values."""
    row = next(row for row in reversed(rows) if row.keys() >= values.keys())
    return [*(other for other in rows if other is not row), row | values]


def row_change(files, table_name, has_before, has_after):
    """The rows of history, with one of this kind at the end."""
    rows = table(files["row_changes.csv"])
    row = next(
        row
        for row in rows
        if row["table_name"] == table_name and (bool(row["before"]), bool(row["after"])) == (has_before, has_after)
    )
    return [*(other for other in rows if other is not row), dict(row)]


ROWS = [
    ("recurring_expenses", {"next_date": "1999-01-01"}),
    ("occurrences", {"recurring_id": UNKNOWN_ID}),
    ("statements", {"added_at": ""}),
    ("statements", {"layout": "{"}),
    ("statements", {"layout": "[" * 1_999}),
    ("statement_lines", {"statement_id": UNKNOWN_ID}),
    ("statement_lines", {"state": "x"}),
    ("statement_lines", {"duplicate": "x"}),
    ("statement_lines", {"date": ""}),
    ("operations", {"kind": "x"}),
    ("operations", {"kind": "restore"}),
    ("operations", {"count": "-1"}),
    ("budgets", {"category_id": UNKNOWN_ID}),
    ("expense_changes", {"operation_id": UNKNOWN_ID}),
    ("expense_changes", {"change": "x"}),
    ("expense_changes", {"change": "added"}),
    ("expense_changes", {"created_at": "", "new_created_at": ""}),
    ("row_changes", {"operation_id": UNKNOWN_ID}),
    ("row_changes", {"table_name": "user"}),
    ("row_changes", {"row_key": "x"}),
    ("row_changes", {"row_key": f"{UNKNOWN_ID}_"}),
    ("row_changes", {"before": "", "after": ""}),
    ("row_changes", {"before": '{"author_id": 1}', "after": '{"author_id": 2}'}),
    ("row_changes", {"before": "{}", "after": "{}"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "values"), ROWS)
def test_rows_that_contradict_themselves_or_others_are_refused(files, bob, name, values):
    rows = changed(table(files[f"{name}.csv"]), **values)
    if "created_at" in values:
        rows = [row | values if row["change"] == "added" else row for row in rows]

    message = refused(bob, packed(with_rows(files, f"{name}.csv", rows)))

    assert re.fullmatch(rf"Line \d+ of {name}\.csv in the file is not valid(: \w+)?\.", message), message


@pytest.mark.parametrize("name", sorted(set(layout.FILE_NAMES.values())))
def test_the_same_row_twice_is_refused(files, bob, name):
    rows = table(files[name])

    message = refused(bob, packed(with_rows(files, name, [*rows, rows[-1]])))

    assert (
        message
        == f"Line {len(rows) + 2 + files[name].count(chr(10) + chr(10))} of {name} in the file is not valid."
    )


JSON_VALUES = [
    ("category", {"name": "x" * 65}),
    ("category", {"name": 1}),
    ("category", {"name": "\ud800"}),
    ("category", {"name": "New …"}),
    ("category", {"position": True}),
    ("category", {"position": 2**40}),
    ("category", {"archived": "no"}),
    ("budget", {"amount": "-5"}),
    ("budget", {"amount": "NaN"}),
    ("budget", {"amount": "1E+1000000"}),
    ("budget", {"amount": [1]}),
    ("budget", {"start_date": "2026-13-01"}),
    ("budget", {"category_id": "x"}),
    ("budget", {"author_id": 1}),
    ("recurring_expense", {"amount": "0"}),
    ("recurring_expense", {"frequency": "day"}),
    ("recurring_expense", {"created_at": "2026-01-01T00:00:00"}),
    ("recurring_expense", {"description": "a\x00b"}),
    ("recurring_expense", {"stopped": None}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("table_name", "values"), JSON_VALUES)
def test_history_that_could_not_be_undone_is_refused(files, bob, table_name, values):
    rows = row_change(files, table_name, has_before=False, has_after=True)
    rows[-1]["after"] = json.dumps(json.loads(rows[-1]["after"]) | values)

    message = refused(bob, packed(with_rows(files, "row_changes.csv", rows)))

    assert message == f"Line {len(rows) + 1} of row_changes.csv in the file is not valid."


@pytest.mark.parametrize("table_name", ["category", "budget", "recurring_expense", "occurrence"])
def test_history_with_a_part_of_a_row_is_refused(files, bob, table_name):
    rows = row_change(files, table_name, has_before=False, has_after=True)
    after = json.loads(rows[-1]["after"])
    after.popitem()
    rows[-1]["after"] = json.dumps(after)

    assert "row_changes.csv" in refused(bob, packed(with_rows(files, "row_changes.csv", rows)))


def category_rows(number):
    return [
        {"id": str(uuid7()), "name": f"Category {place}", "position": place, "archived": "no"}
        for place in range(number)
    ]


def test_limits_hold_for_an_export_as_well(ana, bob, monkeypatch):
    monkeypatch.setattr(checks, "MAX_BUDGETS", 1)
    monkeypatch.setattr(checks, "MAX_RECURRING", 1)
    files = members(export_of(ana))
    budgets = [
        {"id": str(uuid7()), "start_date": f"2026-0{month}-01", "amount": "1", "rollover": "no"}
        for month in (1, 2)
    ]
    series = [
        {"id": str(uuid7()), "amount": "1", "category": "Food", "frequency": "week", "stopped": "no"}
        | {"start_date": "2026-01-01", "next_date": "2026-01-08", "created_at": "2026-01-01T00:00:00Z"}
        for _ in range(2)
    ]

    assert (
        refused(bob, packed(with_rows(files, "categories.csv", [])))
        == "categories.csv in the file has no category."
    )
    for name, rows, limit in (
        ("categories.csv", category_rows(201), 200),
        ("budgets.csv", budgets, 1),
        ("recurring_expenses.csv", series, 1),
    ):
        message = refused(bob, packed(with_rows(files, name, rows)))
        assert message == f"{name} in the file has {len(rows)} lines; the limit is {limit}."


def test_expenses_in_categories_that_do_not_exist_are_refused(files, bob):
    rows = table(files["expenses.csv"])
    rows[0]["category"] = "Nowhere"

    message = refused(bob, packed(with_rows(files, "expenses.csv", rows)))

    assert message == "expenses.csv in the file uses the category Nowhere, which does not exist."


def test_two_total_budgets_of_one_month_are_refused(files, bob):
    rows = table(files["budgets.csv"])
    total = next(row for row in rows if not row["category_id"])
    rows.append(total | {"id": str(uuid7())})

    message = refused(bob, packed(with_rows(files, "budgets.csv", rows)))

    assert message == "The lines of budgets.csv in the file do not belong together."


def test_history_of_an_expense_that_never_was_is_refused(files, bob):
    rows = table(files["expense_changes.csv"])
    row = next(row for row in rows if row["change"] == "changed")
    rows.append(row | {"id": str(uuid7())})

    message = refused(bob, packed(with_rows(files, "expense_changes.csv", rows)))

    assert message == "The lines of expense_changes.csv in the file do not belong together."


def test_two_categories_with_names_that_count_as_one_are_refused(files, bob):
    rows = table(files["categories.csv"])
    rows.append(rows[0] | {"id": str(uuid7()), "name": rows[0]["name"].upper()})

    message = refused(bob, packed(with_rows(files, "categories.csv", rows)))

    assert message == f"Line {len(rows) + 1} of categories.csv in the file is not valid."


def test_an_export_cannot_name_another_owner(files, bob):
    rows = [row | {"author_id": "1"} for row in table(files["expenses.csv"])]
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, ["author_id", *(name for name in rows[0] if name != "author_id")])
    writer.writeheader()
    writer.writerows(rows)

    message = refused(bob, packed(files | {"expenses.csv": target.getvalue()}))

    assert message == "The first line of expenses.csv in the file is not that of an export."


# --- Memory and commands


@pytest.mark.slow
def test_memory_does_not_grow_with_the_account(app, ana, bob):
    with app.app_context():
        user, other = ana.user(), bob.user()
        row = {
            "author_id": user.id,
            "amount": 1,
            "category": "Food",
            "description": "Tea",
            "description_key": "tea",
        }
        day, now = datetime(2026, 1, 1, tzinfo=UTC).date(), clock.now()
        db.session.execute(
            sa.insert(Expense), [row | {"id": uuid7(), "date": day, "created_at": now} for _ in range(12_000)]
        )
        db.session.commit()
        with closing(writing.write_file(db.engine, user.id, now)):
            pass
        db.session.commit()
        tracemalloc.start()
        with closing(writing.write_file(db.engine, user.id, now)) as file:
            exported = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            with open_archive(file, other.id, now, ROOMY) as archive:
                for _table, _rows in archive.pieces(Pace(pieces.PIECE_SIZE)):
                    pass
            read_back = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    # The expenses alone take 13 MB as rows.
    assert exported < 3_000_000
    assert read_back < 9_000_000


def test_the_commands_export_and_restore_an_account(app, filled, bob, run, tmp_path):
    file = tmp_path / "ana.zip"

    code, printed = run("export-account", "Ana@Example.com", str(file))
    restored = run("restore-account", "bob@example.com", str(file))

    number = len(filled.expenses())
    assert (code, file.stat().st_mode & 0o777) == (0, 0o600)
    assert re.fullmatch(rf"Wrote {file} \([\d.]+ kB\): {number} expenses\. Keep it private\.\n", printed)
    assert restored == (0, f"Restored {number} expenses into the account of bob.\n")
    assert rows_of(bob) == rows_of(filled)
    assert data_of(file.read_bytes()) == data_of(export_of(bob))


def test_the_commands_say_why_nothing_was_done(app, filled, bob, run, tmp_path):
    file = tmp_path / "ana.zip"
    run("export-account", "ana@example.com", str(file))
    content = file.read_bytes()

    again = run("export-account", "ana@example.com", str(file))
    nobody = run("export-account", "nobody@example.com", str(tmp_path / "x.zip"))
    used = run("restore-account", "ana@example.com", str(file))
    (tmp_path / "y.zip").write_text("x")
    garbage = run("restore-account", "bob@example.com", str(tmp_path / "y.zip"))

    assert again[0] == nobody[0] == used[0] == garbage[0] == 1
    assert "File exists" in again[1]
    assert "No account has the email address nobody@example.com." in nobody[1]
    assert "This account has data already." in used[1]
    assert "not a complete zip file" in garbage[1]
    assert file.read_bytes() == content
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.slow
def test_any_accepted_history_can_be_shown_and_undone(files, bob):
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    done, changes = [], []
    rows = {
        row["table_name"]: row for row in table(files["row_changes.csv"]) if row["after"] and not row["before"]
    }
    for model, names in checks.CHANGING_COLUMNS.items():
        row = rows.get(model.__tablename__) or row_change(files, "statement", has_before=True, has_after=True)[-1]
        after = json.loads(row["after"])
        for name in names:
            for kind in ("edit_budgets", "undo"):
                operation_id = str(uuid7())
                done.append({"id": operation_id, "kind": kind, "created_at": now, "count": "0", "total": "0"})
                values = json.dumps({name: after.get(name)})
                changes.append(row | {"operation_id": operation_id, "before": values, "after": values})
    for kind in Operation.KINDS:
        if kind != "restore":
            extra = {"count": "3", "total": "1", "undoes": str(uuid7())}
            done.append({"id": str(uuid7()), "kind": kind, "created_at": now} | extra)
    files = with_rows(files, "operations.csv", [*table(files["operations.csv"]), *done])
    content = packed(with_rows(files, "row_changes.csv", [*table(files["row_changes.csv"]), *changes]))

    response = restore(bob, content)

    assert response.location == "/expenses", read(response).text
    assert bob.page("/history").one("main").all("section")
    for operation in reversed(done):
        assert bob.post(f"/history/{operation['id']}/undo").status_code in REDIRECTS, operation
    for page in ("expenses", "categories", "recurring", "imports", "months/2026-03", "years/2026", "history"):
        assert bob.get(f"/{page}").status_code == 200
