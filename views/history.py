"""History and undo."""

import uuid

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from database import db
from fields import parse_id
from forms import UndoForm
from ledger import history
from ledger.categories import CategoryError
from ledger.retention import UNDO_MAX_CHANGES
from ledger.undo import Undone
from ledger.undo import undo as undo_operation
from messages import error_message, isolate, join_sentences, list_separator
from security import safe_redirect_target
from views.common import flash_message, redirect_within


def list_history() -> ResponseReturnValue:
    """Show a page of the operations that can be undone, or were undone."""
    before = parse_id(request.args.get("before", ""))
    page = history.recent_operations(current_user, clock.now(), before)
    return render_template("history/list.html", page=page, limit=UNDO_MAX_CHANGES, max_rows=history.MAX_ROWS_SHOWN)


def undo(operation_id: uuid.UUID) -> ResponseReturnValue:
    """Undo an operation, or its change to one expense, and go back to where the button was."""
    form = UndoForm()
    if not form.validate():
        abort(400)
    # Not a field of the form: their length is limited, and the URL of a list may name many categories.
    target = safe_redirect_target(request.form.get("next"))
    back = redirect_within(target) if target else redirect(url_for("list_history"))
    try:
        undone = undo_operation(current_user, operation_id, clock.now(), form.expense.data)
    except CategoryError as error:
        flash_message(error_message(error), "error")
        return back
    if undone is None:
        abort(404)
    db.session.commit()
    flash_message(undo_message(undone), "status" if undone.operation else "error", undo=undone.operation)
    return back


def undo_message(undone: Undone) -> str:
    """Return what an undo did, and what it left alone, in sentences."""
    sentences = []
    if undone.restored:
        sentences.append(
            ngettext("Undone: %(num)d expense restored.", "Undone: %(num)d expenses restored.", undone.restored)
        )
    elif undone.changed:
        sentences.append(
            ngettext(
                "Undone: %(num)d expense changed back.", "Undone: %(num)d expenses changed back.", undone.changed
            )
        )
    elif undone.removed:
        sentences.append(
            ngettext("Undone: %(num)d expense removed.", "Undone: %(num)d expenses removed.", undone.removed)
        )
    elif undone.operation is not None:
        sentences.append(gettext("Undone."))
    elif not undone.conflict_count and undone.series is None:
        sentences.append(gettext("Already undone."))
    if undone.series == "kept":
        sentences.append(gettext("The recurring expense was kept because it was used or changed later."))
    if undone.conflict_count:
        sentences.append(conflict_message(undone))
    return join_sentences(sentences)


def conflict_message(undone: Undone) -> str:
    """Return the sentence that names what was changed later and therefore not undone."""
    names = [isolate(shortened(name or gettext("the total budget"))) for name in undone.conflicts]
    named, more = list_separator().join(names), undone.conflict_count - len(names)
    if more:
        return ngettext(
            "Not undone because they were changed later: %(names)s and %(num)d more.",
            "Not undone because they were changed later: %(names)s and %(num)d more.",
            more,
            names=named,
        )
    return ngettext(
        "Not undone because it was changed later: %(names)s.",
        "Not undone because they were changed later: %(names)s.",
        len(names),
        names=named,
    )


def shortened(name: str) -> str:
    """Return a name short enough for a message, which has to fit into a cookie."""
    return name if len(name) <= 40 else f"{name[:39]}…"
