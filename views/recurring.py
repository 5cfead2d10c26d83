"""Recurring expenses."""

import uuid
from datetime import date

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from database import db
from forms import DueForm, EarlyForm, RecurringForm
from ledger import categories, operations, recurring
from ledger.categories import CategoryError
from messages import isolate, visitor_locale
from models import Operation, RecurringExpense
from views.common import flash_message, form_options, own_or_404, render_page, today
from views.expenses import list_page, submitted_values
from views.filters import day, money_text


def list_recurring() -> ResponseReturnValue:
    """Show all recurring expenses, the stopped ones last."""
    rows = recurring.all_recurring(current_user)
    return render_template(
        "recurring/list.html",
        recurring=rows,
        outlook=recurring.outlook(rows, today()),
        due_count=recurring.count_due(current_user, rows, today()),
    )


def edit_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Edit a recurring expense."""
    row = own_or_404(RecurringExpense, recurring_id)
    form = RecurringForm.of(row, author=current_user, **form_options())
    if not form.validate_on_submit():
        return render_page("recurring/form.html", form=form, recurring=row)
    try:
        with operations.record(current_user, "edit_recurring", clock.now()) as operation:
            values = submitted_values(form, operation)
            row = own_or_404(RecurringExpense, recurring_id, lock=True)
            recurring.change(current_user, operation, row, values, form.frequency.data, form.last_day)
    except CategoryError as error:
        form.add_error(error)
        # Read again: after the error and its rollback, it may have been deleted.
        row = own_or_404(RecurringExpense, recurring_id)
        return render_page("recurring/form.html", form=form, recurring=row)
    db.session.commit()
    flash_message(gettext("Saved. The change applies to future occurrences only."), undo=operation)
    return redirect(url_for("list_recurring"))


def stop_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Stop a recurring expense."""
    row = own_or_404(RecurringExpense, recurring_id, lock=True)
    operation = recurring.set_stopped(current_user, row, True, clock.now())
    db.session.commit()
    flash_message(gettext("Stopped."), undo=operation)
    return redirect(url_for("list_recurring"))


def resume_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Resume a recurring expense as if it had not been stopped."""
    row = own_or_404(RecurringExpense, recurring_id, lock=True)
    operation = recurring.set_stopped(current_user, row, False, clock.now())
    db.session.commit()
    flash_message(gettext("Resumed."), undo=operation)
    return redirect(url_for("list_recurring"))


def add_early(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Add the next occurrence of a recurring expense before it is due."""
    form = EarlyForm()
    if not form.validate_on_submit():
        abort(400)
    categories.lock_for_use(current_user)
    row = own_or_404(RecurringExpense, recurring_id, lock=True)
    if row.next_date != form.day.data or row.is_over:
        flash_message(gettext("Nothing to add: this was already added or skipped."), "error")
        return redirect(url_for("list_recurring"))
    operation = recurring.add_early(current_user, row, today(), clock.now())
    db.session.commit()
    flash_message(early_message(operation, row, form.day.data), undo=operation)
    return redirect(url_for("list_recurring"))


def early_message(operation: Operation, row: RecurringExpense, planned: date) -> str:
    """Return the message about an occurrence that was added, perhaps before its day."""
    texts = {"amount": money_text(operation.total), "category": isolate(row.category)}
    if planned <= today():
        return gettext("Added %(amount)s to %(category)s.", **texts)
    texts |= {"today": day(today()), "planned": day(planned)}
    return gettext("Added %(amount)s to %(category)s, dated %(today)s instead of %(planned)s.", **texts)


def delete_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a recurring expense."""
    row = own_or_404(RecurringExpense, recurring_id, lock=True)
    name = isolate(recurring.label_of(row))
    operation = recurring.delete(current_user, row, clock.now())
    db.session.commit()
    text = gettext("Deleted the recurring expense %(name)s. The expenses that were added stay.", name=name)
    flash_message(text, undo=operation)
    return redirect(url_for("list_recurring"))


def skip_all_due() -> ResponseReturnValue:
    """Skip everything that is due, for example after a long absence."""
    operation = recurring.skip_all_due(current_user, today(), clock.now())
    db.session.commit()
    if operations.is_empty(operation):
        flash_message(gettext("Nothing to add: this was already added or skipped."), "error")
    else:
        flash_message(gettext("Skipped everything that was due."), undo=operation)
    return redirect(url_for("list_recurring"))


def post_due() -> ResponseReturnValue:
    """Add or skip due expenses: one, or all that were on the page."""
    due = recurring.due(current_user, today(), lock=True)
    form = DueForm(due=due, currency=current_user.currency, locale=visitor_locale())
    if not form.validate_on_submit():
        return list_page(form)
    if not form.chosen:
        flash_message(gettext("Nothing to add: this was already added or skipped."), "error")
        return redirect(url_for("list_expenses"))
    operation = recurring.resolve_due(current_user, form.chosen, clock.now())
    db.session.commit()
    if form.skip.data:
        text = ngettext("Skipped %(num)d expense.", "Skipped %(num)d expenses.", len(form.chosen))
    else:
        total = money_text(operation.total)
        text = ngettext(
            "Added %(num)d expense, %(total)s.", "Added %(num)d expenses, %(total)s.", operation.count, total=total
        )
    flash_message(text, undo=operation)
    return redirect(url_for("list_expenses"))
