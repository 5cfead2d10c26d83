"""Categories and budgets."""

import uuid
from typing import Any

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from category_forms import BudgetsForm, CategoryForm, MergeForm, NewCategoryForm
from database import db
from database.engine import SAFE_METHODS
from ledger import budgets, categories, category_swap, recurring, reports
from ledger.budgets import History
from ledger.categories import CategoryData, CategoryError
from ledger.periods import Period
from messages import error_message, isolate, visitor_locale
from views.common import flash_message, render_page, today
from views.filters import expense_count

# How many of the recurring expenses in a category its page names.
MAX_RECURRING_SHOWN = 10


def current_categories() -> list[CategoryData]:
    """Return the current user's categories, which a request that changes them locks."""
    if request.method not in SAFE_METHODS:
        categories.lock(current_user)
    return categories.get_categories(current_user)


def category_or_404(category_id: uuid.UUID) -> tuple[CategoryData, list[CategoryData]]:
    """Return one of the current user's categories and all of them, or abort with 404."""
    known = current_categories()
    found = next((category for category in known if category.id == category_id), None)
    return found or abort(404), known


def this_month() -> Period:
    """Return the current user's month, from which on budgets are set."""
    return Period.month(today(), current_user.first_day_of_month)


def budgets_form(known: list[CategoryData], history: History, **options: Any) -> BudgetsForm:
    """Return the form of this month's budgets."""
    valid = budgets.valid_budgets(history, this_month())
    return BudgetsForm(current_user, visitor_locale(), known, valid, **options)


def categories_page(sent: BudgetsForm | NewCategoryForm | None = None) -> ResponseReturnValue:
    """Answer with the list of categories, whose forms show stored values except for the one that was sent."""
    known, month, history = current_categories(), this_month(), budgets.get_history(current_user)
    return render_page(
        "categories/list.html",
        budgets_form=sent if isinstance(sent, BudgetsForm) else budgets_form(known, history, formdata=None),
        new_form=sent if isinstance(sent, NewCategoryForm) else NewCategoryForm(formdata=None),
        categories=known,
        month=month,
        overview=reports.category_overview(current_user, month, known, history),
    )


def category_page(
    category_id: uuid.UUID, sent: CategoryForm | MergeForm | None = None, into: uuid.UUID | None = None
) -> ResponseReturnValue:
    """Answer with the page of a category, whose form to merge it proposes the category `into`."""
    category, known = category_or_404(category_id)
    merge_form = MergeForm(category, known, formdata=None, data={"into": str(into or "")})
    return render_page(
        "categories/edit.html",
        form=sent if isinstance(sent, CategoryForm) else CategoryForm(category, known, formdata=None),
        merge_form=sent if isinstance(sent, MergeForm) else merge_form,
        category=category,
        same_name=next((other for other in known if other.id == into), None),
        usage=categories.get_usage(current_user, category.name),
        recurring=recurring.in_category(current_user, category.name, MAX_RECURRING_SHOWN),
    )


def list_categories() -> ResponseReturnValue:
    """Show all categories with their budgets."""
    return categories_page()


def save_budgets() -> ResponseReturnValue:
    """Save the monthly budgets."""
    form = budgets_form(current_categories(), budgets.get_history(current_user))
    if not form.validate_on_submit():
        return categories_page(form)
    operation, changed = budgets.save(current_user, form.budgets, this_month(), clock.now())
    db.session.commit()
    message = gettext("No changes to save.")
    if changed:
        message = ngettext("Saved: %(num)d budget.", "Saved: %(num)d budgets.", changed)
    flash_message(message, undo=operation)
    return redirect(url_for("list_categories"))


def add_category() -> ResponseReturnValue:
    """Add a category."""
    form = NewCategoryForm()
    if not form.validate_on_submit():
        return categories_page(form)
    try:
        operation = categories.create(current_user, form.id.data, form.name.data, clock.now())
    except CategoryError as error:
        form.name.errors = [error_message(error)]
        return categories_page(form)
    db.session.commit()
    flash_message(gettext("Added the category %(name)s.", name=isolate(form.name.data)), undo=operation)
    return redirect(url_for("list_categories"))


def edit_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Rename, move or archive a category, or bring it back from the archive."""
    category, known = category_or_404(category_id)
    form = CategoryForm(category, known)
    if not form.validate_on_submit():
        return category_page(category_id, form)
    try:
        operation = categories.edit(current_user, category_id, clock.now(), form.changes)
    except CategoryError as error:
        form.name.errors = [error_message(error)]
        return category_page(category_id, form, into=error.values.get("category_id"))
    db.session.commit()
    flash_message(edit_message(category, form), undo=operation)
    return redirect(url_for("list_categories"))


def edit_message(category: CategoryData, form: CategoryForm) -> str:
    """Return the sentence about what was changed."""
    if form.name.data != category.name:
        return gettext(
            "Renamed %(name)s to %(new_name)s.", name=isolate(category.name), new_name=isolate(form.name.data)
        )
    if form.archived.data and not category.archived:
        return gettext("Archived %(name)s.", name=isolate(category.name))
    if category.archived and not form.archived.data:
        return gettext("%(name)s is no longer archived.", name=isolate(category.name))
    if form.is_moved:
        return gettext("Moved %(name)s.", name=isolate(category.name))
    return gettext("No changes to save.")


def merge_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Merge a category into another one."""
    category, known = category_or_404(category_id)
    form = MergeForm(category, known)
    if not form.validate_on_submit():
        return category_page(category_id, form)
    into = form.others[form.into.data]
    try:
        operation = categories.merge(current_user, category_id, into.id, clock.now())
    except CategoryError as error:
        form.into.errors = [error_message(error)]
        return category_page(category_id, form)
    db.session.commit()
    names = {"name": isolate(category.name), "into": isolate(into.name)}
    count = expense_count(operation.count)
    flash_message(gettext("Merged %(name)s into %(into)s: %(expenses)s.", expenses=count, **names), undo=operation)
    return redirect(url_for("list_categories"))


def swap_categories(category_id: uuid.UUID) -> ResponseReturnValue:
    """Swap the names of two categories."""
    category, known = category_or_404(category_id)
    form = MergeForm(category, known)
    if not form.validate_on_submit():
        abort(400)
    other = form.others[form.into.data]
    try:
        operation = category_swap.swap(current_user, category_id, other.id, clock.now())
    except CategoryError as error:
        form.into.errors = [error_message(error)]
        return category_page(category_id, form)
    db.session.commit()
    names = {"name": isolate(category.name), "other": isolate(other.name)}
    flash_message(gettext("Swapped the names %(name)s and %(other)s.", **names), undo=operation)
    return redirect(url_for("list_categories"))


def delete_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a category that nothing uses."""
    category, _known = category_or_404(category_id)
    try:
        operation = categories.delete(current_user, category_id, clock.now())
    except CategoryError as error:
        flash_message(error_message(error), "error")
        return redirect(url_for("edit_category", category_id=category_id))
    db.session.commit()
    flash_message(gettext("Deleted the category %(name)s.", name=isolate(category.name)), undo=operation)
    return redirect(url_for("list_categories"))
