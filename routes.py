"""Every page: take the request, ask, answer. In the order of the menu."""

import logging
import uuid
from datetime import UTC, date, datetime
from typing import TypeVar

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy.exc import DBAPIError, TimeoutError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from app import app, csrf, login_manager, visitor_locale
from database import SAFE_METHODS, Base, db, is_unavailable
from forms import ExpenseFilterForm, ExpenseForm, Form, LoginForm, RegisterForm
from ledger import accounts, spending
from ledger.periods import day_in
from models import Expense, User
from security import RefusedError, count_attempt, forgive_attempt, hashing, safe_address, token_was_refused

Row = TypeVar("Row", bound=Base)
log = logging.getLogger("ledger")


def own_or_404(model: type[Row], row_id: uuid.UUID) -> Row:
    """Return the current user's row, locked until the commit; nobody else's exists."""
    return db.session.get(model, (current_user.id, row_id), with_for_update=True) or abort(404)


def today() -> date:
    """Return the day it is where the current user lives."""
    return day_in(current_user.time_zone, datetime.now(UTC))


def show_form(
    template: str, form: Form, refusal: RefusedError | None = None, **values: object
) -> ResponseReturnValue:
    """Answer with the page around `form`; when it was refused, with everything still in it and the reason."""
    status, headers = (422, {}) if form.is_submitted() else (200, {})
    if token_was_refused():
        form.form_errors.append(
            "Nothing was saved: this page had expired, or your browser hides which page the form was on. "
            "Please send it once more."
        )
        status = 400
    if refusal is not None:
        form.form_errors.append(str(refusal))
        status, headers = refusal.status, refusal.headers
    return render_template(template, form=form, **values), status, headers


def begin_login(user: User, remember: bool = False) -> None:
    """Log `user` in, in a session that takes nothing over but an unsaved draft; commits."""
    accounts.open_login(user, remember, request.user_agent.string, datetime.now(UTC))
    db.session.commit()
    draft = session.get("draft")
    session.clear()
    # A draft belongs to who typed it, as far as that is known.
    if draft and draft["owner"] in {"", str(user.id)}:
        session["draft"] = draft
    login_user(user, remember=remember)


# --- Accounts


@app.route("/register", methods=["GET", "POST"])
@csrf.shows_again
def register() -> ResponseReturnValue:
    """Create an account and log it in."""
    if current_user.is_authenticated:
        return redirect(url_for("list_expenses"))
    if not app.config["REGISTRATION"]:
        abort(403, "No accounts can be made here. Ask the person who runs this site for one.")
    form = RegisterForm()
    refusal = None
    if form.validate_on_submit():
        try:
            user = form.new_user()
            with hashing.slot():
                count_attempt(request.remote_addr)
                user.set_password(form.password.data)
            accounts.register(user)
            begin_login(user)
            log.info("registered: user %s from %s", user.id, request.remote_addr)
            return redirect(url_for("list_expenses"))
        except accounts.TakenError as taken:
            form.refuse_taken(taken.fields)
        except RefusedError as error:
            refusal = error
    return show_form("accounts/register.html", form, refusal)


@app.route("/login", methods=["GET", "POST"])
@csrf.shows_again
def login() -> ResponseReturnValue:
    """Log in and go to the page that was asked for."""
    target = safe_address(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target or url_for("list_expenses"))
    form = LoginForm()
    refusal = None
    if form.validate_on_submit():
        email = accounts.canonical_email(form.email.data)
        try:
            with hashing.slot():
                count_attempt(request.remote_addr, email)
                user = accounts.authenticate(email, form.password.data)
            if user is not None:
                forgive_attempt(request.remote_addr, email)
                begin_login(user, form.remember_me.data)
                log.info("logged in: user %s from %s", user.id, request.remote_addr)
                return redirect(target or url_for("list_expenses"))
            log.info("log-in failed from %s", request.remote_addr)
            form.form_errors.append("The e-mail address or the password is wrong.")
        except RefusedError as error:
            log.warning("log-in refused (%s) from %s", error.status, request.remote_addr)
            refusal = error
    return show_form("accounts/login.html", form, refusal, target=target)


