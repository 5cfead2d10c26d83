"""Drafts: forms that were sent after the session had ended."""

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from database.engine import SAFE_METHODS
from forms import ExpenseForm
from security import safe_redirect_target
from views.common import flash_message


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
            flash_message("You have to log in first. Nothing was changed.")
    return redirect(url_for("login", next=safe_redirect_target(target)))


def forget_draft() -> None:
    """Drop what was kept of this very form when a log-in was lost, now that it is saved."""
    if session.get("draft", {}).get("path") == request.path:
        del session["draft"]
