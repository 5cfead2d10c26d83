"""Every page: take the request, ask, answer. In the order of the menu."""

import logging
import uuid
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, TypeVar

from flask import Response, abort, flash, g, redirect, render_template, request, session, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy.exc import DBAPIError, TimeoutError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from app import app, counted, csrf, login_manager, money_text, visitor_locale
from database import SAFE_METHODS, Base, close_session, db, is_migrated, is_unavailable
from forms import (
    AccountForm,
    BulkForm,
    CategoriesForm,
    ConfirmedForm,
    DueForm,
    EndLoginForm,
    ExpenseFilterForm,
    ExpenseForm,
    Form,
    LoginForm,
    MergeForm,
    PasswordForm,
    ProfileForm,
    RecurringForm,
    RegisterForm,
    RestoreForm,
    SettingsForm,
    parse_id,
)
from ledger import accounts, categories, history, logins, recurring, reports, spending, statements
from ledger.categories import CategoryError, OwnCategory
from ledger.periods import DayError, Period, day_in, parse_month, parse_year
from models import Expense, RecurringExpense, User
from security import RefusedError, count_attempt, forgive_attempt, hashing, safe_address, token_was_refused

Row = TypeVar("Row", bound=Base)
log = logging.getLogger("ledger")


def own_or_404(model: type[Row], row_id: uuid.UUID) -> Row:
    """Return the current user's row, locked when the request may change it; nobody else's exists."""
    lock = request.method not in SAFE_METHODS
    return db.session.get(model, (current_user.id, row_id), with_for_update=lock) or abort(404)


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
    logins.open_login(user, remember, request.user_agent.string, datetime.now(UTC))
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
            accounts.save(user)
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
    logins.close_login(current_user, logins.key_of(current_user))
    db.session.commit()
    return see_off("You are logged out.")


def see_off(words: str) -> ResponseReturnValue:
    """Send a browser whose log-in was ended to the log-in page, without its cookies."""
    # In this order: cleared after logout_user, the session would forget to remove the remember cookie.
    session.clear()
    logout_user()
    say(words)
    response = redirect(url_for("login"))
    response.headers["Clear-Site-Data"] = '"cache"'
    # Flask-Login deletes this cookie without its attributes, which browsers ignore behind TLS.
    name, secure = app.config["REMEMBER_COOKIE_NAME"], app.config["REMEMBER_COOKIE_SECURE"]
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
    return response


@login_manager.unauthorized_handler
def ask_to_log_in() -> ResponseReturnValue:
    """Send a stranger to the log-in page, with the way back and what was typed."""
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    target = f"{request.path}{query}"
    if request.method not in SAFE_METHODS:
        if request.endpoint in {"add_to_list", "add_expense", "edit_expense"}:
            owner = session.get("_user_id", "").partition(".")[0]
            typed = ExpenseForm.draft_of(request.form)
            session["draft"] = {"owner": owner, "path": request.path, "typed": typed}
        else:
            page = "show_account" if request.path.startswith("/account/") else "list_expenses"
            target = f"{url_for(page)}{query}"
            say("You have to log in first. Nothing was changed.")
    return redirect(url_for("login", next=safe_address(target)))


def account_page(refused: AccountForm | None = None, refusal: RefusedError | None = None) -> ResponseReturnValue:
    """Answer with the account page and its forms, of which one may have been refused."""
    fresh = [kind(formdata=None, obj=current_user) for kind in (ProfileForm, PasswordForm, SettingsForm)]
    return show_form(
        "accounts/account.html",
        refused or fresh[0],
        refusal,
        forms={form.PART: form for form in (*fresh, *([refused] if refused else []))},
        logins=logins.list_logins(current_user, datetime.now(UTC)),
        here=logins.key_of(current_user),
    )


def confirm(form: ConfirmedForm, new_password: str | None = None) -> User | None:
    """Return the current user, locked, when the form has their password, else None. Raises RefusedError."""
    user_id, email = current_user.id, current_user.email
    # Nobody who wants to write waits while this waits for its turn to hash.
    db.session.rollback()
    try:
        with hashing.slot():
            # As at the log-in page: who has found a browser logged in must not guess any faster.
            count_attempt(request.remote_addr, email)
            user = accounts.confirm(current_user, form.current_password.data, new_password)
    except RefusedError as error:
        log.warning("password check refused (%s): user %s from %s", error.status, user_id, request.remote_addr)
        raise
    if user is None:
        log.info("password check failed: user %s from %s", user_id, request.remote_addr)
        form.refuse_password()
    else:
        forgive_attempt(request.remote_addr, email)
    return user


