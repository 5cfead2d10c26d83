"""The application as its operator sees it: what each setting does. Each test starts it anew."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import app as application

ROOT = Path(__file__).parent.parent
ASK = """
import json, app
with app.app.test_client() as client:
    response = client.get("/login", headers={"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"})
    from flask import request
    print(json.dumps({
        "config": {name: str(value) for name, value in app.app.config.items()},
        "headers": dict(response.headers), "address": request.remote_addr, "scheme": request.scheme,
    }))
"""


def start(folder, **settings):
    """Start the application with these settings, and return what it is like, or its complaint."""
    base = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{folder}/x.db",
        "SECRET_KEY": "0123456789abcdef" * 4,
    }
    result = subprocess.run(
        [sys.executable, "-c", ASK], env=base | settings, cwd=ROOT, capture_output=True, text=True
    )
    return json.loads(result.stdout) if result.returncode == 0 else result.stderr


def test_without_settings_the_application_is_for_this_machine(tmp_path):
    found = start(tmp_path)

    assert found["config"]["DEBUG"] == "False"
    assert found["config"]["SESSION_COOKIE_NAME"] == "session"
    assert found["headers"]["Set-Cookie"].endswith("; HttpOnly; Path=/; SameSite=Lax")
    assert (found["address"], found["scheme"]) == ("127.0.0.1", "http")


def test_https_makes_cookies_secure(tmp_path):
    found = start(tmp_path, HTTPS="1")

    assert found["headers"]["Set-Cookie"].startswith("__Host-session=")
    assert "; Secure;" in found["headers"]["Set-Cookie"]
    assert found["config"]["REMEMBER_COOKIE_NAME"] == "__Host-remember_token"
    assert found["config"]["REMEMBER_COOKIE_SECURE"] == "True"
    assert found["headers"]["Strict-Transport-Security"] == "max-age=31536000"


def test_a_proxy_is_believed_only_when_there_is_one(tmp_path):
    found = start(tmp_path, PROXY_HOPS="1")

    assert (found["address"], found["scheme"]) == ("192.0.2.9", "https")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SECRET_KEY": "dev"}, "SECRET_KEY must be"),
        ({"SECRET_KEY_FALLBACKS": "old"}, "SECRET_KEY must be"),
        ({"DEFAULT_CURRENCY": "EURO"}, "DEFAULT_CURRENCY must be"),
        ({"TIMEZONE": "Middle/Earth"}, "DEFAULT_CURRENCY must be"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_at_the_start(tmp_path, settings, words):
    assert words in start(tmp_path, **settings)


def test_lists_and_switches_are_read(tmp_path):
    keys = f"{'0123456789abcdef' * 3},{'fedcba9876543210' * 3}"
    found = start(tmp_path, TRUSTED_HOSTS=" localhost , b.example", REGISTRATION="0", SECRET_KEY_FALLBACKS=keys)

    assert found["config"]["TRUSTED_HOSTS"] == "['localhost', 'b.example']"
    assert found["config"]["REGISTRATION"] == "False"
    assert found["config"]["SECRET_KEY_FALLBACKS"].count(",") == 1


@pytest.mark.parametrize(
    ("name", "content", "setting"),
    [
        ("SECRET_KEY", "fedcba9876543210" * 3, "SECRET_KEY"),
        ("DATABASE_URL", "sqlite:////nowhere-else/ledger.db", "SQLALCHEMY_DATABASE_URI"),
    ],
)
def test_a_secret_may_stand_in_a_file(tmp_path, name, content, setting):
    file = tmp_path / "secret"
    content = content.replace("/nowhere-else", str(tmp_path))
    file.write_text(f"{content}\n")

    found = start(tmp_path, **{name: "", f"{name}_FILE": str(file)})

    assert found["config"][setting] == content


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_a_secret_that_is_not_there_is_never_replaced_by_another(tmp_path, name):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    missing = tmp_path / "missing"

    assert f"{name}_FILE: {empty} is empty" in start(tmp_path, **{name: "", f"{name}_FILE": str(empty)})
    assert f"{name}_FILE: {missing} cannot be read" in start(tmp_path, **{name: "", f"{name}_FILE": str(missing)})
    assert f"Set {name} or {name}_FILE, not both" in start(tmp_path, **{f"{name}_FILE": str(missing)})


def test_the_pages_are_there():
    assert len(application.app.view_functions) >= 8
    assert {"index", "register", "login", "logout", "list_expenses", "add_expense", "delete_expense"} <= set(
        application.app.view_functions
    )
