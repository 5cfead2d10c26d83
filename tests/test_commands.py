"""The `flask` commands."""

import contextlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import click
import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import OperationalError

import commands
import doctor
from database import Base, db
from database.month_totals import month_total
from database.used_descriptions import used_description
from ledger import demo
from models import DEFAULT_CATEGORIES, Expense, LoginSession
from tests.browsing import PASSWORD, REDIRECTS, HttpClient, Visitor, form_values, read


def test_create_user_makes_an_account_that_can_log_in(app, run):
    app.config.update(REGISTRATION=False, DEFAULT_CURRENCY="EUR")

    typed = f"Ana\nAna@Example.com\n{PASSWORD}\n{PASSWORD}\n"
    code, printed = run("create-user", input=typed)

    assert code == 0
    assert "Created the account Ana. Log in as ana@example.com." in printed
    assert PASSWORD not in printed
    device = Visitor(app)
    assert device.log_in(email="ana@example.com").status_code in REDIRECTS
    assert device.total() == "€0.00"


@pytest.mark.parametrize(
    ("username", "email", "password", "message"),
    [
        ("ana", "new@example.com", PASSWORD, "Already in use: username."),
        ("a b", "new@example.com", PASSWORD, "Use letters"),
        ("new", "new", PASSWORD, "Enter an email address"),
        ("new", "new@example.com", "short", "at least 8"),
    ],
)
def test_create_user_refuses_what_the_page_refuses(run, ana, username, email, password, message):
    code, printed = run("create-user", "--username", username, "--email", email, "--password", password)

    assert code == 1
    assert message in printed


def test_reset_password_asks_for_a_new_one_and_ends_all_sessions(app, run, ana):
    code, printed = run("reset-password", "ANA@example.com", input="another river\nanother river\n")

    assert code == 0
    assert "The password of ana was changed and all sessions were ended." in printed
    assert ana.get("/expenses").status_code in REDIRECTS
    assert Visitor(app).log_in(email="ana@example.com").status_code == 422
    assert Visitor(app).log_in(email="ana@example.com", password="another river").status_code in REDIRECTS


def test_reset_password_ends_the_wait_of_a_user_who_failed_too_often(app, run, ana, bob):
    app.config["THROTTLE_ACCOUNT"] = 1
    for email in ("ana@example.com", "bob@example.com"):
        assert Visitor(app).log_in(email=email, password="wrong one").status_code == 422

    assert run("reset-password", "ana@example.com", "--password", "another river")[0] == 0

    assert Visitor(app).log_in(email="ana@example.com", password="another river").status_code in REDIRECTS
    assert Visitor(app).log_in(email="bob@example.com").status_code == 429


def test_reset_password_refuses_a_weak_one_and_an_unknown_account(run, ana):
    assert run("reset-password", "ana@example.com", "--password", "password1")[0] == 1
    code, printed = run("reset-password", "bob@example.com", "--password", PASSWORD)
    assert (code, printed) == (1, "Error: No account has the email address bob@example.com.\n")

    assert ana.get("/expenses").status_code == 200


def test_end_sessions_ends_those_of_one_user(app, run, ana, bob):
    code, printed = run("end-sessions", "ana@example.com")

    assert code == 0
    assert printed == "All sessions of ana were ended.\n"

    assert ana.get("/expenses").status_code in REDIRECTS
    assert bob.get("/expenses").status_code == 200
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(LoginSession)) == 1


def test_a_demo_account_has_two_years_of_everything(app, run):
    code, printed = run("demo", "--here")

    assert code == 0
    password = printed.split()[-1]
    visitor = Visitor(app)
    assert visitor.log_in(email=demo.EMAIL, password=password).status_code in REDIRECTS
    assert f"Created a demo account with {visitor.count()} expenses." in printed
    with app.app_context():
        made, start_date, end_date, least = db.session.execute(
            select(func.count(), func.min(Expense.date), func.max(Expense.date), func.min(Expense.amount))
        ).one()
        categories = set(db.session.scalars(select(Expense.category)))
    today = datetime.now(UTC).date()
    assert 600 < made < 1500
    assert today - timedelta(days=731) <= start_date <= today - timedelta(days=720)
    assert today - timedelta(days=10) <= end_date <= today
    assert least < 0
    assert categories == set(DEFAULT_CATEGORIES)
    assert "Film streaming" in visitor.page("/expenses").one("form", class_="due").text
    assert "Rent" in visitor.page("/recurring").text
    assert "$2,400" in visitor.page("/months").text
    for address in ("/months?", f"/years/{today.year}", "/categories", "/history", "/recurring"):
        visitor.page(address)


def test_a_demo_account_is_made_once_and_removed_completely(app, run, ana):
    ana.add()
    before = everything(app)
    run("demo", "--here")

    again = run("demo", "--here")
    removed = run("demo", "--here", "--remove")
    missing = run("demo", "--here", "--remove")

    assert again[0] == 1
    assert "Already in use" in again[1]
    assert removed[0] == 0
    assert everything(app) == before
    assert missing[0] == 1


def everything(app):
    """Every row of every table, except for the counts of attempts."""
    with app.app_context():
        existing = set(inspect(db.engine).get_table_names()) - {"throttle"}
        known = *Base.metadata.sorted_tables, month_total, used_description
        tables = [table for table in known if table.name in existing]
        return {table.name: sorted(map(str, db.session.execute(select(table)))) for table in tables}