def end_other_logins(user: User) -> None:
    """End every log-in of `user`, and begin the one in this browser anew; commits."""
    remember = logins.is_remembered(user)
    logins.close_every_login(user)
    begin_login(user, remember)


@app.route("/account")
@login_required
def show_account() -> ResponseReturnValue:
    """Show who the person is here, how they count, and where they are logged in."""
    return account_page()


@app.route("/account/profile", methods=["POST"])
@csrf.shows_again
@login_required
def change_profile() -> ResponseReturnValue:
    """Change the username and the e-mail address; another address ends the other log-ins."""
    form = ProfileForm(obj=current_user)
    refusal = None
    if form.validate_on_submit():
        try:
            if (user := confirm(form)) is not None:
                moved = user.email != form.email.data
                user.username, user.email = form.username.data, form.email.data
                accounts.save(user)
                if moved:
                    end_other_logins(user)
                    log.info("e-mail changed: user %s from %s", user.id, request.remote_addr)
                db.session.commit()
                say("Saved. Other devices have to log in again." if moved else "Saved.")
                return redirect(url_for("show_account"))
        except accounts.TakenError as taken:
            form.refuse_taken(taken.fields)
        except RefusedError as error:
            refusal = error
    return account_page(form, refusal)


@app.route("/account/password", methods=["POST"])
@csrf.shows_again
@login_required
def change_password() -> ResponseReturnValue:
    """Change the password, which ends the other log-ins."""
    form = PasswordForm(obj=current_user)
    refusal = None
    if form.validate_on_submit():
        try:
            if (user := confirm(form, form.password.data)) is not None:
                end_other_logins(user)
                log.info("password changed: user %s from %s", user.id, request.remote_addr)
                say("Your password is changed. Other devices have to log in again.")
                return redirect(url_for("show_account"))
        except RefusedError as error:
            refusal = error
    return account_page(form, refusal)


@app.route("/account/settings", methods=["POST"])
@csrf.shows_again
@login_required
def change_settings() -> ResponseReturnValue:
    """Change how the person counts and writes."""
    form = SettingsForm(obj=current_user)
    if form.validate_on_submit():
        finer = history.count_finer(current_user, form.currency.data, datetime.now(UTC))
        if not finer:
            for name, value in form.values.items():
                setattr(current_user, name, value)
            db.session.commit()
            say("Saved.")
            return redirect(url_for("show_account"))
        form.refuse_currency(finer)
    return account_page(form)


@app.route("/account/log-ins/end", methods=["POST"])
@login_required
def end_login() -> ResponseReturnValue:
    """End one log-in of the person."""
    form = EndLoginForm()
    if not form.validate() or not logins.close_login(current_user, form.token_hash.data):
        abort(404)
    log.info("log-in ended: user %s from %s", current_user.id, request.remote_addr)
    db.session.commit()
    say("That device is logged out.")
    return redirect(url_for("show_account"))


@app.route("/account/log-ins/end-all", methods=["POST"])
@login_required
def end_logins() -> ResponseReturnValue:
    """End every log-in of the person, this one too."""
    log.info("all log-ins ended: user %s from %s", current_user.id, request.remote_addr)
    logins.close_every_login(current_user)
    db.session.commit()
    return see_off("You are logged out everywhere.")


# --- Expenses


def own_categories() -> list[OwnCategory]:
    """Return the current user's categories, which a page with several forms asks for once."""
    if "categories" not in g:
        g.categories = categories.categories_of(current_user)
    return g.categories


def filter_form() -> ExpenseFilterForm:
    """Return what the address says about the list."""
    return ExpenseFilterForm(
        request.args, today=today(), author=current_user, locale=visitor_locale(), categories=own_categories()
    )


def bulk_form(**options: Any) -> BulkForm:
    """Return the form that changes many expenses."""
    return BulkForm(categories=own_categories(), **options)


