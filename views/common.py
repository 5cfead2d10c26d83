"""Helpers that views of several nouns share."""

import uuid
from datetime import date
from typing import Any, Literal, TypedDict, TypeVar

from flask import abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.datastructures import MultiDict

import clock
from database import Base, db
from forms import CategoryName, ExpenseFilterForm, Form, Preferences
from ledger import categories, operations
from ledger.categories import CategoryData
from ledger.periods import day_in
from messages import CSRF_MESSAGES, visitor_locale
from models import Operation
from security import csrf_failed, csrf_reason
from views.blank_forms import blank_form
from views.rate_limits import RateLimitedError

Row = TypeVar("Row", bound=Base)
MAX_MESSAGES = 3
MESSAGE_MAX_LENGTH = 400
DRAFT_MESSAGE = lazy_gettext("Your session had ended. Your entries are still here; they are not saved yet.")


class Message(TypedDict):
    """A message for the next page, as it is stored in the session cookie; the ids are texts, or empty."""

    text: str
    operation: str
    expense: str
    # The day of an expense that was added, which the message offers to edit.
    day: str
    # A recurring expense that goes on, or `all` when there are several.
    recurring: str


def own_or_404(model: type[Row], row_id: uuid.UUID, lock: bool = False) -> Row:
    """Return the current user's row, locked if asked for, or abort with 404, as for the row of another user."""
    key = (current_user.id, row_id)
    return db.session.get(model, key, with_for_update=lock, populate_existing=lock) or abort(404)


def today() -> date:
    """Return today's date in the current user's time zone."""
    return day_in(current_user.time_zone, clock.now())


def user_categories() -> tuple[CategoryData, ...]:
    """Return the current user's categories, which a page with several forms asks for once."""
    if "categories" not in g:
        g.categories = tuple(categories.get_categories(current_user))
    return g.categories


def category_names() -> tuple[CategoryName, ...]:
    """Return the names of the current user's categories: the same for all users who have not changed theirs."""
    return tuple(CategoryName(category.name, category.archived) for category in user_categories())


def form_options() -> dict[str, Any]:
    """Return the options of a page's forms, apart from what was sent."""
    if "form_options" not in g:
        g.form_options = {
            "preferences": Preferences.of(current_user),
            "locale": visitor_locale(),
            "categories": category_names(),
        }
    options: dict[str, Any] = g.form_options
    return options


def filter_form(args: MultiDict[str, str] | None = None) -> ExpenseFilterForm:
    """Return the filter form with `args`, or with the query string of this request."""
    args = request.args if args is None else args
    options = form_options() | {"today": today()}
    return ExpenseFilterForm(args, **options) if args else blank_form(ExpenseFilterForm, **options)


def redirect_within(path: str) -> ResponseReturnValue:
    """Redirect to a path of the application, which forms and drafts store without the URL prefix."""
    return redirect(f"{request.root_path}{path}")


def back_to_list(row_id: uuid.UUID | None = None) -> ResponseReturnValue:
    """Redirect to the list with its filter, and to the row that was changed."""
    anchor = f"#e{row_id}" if row_id else ""
    return redirect(f"{url_for('list_expenses')}{filter_form().query_string()}{anchor}")


def render_page(template: str, error: RateLimitedError | None = None, **values: object) -> ResponseReturnValue:
    """Answer with a page, whose forms are among the `values`.

    A form that was sent and is shown again was rejected: by its own checks, the CSRF check or `error`.
    """
    rejected = next((form for form in values.values() if isinstance(form, Form) and form.was_sent), None)
    status, headers = 200, {}
    if rejected is not None:
        status = 400 if csrf_failed() else 422
        if csrf_failed():
            rejected.form_errors.append(DRAFT_MESSAGE if "draft" in g else CSRF_MESSAGES[csrf_reason()])
            g.form_shown = True
        if error is not None:
            rejected.form_errors.append(str(error))
            status, headers = error.status, error.headers
    # Without the proxy, which would look up the user again for every attribute.
    user = current_user._get_current_object()
    return render_template(template, rejected=rejected, current_user=user, **values), status, headers


def flash_message(
    text: str,
    kind: Literal["status", "error"] = "status",
    undo: Operation | None = None,
    expense: uuid.UUID | None = None,
    added_on: date | None = None,
    recurring: str = "",
) -> None:
    """Show a message on the next page, with a button that undoes an operation.

    After an expense was added, there are links to edit it and, if the list does not show it, to its day. There can
    also be a link to a recurring expense. Undoing goes back to the expense. Messages wait in the session cookie,
    whose size is limited: a long text is cut, and only the last few are kept.
    """
    if len(text) > MESSAGE_MAX_LENGTH:
        text = f"{text[: MESSAGE_MAX_LENGTH - 1]}…"
    operation = "" if undo is None or operations.is_empty(undo) else str(undo.id)
    message = Message(
        text=text,
        operation=operation,
        expense=str(expense or ""),
        day=str(added_on or ""),
        recurring=recurring,
    )
    flash(message, kind)  # type: ignore[arg-type]
    session["_flashes"] = session["_flashes"][-MAX_MESSAGES:]
