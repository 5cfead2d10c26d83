"""Accounts with rows of every kind, and exports that are made, changed and restored."""

import csv
import io
import json
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import select

import clock
from database import db
from ledger import imports
from ledger.account_rows import DATA_TABLES
from ledger.archives import writing
from models import Operation
from tests.browsing import MULTIPART, with_file
from tests.statements import store_draft
from tests.test_categories import category_id, set_budgets

# What says whose export it is, and when it was made.
PERSONAL = ("account", "exported_at")


def fill_account(visitor):
    """Give a visitor rows of every kind, and history that can be undone."""
    visitor.add("3,50", "Food", description="=Coffee; @home, “Zoë”", date="2026-01-05")
    visitor.add("20", "Travel", description="", date="2026-01-05", refund="y")
    visitor.add("99,99", "Housing", description="Rent", date="2026-01-31", frequency="month")
    visitor.add("1", "", description="Gift", new_category="Gifts, “small”", date="2026-02-01")
    set_budgets(visitor, total="1000", Food="100")
    coffee = next(expense for expense in visitor.expenses() if "Coffee" in expense.description)
    visitor.post(
        f"/expenses/{coffee.id}/edit",
        {"amount": "4", "category": "Health", "description": "", "date": "2026-01-06", "frequency": ""},
    )
    visitor.post("/recurring/due/skip")
    visitor.post(f"/categories/{category_id(visitor, 'Travel')}/edit", {"name": "Trips", "archived": "y"})
    statement_id = store_draft(visitor)
    with visitor.app.app_context():
        imports.add(visitor.user(), statement_id, clock.now(), "Food")
    visitor.post("/expenses/bulk", {"all_matching": "y", "action": "date", "date": "2026-03-01"})
    visitor.post(f"/expenses/{visitor.expenses()[0].id}/delete")
    visitor.undo()
    visitor.post(f"/expenses/{visitor.expenses()[-1].id}/delete")
    visitor.post(
        "/account/settings",
        {"currency": "EUR", "time_zone": "Asia/Kolkata", "locale": "de_DE"}
        | {"first_day_of_month": "25", "month_name": "end"},
    )


def export_of(visitor):
    """The export that a visitor downloads."""
    response = visitor.get("/account/export")
    assert response.status_code == 200
    return response.data


def written(user_id, now=None):
    """The export of a user, without the page; needs a context of the application."""
    target = io.BytesIO()
    writing.write_archive(db.engine, user_id, now or clock.now(), target)
    return target.getvalue()


def members(content):
    """The texts of the files in an export, by their names."""
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def data_of(content):
    """The files of an export without what says whose it is."""
    found = members(content)
    manifest = json.loads(found["ledger.json"])
    return found | {"ledger.json": {name: manifest[name] for name in manifest.keys() - {*PERSONAL}}}


def packed(files):
    """A zip file of these texts or bytes, by their names."""
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def table(text):
    """The rows of a CSV file as dictionaries."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def with_rows(files, name, rows):
    """Files of an export, one with other rows; the manifest has their number."""
    target = io.StringIO(newline="")
    header = next(csv.reader(io.StringIO(files[name], newline="")))
    writer = csv.DictWriter(target, header)
    writer.writeheader()
    writer.writerows(rows)
    return with_manifest(files, files={name: len(rows)}) | {name: target.getvalue()}


def with_manifest(files, /, **changes):
    """Files of an export whose manifest has other values; dictionaries are merged."""
    manifest = json.loads(files["ledger.json"])
    for name, value in changes.items():
        manifest[name] = manifest[name] | value if isinstance(value, dict) else value
    return files | {"ledger.json": json.dumps(manifest)}


def restore(visitor, content, name="ledger.zip"):
    """Send an export as the form does."""
    body = with_file({"csrf_token": visitor.token()}, name, content)
    return visitor.client.post("/account/restore", data=body, content_type=MULTIPART)


def rows_of(visitor):
    """All rows that a visitor has entered, by their tables, without whose they are."""
    with visitor.app.app_context():
        user_id = visitor.user().id
        return {
            table.name: [
                tuple(value for column, value in zip(table.c, row, strict=True) if column.name != "author_id")
                for row in db.session.execute(
                    select(table).where(table.c.author_id == user_id).order_by(*table.primary_key.columns)
                )
            ]
            for table in DATA_TABLES
        }


def kinds_of(visitor):
    """The kinds of a visitor's operations."""
    with visitor.app.app_context():
        return set(db.session.scalars(select(Operation.kind).where(Operation.author_id == visitor.user().id)))
