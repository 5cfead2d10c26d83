"""Recurring expenses."""

import uuid

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

import clock
from database import db
from forms import DueForm, RecurringForm, RestoreForm
from ledger import history, recurring
from models import RecurringExpense
from security import csrf
from views.common import own_categories, own_or_404, say, show_form, today
from views.expenses import show_list, submitted_values
from views.filters import expense_count, money_text, visitor_locale


def list_recurring() -> ResponseReturnValue:
    """Show everything that repeats, and what was stopped."""
    return render_template("recurring/list.html", recurring=recurring.all_recurring(current_user))


@csrf.rerender_on_csrf_failure
def edit_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Change what repeats, and how often."""
    row = own_or_404(RecurringExpense, recurring_id)
    form = RecurringForm.of(row, author=current_user, locale=visitor_locale(), categories=own_categories())
    if (sent := submitted_values(form)) is None:
        return show_form("recurring/form.html", form, recurring=row)
    recurring.change(current_user, row, sent[1], form.every.data)
    db.session.commit()
    say("Changed from now on. What was added stays as it is.")
    return redirect(url_for("list_recurring"))


def stop_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Let nothing of it be due any more."""
    own_or_404(RecurringExpense, recurring_id).stopped = True
    db.session.commit()
    say("Stopped.")
    return redirect(url_for("list_recurring"))


def resume_recurring(recurring_id: uuid.UUID) -> ResponseReturnValue:
    """Let it be due again, as if it had not been stopped."""
    own_or_404(RecurringExpense, recurring_id).stopped = False
    db.session.commit()
    say("Resumed.")
    return redirect(url_for("list_recurring"))


@csrf.rerender_on_csrf_failure
def post_due() -> ResponseReturnValue:
    """Add or skip what is due: one line, or all that were on the page."""
    due = recurring.due(current_user, today(), lock=True)
    form = DueForm(due=due, author=current_user, locale=visitor_locale())
    if not form.validate_on_submit():
        return show_list(due_form=form)
    if not form.chosen:
        say("Nothing was added: this is not due any more.")
        return redirect(url_for("list_expenses"))
    batch, done = recurring.settle(current_user, form.chosen, clock.now())
    db.session.commit()
    words = f"Skipped {expense_count(done.count)}"
    if not form.skip.data:
        words = f"Added {expense_count(done.count)}, {money_text(done.total)}"
    say(f"{words}.", batch, undo="take_back_due")
    return redirect(url_for("list_expenses"))


def take_back_due() -> ResponseReturnValue:
    """Make due again what was added or skipped."""
    form = RestoreForm()
    if not form.validate() or form.batch.data is None:
        abort(400)
    try:
        restored = recurring.take_back(current_user, form.batch.data, clock.now())
        db.session.commit()
        say(f"Taken back for {expense_count(restored.number)}. {restored.left_alone}".rstrip())
    except history.HistoryError as error:
        say(str(error))
    return redirect(url_for("list_expenses"))
