"""The tutorial application: the same page, written as in the tutorials of Flask and its extensions.

Flask-SQLAlchemy with a model, an index and `func.sum`, Flask-Login with a user loader, and a Flask-WTF form that
WTForms renders. It has the same rows as the accounts of the application, in a separate database.
"""

import argparse
from datetime import date
from itertools import islice

import sqlalchemy as sa
from flask import Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from wtforms import DateField, FloatField, SelectField, StringField, SubmitField
from wtforms.validators import DataRequired, Length

import http_server
from benchmarks.accounts import AT_ONCE
from benchmarks.expenses import sample_expenses
from models import DEFAULT_CATEGORIES

ROWS = 50


class Base(DeclarativeBase):
    """Declarative base."""


app = Flask(__name__, template_folder=".")
app.config["SECRET_KEY"] = "of-a-tutorial"
db = SQLAlchemy(model_class=Base)
login_manager = LoginManager(app)
CSRFProtect(app)


class User(UserMixin, Base):
    """A user with expenses."""

    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)


class Expense(Base):
    """Money spent on one day."""

    __tablename__ = "expense"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    amount: Mapped[float]
    category: Mapped[str] = mapped_column(sa.String(64))
    description: Mapped[str] = mapped_column(sa.String(200))
    date: Mapped[date]

    __table_args__ = (sa.Index("ix_expense_author_id_date", "author_id", "date"),)


class ExpenseForm(FlaskForm):
    """One new expense."""

    amount = FloatField("Amount", validators=[DataRequired()])
    category = SelectField("Category", choices=DEFAULT_CATEGORIES)
    description = StringField("Description", validators=[Length(max=200)])
    date = DateField("Date", default=date.today, validators=[DataRequired()])
    submit = SubmitField("Add expense")


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Return the user whose id the session has."""
    return db.session.get(User, int(user_id))


@app.route("/login/<username>")
def login(username: str) -> ResponseReturnValue:
    """Log in without a password, which is not what is measured."""
    login_user(db.session.scalars(sa.select(User).where(User.username == username)).one())
    return redirect(url_for("list_expenses"))


@app.route("/")
@login_required
def list_expenses() -> ResponseReturnValue:
    """Show the newest expenses, the total of all, and the form for another one."""
    query = sa.select(Expense).where(Expense.author_id == current_user.id)
    query = query.order_by(Expense.date.desc(), Expense.id.desc()).limit(ROWS)
    total = sa.select(sa.func.sum(Expense.amount)).where(Expense.author_id == current_user.id)
    return render_template(
        "tutorial.html",
        form=ExpenseForm(),
        expenses=db.session.scalars(query).all(),
        total=db.session.scalar(total) or 0,
    )


@app.route("/expenses/<int:expense_id>/edit")
def edit_expense(expense_id: int) -> str:
    """Exist for the links in rows."""
    return str(expense_id)


@app.route("/expenses/<int:expense_id>/delete", methods=["POST"])
def delete_expense(expense_id: int) -> str:
    """Exist for the buttons in rows."""
    return str(expense_id)


def open_database(url: str) -> None:
    """Let the application use this database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)


def create(sizes_by_name: dict[str, int]) -> None:
    """Create the tables, and a user of each name with this many expenses."""
    with app.app_context():
        db.create_all()
        for name, size in sizes_by_name.items():
            user = User(username=name)
            db.session.add(user)
            db.session.flush()
            expenses = sample_expenses(size)
            while lot := list(islice(expenses, AT_ONCE)):
                rows = [expense._asdict() | {"author_id": user.id} for expense in lot]
                db.session.execute(sa.insert(Expense), rows)
        db.session.commit()


def main() -> None:
    """Serve the pages as `flask serve` would."""
    parser = argparse.ArgumentParser(description=list_expenses.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True, metavar="URL")
    asked = parser.parse_args()
    open_database(asked.database)
    http_server.serve(app, "127.0.0.1", asked.port, max_body_bytes=8 * 1024 * 1024, trust_proxy_headers=False)


if __name__ == "__main__":
    main()