def expense_form(shown: Expense | None = None, **values: Any) -> ExpenseForm:
    """Return a form for an expense: as a lost log-in left it, as it was sent, or showing `shown` or `values`."""
    options = {"author": current_user, "locale": visitor_locale(), "categories": own_categories()} | values
    draft = session.get("draft")
    if request.method in SAFE_METHODS and draft and draft["path"] == request.path:
        options["formdata"] = MultiDict(draft["typed"])
        if request.method == "GET" and not draft.get("said"):
            session["draft"] = draft | {"said": True}
            say("You had to log in again. What you typed is here; it is not saved yet.")
    return ExpenseForm.showing(shown, **options) if shown is not None else ExpenseForm(**options)


def forget_draft() -> None:
    """Drop what was kept of this very form when a log-in was lost, now that it is saved."""
    if session.get("draft", {}).get("path") == request.path:
        del session["draft"]


def show_list(
    add_form: ExpenseForm | None = None, refused_bulk: BulkForm | None = None, due_form: DueForm | None = None
) -> ResponseReturnValue:
    """Answer with the list that the address asks for, with its forms, of which one may have been refused."""
    filters = filter_form()
    wanted = filters.wanted
    if add_form is None:
        last = session.pop("last", None) or {"category": "", "date": str(today())}
        add_form = expense_form(formdata=None, category=last["category"], date=date.fromisoformat(last["date"]))
    refused = due_form or refused_bulk or add_form
    if due_form is None:
        # What is due stands above all expenses, not above those that somebody looks for.
        due = recurring.DueDays() if filters.query() else recurring.due(current_user, today())
        due_form = DueForm(formdata=None, due=due, author=current_user, locale=visitor_locale())
    return show_form(
        "expenses/list.html",
        refused,
        due_form=due_form,
        add_form=add_form,
        bulk_form=refused_bulk or bulk_form(formdata=None),
        filters=filters,
        wanted=wanted,
        summary=spending.summarise(current_user, wanted),
        page=spending.read_page(current_user, wanted, filters.after.data, filters.before.data),
        descriptions=spending.recent_descriptions(current_user),
    )


def back_to_list(row_id: uuid.UUID | None = None) -> ResponseReturnValue:
    """Go back to the list as it was, to the row that was touched."""
    anchor = f"#e{row_id}" if row_id else ""
    return redirect(f"{url_for('list_expenses')}{filter_form().query()}{anchor}")


def say(
    text: str, batch: uuid.UUID | None = None, row_id: uuid.UUID | None = None, undo: str = "restore_expenses"
) -> None:
    """Say something on the next page, with a button that takes the act `batch` back, or a link to the row."""
    message = {"text": text, "batch": str(batch or ""), "row_id": str(row_id or ""), "undo": undo}
    flash(message)  # type: ignore[arg-type]


def repeat(form: ExpenseForm, row_id: uuid.UUID) -> str:
    """Make the saved expense repeat when the form says so, and return what to say of it."""
    if not form.every.data:
        return ""
    found = recurring.repeat(current_user, row_id, form.values, form.every.data)
    return f" It repeats {recurring.EVERY[found.every].lower()}."


def save_new(form: ExpenseForm) -> uuid.UUID | None:
    """Save what the form describes, once, and return its id; None when the form has to be shown again."""
    if not form.validate_on_submit():
        return None
    added = add_category(form)
    if added is None:
        return None
    batch, values = added
    row_id = form.id.data
    if not spending.add_once(Expense(author_id=current_user.id, id=row_id, **values)):
        form.take_fresh_id()
        return None
    words = repeat(form, row_id)
    db.session.commit()
    forget_draft()
    place = f", in the new category {values['category']}" if batch else ""
    say(f"Expense added{place}.{words}", row_id=row_id)
    return row_id


def add_category(form: ExpenseForm) -> tuple[uuid.UUID | None, dict[str, Any]] | None:
    """Add the new category, if there is one; return the act and all values, or None to show the form again."""
    if not form.new_category.data:
        return None, form.values
    try:
        batch, name = categories.add(current_user, form.new_category.data, datetime.now(UTC))
    except CategoryError as error:
        form.new_category.errors = [str(error)]
        return None
    return batch, form.values | {"category": name}


@app.route("/")
def index() -> ResponseReturnValue:
    """Go to the list."""
    return redirect(url_for("list_expenses"))


@app.route("/expenses")
@login_required
def list_expenses() -> ResponseReturnValue:
    """Show a page of the wanted expenses, and the total of all of them."""
    return show_list()


