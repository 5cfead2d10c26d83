"""What the doctor and the start say: where the data lies, and each thing that is wrong."""

import logging
import shutil
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
    """What the doctor finds wrong."""
    code, printed = run("doctor")
    found = [line[2:] for line in printed.splitlines() if line.startswith("! ")]
    assert code == (1 if found else 0), printed
    return found


def test_a_healthy_application_has_nothing_wrong(healthy, run):
    code, printed = run("doctor")

    assert code == 0, printed
    assert "\n  Data: " in printed
    assert "user 1" in printed
    assert "Migration 0" in printed
    assert "Last backup" in printed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PROXY_HOPS": 1}, "set HTTPS=1"),
        ({"SESSION_COOKIE_SECURE": True}, "Name the hosts"),
        ({"THROTTLE_ACCOUNT": 0}, "THROTTLE_ACCOUNT=0 lets anybody guess"),
        ({"THROTTLE_ADDRESS": 0}, "THROTTLE_ADDRESS=0 lets anybody guess"),
    ],
)
def test_a_setting_that_looks_wrong_is_named(healthy, run, settings, words):
    healthy.config.update(settings)

    (complaint,) = complaints(run)

    assert words in complaint


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

    assert complaints(run) == [f"{name} is no setting. If you mean {meant}, rename it."]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "DATABASE", "TZ", "HOSTNAME", "PYTHON_VERSION", "PGPORT"])
def test_the_settings_of_others_are_not_taken_for_ours(healthy, run, monkeypatch, name):
    monkeypatch.setenv(name, "x")

    assert complaints(run) == []


def test_a_second_secret_key_is_found(healthy, run):
    key = Path(healthy.instance_path, "secret_key")
    key.touch(mode=0o600)

    assert complaints(run) == [f"SECRET_KEY is set, so {key} is not used. Delete one of them."]


def test_what_others_can_read_is_found(healthy, run, monkeypatch):
    monkeypatch.delenv("SECRET_KEY")
    key = Path(healthy.instance_path, "secret_key")
    key.touch()
    key.chmod(0o640)
    key.parent.chmod(0o755)

    assert complaints(run) == [
        f"Others on this machine can read {key.parent}. Run: chmod 700 '{key.parent}'",
        f"Others on this machine can read {key}. Run: chmod 600 '{key}'",
    ]


@sqlite_only
def test_a_database_that_others_can_read_is_found(healthy, run):
    with healthy.app_context():
        file = Path(db.engine.url.database)
    file.chmod(0o644)

    try:
        assert complaints(run) == [f"Others on this machine can read {file}. Run: chmod 600 '{file}'"]
    finally:
        file.chmod(0o600)


def test_a_ledger_that_was_never_saved_is_found(app, healthy, run):
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM backup"))
        db.session.commit()

    assert complaints(run) == ["There has never been a backup. Run: flask backup FILE"]


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

    assert "the disk 1.0 MB free: too little for a copy of it" in complaint


def test_a_database_that_is_not_up_to_date_is_found(healthy, run, monkeypatch):
    monkeypatch.setattr(doctor, "is_migrated", lambda engine: False)

    (complaint,) = complaints(run)

    assert "is not up to date" in complaint


def start(app, caplog):
    caplog.set_level(logging.INFO, logger="ledger")
    with app.app_context():
        doctor.log_start()
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "ledger"]


def test_the_start_says_where_the_data_lies(healthy, caplog):
    ((level, line),) = start(healthy, caplog)

    assert level == "INFO"
    assert "data lies in " in line
    assert "accounts 1, " in line
    assert "last backup 0 seconds ago" in line or "last backup 1 second ago" in line


def test_the_start_in_a_database_without_accounts_is_a_warning(app, caplog):
    (_, line), (level, warning) = start(app, caplog)

    assert "accounts 0, " in line
    assert "last backup never" in line
    assert level == "WARNING"
    assert "If your data should be there, correct DATABASE_URL" in warning


def test_the_start_in_a_new_file_asks_whether_it_is_the_right_one(app, caplog, tmp_path, monkeypatch):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'new.db'}", poolclass=sa.NullPool)
    monkeypatch.setattr(doctor, "db", type("Db", (), {"engine": engine}))

    ((level, line),) = start(app, caplog)

    assert level == "ERROR"
    assert "new.db is empty. If your data should be there, correct DATABASE_URL" in line


def test_a_database_that_is_away_stops_neither_the_start_nor_the_doctor(app, caplog, tmp_path, monkeypatch, run):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}", poolclass=sa.NullPool)
    monkeypatch.setattr(doctor, "db", type("Db", (), {"engine": engine}))

    ((level, line),) = start(app, caplog)

    assert level == "ERROR"
    assert "cannot be reached: unable to open database file" in line
    assert any("The database cannot be read: unable to open" in complaint for complaint in complaints(run))
