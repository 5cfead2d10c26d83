"""The request log, what it never contains, and the health checks."""

import json
import logging
import threading
import urllib.request

import pytest
import sqlalchemy as sa
from werkzeug.serving import make_server

from database import availability, db
from ledger import spending
from logs import JsonFormatter, TextFormatter
from tests.browsing import read


@pytest.fixture
def lines(caplog):
    """The log lines of the requests so far, parsed from JSON."""
    caplog.set_level(logging.INFO, logger="ledger.requests")

    def written():
        records = [record for record in caplog.records if record.name == "ledger.requests"]
        return [json.loads(JsonFormatter().format(record)) for record in records]

    return written


def test_every_request_has_one_line(ana, caplog, lines):
    caplog.clear()

    answer = ana.get("/expenses")

    [line] = lines()
    assert (line["method"], line["endpoint"], line["status"]) == ("GET", "list_expenses", 200)
    assert 0 < line["milliseconds"] < 60_000
    assert line["queries"] == 5
    assert line["time"].endswith("Z")
    assert answer.headers["X-Request-ID"]


def test_a_log_line_names_no_user_but_tells_users_apart(ana, bob, caplog, lines):
    caplog.clear()

    for visitor in (ana, bob, ana):
        visitor.get("/expenses")
    ana.get("/healthz")

    first, second, third, nobody = (line["user"] for line in lines())
    assert first == third != second
    assert len(first) == 12
    assert nobody is None


def test_the_traceback_of_a_bug_comes_without_the_key_in_the_path(app, stranger, caplog, monkeypatch):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("ledger.password_resets.find", lambda _key, _now: 1 / 0)

    response = stranger.get("/reset-password/1.canary")

    assert response.status_code == 500
    assert "Exception on reset_password [GET]" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "canary" not in caplog.text


def test_nothing_that_was_typed_is_in_the_lines(ana, caplog, lines):
    caplog.clear()

    ana.add("4711.50", description="a secret shop")
    ana.get("/expenses?search=hidden+wish&min_amount=815")
    ana.get("/nowhere/hidden")
    ana.log_in(email="someone@hidden.example")

    # Lines go out one by one; what each may say is a closed list.
    text = json.dumps(lines())
    for typed in ("4711", "secret", "hidden", "815", "example", "?"):
        assert typed not in text
    allowed = {"time", "level", "logger", "message", "method", "endpoint", "status", "milliseconds"}
    assert {name for line in lines() for name in line} == allowed | {"queries", "user"}


def test_a_page_that_failed_and_the_log_name_the_same_request(ana, app, caplog, monkeypatch):
    app.testing = False
    monkeypatch.setattr(spending, "summarise", lambda *_: 1 / 0)
    handler = logging.Handler()
    written = []
    handler.emit = lambda record: written.append(json.loads(JsonFormatter().format(record)))
    logging.getLogger().addHandler(handler)

    try:
        answer = ana.get("/expenses")
    finally:
        logging.getLogger().removeHandler(handler)
        app.testing = True

    assert answer.status_code == 500
    assert {line["request"] for line in written} == {answer.headers["X-Request-ID"]}
    assert "ZeroDivisionError" in "".join(line.get("error", "") for line in written)
    assert answer.headers["X-Request-ID"] in read(answer).one("p", class_="code").text


def test_the_development_server_adds_no_second_line(app, caplog):
    caplog.set_level(logging.INFO)
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz?search=hidden"):
        thread.join()
    server.log_startup()
    server.server_close()

    names = [record.name for record in caplog.records]
    assert names == ["ledger.requests", "werkzeug"]
    assert "hidden" not in caplog.text
    assert f"Running on http://127.0.0.1:{server.port}" in caplog.text


def test_the_text_format_is_for_people(app):
    record = logging.LogRecord("ledger", logging.INFO, "", 0, "registered: user %s", (7,), None)

    with app.test_request_context():
        inside = TextFormatter().format(record)
    outside = TextFormatter().format(record)

    assert outside.endswith("Z INFO ledger: registered: user 7")
    assert inside.startswith(f"{outside} [")


def test_the_process_is_healthy_without_a_database(stranger, lines):
    answer = stranger.get("/healthz")

    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert lines()[-1]["queries"] == 0


def test_the_application_is_ready_once_the_database_is(stranger, app, monkeypatch):
    ready = stranger.get("/readyz")
    with app.app_context():
        head = db.session.scalar(sa.text("SELECT version_num FROM alembic_version"))
        db.session.execute(sa.text("UPDATE alembic_version SET version_num = 'older'"))
        db.session.commit()
    behind = stranger.get("/readyz")
    with app.app_context():
        db.session.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": head})
        db.session.commit()

    def away(*_):
        raise sa.exc.OperationalError("", {}, Exception())

    monkeypatch.setattr(availability, "is_migrated", away)
    gone = stranger.get("/readyz")

    assert (ready.status_code, ready.text) == (200, "ok\n")
    assert [(answer.status_code, answer.text) for answer in (behind, gone)] == [(503, "not ready\n")] * 2
