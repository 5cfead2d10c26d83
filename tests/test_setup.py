"""Mistakes in the setup of an installation: the page or the log says what is wrong and how to correct it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from security import load_or_create_secret_key
from tests.browsing import form_values, read

ROOT = Path(__file__).parent.parent
LOGIN = {"email": "ana@example.com", "password": "a quiet river at noon"}


@pytest.fixture
def https_only(app):
    """The application as HTTPS=1 configures it."""
    app.config.update(
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_NAME="__Host-session",
        REMEMBER_COOKIE_NAME="__Host-remember_token",
        REMEMBER_COOKIE_SECURE=True,
        DEVICE_COOKIE_NAME="__Host-device",
    )
    return app


def sent_without_cookies(visitor, address, **options):
    """Fill in the form of a page and send it from a browser that keeps no cookies."""
    form = read(visitor.get(address, **options)).one("main").one("form")
    client = visitor.app.test_client(use_cookies=False)
    return client.post(form["action"], data=form_values(form) | LOGIN, **options)


def alert(response):
    return read(response).one("main").one("p", role="alert").text


@pytest.mark.parametrize("address", ["/login", "/register"])
def test_a_form_sent_over_http_to_a_site_for_https_says_so_every_time(https_only, stranger, caplog, address):
    for _ in range(2):
        # The browser drops the Secure cookie; the fake one does, too.
        response = sent_without_cookies(stranger, address)

        assert response.status_code == 400
        assert "set up for https" in alert(response)
        assert "HTTPS=0" in alert(response)
        assert read(response).one(id="email")["value"] == "ana@example.com"
    assert "https_only" in caplog.text


@pytest.mark.parametrize("address", ["/login", "/register"])
def test_a_browser_without_cookies_is_told_so(stranger, address):
    response = sent_without_cookies(stranger, address)

    assert response.status_code == 400
    assert "allow cookies" in alert(response)
    assert "expired" not in alert(response)


def test_a_browser_without_cookies_is_told_so_over_https(https_only, stranger):
    page = {"base_url": "https://ledger.example", "headers": {"Referer": "https://ledger.example/login"}}

    response = sent_without_cookies(stranger, "/login", **page)

    assert "allow cookies" in alert(response)


def test_a_page_that_did_expire_says_so(ana):
    client = ana.app.test_client()
    client.get("/login")

    response = client.post("/login", data=LOGIN)

    assert "expired" in alert(response)


def test_a_browser_that_hides_its_referrer_from_https_is_told_so(https_only, stranger):
    form = read(stranger.get("/login", base_url="https://ledger.example")).one("main").one("form")

    response = stranger.client.post(
        form["action"], base_url="https://ledger.example", data=form_values(form) | LOGIN
    )

    assert response.status_code == 400
    assert "Referer" in alert(response)


@pytest.mark.parametrize("address", ["/login", "/logout", "/expenses/bulk"])
def test_a_proxy_that_changes_the_host_is_named_by_the_page_and_the_log(ana, caplog, address):
    response = ana.client.post(
        address, headers={"Origin": "https://ledger.example:8443", "Host": "ledger.example"}
    )

    assert response.status_code == 400
    text = read(response).one("main").text
    assert "Host header" in text
    assert "'https://ledger.example:8443'" in caplog.text
    assert "'ledger.example'" in caplog.text


def test_an_unknown_host_gets_a_clear_page_and_a_line_in_the_log(app, stranger, caplog):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    response = stranger.get("/login", headers={"Host": "nas.local"})

    assert response.status_code == 400
    page = read(response)
    assert page.one("h1").text == "Unknown host name"
    assert "TRUSTED_HOSTS" in page.one("main").text
    assert "nas.local" not in response.text
    assert [record.levelname for record in caplog.records if "'nas.local'" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("host", ["a\x85b", "é.example", "x" * 5000, "a b", "a\tINFO b"])
def test_a_forged_host_cannot_forge_the_log(app, stranger, caplog, host):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    response = stranger.client.get("/login", environ_overrides={"HTTP_HOST": host})

    assert response.status_code == 400
    lines = [record.getMessage() for record in caplog.records if "TRUSTED_HOSTS" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].isascii()
    assert lines[0].isprintable()
    assert len(lines[0]) < 1000


# --- Settings and files that keep the application from starting


# Begins a command that has no more rights to other users' files than they have to its own.
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
NOBODY = 65534


def run_flask(*arguments, before=(), **settings):
    """Run a `flask` command in a process of its own."""
    environment = {"PATH": os.environ["PATH"], "FLASK_SKIP_DOTENV": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*before, sys.executable, "-m", "flask", "--app", "app", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment | settings, capture_output=True, text=True, timeout=60
    )


def assert_explained(done, *texts):
    """Check that a command ended with a message and without a traceback."""
    said = done.stdout + done.stderr
    assert done.returncode, said
    assert "Traceback" not in said
    for text in texts:
        assert text in said


COMMANDS = (["serve", "--port", "1"], ["db", "upgrade"], ["doctor"])
KEY = "0123456789abcdef" * 4


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_data_folder_that_cannot_be_made_is_explained(tmp_path, command):
    (tmp_path / "taken").write_text("a file")

    done = run_flask(*command, SECRET_KEY=KEY, DATABASE_URL=f"sqlite:///{tmp_path}/taken/ledger.db")

    assert_explained(done, f"{tmp_path}/taken", "cannot be used")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can own files as another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("protected", ["folder", "file", "journal"])
def test_data_of_another_user_is_explained(tmp_path, command, protected):
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "ledger.db"
    if protected == "folder":
        folder.chmod(0o555)
        os.chown(folder, NOBODY, NOBODY)
    else:
        found = file if protected == "file" else Path(f"{file}-wal")
        found.touch(0o600)
        os.chown(found, NOBODY, NOBODY)

    done = run_flask(*command, before=WITHOUT_PRIVILEGES, SECRET_KEY=KEY, DATABASE_URL=f"sqlite:///{file}")

    assert_explained(done, str(folder), "belongs to nobody, but this process runs as root", "chown -R root")


def test_a_secret_key_that_cannot_be_read_is_explained(tmp_path):
    (tmp_path / "secret_key").mkdir()

    with pytest.raises(RuntimeError, match="secret_key cannot be used"):
        load_or_create_secret_key(str(tmp_path))


def test_a_folder_for_the_secret_key_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(RuntimeError, match="taken cannot be used"):
        load_or_create_secret_key(str(tmp_path / "taken"))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_no_database_is_explained(tmp_path, command):
    file = tmp_path / "ledger.db"
    file.write_text("no database " * 100)

    done = run_flask(*command, SECRET_KEY=KEY, DATABASE_URL=f"sqlite:///{file}")

    assert_explained(done, str(file), "not a database")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_does_not_answer_is_explained(unused_port, command):
    done = run_flask(*command, SECRET_KEY=KEY, DATABASE_URL=f"postgresql://a:hidden@127.0.0.1:{unused_port}/b")

    assert_explained(done, "Cannot open the database", f"127.0.0.1:{unused_port}/b")
    assert "hidden" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        {"SECRET_KEY": "dev"},
        {"LOG_FORMAT": "xml"},
        {"PROXY_HOPS": "one"},
        {"THROTTLE_ACCOUNT": "many"},
        {"DATABASE_URL": "nonsense"},
        {"DATABASE_URL": "mysql://a@b/c"},
        {"DATABASE_URL": "postgresql+psycopg2://a@b/c"},
        {"DATABASE_URL": "sqlite+aiosqlite:///ledger.db"},
        {"DEFAULT_CURRENCY": "EURO"},
    ],
)
def test_a_setting_that_makes_no_sense_is_explained(tmp_path, setting):
    valid = {"SECRET_KEY": KEY, "DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db"}

    assert_explained(run_flask("doctor", **valid | setting), *setting)


@pytest.mark.slow
def test_the_log_of_a_new_installation_begins_without_a_warning(tmp_path):
    settings = {"SECRET_KEY": KEY, "DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db", "LOG_FORMAT": "json"}
    upgrade = run_flask("db", "upgrade", **settings)
    assert upgrade.returncode == 0
    steps = [json.loads(line) for line in upgrade.stderr.splitlines()]
    assert {line["message"].split()[0] for line in steps} == {"Running"}
    code = "import app, doctor\nwith app.app.app_context():\n    doctor.log_start()"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**settings, "PATH": os.environ["PATH"]}, capture_output=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["INFO", "INFO"]
    assert lines[0]["message"].startswith("Database sqlite:///")
    assert lines[1]["message"] == "No account yet: open the address and create one."


@pytest.mark.slow
def test_gunicorn_gives_up_when_a_setting_makes_no_sense(unused_port):
    environment = {"PATH": os.environ["PATH"], "FLASK_SKIP_DOTENV": "1", "SECRET_KEY": "dev"}
    command = [sys.executable, "-m", "gunicorn", "app:app", "--bind", f"127.0.0.1:{unused_port}"]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode
    assert "Error: SECRET_KEY must be" in done.stderr
    # Its own traceback, when both workers end in the same moment, names none of our modules.
    assert "config.py" not in done.stderr
