"""Adding, listing, editing and deleting expenses."""

import uuid
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from flask import abort, redirect, request, send_file, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user
from sqlalchemy import ColumnElement
from werkzeug.datastructures import MultiDict

import clock
from database import db
from database.engine import SAFE_METHODS
from forms import BulkForm, DueForm, ExpenseFilterForm, ExpenseForm
from ledger import categories, csv_export, operations, recurring, reports, spending
from ledger.categories import CategoryError
from ledger.recurring import RecurringError
from ledger.reports import Budget
from ledger.spending import ExpenseFilter, ExpenseValues, Summary
from messages import FREQUENCY_NAMES, REPEATS, error_message, isolate, join_sentences, visitor_locale
from models import Expense, Operation
from views.blank_forms import blank_form
from views.common import (
    back_to_list,
    category_names,
    filter_form,
    flash_message,
    form_options,
    own_or_404,
    render_page,
    today,
)
from views.files import write_file_or_503
from views.filters import day as day_text
from views.filters import money_text


def expense_form(shown: Expense | None = None, **values: Any) -> ExpenseForm:
    """Return a form for an expense: as it was sent, or showing `shown` or `values`."""
    options = form_options() | {"author": current_user} | values
    return ExpenseForm.showing(shown, **options) if shown is not None else ExpenseForm(**options)


def new_expense_form(day: date | None = None, **values: Any) -> ExpenseForm:
    """Return the form for another expense, dated today unless another `day` is given."""
    return expense_form(date=day or today(), proposed=today(), **values)


def blank_expense_form() -> ExpenseForm:
    """Return the form for another expense on the list."""
    return blank_form(ExpenseForm, **form_options(), **values_for_next())


def values_for_next() -> dict[str, Any]:
    """Return the values of the form for another expense, like the last one that was added on the list."""
    last = session.pop("last", None) or {"category": "", "date": ""}
    day = date.fromisoformat(last["date"]) if last["date"] else today()
    return {"category": last["category"], "date": day, "proposed": today()}


def due_form(filtered: bool) -> DueForm | None:
    """Return the form of due expenses if there are any. A filtered list does not show it."""
    due = recurring.DueDays() if filtered else recurring.due(current_user, today())
    return (
        DueForm(formdata=None, due=due, currency=current_user.currency, locale=visitor_locale())
        if due.lines
        else None
    )


def month_budget(filters: ExpenseFilter, summary: Summary) -> Budget | None:
    """Return the budget for the month that the list shows, of one category or of all, or None."""
    month = filters.period
    if filters != ExpenseFilter(filters.categories, month, sort=filters.sort) or len(filters.categories) > 1:
        return None
    if month.name(current_user.first_day_of_month) != "month":
        return None
    name = filters.categories[0] if filters.categories else None
    return reports.budget_left(current_user, name, summary.total, month, today())


def form_to_find(form: ExpenseFilterForm) -> ExpenseFilterForm:
    """Return the form above the list, which is blank on later pages of the whole list as on the first one."""
    is_later_page = form.sent_args.keys() in ({"after"}, {"before"})
    return filter_form(MultiDict()) if is_later_page and not form.errors else form


def list_page(sent: ExpenseForm | BulkForm | DueForm | None = None) -> ResponseReturnValue:
    """Answer with the list that the URL asks for, whose forms are blank except for the one that was sent."""
    form = filter_form()
    filters = form.filters
    summary = spending.summarise(current_user, filters)
    page = spending.read_page(current_user, filters, form.after.data, form.before.data)
    is_whole = not form.query_string()
    return render_page(
        "expenses/list.html",
        add_form=sent if isinstance(sent, ExpenseForm) else blank_expense_form(),
        bulk_form=sent if isinstance(sent, BulkForm) else blank_form(BulkForm, categories=category_names()),
        due_form=sent if isinstance(sent, DueForm) else due_form(filtered=not is_whole),
        filter_form=form,
        find_form=form_to_find(form),
        filters=filters,
        summary=summary,
        budget=month_budget(filters, summary),
        page=page,
        descriptions=spending.suggested_descriptions(current_user, page, is_whole),
    )


def submitted_values(form: ExpenseForm, operation: Operation) -> ExpenseValues:
    """Return the values of a valid form, whose new category is added, or whose old one is locked.

    Raises CategoryError.
    """
    if not form.new_category.data:
        categories.lock_category(current_user, form.existing_category)
        return form.values(form.existing_category)
    return form.values(categories.add(current_user, operation, form.new_category.data))


def repeat(operation: Operation, row_id: uuid.UUID, frequency: str | None) -> str:
    """Make the saved expense recurring if the form says so, and return the sentence about it."""
    if not frequency:
        return ""
    found = recurring.repeat(current_user, operation, row_id, frequency)
    return str(REPEATS[found.frequency])