@app.route("/expenses", methods=["POST"])
@csrf.shows_again
@login_required
def add_to_list() -> ResponseReturnValue:
    """Add an expense from the list, and stay there."""
    form = expense_form(date=today())
    row_id = save_new(form)
    if row_id is None and form.wants_name:
        return show_form("expenses/form.html", form, target=url_for("add_to_list"), here=filter_form().query())
    if row_id is None:
        return show_list(add_form=form)
    # The category as it was sent: what the description chose is for this expense only.
    category = form.new_category.data or "".join(form.category.raw_data or [])
    session["last"] = {"category": category[:64], "date": str(form.date.data)}
    return back_to_list(row_id)


@app.route("/expenses/add", methods=["GET", "POST"])
@csrf.shows_again
@login_required
def add_expense() -> ResponseReturnValue:
    """Add an expense; the address may fill the form in."""
    given: dict[str, Any] = {"formdata": request.args} if request.method in SAFE_METHODS and request.args else {}
    form = expense_form(date=today(), **given)
    if save_new(form) is not None:
        return redirect(url_for("list_expenses"))
    return show_form("expenses/form.html", form, target=url_for("add_expense"), here="")


@app.route("/expenses/<uuid:expense_id>/edit", methods=["GET", "POST"])
@csrf.shows_again
@login_required
def edit_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Change an expense."""
    expense = own_or_404(Expense, expense_id)
    form = expense_form(shown=expense)
    if form.validate_on_submit() and (added := add_category(form)) is not None:
        new, values = added
        chosen = Expense.id == expense_id
        batch, changed = history.change_expenses(current_user, chosen, values, datetime.now(UTC), new)
        words = repeat(form, expense_id)
        db.session.commit()
        forget_draft()
        if changed.number or words:
            # With a new category, the act is of more than this expense.
            say(f"Expense changed.{words}", batch if changed.number else None, None if new else expense_id)
        return back_to_list(expense_id)
    target, here = url_for("edit_expense", expense_id=expense_id), filter_form().query()
    repeats = recurring.of_expense(current_user, expense_id)
    return show_form("expenses/form.html", form, expense=expense, repeats=repeats, target=target, here=here)


@app.route("/expenses/<uuid:expense_id>/duplicate")
@login_required
def duplicate_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Show the form for an expense like another one, today."""
    form = expense_form(shown=own_or_404(Expense, expense_id))
    form.date.data = today()
    return show_form("expenses/form.html", form, target=url_for("add_to_list"), here=filter_form().query())


@app.route("/expenses/<uuid:expense_id>/delete", methods=["POST"])
@login_required
def delete_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Delete an expense and go back to the list as it was."""
    batch, deleted = history.delete_expenses(current_user, Expense.id == expense_id, datetime.now(UTC))
    if not deleted.number:
        abort(404)
    db.session.commit()
    say("Expense deleted.", batch, expense_id)
    return back_to_list()


@app.route("/expenses/bulk", methods=["POST"])
@csrf.shows_again
@login_required
def change_expenses() -> ResponseReturnValue:
    """Change or delete many expenses, as one act."""
    form = bulk_form()
    if not form.validate_on_submit():
        return show_list(refused_bulk=form)
    matching = spending.expenses_query(current_user, filter_form().wanted).with_only_columns(Expense.id)
    if not form.all_matching.data:
        matching = matching.where(Expense.id.in_(form.ids.data))
    chosen = Expense.id.in_(matching)
    if form.action.data == "delete":
        batch, touched = history.delete_expenses(current_user, chosen, datetime.now(UTC))
    else:
        values = {form.action.data: form[form.action.data].data}
        batch, touched = history.change_expenses(current_user, chosen, values, datetime.now(UTC))
    db.session.commit()
    done = "Deleted" if form.action.data == "delete" else "Changed"
    say(f"{done} {counted(touched.number)}, {money_text(touched.total)}.", batch if touched.number else None)
    return back_to_list()


@app.route("/expenses/deleted")
@login_required
def list_deleted() -> ResponseReturnValue:
    """Show what was deleted and changed within the last 30 days, to take it back."""
    acts = history.recent_acts(current_user, datetime.now(UTC), before=parse_id(request.args.get("before", "")))
    return render_template("expenses/deleted.html", acts=acts, full=len(acts) == history.ACTS)


@app.route("/expenses/restore", methods=["POST"])
@login_required
def restore_expenses() -> ResponseReturnValue:
    """Take an act back, and go back to where the button was."""
    form = RestoreForm()
    if not form.validate() or form.batch.data is None:
        abort(400)
    try:
        restored = history.take_back(current_user, form.batch.data, form.id.data)
        db.session.commit()
        only_categories = restored.categories and not restored.number
        done = "Taken back." if only_categories else f"Taken back for {counted(restored.number)}."
        say(f"{done} {restored.left_alone}".rstrip(), row_id=form.id.data)
    except history.HistoryError as error:
        say(str(error))
    pages = {"deleted": "list_deleted", "categories": "list_categories"}
    if form.page.data in pages:
        return redirect(url_for(pages[form.page.data]))
    return back_to_list(form.id.data)


@app.route("/expenses.csv")
@login_required
def export_expenses() -> ResponseReturnValue:
    """Send all wanted expenses as a CSV file, in the order of the list."""
    wanted = filter_form().wanted
    if wanted.nothing:
        # An empty file could be taken for an empty ledger.
        abort(400)
    query = spending.ordered_query(current_user, wanted)
    lines = statements.write_csv(db.engine, query, current_user.currency, byte_order_mark="bom" in request.args)
    # Asked for now: once an answer has begun, no error page can follow.
    first = next(lines)
    headers = {"Content-Disposition": "attachment; filename=expenses.csv"}
    response = Response(chain([first], lines), content_type="text/csv; charset=utf-8", headers=headers)
    response.call_on_close(lines.close)
    return response


# --- Categories


def show_categories(form: CategoriesForm | None = None) -> ResponseReturnValue:
    """Answer with the table of categories, as it is or as it was refused."""
    numbers = categories.numbers_of(current_user)
    return show_form("categories/list.html", form or categories_form(numbers), numbers=numbers)


def categories_form(numbers: dict[str, int]) -> CategoriesForm:
    """Return the table of the current user's categories, which have these numbers of expenses."""
    own = categories.all_categories(current_user, numbers)
    return CategoriesForm(current_user, visitor_locale(), own)