@pytest.mark.slow
def test_the_demo_has_a_database_of_its_own_unless_told_otherwise(
    app, run, ana, tmp_path, monkeypatch, unused_port
):
    file = tmp_path / "demo.db"
    monkeypatch.setattr(commands, "DEMO_URL", f"sqlite:///{file}")
    monkeypatch.setenv("HTTPS", "1")
    before = everything(app)

    code, printed = run("demo")

    assert code == 0, printed
    assert file.stat().st_mode & 0o077 == 0
    assert everything(app) == before
    (command,) = re.findall("To see it, run: (.*)", printed)
    (password,) = re.findall(r"with the password (\S+)", printed)
    shell = f"{command.replace('flask', f'{sys.executable} -m flask --app app')} --port {unused_port}"
    with subprocess.Popen(["bash", "-c", f"exec env {shell}"], cwd=app.root_path) as server:
        wait_for(f"http://127.0.0.1:{unused_port}/login")
        client = HttpClient(unused_port)
        form = read(client.get("/login")).one("main").one("form")
        logged_in = client.post("/login", form_values(form) | {"email": demo.EMAIL, "password": password})
        server.terminate()
    assert logged_in.location == "/expenses"
    assert run("demo")[0] == 1

    removed = run("demo", "--remove")

    assert removed[0] == 0
    assert list(tmp_path.iterdir()) == []
    assert run("demo", "--remove")[0] == 1


# Commands of Flask, those that need no database, and the doctor, which examines it.
OTHER_COMMANDS = {"db", "doctor", "export-static", "routes", "run", "shell"}


@pytest.fixture
def run_each(app, run, tmp_path):
    """Run each command that needs the database, with values for all that it asks for; return what was printed."""
    file = tmp_path / "file"
    file.touch()

    def arguments(command):
        for part in command.params:
            if isinstance(part, click.Argument):
                yield str(file)
            elif part.prompt or part.name == "here":
                yield from (part.opts[0],) if part.is_flag else (part.opts[0], "a quiet river at noon")

    def run_each():
        commands = {name: app.cli.get_command(None, name) for name in app.cli.list_commands(None)}
        return {
            name: run(name, *arguments(command))
            for name, command in commands.items()
            if name not in OTHER_COMMANDS
        }

    return run_each


def test_every_command_refuses_a_database_without_its_migrations(run_each, monkeypatch):
    monkeypatch.setattr(doctor, "is_migrated", lambda engine: False)

    printed = run_each()

    assert {"serve", "create-user", "purge", "backup", "import-statement"} <= set(printed)
    assert {name for name, (code, text) in printed.items() if code != 1 or "flask db upgrade" not in text} == set()


def test_every_command_says_that_the_database_cannot_be_opened(run_each, monkeypatch):
    def fail(engine):
        raise OperationalError("", {}, sqlite3.OperationalError("is the server\n\trunning?"))

    monkeypatch.setattr(doctor, "is_migrated", fail)

    for code, text in run_each().values():
        assert code == 1
        assert "Cannot open the database" in text
        assert "is the server running? Check DATABASE_URL" in text


def test_a_command_says_that_the_database_became_unavailable(run, ana, monkeypatch):
    def fail(user):
        raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("ledger.sessions.revoke_all_sessions", fail)

    code, printed = run("end-sessions", "ana@example.com")

    assert code == 1
    assert "cannot be used: database or disk is full. Try again." in printed
    assert ana.get("/expenses").status_code == 200


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_serve_refuses_a_port_that_does_not_exist(run, port):
    code, printed = run("serve", "--port", port)

    assert code == 2
    assert "is not in the range 1<=x<=65535" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "reason"), [("127.0.0.1", "Address already in use"), ("nowhere.invalid", "There is no such host")]
)
def test_serve_explains_an_address_that_cannot_be_used(app, host, reason):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        arguments = [sys.executable, "-m", "flask", "serve", "--host", host, "--port", str(port)]

        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)

    advice = "Choose another address with --host and --port."
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"Error: Cannot serve on {host}:{port}: {reason}. {advice}\n"


def accept_interrupt():
    """Undo what a shell does to a command in the background, whose children all ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def served(app, unused_port):
    """Start `flask serve`, and return its process and its address once it answers."""
    arguments = [sys.executable, "-m", "flask", "serve", "--port", str(unused_port)]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(arguments, preexec_fn=accept_interrupt, **output) as server:
        wait_for(f"http://127.0.0.1:{unused_port}/login")
        yield server, f"http://127.0.0.1:{unused_port}"
        server.terminate()


@pytest.mark.slow
def test_serve_prints_its_url_and_the_database(served):
    server, address = served

    assert server.stdout.readline() == f"Open {address} in a browser. Stop with Ctrl+C.\n"
    assert "Database " in server.stdout.readline()
    assert "Log in" in wait_for(f"{address}/login")


@pytest.mark.slow
def test_serve_leaves_the_answer_to_a_large_body_to_the_application(served):
    _server, address = served

    with pytest.raises(HTTPError) as refusal:
        urllib.request.urlopen(f"{address}/login", b"x" * 3_000_000)

    with refusal.value as answer:
        assert answer.status == 413
        assert "Form too large" in answer.read().decode()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_at_once_when_it_is_asked_to(served, number):
    server, address = served
    host, _, port = address.removeprefix("http://").partition(":")
    with contextlib.ExitStack() as clients:
        for sent in (b"", b"GET / HTTP/1.1\r\n", b"GET /login HTTP/1.1\r\n\r\n" * 200):
            client = clients.enter_context(socket.create_connection((host, int(port))))
            client.sendall(sent)

        server.send_signal(number)

        # The clients would keep it waiting indefinitely; a busy machine needs a few seconds.
        assert server.wait(timeout=30) == 0


def wait_for(address):
    for _ in range(100):
        try:
            with urllib.request.urlopen(address) as response:
                assert response.headers["Server"] is None
                return response.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")