@app.route("/logout", methods=["GET", "POST"])
def logout() -> ResponseReturnValue:
    """Show one button, which ends this log-in."""
    if not current_user.is_authenticated:
        return redirect(url_for("login"))
    if request.method in SAFE_METHODS:
        return render_template("accounts/logout.html")
    log.info("logged out: user %s from %s", current_user.id, request.remote_addr)
    accounts.close_login(current_user)
    db.session.commit()
    # In this order: cleared after logout_user, the session would forget to remove the remember cookie.
    session.clear()
    logout_user()
    flash("You are logged out.")
    response = redirect(url_for("login"))
    response.headers["Clear-Site-Data"] = '"cache"'
    # Flask-Login deletes this cookie without its attributes, which browsers ignore behind TLS.
    name, secure = app.config["REMEMBER_COOKIE_NAME"], app.config["REMEMBER_COOKIE_SECURE"]
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
    return response


@login_manager.unauthorized_handler
def ask_to_log_in() -> ResponseReturnValue:
    """Send a stranger to the log-in page, with the way back and what was typed."""
    if request.method in SAFE_METHODS:
        query = request.query_string.decode("latin-1")
        target = f"{request.path}?{query}" if query else request.path
    elif request.endpoint == "add_expense":
        owner = session.get("_user_id", "").partition(".")[0]
        session["draft"] = {"owner": owner, "typed": ExpenseForm.draft_of(request.form)}
        target = url_for("add_expense")
    else:
        target = url_for("list_expenses", **ExpenseFilterForm(request.args).kept())
    return redirect(url_for("login", next=safe_address(target)))


# --- Expenses


@app.route("/")
def index() -> ResponseReturnValue:
    """Go to the list."""
    return redirect(url_for("list_expenses"))


@app.route("/expenses")
@login_required
def list_expenses() -> ResponseReturnValue:
    """Show a page of the wanted expenses, newest first, and the total of all of them."""
    form = ExpenseFilterForm(request.args)
    wanted = form.wanted()
    return render_template(
        "expenses/list.html",
        form=form,
        wanted=wanted,
        summary=spending.summarise(current_user, wanted),
        page=spending.read_page(current_user, wanted, form.after.data, form.before.data),
    )


@app.route("/expenses/add", methods=["GET", "POST"])
@csrf.shows_again
@login_required
def add_expense() -> ResponseReturnValue:
    """Add an expense; the same form, sent twice, adds one."""
    form = ExpenseForm(date=today(), currency=current_user.currency, locale=visitor_locale())
    if form.validate_on_submit():
        expense = Expense(author_id=current_user.id)
        form.populate_obj(expense)
        if spending.add_once(expense):
            db.session.commit()
            session.pop("draft", None)
            flash("Expense added.")
            return redirect(url_for("list_expenses"))
        form.take_fresh_id()
    restored = not form.is_submitted() and form.restore(session.get("draft"))
    return show_form("expenses/form.html", form, restored=restored)


@app.route("/expenses/<uuid:expense_id>/delete", methods=["POST"])
@login_required
def delete_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Delete an expense and go back to the list as it was."""
    db.session.delete(own_or_404(Expense, expense_id))
    db.session.commit()
    flash("Expense deleted.")
    return redirect(url_for("list_expenses", **ExpenseFilterForm(request.args).kept()))


# --- What can go wrong


@app.errorhandler(DBAPIError)
@app.errorhandler(TimeoutError)
def show_database_error(error: Exception) -> ResponseReturnValue:
    """Ask for patience while the database is away, busy or full; anything else is our own mistake."""
    if not is_unavailable(error):
        raise error
    log.error("the database is unavailable: %s", type(error).__name__)
    return show_error(ServiceUnavailable(retry_after=5))


@app.errorhandler(HTTPException)
def show_error(error: HTTPException) -> ResponseReturnValue:
    """Show the one error page, with the status and the headers that belong to it."""
    cause = getattr(error, "original_exception", None)
    if cause is not None and is_unavailable(cause):
        error = ServiceUnavailable(retry_after=5)
    if request_ctx.url_adapter is None:
        # For a host that is not trusted there are no addresses, but the page needs some for its links.
        request_ctx.url_adapter = app.url_map.bind("")
    # Rolled back first, else the next query, the error page's own, would fail as well.
    db.session.rollback()
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return render_template("error.html", error=error), error.code or 500, headers