def category_or_404(category_id: uuid.UUID) -> tuple[OwnCategory, list[OwnCategory]]:
    """Return a category of the current user's and the other ones; nobody else's exists."""
    own = categories.all_categories(current_user, categories.numbers_of(current_user))
    found = next((category for category in own if category.id == category_id), None)
    return found or abort(404), [category for category in own if category is not found]


@app.route("/categories")
@login_required
def list_categories() -> ResponseReturnValue:
    """Show all categories, with their budgets."""
    return show_categories()


@app.route("/categories", methods=["POST"])
@csrf.shows_again
@login_required
def save_categories() -> ResponseReturnValue:
    """Save names, budgets, order and archive of all categories at once, with a new one."""
    form = categories_form(categories.numbers_of(current_user))
    if not form.validate_on_submit():
        return show_categories(form)
    try:
        saved = categories.save(current_user, form.wanted, form.monthly_budget.data, datetime.now(UTC))
    except CategoryError as error:
        form.refuse(error)
        return show_categories(form)
    db.session.commit()
    if saved is None:
        say("Everything is so already.")
    else:
        batch, done = saved
        say(f"{done}.", batch)
    return redirect(url_for("list_categories"))


@app.route("/categories/<uuid:category_id>/merge", methods=["GET", "POST"])
@csrf.shows_again
@login_required
def merge_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Ask into which other category one is merged, and do it."""
    category, others = category_or_404(category_id)
    form = MergeForm(others)
    if form.validate_on_submit():
        try:
            into = form.others[form.into.data]
            batch, moved = history.merge_category(current_user, category, into, datetime.now(UTC))
            db.session.commit()
            say(f"Merged {category.name} into {into.name}: {counted(moved.number)}.", batch)
            return redirect(url_for("list_categories"))
        except CategoryError as error:
            form.into.errors = [str(error)]
    number = categories.numbers_of(current_user).get(category.name, 0)
    return show_form("categories/merge.html", form, category=category, number=number)


@app.route("/categories/<uuid:category_id>/delete", methods=["POST"])
@login_required
def delete_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a category that has no expenses."""
    category, _others = category_or_404(category_id)
    try:
        batch = categories.delete(current_user, category_id, datetime.now(UTC))
        db.session.commit()
        say(f"Deleted {category.name}.", batch)
    except CategoryError as error:
        db.session.rollback()
        say(str(error))
    return redirect(url_for("list_categories"))


# --- Months and years


