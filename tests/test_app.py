"""The application as its operator sees it: what each setting does. Each test starts it again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import app as application

ROOT = Path(__file__).parent.parent
ASK = """
import json, sys, app
with app.app.test_client() as client:
    response = client.get("/login", headers={"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"})
    from flask import request
    print(json.dumps({
        "config": {name: str(value) for name, value in app.app.config.items()},
        "modules": [*sys.modules],
        "headers": dict(response.headers), "address": request.remote_addr, "scheme": request.scheme,
    }))
"""


# Imports everything once that a start imports, and then starts whenever it is told to, each time in a new process.
STARTER = """
import json, os, sys, traceback
import babel.dates, email_validator, flask_login, flask_sqlalchemy, flask_wtf, psycopg, waitress
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(asked["settings"])
        said = os.open(asked["file"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        code = 1
        try:
            exec(asked["ask"])
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def starter():
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def output(starter, tmp_path):
    """Start the application with settings, and return whether that failed and the lines that it wrote."""

    def run(**settings):
        base = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
            "SECRET_KEY": "0123456789abcdef" * 4,
        }
        file = tmp_path / "said"
        asked = {"settings": base | settings, "ask": ASK, "file": str(file)}
        starter.stdin.write(f"{json.dumps(asked)}\n")
        starter.stdin.flush()
        failed = starter.stdout.readline() != "0\n"
        return failed, file.read_text().splitlines()

    return run


@pytest.fixture
def start(output):
    """Start the application with settings, and return its configuration, or its error message."""

    def run(**settings):
        failed, lines = output(**settings)
        return "\n".join(lines) if failed else json.loads(lines[-1])

    return run


@pytest.mark.slow
def test_without_settings_the_application_is_for_this_machine(start):
    found = start()

    assert found["config"]["DEBUG"] == "False"
    assert found["config"]["SESSION_COOKIE_NAME"] == "session"
    assert found["headers"]["Set-Cookie"].endswith("; HttpOnly; Path=/; SameSite=Lax")
    assert (found["address"], found["scheme"]) == ("127.0.0.1", "http")


def test_https_makes_cookies_secure(start):
    found = start(HTTPS="1")

    assert found["headers"]["Set-Cookie"].startswith("__Host-session=")
    assert "; Secure;" in found["headers"]["Set-Cookie"]
    assert found["config"]["REMEMBER_COOKIE_NAME"] == "__Host-remember_token"
    assert found["config"]["REMEMBER_COOKIE_SECURE"] == "True"
    assert found["headers"]["Strict-Transport-Security"] == "max-age=31536000"


def test_below_a_path_cookies_are_for_this_path_only(start):
    found = start(HTTPS="1", URL_PREFIX="/home/ledger/")

    assert found["headers"]["Set-Cookie"].startswith("__Secure-session=")
    assert "; Path=/home/ledger;" in found["headers"]["Set-Cookie"]
    assert found["config"]["REMEMBER_COOKIE_NAME"] == "__Secure-remember_token"
    assert found["config"]["REMEMBER_COOKIE_PATH"] == "/home/ledger"


@pytest.mark.slow
@pytest.mark.parametrize(
    "prefix", ["ledger", "//evil.example", "/a b", "/é", "/..", "/a/../b", "/a\\b", "https://a/b"]
)
def test_a_prefix_that_is_no_plain_path_is_refused(start, prefix):
    assert "Error: URL_PREFIX must be a path" in start(URL_PREFIX=prefix)


def test_a_proxy_is_believed_only_when_there_is_one(start):
    found = start(PROXY_HOPS="1")

    assert (found["address"], found["scheme"]) == ("192.0.2.9", "https")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SECRET_KEY": "dev"}, "SECRET_KEY must be"),
        ({"SECRET_KEY_FALLBACKS": "old"}, "SECRET_KEY_FALLBACKS must be"),
        ({"DEFAULT_CURRENCY": "EURO"}, "DEFAULT_CURRENCY must be"),
        ({"TIMEZONE": "Middle/Earth"}, "TIMEZONE must be"),
        ({"HTTPS": "ture"}, "HTTPS must be 1 (on) or 0 (off)."),
        ({"HSTS_SUBDOMAINS": "2"}, "HSTS_SUBDOMAINS must be"),
        ({"ALLOW_LOCAL_EMAILS": "never"}, "ALLOW_LOCAL_EMAILS must be"),
        ({"TRUSTED_HOSTS": "https://ledger.example"}, "TRUSTED_HOSTS must be"),
        ({"TRUSTED_HOSTS": "ledger.example, *"}, "TRUSTED_HOSTS must be"),
        ({"TRUSTED_HOSTS": "ledger.example other.example"}, "TRUSTED_HOSTS must be"),
        ({"PASSWORD_MIN": "1025"}, "PASSWORD_MIN must be at most 1024"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_at_the_start(start, settings, message):
    assert message in start(**settings)


@pytest.mark.slow
def test_a_switch_is_read_in_any_case_and_off_when_it_is_empty(start):
    found = start(HTTPS=" Yes ", HSTS_SUBDOMAINS="", ALLOW_LOCAL_EMAILS="FALSE")

    names = ("SESSION_COOKIE_SECURE", "HSTS_SUBDOMAINS", "ALLOW_LOCAL_EMAILS")
    assert [found["config"][name] for name in names] == ["True", "False", "False"]


def test_lists_and_switches_are_read(start):
    keys = f"{'0123456789abcdef' * 3},{'fedcba9876543210' * 3}"
    found = start(TRUSTED_HOSTS=" localhost , .B.Example:8443", REGISTRATION="0", SECRET_KEY_FALLBACKS=keys)

    assert found["config"]["TRUSTED_HOSTS"] == "['localhost', '.b.example:8443']"
    assert found["config"]["REGISTRATION"] == "False"
    assert found["config"]["SECRET_KEY_FALLBACKS"].count(",") == 1


@pytest.mark.parametrize(
    ("name", "content", "setting"),
    [
        ("SECRET_KEY", "fedcba9876543210" * 3, "SECRET_KEY"),
        ("DATABASE_URL", "sqlite:////nowhere-else/ledger.db", "SQLALCHEMY_DATABASE_URI"),
    ],
)
def test_a_secret_may_stand_in_a_file(start, tmp_path, name, content, setting):
    file = tmp_path / "secret"
    content = content.replace("/nowhere-else", str(tmp_path))
    file.write_text(f"{content}\n")

    found = start(**{name: "", f"{name}_FILE": str(file)})

    assert found["config"][setting] == content


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_a_missing_secret_is_never_replaced_by_another(start, tmp_path, name):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    missing = tmp_path / "missing"

    assert f"{name}_FILE: {empty} is empty" in start(**{name: "", f"{name}_FILE": str(empty)})
    assert f"{name}_FILE: {missing} cannot be read" in start(**{name: "", f"{name}_FILE": str(missing)})
    assert f"Set {name} or {name}_FILE, not both" in start(**{f"{name}_FILE": str(missing)})


def test_libraries_that_are_rarely_needed_take_no_memory_until_they_are_used(start):
    assert not {"alembic", "cryptography", "ledger.statements.reader"} & set(start()["modules"])


@pytest.mark.slow
def test_the_log_is_written_in_words_or_as_json(output):
    _, message = output(LOG_FORMAT="text")
    _, lines = output(LOG_FORMAT="json")
    failed, complaint = output(LOG_FORMAT="xml")

    assert "INFO ledger.requests: GET login 200" in message[0]
    assert json.loads(lines[0])["endpoint"] == "login"
    assert failed
    assert complaint[0] == 'Error: LOG_FORMAT must be "text" or "json".'


def test_the_pages_are_there():
    assert {"index", "register", "login", "logout", "list_expenses", "add_expense", "delete_expense"} <= set(
        application.app.view_functions
    )
