"""Categories and budgets."""

import uuid

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from category_forms import BudgetsForm, CategoryForm, MergeForm, NewCategoryForm
from database import db
from database.engine import SAFE_METHODS
from ledger import categories
from ledger.categories import CategoryData, CategoryError
from messages import error_message, isolate
from views.common import flash_message, render_page
from views.filters import expense_count, visitor_locale


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


def categories_page(sent: BudgetsForm | NewCategoryForm | None = None) -> ResponseReturnValue:
    """Answer with the list of categories, whose forms are fresh but for the one that was sent."""
    known = current_categories()
    fresh_form = BudgetsForm(current_user, visitor_locale(), known, formdata=None)
    return render_page(
        "categories/list.html",
        budgets_form=sent if isinstance(sent, BudgetsForm) else fresh_form,
        new_form=sent if isinstance(sent, NewCategoryForm) else NewCategoryForm(formdata=None),
        categories=known,
        counts=categories.count_by_category(current_user),
    )


def category_page(
    category_id: uuid.UUID, sent: CategoryForm | MergeForm | None = None, into: uuid.UUID | None = None
) -> ResponseReturnValue:
    """Answer with the page of a category; a fresh form to merge it proposes the category `into`."""
    category, known = category_or_404(category_id)
    merge_form = MergeForm(category, known, formdata=None, data={"into": str(into or "")})
    return render_page(
        "categories/edit.html",
        form=sent if isinstance(sent, CategoryForm) else CategoryForm(category, known, formdata=None),
        merge_form=sent if isinstance(sent, MergeForm) else merge_form,
        category=category,
        usage=categories.get_usage(current_user, category.name),
    )


def list_categories() -> ResponseReturnValue:
    """Show all categories with their budgets."""
    return categories_page()


def save_budgets() -> ResponseReturnValue:
    """Save the monthly budgets."""
    form = BudgetsForm(current_user, visitor_locale(), current_categories())
    if not form.validate_on_submit():
        return categories_page(form)
    operation, changed = categories.save_budgets(current_user, form.budgets, clock.now())
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
    operation = categories.merge(current_user, category_id, into.id, clock.now())
    db.session.commit()
    message = gettext(
        "Merged %(name)s into %(into)s: %(expenses)s.",
        name=category.name,
        into=into.name,
        expenses=expense_count(operation.count),
    )
    flash_message(message, undo=operation)
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
