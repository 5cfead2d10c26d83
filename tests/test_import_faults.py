"""Imports that are interrupted: by the end of the process, and by others who press the same button."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app import app as application
from database import db
from ledger import import_drafts, imports, pieces
from ledger.pieces import OperationRunningError
from models import Operation, Statement
from tests.browsing import at_once
from tests.statements import store_draft

NOW = datetime(2026, 2, 1, tzinfo=UTC)
ROWS = "".join(f"2026-01-{number % 28 + 1:02},Shop {number % 7},-{number % 90 + 1}.00\n" for number in range(50))
CONTENT = f"Date,Payee,Amount\n{ROWS}".encode()
# Ends without a warning after the number of transactions that it is told.
DIE = """
import os, signal, sys, uuid
from datetime import UTC, datetime, timedelta
from app import app
from database import db
from ledger import imports, pieces
from models import User

commits = 0
commit = db.session.commit

def die_after():
    global commits
    commit()
    commits += 1
    if commits == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

pieces.PIECE_SIZE, pieces.LEASE = 10, timedelta(0)
with app.app_context():
    user = db.session.get(User, int(sys.argv[1]))
    db.session.commit = die_after
    imports.add(user, uuid.UUID(sys.argv[2]), datetime(2026, 2, 1, tzinfo=UTC), "Other")
"""


@pytest.mark.slow
@pytest.mark.parametrize("commits", range(1, 10))
def test_an_import_that_is_killed_is_rolled_back(app, ana, commits):
    statement_id = store_draft(ana, CONTENT)
    with app.app_context():
        user_id = ana.user().id
    command = [sys.executable, "-c", DIE, str(user_id), str(statement_id), str(commits)]
    killed = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert killed.returncode in {0, -signal.SIGKILL}, killed.stderr

    with app.app_context():
        pieces.recover(ana.user())
        statement = db.session.get(Statement, (user_id, statement_id))
        is_added = statement.added_at is not None
        assert (statement.content is None) == is_added
    assert len(ana.expenses()) == (50 if is_added else 0)
    with app.app_context():
        outcome, _operation = imports.add(ana.user(), statement_id, NOW, "Other")
    assert outcome == ("already_added" if is_added else "added")
    total = sum(row.amount for row in ana.expenses())
    assert len(ana.expenses()) == 50
    with app.app_context():
        operation = db.session.scalars(select(Operation).where(Operation.kind == "import")).one()
        assert (operation.count, operation.total) == (50, total)


def test_only_one_of_many_concurrent_adds_adds_the_lines(ana):
    statement_id = store_draft(ana, CONTENT)
    outcomes = []

    def press(_number):
        with application.app_context():
            try:
                outcomes.append(imports.add(ana.user(), statement_id, NOW, "Other")[0])
            except OperationRunningError:
                outcomes.append("running")

    at_once(press, range(8))

    assert outcomes.count("added") == 1
    assert set(outcomes) <= {"added", "already_added", "running"}
    assert len(ana.expenses()) == 50


def test_an_interrupted_upload_is_no_draft_and_is_purged(app, ana, run):
    statement_id = store_draft(ana, CONTENT)
    with app.app_context():
        db.session.get(Statement, (ana.user().id, statement_id)).content = None
        db.session.commit()

    assert ana.get(f"/imports/{statement_id}").status_code == 404
    assert "statement.csv" not in ana.page("/imports").text
    run("purge")
    with app.app_context():
        assert db.session.scalars(select(Statement)).all() == []


def test_old_drafts_are_purged_and_only_some_are_kept(app, ana, monkeypatch):
    monkeypatch.setattr(import_drafts, "MAX_DRAFTS", 2)
    ids = [store_draft(ana, now=NOW) for _ in range(3)]

    with app.app_context():
        assert import_drafts.purge(NOW, ana.user()) == ["statement.csv"]
        assert set(db.session.scalars(select(Statement.id))) == set(ids[1:])
        import_drafts.purge(NOW + import_drafts.DRAFT_MAX_AGE, ana.user())
        assert db.session.scalars(select(Statement.id)).all() == []
