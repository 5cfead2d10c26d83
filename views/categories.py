"""Categories and budgets."""

import uuid

from flask import abort, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

import clock
from database import db
from forms import CategoriesForm, MergeForm
from ledger import categories, operations
from ledger.categories import CategoryError, OwnCategory
from views.common import flash_message, render_page
from views.filters import expense_count, visitor_locale


def show_categories(form: CategoriesForm | None = None) -> ResponseReturnValue:
    """Answer with the categories page, with a fresh or a rejected form."""
    numbers = categories.numbers_of(current_user)
    return render_page("categories/list.html", form=form or categories_form(numbers), numbers=numbers)


def categories_form(numbers: dict[str, int]) -> CategoriesForm:
    """Return the table of the current user's categories, which have these numbers of expenses."""
    own = categories.all_categories(current_user, numbers)
    return CategoriesForm(current_user, visitor_locale(), own)


def category_or_404(category_id: uuid.UUID) -> tuple[OwnCategory, list[OwnCategory]]:
    """Return one of the current user's categories and the other ones, or abort with 404."""
    own = categories.all_categories(current_user, categories.numbers_of(current_user))
    found = next((category for category in own if category.id == category_id), None)
    return found or abort(404), [category for category in own if category is not found]


def list_categories() -> ResponseReturnValue:
    """Show all categories, with their budgets."""
    return show_categories()


def save_categories() -> ResponseReturnValue:
    """Save the names, budgets, order and archived state of all categories, and a new one."""
    form = categories_form(categories.numbers_of(current_user))
    if not form.validate_on_submit():
        return show_categories(form)
    try:
        operation = categories.save(current_user, form.wanted, form.monthly_budget.data, clock.now())
    except CategoryError as error:
        form.refuse(error)
        return show_categories(form)
    db.session.commit()
    flash_message("No changes to save." if operations.is_empty(operation) else "Saved.", undo=operation)
    return redirect(url_for("list_categories"))


def merge_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Merge a category into another one."""
    category, others = category_or_404(category_id)
    form = MergeForm(others)
    if form.validate_on_submit():
        try:
            into = form.others[form.into.data]
            operation = categories.merge(current_user, category, into, clock.now())
            db.session.commit()
            flash_message(
                f"Merged {category.name} into {into.name}: {expense_count(operation.count)}.", undo=operation
            )
            return redirect(url_for("list_categories"))
        except CategoryError as error:
            form.into.errors = [str(error)]
    number = categories.numbers_of(current_user).get(category.name, 0)
    return render_page("categories/merge.html", form=form, category=category, number=number)


def delete_category(category_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a category that has no expenses."""
    category, _others = category_or_404(category_id)
    try:
        operation = categories.delete(current_user, category_id, clock.now())
        db.session.commit()
        flash_message(f"Deleted {category.name}.", undo=operation)
    except CategoryError as error:
        flash_message(str(error), "error")
    return redirect(url_for("list_categories"))
