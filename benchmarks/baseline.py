"""The baseline: the least that a page of 50 expenses can cost with Flask, Jinja and waitress.

No database, no login, no forms, no sums: rows in memory, one template, with URLs by `url_for` as in any Flask
application. `--libraries DRIVER` imports the application's libraries and its database driver at the start, and
uses none of them: this is what those libraries cost in time and memory before the first line of our own code.
"""

import argparse
import importlib
import uuid

from flask import Flask, render_template

import http_server
from benchmarks.expenses import sample_expenses

ROWS = 50
LIBRARIES = (
    "babel.dates",
    "babel.numbers",
    "dotenv",
    "email_validator",
    "flask_login",
    "flask_migrate",
    "flask_sqlalchemy",
    "flask_wtf.csrf",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "uuid_utils.compat",
    "wtforms",
)

app = Flask(__name__, template_folder=".")
rows = [(uuid.UUID(int=n), expense) for n, expense in enumerate(sample_expenses(ROWS))]


@app.route("/")
def list_expenses() -> str:
    """Show the rows."""
    return render_template("baseline.html", rows=rows)


@app.route("/expenses/<uuid:expense_id>/edit")
def edit_expense(expense_id: uuid.UUID) -> str:
    """Exist for the links in rows."""
    return str(expense_id)


@app.route("/expenses/<uuid:expense_id>/delete", methods=["POST"])
def delete_expense(expense_id: uuid.UUID) -> str:
    """Exist for the buttons in rows."""
    return str(expense_id)


def main() -> None:
    """Serve the page as `flask serve` would."""
    parser = argparse.ArgumentParser(description=list_expenses.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--libraries", nargs="+", default=[], metavar="DRIVER")
    asked = parser.parse_args()
    for name in (*LIBRARIES, *asked.libraries) if asked.libraries else ():
        importlib.import_module(name)
    http_server.serve(app, "127.0.0.1", asked.port, max_body_bytes=8 * 1024 * 1024, trust_proxy_headers=False)


if __name__ == "__main__":
    main()