def save_new(form: ExpenseForm) -> ExpenseValues | None:
    """Save a new expense once and return its values; None when the form has to be shown again."""
    if not form.validate_on_submit():
        return None
    row_id = form.id.data
    try:
        with operations.record(current_user, "add", clock.now()) as operation:
            values = submitted_values(form, operation)
            operations.add_expense(operation, row_id, values)
            sentence = repeat(operation, row_id, form.frequency.data)
    except (CategoryError, RecurringError) as error:
        form.add_error(error)
        return None
    except operations.ExpenseIdUsedError:
        form.take_fresh_id()
        return None
    db.session.commit()
    is_new = any(change.table_name == "category" for change in operation.row_changes)
    text = join_sentences([added_message(values, is_new), sentence, date_message(values.date)])
    flash_message(text, undo=operation, expense=row_id, added_on=values.date)
    return values


def date_message(day: date) -> str:
    """Return the sentence about the date of an expense that was added, or nothing for today."""
    return "" if day == today() else gettext("It is dated %(day)s.", day=day_text(day))


def added_message(values: ExpenseValues, is_new_category: bool) -> str:
    """Return the message about an expense that was added."""
    texts = {"amount": money_text(abs(values.amount)), "category": isolate(values.category)}
    if values.amount < 0 and is_new_category:
        return gettext("Added a refund of %(amount)s to the new category %(category)s.", **texts)
    if values.amount < 0:
        return gettext("Added a refund of %(amount)s to %(category)s.", **texts)
    if is_new_category:
        return gettext("Added %(amount)s to the new category %(category)s.", **texts)
    return gettext("Added %(amount)s to %(category)s.", **texts)


def index() -> ResponseReturnValue:
    """Go to the list."""
    return redirect(url_for("list_expenses"))


def list_expenses() -> ResponseReturnValue:
    """Show a page of the matching expenses, and the total of all of them."""
    return list_page()


def add_to_list() -> ResponseReturnValue:
    """Add an expense from the list, and stay there."""
    form = new_expense_form()
    values = save_new(form)
    if values is None:
        return list_page(form)
    keep_for_next(form, values)
    # Without the row as the anchor, which would take the focus away from the form.
    return back_to_list()


def keep_for_next(form: ExpenseForm, values: ExpenseValues) -> None:
    """Keep the date and the category for the next expense, but not a category that the description chose."""
    category = values.category if form.category.data or form.new_category.data else ""
    session["last"] = {"category": category, "date": str(values.date) if form.date.is_chosen else ""}


def list_to_return_to() -> str:
    """Return the query string of the list that the page for a new expense was opened from."""
    return filter_form(MultiDict(parse_qsl(request.args.get("list", "")))).query_string()


def add_expense() -> ResponseReturnValue:
    """Add an expense; the query string may fill in the form."""
    here = list_to_return_to()
    if request.method in SAFE_METHODS and request.args.keys() - {"list"}:
        form = new_expense_form(formdata=request.args)
    else:
        form = (
            expense_form(formdata=None, **values_for_next())
            if request.method in SAFE_METHODS
            else new_expense_form()
        )
    url = url_for("add_expense", list=here[1:] or None)
    values = save_new(form)
    if values is not None and form.another.data:
        keep_for_next(form, values)
        return redirect(url)
    if values is not None:
        return redirect(f"{url_for('list_expenses')}{here}")
    return render_page("expenses/form.html", form=form, action=url, here=here, several=True)


def edit_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Edit an expense."""
    expense = own_or_404(Expense, expense_id)
    form = expense_form(shown=expense)
    if form.validate_on_submit() and save_changes(form, expense_id):
        return back_to_list(expense_id)
    # Read again: after an error and its rollback, it may have been deleted.
    expense = own_or_404(Expense, expense_id)
    here = filter_form().query_string()
    action = f"{url_for('edit_expense', expense_id=expense_id)}{here}"
    repeats = recurring.of_expense(current_user, expense_id)
    return render_page("expenses/form.html", form=form, expense=expense, repeats=repeats, action=action, here=here)


def save_changes(form: ExpenseForm, expense_id: uuid.UUID) -> bool:
    """Save an edited expense; return False when the form has to be shown again."""
    try:
        with operations.record(current_user, "edit", clock.now()) as operation:
            values = submitted_values(form, operation)
            # Locked after the categories, as an undo does: otherwise both could wait for each other.
            own_or_404(Expense, expense_id, lock=True)
            operations.change_expenses(operation, Expense.id == expense_id, values._asdict())
            sentence = repeat(operation, expense_id, form.frequency.data)
    except (CategoryError, RecurringError) as error:
        form.add_error(error)
        return False
    db.session.commit()
    if not operations.is_empty(operation) or sentence:
        text = join_sentences([gettext("Expense changed."), sentence])
        flash_message(text, undo=operation, expense=expense_id)
    return True


def duplicate_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Show the form for a copy of an expense, dated today."""
    form = expense_form(shown=own_or_404(Expense, expense_id))
    form.date.data = today()
    form.date.propose(today())
    here = filter_form().query_string()
    return render_page("expenses/form.html", form=form, action=f"{url_for('add_to_list')}{here}", here=here)


