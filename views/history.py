"""Recent changes and undo."""

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

import clock
from database import db
from fields import parse_id
from forms import RestoreForm
from ledger import history
from views.common import back_to_list, say
from views.filters import expense_count


def list_deleted() -> ResponseReturnValue:
    """Show what was deleted and changed within the last 30 days, to take it back."""
    acts = history.recent_acts(current_user, clock.now(), before=parse_id(request.args.get("before", "")))
    return render_template("expenses/deleted.html", acts=acts, full=len(acts) == history.ACTS)


def restore_expenses() -> ResponseReturnValue:
    """Take an act back, and go back to where the button was."""
    form = RestoreForm()
    if not form.validate() or form.batch.data is None:
        abort(400)
    try:
        restored = history.take_back(current_user, form.batch.data, form.id.data)
        db.session.commit()
        only_categories = restored.categories and not restored.number
        done = "Taken back." if only_categories else f"Taken back for {expense_count(restored.number)}."
        say(f"{done} {restored.left_alone}".rstrip(), row_id=form.id.data)
    except history.HistoryError as error:
        say(str(error))
    pages = {"deleted": "list_deleted", "categories": "list_categories"}
    if form.page.data in pages:
        return redirect(url_for(pages[form.page.data]))
    return back_to_list(form.id.data)
