"""The doctor's report, and the log at the start."""

import logging
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import doctor
from database import db
from ledger import backups

sqlite_only = pytest.mark.skipif("os.environ['DATABASE_URL'].startswith('postgres')", reason="about SQLite")


@pytest.fixture
def healthy(app, ana, tmp_path, monkeypatch):
    """The application with one account, a backup, and nothing wrong."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(app, "instance_path", str(tmp_path))
    save(app, datetime.now(UTC))
    return app


def save(app, moment):
    with app.app_context():
        backups.remember(moment, 1)
        db.session.commit()


def complaints(run):
    """The problems that the doctor finds."""
    code, printed = run("doctor")
    found = [line[2:] for line in printed.splitlines() if line.startswith("! ")]
    assert code == (1 if found else 0), printed
    return found


def test_a_healthy_application_has_nothing_wrong(healthy, run):
    code, printed = run("doctor")

    assert code == 0, printed
    assert f"  Ledger {healthy.config['VERSION']}, Python 3." in printed
    assert "\n  Database: " in printed
    assert "\n  1 account, 0 expenses\n" in printed
    assert "\n  Migration 0" in printed
    assert "Last backup" in printed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PROXY_HOPS": 1}, "set HTTPS=1"),
        ({"SESSION_COOKIE_SECURE": True}, "Set TRUSTED_HOSTS to"),
        ({"URL_PREFIX": "/expenses"}, "URL_PREFIX=/expenses is also a path of the application"),
        (
            {"SESSION_COOKIE_SECURE": True, "TRUSTED_HOSTS": ["x"], "PUBLIC_URL": "http://x"},
            "PUBLIC_URL begins with http:",
        ),
        ({"THROTTLE_ACCOUNT": 0}, "THROTTLE_ACCOUNT=0 allows unlimited guessing"),
        ({"THROTTLE_ADDRESS": 0}, "THROTTLE_ADDRESS=0 allows unlimited guessing"),
        ({"THROTTLE_WINDOW": 0}, "THROTTLE_WINDOW=0 allows unlimited guessing"),
    ],
)
def test_a_setting_that_looks_wrong_is_named(healthy, run, settings, message):
    healthy.config.update(settings)

    (complaint,) = complaints(run)

    assert message in complaint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("SECRETKEY", "SECRET_KEY"),
        ("Trusted_Host", "TRUSTED_HOSTS"),
        ("PROXY_HOP", "PROXY_HOPS"),
    ],
)
def test_a_setting_that_is_misspelt_is_named(healthy, run, monkeypatch, name, meant):
    monkeypatch.setenv(name, "x")

    assert complaints(run) == [f"Unknown setting {name}. Did you mean {meant}?"]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "DATABASE", "TZ", "HOSTNAME", "PYTHON_VERSION", "PGPORT"])
def test_the_settings_of_others_are_not_taken_for_ours(healthy, run, monkeypatch, name):
    monkeypatch.setenv(name, "x")

    assert complaints(run) == []


def test_a_second_secret_key_is_found(healthy, run):
    key = Path(healthy.instance_path, "secret_key")
    key.touch(mode=0o600)

    assert complaints(run) == [f"SECRET_KEY is set, so {key} is not used. Delete one of them."]


def test_files_that_others_can_read_are_found(healthy, run, monkeypatch):
    monkeypatch.delenv("SECRET_KEY")
    key = Path(healthy.instance_path, "secret_key")
    key.touch()
    key.chmod(0o640)
    key.parent.chmod(0o755)

    assert complaints(run) == [
        f"Other users of this machine can read {key.parent}. Run: chmod 700 '{key.parent}'",
        f"Other users of this machine can read {key}. Run: chmod 600 '{key}'",
    ]


@sqlite_only
def test_a_database_that_others_can_read_is_found(healthy, run):
    with healthy.app_context():
        file = Path(db.engine.url.database)
    file.chmod(0o644)

    try:
        assert complaints(run) == [f"Other users of this machine can read {file}. Run: chmod 600 '{file}'"]
    finally:
        file.chmod(0o600)


def test_a_database_without_a_backup_is_found(app, healthy, run):
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM backup"))
        db.session.commit()

    assert complaints(run) == ["There is no backup yet. Run: flask backup FILE"]


def test_an_old_backup_is_found(app, healthy, run):
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM backup"))
        db.session.commit()
    save(app, datetime.now(UTC) - timedelta(days=8))

    assert complaints(run) == ["Last backup 1 week ago. Run: flask backup FILE"]


@sqlite_only
def test_a_full_disk_is_found(healthy, run, monkeypatch):
    full = shutil.disk_usage(healthy.instance_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)

    (complaint,) = complaints(run)

    assert "disk 1.0 MB free: too little to copy the file" in complaint


def test_a_database_that_is_not_up_to_date_is_found(healthy, run, monkeypatch):
    monkeypatch.setattr(doctor, "is_migrated", lambda engine: False)

    (complaint,) = complaints(run)

    assert "is not up to date" in complaint


@sqlite_only
@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            ["CREATE TABLE alembic_version (version_num)"],
            "is empty. For a new installation, run: flask db upgrade.",
        ),
        (["CREATE TABLE notes (text)"], "has only tables of another program. Correct DATABASE_URL"),
        (
            ["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('9999')"],
            "is at migration 9999, which this version does not know. It was upgraded by a newer version",
        ),
    ],
)
def test_a_database_of_a_newer_version_or_of_another_program_is_told_from_an_outdated_one(
    healthy, run, tmp_path, monkeypatch, statements, message
):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    (tmp_path / "other.db").chmod(0o600)
    monkeypatch.setattr(doctor, "db", type("Db", (), {"engine": engine}))

    (complaint,) = complaints(run)

    assert message in complaint
    assert "not up to date" not in complaint


def test_what_the_driver_says_on_several_lines_is_written_as_sentences():
    text = "connection to server failed: Connection refused\n\tIs the server running\n\tand reachable?"
    error = sa.exc.OperationalError("", {}, Exception(text))

    assert doctor.reason_text(error) == (
        "connection to server failed: Connection refused. Is the server running and reachable?"
    )


def start(app, caplog):
    caplog.set_level(logging.INFO, logger="ledger")
    with app.app_context():
        doctor.log_start()
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "ledger"]


def test_the_start_names_the_database(healthy, caplog):
    ((level, line),) = start(healthy, caplog)

    assert level == "INFO"
    assert line.startswith("Database ")
    assert ": 1 account, migration 0" in line
    assert "last backup 0 seconds ago" in line or "last backup 1 second ago" in line


@pytest.mark.parametrize(
    ("is_open", "advice"),
    [(True, "open the address and create one."), (False, "create one with flask create-user.")],
)
def test_the_start_in_a_database_without_accounts_says_how_to_create_one(app, caplog, is_open, advice):
    app.config["REGISTRATION"] = is_open

    (_, line), (level, hint) = start(app, caplog)

    assert ": 0 accounts, " in line
    assert line.endswith("last backup never")
    assert (level, hint) == ("INFO", f"No account yet: {advice}")


def test_a_database_without_accounts_is_no_problem(app, run, tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(app, "instance_path", str(tmp_path))

    code, printed = run("doctor")

    assert code == 0
    assert "No account yet: open the address and create one. If you expected your data here, " in printed


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 kB"), (999_999, "1,000 kB"), (1_400_000, "1.4 MB"), (80_575_800_000, "81 GB")]
)
def test_a_size_has_a_unit_and_two_digits_or_more(size, text):
    assert doctor.size_text(size) == text


def test_a_number_is_followed_by_its_noun():
    assert [doctor.count_text(number, "expense") for number in (0, 1, 1038)] == [
        "0 expenses",
        "1 expense",
        "1,038 expenses",
    ]


def test_the_start_in_a_new_file_asks_whether_it_is_the_right_one(app, caplog, tmp_path, monkeypatch):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'new.db'}", poolclass=sa.NullPool)
    monkeypatch.setattr(doctor, "db", type("Db", (), {"engine": engine}))

    ((level, line),) = start(app, caplog)

    assert level == "ERROR"
    assert "new.db is empty. For a new installation, run: flask db upgrade." in line
    assert "correct DATABASE_URL" in line


def test_a_database_that_is_away_stops_neither_the_start_nor_the_doctor(app, caplog, tmp_path, monkeypatch, run):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}", poolclass=sa.NullPool)
    monkeypatch.setattr(doctor, "db", type("Db", (), {"engine": engine}))

    ((level, line),) = start(app, caplog)

    assert level == "ERROR"
    assert "Cannot open the database" in line
    assert "unable to open database file" in line
    assert any("unable to open" in complaint for complaint in complaints(run))


# One process for all commands, because most of the time goes into starting one.
RUN_COMMANDS = """
import sys
from flask.cli import main
for command in sys.argv[1:]:
    sys.argv = ["flask", command]
    try:
        main()
    except SystemExit as end:
        print(f"\\nend of {command}: {end.code or 0}", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@nowhere.invalid/ledger",
        "postgresql:///ledger?host=/nowhere&password=s3cret",
        "postgresql://nowhere.invalid/ledger?sslpassword=s3cret",
        "postgresql://nowhere.invalid/ledger?options=-c%20x=s3cret",
        "postgresql://ana:pass@s3cret:s3cret@nowhere.invalid/ledger",
        "postgresql://ana:pass@host/s3cret@nowhere.invalid/ledger",
        "postgresql://ana:x@nowhere.invalid:s3cret/ledger",
        "s3cret",
    ],
)
def test_no_secret_of_the_database_url_is_shown(url, tmp_path):
    environment = os.environ | {"DATABASE_URL": url, "SECRET_KEY": "kept-for-tests-0123456789abcdef-only"}
    result = subprocess.run(
        [sys.executable, "-c", RUN_COMMANDS, "doctor", "serve", "routes"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "s3cret" not in result.stdout + result.stderr
    ends = dict(re.findall(r"^end of (\w+): (.*)$", result.stdout, re.MULTILINE))
    assert [*ends] == ["doctor", "serve", "routes"]
    assert "0" not in {ends["doctor"], ends["serve"]}
