"""The URL map: every URL, its view, its methods, and whether it is public.

Login is required unless a line says `public=True`. With more than forty views, one table of URLs is easier to read
than one file of functions.
"""

from collections.abc import Callable

from flask import request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import app, login_manager
from security import csrf, refuse_foreign_form
from views import (
    account_security,
    accounts,
    archives,
    categories,
    deletion,
    drafts,
    errors,
    expenses,
    health,
    history,
    imports,
    password_resets,
    recurring,
    report_filters,
    reports,
    sessions,
    two_factor,
)

PUBLIC_ENDPOINTS = {"static"}
LOGIN_ENDPOINTS = {"login", "enter_code", "register"}


def route(rule: str, view: Callable[..., ResponseReturnValue], *methods: str, public: bool = False) -> None:
    """Add a URL to the application; its endpoint is the name of the view."""
    app.add_url_rule(rule, view_func=view, methods=methods or ("GET",))
    if public:
        PUBLIC_ENDPOINTS.add(view.__name__)


app.before_request(refuse_foreign_form)
# Before anything reads the form.
app.before_request(imports.allow_large_file)
app.before_request(archives.allow_large_export)


@app.before_request
def require_login() -> ResponseReturnValue | None:
    """Ask an anonymous visitor to log in, unless the page is public or does not exist."""
    # Before the check of their token, which changed when they logged in, perhaps in another tab.
    if request.endpoint in LOGIN_ENDPOINTS and current_user.is_authenticated:
        return sessions.redirect_after_login()
    if request.endpoint in {None, *PUBLIC_ENDPOINTS} or current_user.is_authenticated:
        return None
    return login_manager.unauthorized()


# After require_login: a visitor without a session is asked to log in, even if the token is not valid either.
# Drafts come first: a form that is restored counts as one whose check has failed.
drafts.init_app(app)
csrf.init_app(app)
report_filters.init_app(app)


route("/register", accounts.register, "GET", "POST", public=True)
route("/login", sessions.login, "GET", "POST", public=True)
route("/login/code", sessions.enter_code, "GET", "POST", public=True)
route("/logout", sessions.logout, "GET", "POST", public=True)
route("/forgot-password", password_resets.forgot_password, "GET", "POST", public=True)
route("/reset-password/<key>", password_resets.reset_password, "GET", "POST", public=True)
route("/account", accounts.show_account)
route("/account/export", archives.export_account)
route("/account/restore", archives.restore_account, "GET", "POST")
route("/account/delete", deletion.delete_account, "GET", "POST")
route("/account/profile", accounts.change_profile, "POST")
route("/account/password", accounts.change_password, "POST")
route("/account/settings", accounts.change_settings, "POST")
route("/account/two-factor", two_factor.show_two_factor)
route("/account/two-factor", two_factor.turn_on_two_factor, "POST")
route("/account/two-factor/off", two_factor.turn_off_two_factor, "POST")
route("/account/two-factor/recovery-codes", two_factor.renew_recovery_codes, "POST")
route("/account/security", account_security.show_security)
route("/account/sessions/end", account_security.end_sessions, "POST")
route("/account/sessions/end-all", account_security.end_all_sessions, "POST")
route("/", expenses.index, public=True)
route("/expenses", expenses.list_expenses)
route("/expenses", expenses.add_to_list, "POST")
route("/expenses/add", expenses.add_expense, "GET", "POST")
route("/expenses/<uuid:expense_id>/edit", expenses.edit_expense, "GET", "POST")
route("/expenses/<uuid:expense_id>/duplicate", expenses.duplicate_expense)
route("/expenses/<uuid:expense_id>/delete", expenses.delete_expense, "POST")
route("/expenses/bulk", expenses.change_expenses, "POST")
route("/history", history.list_history)
route("/history/<uuid:operation_id>/undo", history.undo, "POST")
route("/expenses/print", expenses.print_expenses)
route("/expenses.csv", expenses.export_expenses)
route("/categories", categories.list_categories)
route("/categories", categories.save_budgets, "POST")
route("/categories/add", categories.add_category, "POST")
route("/categories/<uuid:category_id>/edit", categories.edit_category, "GET", "POST")
route("/categories/<uuid:category_id>/merge", categories.merge_category, "POST")
route("/categories/<uuid:category_id>/swap", categories.swap_categories, "POST")
route("/categories/<uuid:category_id>/delete", categories.delete_category, "POST")
route("/months", reports.show_month)
route("/months/<month>", reports.show_month)
route("/years/<year>", reports.show_year)
route("/recurring", recurring.list_recurring)
route("/recurring/<uuid:recurring_id>/edit", recurring.edit_recurring, "GET", "POST")
route("/recurring/<uuid:recurring_id>/stop", recurring.stop_recurring, "POST")
route("/recurring/<uuid:recurring_id>/resume", recurring.resume_recurring, "POST")
route("/recurring/<uuid:recurring_id>/add", recurring.add_early, "POST")
route("/recurring/<uuid:recurring_id>/delete", recurring.delete_recurring, "POST")
route("/recurring/due", recurring.post_due, "POST")
route("/recurring/due/skip", recurring.skip_all_due, "POST")
route("/imports", imports.list_imports)
route("/imports", imports.upload_statement, "POST")
route("/imports/<uuid:statement_id>", imports.review_import, "GET", "POST")
route("/imports/<uuid:statement_id>/columns", imports.choose_columns, "GET", "POST")
route("/imports/<uuid:statement_id>/payees/<int(max=999999999):number>", imports.review_payee, "GET", "POST")
route("/imports/<uuid:statement_id>/discard", imports.discard_import, "POST")
route("/healthz", health.healthz, public=True)
route("/readyz", health.readyz, public=True)

login_manager.unauthorized_handler(drafts.ask_to_log_in)
errors.init_app(app)