def delete_expense(expense_id: uuid.UUID) -> ResponseReturnValue:
    """Delete an expense and go back to the list as it was."""
    with operations.record(current_user, "delete", clock.now()) as operation:
        categories.lock_for_use(current_user)
        operations.delete_expenses(operation, Expense.id == expense_id)
    if operations.is_empty(operation):
        abort(404)
    sentence, series = continuing(operation)
    db.session.commit()
    text = join_sentences([gettext("Expense deleted."), sentence])
    flash_message(text, undo=operation, expense=expense_id, recurring=series)
    return back_to_list()


def continuing(operation: Operation) -> tuple[str, str]:
    """Return the sentence about recurring expenses that go on after a deletion, and the id for a link to them."""
    rows = recurring.continuing(current_user, operation)
    if not rows:
        return "", ""
    if len(rows) == 1:
        name, frequency = isolate(recurring.label_of(rows[0])), str(FREQUENCY_NAMES[rows[0].frequency])
        return gettext("%(name)s still repeats: %(frequency)s.", name=name, frequency=frequency), str(rows[0].id)
    text = ngettext("%(num)d recurring expense continues.", "%(num)d recurring expenses continue.", len(rows))
    return text, "all"


def change_expenses() -> ResponseReturnValue:
    """Change or delete many expenses, as one operation."""
    form = BulkForm(categories=category_names())
    if not form.validate_on_submit():
        return list_page(form)
    matching = spending.expenses_query(current_user, filter_form().filters).with_only_columns(Expense.id)
    if not form.all_matching.data:
        matching = matching.where(Expense.id.in_(form.ids.data))
    kind = "bulk_delete" if form.action.data == "delete" else "bulk_edit"
    try:
        with operations.record_in_pieces(current_user, kind, clock.now(), matching) as (operation, pieces):
            for ids in pieces:
                change_chosen(form, operation, Expense.id.in_(ids))
    except CategoryError as error:
        form.category.errors = [error_message(error)]
        return list_page(form)
    sentence, series = continuing(operation) if kind == "bulk_delete" else ("", "")
    db.session.commit()
    text = join_sentences([changed_message(operation), sentence])
    flash_message(text, undo=operation, recurring=series)
    return back_to_list()


def changed_message(operation: Operation) -> str:
    """Return the message about many expenses that were changed or deleted."""
    count, total = operation.count, money_text(operation.total)
    if operation.kind == "bulk_delete":
        return ngettext(
            "Deleted %(num)d expense, %(total)s.", "Deleted %(num)d expenses, %(total)s.", count, total=total
        )
    return ngettext(
        "Changed %(num)d expense, %(total)s.", "Changed %(num)d expenses, %(total)s.", count, total=total
    )


def change_chosen(form: BulkForm, operation: Operation, chosen: ColumnElement[bool]) -> None:
    """Change or delete the chosen expenses as the form says. Raises CategoryError."""
    categories.lock_for_use(current_user)
    if form.action.data == "delete":
        operations.delete_expenses(operation, chosen)
        return
    if form.action.data == "category":
        categories.lock_category(current_user, form.category.data)
    operations.change_expenses(operation, chosen, {form.action.data: form[form.action.data].data})


def print_expenses() -> ResponseReturnValue:
    """Show all matching expenses on one page without controls, for printing."""
    form = filter_form()
    filters = form.filters
    here = form.query_string(after=None, before=None)
    if filters.is_invalid:
        # The list shows which field of the filter is wrong.
        return redirect(f"{url_for('list_expenses')}{here}")
    return render_page(
        "expenses/print.html",
        filters=filters,
        here=here,
        summary=spending.summarise(current_user, filters),
        rows=spending.read_all(current_user, filters),
    )


def export_expenses() -> ResponseReturnValue:
    """Send all matching expenses as a CSV file, in the order of the list."""
    filters = filter_form().filters
    if filters.is_invalid:
        # An empty file could be taken for an empty ledger.
        abort(400)
    query, with_mark = spending.ordered_query(current_user, filters), "bom" in request.args
    lines = csv_export.write_csv(db.session.connection(), query, current_user.currency, with_mark)
    file = write_file_or_503(lambda: csv_export.write_file(current_user.id, lines))
    response = send_file(file, "text/csv", as_attachment=True, download_name="expenses.csv", conditional=False)
    response.content_length = file.size
    return response