@app.route("/months")
@app.route("/months/<month>")
@login_required
def show_month(month: str | None = None) -> ResponseReturnValue:
    """Show where the money of a month went, by default of the current one."""
    first_day = current_user.first_day_of_month
    try:
        period = parse_month(month, first_day) if month is not None else Period.month(today(), first_day)
    except DayError:
        abort(404)
    return render_template("reports/month.html", report=reports.month_report(current_user, period, today()))


@app.route("/years/<year>")
@login_required
def show_year(year: str) -> ResponseReturnValue:
    """Show where the money of a year went, month by month."""
    try:
        period = parse_year(year, current_user.first_day_of_month)
    except DayError:
        abort(404)
    return render_template("reports/year.html", report=reports.year_report(current_user, period))


# --- What repeats


@app.route("/recurring")
@login_required
def list_recurring() -> ResponseReturnValue:
    """Show everything that repeats, and what was stopped."""
    return render_template("recurring/list.html", recurring=recurring.all_recurring(current_user))


@app.route("/recurring/<uuid:recurring_id>/edit", methods=["GET", "POST"])
@csrf.shows_again
@login_required
def edit_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Change what repeats, and how often."""
    row = own_or_404(RecurringExpense, recurring_id)
    form = RecurringForm.of(row, author=current_user, locale=visitor_locale(), categories=own_categories())
    added = add_category(form) if form.validate_on_submit() else None
    if added is None:
        return show_form("recurring/form.html", form, recurring=row)
    recurring.change(current_user, row, added[1])
    db.session.commit()
    say("Changed from now on. What was added stays as it is.")
    return redirect(url_for("list_recurring"))


@app.route("/recurring/<uuid:recurring_id>/stop", methods=["POST"])
@login_required
def stop_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Let nothing of it be due any more."""
    own_or_404(RecurringExpense, recurring_id).stopped = True
    db.session.commit()
    say("Stopped.")
    return redirect(url_for("list_recurring"))


@app.route("/recurring/<uuid:recurring_id>/resume", methods=["POST"])
@login_required
def resume_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Let it be due again, as if it had not been stopped."""
    own_or_404(RecurringExpense, recurring_id).stopped = False
    db.session.commit()
    say("Resumed.")
    return redirect(url_for("list_recurring"))


@app.route("/recurring/due", methods=["POST"])
@csrf.shows_again
@login_required
def settle_due() -> ResponseReturnValue:
    """Add or skip what is due: one line, or all that were on the page."""
    due = recurring.due(current_user, today(), lock=True)
    form = DueForm(due=due, author=current_user, locale=visitor_locale())
    if not form.validate_on_submit():
        return show_list(due_form=form)
    if not form.chosen:
        say("Nothing was added: this is not due any more.")
        return redirect(url_for("list_expenses"))
    batch, done = recurring.settle(current_user, form.chosen, datetime.now(UTC))
    db.session.commit()
    words = f"Skipped {counted(done.number)}"
    if not form.skip.data:
        words = f"Added {counted(done.number)}, {money_text(done.total)}"
    say(f"{words}.", batch, undo="take_back_due")
    return redirect(url_for("list_expenses"))


@app.route("/recurring/undo", methods=["POST"])
@login_required
def take_back_due() -> ResponseReturnValue:
    """Make due again what was added or skipped."""
    form = RestoreForm()
    if not form.validate() or form.batch.data is None:
        abort(400)
    try:
        restored = recurring.take_back(current_user, form.batch.data, datetime.now(UTC))
        db.session.commit()
        say(f"Taken back for {counted(restored.number)}. {restored.left_alone}".rstrip())
    except history.HistoryError as error:
        say(str(error))
    return redirect(url_for("list_expenses"))


# --- For those who watch over the server


@app.route("/healthz")
def healthz() -> ResponseReturnValue:
    """Tell that the process answers."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@app.route("/readyz")
def readyz() -> ResponseReturnValue:
    """Tell whether the database answers and has every migration."""
    try:
        ready = is_migrated(db.engine)
    except (DBAPIError, TimeoutError):
        ready = False
    words, status = ("ok\n", 200) if ready else ("not ready\n", 503)
    return Response(words, status, content_type="text/plain; charset=utf-8")


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
    # Closed first, else the next query, the error page's own, would fail as well.
    close_session()
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return render_template("error.html", error=error), error.code or 500, headers
